package proxy

import (
	"bytes"
	"strings"
	"sync"

	"sniff/dissect"
)

// offer follows what the server answers on the way to TLS, so that a refusal can
// say that it is the server who has none.
type offer struct {
	mu    sync.Mutex // both pumps come here
	asked []string   // commands that were not answered yet; "" is the greeting
	line  []byte     // of the server, unfinished
	code  string     // of a reply whose last line has not come
	has   bool       // that reply names STARTTLS
	none  string     // why the server has no TLS, as far as it has said so
	told  bool       // the records have it
}

// maxAsked is how many commands may wait for an answer; those of clients that
// send more on their way to TLS are not followed.
const maxAsked = 64

func newOffer() *offer { return &offer{asked: []string{""}} }

// asks notes a command that the server will answer.
func (o *offer) asks(line []byte) {
	verb, rest, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(string(line))), " ")
	if verb == "AUTH" {
		verb += " " + strings.TrimSpace(rest)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if verb != "" && len(o.asked) < maxAsked {
		o.asked = append(o.asked, verb)
	}
}

// hears takes what the server says in the clear.
func (o *offer) hears(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for piece := range bytes.Lines(b) {
		if room := maxCommand - len(o.line); room > 0 {
			o.line = append(o.line, piece[:min(room, len(piece))]...)
		}
		if piece[len(piece)-1] == '\n' {
			o.hear(strings.TrimRight(string(o.line), "\r\n"))
			o.line = o.line[:0]
		}
	}
}

// hear takes one line. The last of a reply has its code and no dash (RFC 5321,
// section 4.2.1; RFC 959, section 4.2).
func (o *offer) hear(line string) {
	if o.code == "" {
		if len(line) < 3 || line[0] < '1' || line[0] > '5' {
			return
		}
		o.code, o.has = line[:3], false
	}
	word := ""
	if len(line) > 4 {
		word, _, _ = strings.Cut(line[4:], " ")
	}
	o.has = o.has || strings.EqualFold(word, "STARTTLS")
	if !strings.HasPrefix(line, o.code) || len(line) > 3 && line[3] == '-' {
		return
	}
	code := o.code
	o.code = ""
	if code[0] == '1' || len(o.asked) == 0 {
		return // more is to come, or nobody asked
	}
	asked := o.asked[0]
	o.asked = o.asked[1:]
	yes := code[0] == '2' || code == "334"
	switch {
	case asked == "STARTTLS", strings.HasPrefix(asked, "AUTH "):
		o.none = ""
		if !yes {
			o.none = "the server refuses " + asked + ": " + line
		}
	case asked == "EHLO" || asked == "LHLO":
		o.none = ""
		switch {
		case code[0] == '5':
			o.none = "the server offers no STARTTLS, and answers " + asked + " with " + line
		case yes && !o.has:
			o.none = "the server offers no STARTTLS"
		}
	}
}

// lacking returns what is to be said of a server without TLS, "" if it may well
// have it. It is told from now on.
func (o *offer) lacking() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.none == "" {
		return ""
	}
	o.told = true
	return "TLS is required, and " + o.none
}

// checkOffer looks at a connection that has ended without TLS: the client may
// have left because the server has none.
func (r *relay) checkOffer() {
	if r.offer == nil || r.tls != nil || r.offer.told {
		return
	}
	if why := r.offer.lacking(); why != "" {
		r.anomaly(codeTLSRequired, dissect.ServerToClient, why)
	}
}
