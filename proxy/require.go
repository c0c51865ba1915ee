package proxy

import (
	"bytes"
	"fmt"
	"strings"

	"sniff/dissect"
)

// A listener that requires TLS lets the dialogue pass that leads to it, and
// refuses everything else in the clear, on either leg: nothing of it reaches
// the other side.

// maxCommand is the longest line of a dialogue that leads to TLS.
const maxCommand = 2048

// gate is what the client said on its way to TLS.
type gate struct {
	line    []byte // an unfinished line, which is kept back
	hello   bool   // the client has begun TLS
	private bool   // it has asked for data in TLS (PROT P)
}

// guarded passes what leads to TLS and what is inside of it.
func (p *pump) guarded(b []byte) error {
	r := p.r
	if p.dir == dissect.ServerToClient {
		if p.given == 0 && r.tls == nil && !leadsToTLS(b) {
			return r.deny(p, nil, "the server speaks without TLS, and in no dialogue that leads to it")
		}
		if r.tls == nil {
			r.offer.hears(b)
		}
		return p.relayed(b)
	}
	inside := r.tls != nil
	if inside && r.sess.Protocol() != "ftp" {
		return p.relayed(b)
	}
	if p.gate.hello && !inside {
		if _, held := r.sess.Limit(p.dir); !held {
			return r.deny(p, bytes.Clone(b), "the server has refused to speak TLS")
		}
		return p.relayed(b)
	}
	said := append(p.gate.line, b...)
	n := 0 // up to here it may pass
	for n < len(said) {
		if said[n] == tlsHandshake && !inside {
			p.gate.hello = true
			n = len(said)
			break
		}
		end := bytes.IndexByte(said[n:], '\n') + 1
		if end == 0 && len(said)-n < maxCommand {
			break
		}
		if why := p.gate.denies(said[n:][:end], inside, r.conn.TLS); why != "" {
			// Nor does what stands before it in the same breath go out: an answer
			// to that, the beginning of TLS even, would cross the refusal.
			return r.deny(p, bytes.Clone(said), why)
		}
		if !inside {
			r.offer.asks(said[n:][:end])
		}
		n += end
	}
	p.gate.line = bytes.Clone(said[n:])
	if n == 0 {
		return nil
	}
	return p.relayed(said[:n])
}

// leadsToTLS reports whether a server's first words begin a dialogue that has
// a command for TLS, or one that is encrypted by itself.
func leadsToTLS(b []byte) bool {
	return b[0] >= '1' && b[0] <= '5' || b[0] == tlsHandshake || bytes.HasPrefix(b, identification)
}

// denies says why a line may not pass; "" lets it. Inside of TLS only FTP's
// ways out of it are closed; where TLS began with the connection, data may be in
// TLS without a word.
func (g *gate) denies(line []byte, inside, implicit bool) string {
	verb, rest, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
	verb, rest = strings.ToUpper(verb), strings.ToUpper(strings.TrimSpace(rest))
	if inside {
		if verb == "CCC" || verb == "PROT" && rest != "P" {
			return fmt.Sprintf("TLS is required; %s would leave it", strings.TrimSpace(verb+" "+rest))
		}
		g.private = g.private || verb == "PROT"
		if hasData(verb) && !g.private && !implicit {
			return "TLS is required, and the data would go without; PROT P comes first"
		}
		return ""
	}
	switch verb {
	case "EHLO", "HELO", "LHLO", "STARTTLS", "NOOP", "RSET", "QUIT", "HELP", "FEAT", "HOST", "OPTS", "SYST", "CLNT", "LANG", "":
		if len(line) < maxCommand && !strings.HasPrefix(rest, "HTTP/") {
			return ""
		}
	case "AUTH":
		if isFTP(verb, rest) {
			return ""
		}
	}
	return "TLS is required, and the client goes on without"
}

// hasData reports whether an FTP command has a data connection.
func hasData(verb string) bool {
	switch verb {
	case "RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD":
		return true
	}
	return false
}

// deny refuses what the client says without TLS. p is the calling pump, which
// stands already; word was not given to anybody.
func (r *relay) deny(p *pump, word []byte, why string) error {
	r.begin(false)
	r.mu.Lock()
	taken := r.upgrading
	r.upgrading = true
	r.mu.Unlock()
	if taken {
		// The other pump ends the connection, or begins TLS, of which this is
		// none; it parks this one.
		p.behind = append(p.behind, word...)
		return nil
	}
	o := p.other()
	stands := o.park()
	dir, demand := p.dir, true
	if r.tls == nil {
		if lacking := r.offer.lacking(); lacking != "" {
			dir, demand, why = dissect.ServerToClient, false, lacking // it is not for the client to mend
		}
	}
	r.anomaly(codeTLSRequired, dir, why)
	if p.dir == dissect.ClientToServer {
		r.refuse(word, why, demand)
	}
	if stands {
		o.unpark(errRefused)
	}
	return errRefused
}
