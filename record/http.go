package record

import (
	"strconv"
	"strings"
	"time"
)

// How much of an HTTP exchange was seen.
const (
	HTTPComplete    = "complete"     // request and response, both to their ends
	HTTPNoResponse  = "no response"  // the request was never answered, as far as was seen
	HTTPNoRequest   = "no request"   // a response whose request was not captured or never sent
	HTTPRequestCut  = "request cut"  // the request ends before its length or lacks bytes
	HTTPResponseCut = "response cut" // the response ends before its length or lacks bytes
)

// HTTPExchange is one HTTP request with its response.
type HTTPExchange struct {
	Header
	Method          string   `json:"method,omitempty" doc:"request method; empty when the request was not seen"`
	Target          Text     `json:"target,omitzero" doc:"request target as it stands, secrets masked"`
	URL             string   `json:"url,omitempty" doc:"the target made absolute with scheme and host, secrets masked"`
	Host            string   `json:"host,omitempty" doc:"Host field or authority of the target"`
	Version         string   `json:"version,omitempty" doc:"HTTP version of the request: 0.9, 1.0, 1.1 or 2"`
	Status          int      `json:"status,omitempty" doc:"status code of the final response; 0 when none was seen"`
	Reason          string   `json:"reason,omitempty" doc:"reason phrase of the response"`
	ResponseVersion string   `json:"response_version,omitempty" doc:"HTTP version of the response"`
	State           string   `json:"state" doc:"how much was seen: complete, no response, no request, request cut, response cut"`
	Sequence        int      `json:"sequence,omitempty" doc:"number of the exchange on its connection, from 1"`
	Stream          uint32   `json:"stream,omitempty" doc:"HTTP/2 stream number"`
	Pipelined       bool     `json:"pipelined,omitempty" doc:"the request was sent before the one in front of it was answered"`
	Interim         []int    `json:"interim,omitempty" doc:"status codes of interim responses (1xx), the first 8"`
	UserAgent       string   `json:"user_agent,omitempty" doc:"User-Agent of the request"`
	Software        string   `json:"software,omitempty" doc:"Server field of the response"`
	RequestType     string   `json:"request_type,omitempty" doc:"media type of the request, lower case, without parameters"`
	ResponseType    string   `json:"response_type,omitempty" doc:"media type of the response, lower case, without parameters"`
	RequestHead     int64    `json:"request_head,omitempty" doc:"bytes of the request's head"`
	RequestSize     int64    `json:"request_size" doc:"bytes of the request's body, transfer coding undone"`
	ResponseHead    int64    `json:"response_head,omitempty" doc:"bytes of the final response's head"`
	ResponseSize    int64    `json:"response_size" doc:"bytes of the response's body, transfer coding undone"`
	Framing         string   `json:"framing,omitempty" doc:"how the end of the response's body was known: none, length, chunked, close, frames"`
	Sending         Seconds  `json:"sending,omitempty" doc:"from the first to the last byte of the request, seconds"`
	Waiting         Seconds  `json:"waiting,omitempty" doc:"from the last byte of the request to the first of the response, seconds; negative when the answer came early"`
	Receiving       Seconds  `json:"receiving,omitempty" doc:"from the first to the last byte of the response, seconds"`
	Latency         Seconds  `json:"latency,omitempty" doc:"from the first byte of the request to the last of the response, seconds"`
	Action          string   `json:"action,omitempty" doc:"SOAPAction field or action parameter of the media type, without quotes"`
	Auth            string   `json:"auth,omitempty" doc:"authentication scheme that the request used"`
	Challenges      []string `json:"challenges,omitempty" doc:"authentication schemes that the response offered"`
	Cookies         []string `json:"cookies,omitempty" doc:"names of the cookies sent, and of those set by the response with a leading +; the first 32"`
	Location        string   `json:"location,omitempty" doc:"Location of the response, secrets masked"`
	Range           string   `json:"range,omitempty" doc:"Content-Range of the response"`
	Tunnel          string   `json:"tunnel,omitempty" doc:"protocol that the connection was switched to, or the target of a CONNECT that was granted"`
	Carries         string   `json:"carries,omitempty" doc:"kind of document that its bodies were recognised as, such as soap"`
	RequestHeaders  []Field  `json:"request_headers,omitempty" doc:"header fields of the request in order, credentials and cookies masked, the first 100"`
	ResponseHeaders []Field  `json:"response_headers,omitempty" doc:"header fields of the final response, likewise"`
	Trailers        []Field  `json:"trailers,omitempty" doc:"trailer fields of either side"`
	Request         *Content `json:"request,omitempty" doc:"body of the request"`
	Response        *Content `json:"response,omitempty" doc:"body of the response"`

	// When the request's last byte and the response's first and last were
	// seen; zero when they were not. The response's first byte is at Answer.
	RequestEnd  time.Time `json:"-"`
	Answer      Stamp     `json:"-"`
	ResponseEnd time.Time `json:"-"`
}

func (*HTTPExchange) Kind() Kind { return KindHTTPExchange }

func (x *HTTPExchange) Summary() string {
	var b strings.Builder
	b.WriteString(x.called())
	b.WriteByte(' ')
	b.WriteString(x.outcome())
	if x.ResponseSize > 0 {
		b.WriteString(", " + Bytes(x.ResponseSize))
	}
	if x.ResponseType != "" {
		b.WriteString(" of " + x.ResponseType)
	}
	if x.Latency != 0 {
		b.WriteString(", " + x.Latency.String())
	}
	return b.String()
}

// called is the request in few words: "GET /path".
func (x *HTTPExchange) called() string {
	if x.Method == "" {
		return "unseen request"
	}
	return x.Method + " " + shorten(x.Target.String(), 60)
}

func (x *HTTPExchange) outcome() string {
	switch {
	case x.Status != 0:
		s := strconv.Itoa(x.Status)
		if x.State != HTTPComplete && x.State != HTTPNoRequest && x.State != "" {
			s += " (" + x.State + ")"
		}
		return s
	case x.State == HTTPComplete:
		return "answered"
	}
	return x.State
}

// Failed reports whether the response is an error, or missing.
func (x *HTTPExchange) Failed() bool { return x.Status >= 400 || x.Status == 0 && x.Version != "0.9" }

// Tell says "GET / 200" of a single exchange, and of several how many there
// were and how many failed. What a load made of the bodies is told by the
// load's own records.
func (x *HTTPExchange) Tell(o *Outline) {
	if x.Tunnel != "" {
		o.Fact("http tunnel").Text = "tunnel to " + shorten(x.Tunnel, 60)
		return
	}
	calls := x.Carries != "" && x.Carries != "wsdl" // a contract is no call
	if calls && (x.Status < 400 || strings.HasSuffix(x.ResponseType, "xml")) {
		return
	}
	f := o.Fact("http")
	f.N++
	if x.Failed() {
		f.Sum++
	}
	if f.N == 1 {
		f.Text = x.called() + " " + x.outcome()
		if calls {
			f.Text = "HTTP " + x.outcome()
		}
		return
	}
	f.Text = strconv.Itoa(f.N) + " HTTP requests"
	if calls {
		f.Text = strconv.Itoa(f.N) + " HTTP errors"
		return
	}
	if f.Sum > 0 {
		f.Text += ", " + strconv.FormatInt(f.Sum, 10) + " failed"
	}
}

// Lines returns both heads as they were said, and the bodies folded.
func (x *HTTPExchange) Lines() []Line {
	var lines []Line
	if x.Method != "" {
		lines = append(lines, x.requestLines()...)
	}
	for _, code := range x.Interim {
		lines = append(lines, Line{Time: x.Answer.Time, Dir: ServerToClient, Text: Plain("HTTP/1.1 " + strconv.Itoa(code))})
	}
	if x.Status != 0 || x.Response != nil {
		lines = append(lines, x.responseLines()...)
	}
	at := x.ResponseEnd
	if at.IsZero() {
		at = x.RequestEnd
	}
	note := x.State
	if x.State == HTTPComplete {
		note = "sent in " + x.Sending.String() + ", answered after " + x.Waiting.String() + ", received in " + x.Receiving.String()
	}
	return append(lines, Line{Time: at, Note: true, Text: Plain(note)})
}

func (x *HTTPExchange) requestLines() []Line {
	first := x.Target
	prefix, suffix := x.Method+" ", ""
	if x.Version != "0.9" {
		suffix = " HTTP/" + x.Version
	}
	lines := []Line{{Time: x.Time, Dir: ClientToServer, Text: wrapText(prefix, first, suffix)}}
	lines = appendFields(lines, x.Time, ClientToServer, x.RequestHeaders)
	return appendBody(lines, x.Time, ClientToServer, x.Request, x.RequestType)
}

func (x *HTTPExchange) responseLines() []Line {
	var lines []Line
	if x.Status != 0 {
		status := "HTTP/" + x.ResponseVersion + " " + strconv.Itoa(x.Status)
		if x.Reason != "" {
			status += " " + x.Reason
		}
		lines = append(lines, Line{Time: x.Answer.Time, Dir: ServerToClient, Text: Plain(status)})
	}
	lines = appendFields(lines, x.Answer.Time, ServerToClient, x.ResponseHeaders)
	return appendBody(lines, x.Answer.Time, ServerToClient, x.Response, x.ResponseType)
}

func appendFields(lines []Line, at time.Time, d Dir, fields []Field) []Line {
	for _, f := range fields {
		lines = append(lines, Line{Time: at, Dir: d, Text: wrapText(f.Name+": ", f.Value, "")})
	}
	return lines
}

// maxPartLines bounds the parts of one body that a dialogue shows.
const maxPartLines = 20

// appendBody adds a line for a body and each of its parts: what it is, with
// its text folded.
func appendBody(lines []Line, at time.Time, d Dir, c *Content, what string) []Line {
	if c == nil {
		return lines
	}
	if what == "" {
		what = c.Detected
	}
	if what == "" {
		what = "body"
	}
	text := what + ", " + Bytes(c.Size)
	if c.Partial {
		text += ", not whole"
	}
	lines = append(lines, Line{Time: at, Dir: d, Text: Plain("[" + text + "]"), Fold: foldContent(c)})
	return appendParts(lines, at, d, c)
}

// appendParts adds the MIME parts of a body. What only holds others together
// has no line of its own.
func appendParts(lines []Line, at time.Time, d Dir, c *Content) []Line {
	for i, part := range c.Parts {
		if i == maxPartLines {
			return append(lines, Line{Time: at, Dir: d, Text: Plain("[" + strconv.Itoa(len(c.Parts)-i) + " more parts]")})
		}
		if len(part.Parts) > 0 && part.Message == nil {
			lines = appendParts(lines, at, d, part)
			continue
		}
		what := part.MediaType
		if what == "" {
			what = part.Detected
		}
		if part.Path != "" {
			what = "part " + part.Path + " " + what
		}
		if part.ID != "" {
			what += " <" + part.ID + ">"
		}
		if part.Name != "" {
			what += " " + strconv.Quote(part.Name)
		}
		lines = appendBody(lines, at, d, part, strings.TrimSpace(what))
	}
	return lines
}

// wrapText puts plain text around one that may have secrets.
func wrapText(prefix string, t Text, suffix string) Text {
	w := Text{text: prefix + t.text + suffix, shown: t.shown}
	for _, s := range t.secrets {
		w.secrets = append(w.secrets, span{s.from + len(prefix), s.to + len(prefix)})
	}
	return w
}

// shorten cuts s to about n bytes at a rune's border.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
