package render

import (
	"strconv"
	"strings"

	"sniff/record"
)

// eveHTTP is one request with its response.
type eveHTTP struct {
	Hostname    string    `json:"hostname,omitempty"`
	Port        int       `json:"http_port,omitempty"`
	URL         string    `json:"url,omitempty"`
	UserAgent   string    `json:"http_user_agent,omitempty"`
	XFF         string    `json:"xff,omitempty"`
	ContentType string    `json:"http_content_type,omitempty"`
	Range       *eveRange `json:"content_range,omitempty"`
	Referer     string    `json:"http_refer,omitempty"`
	Method      string    `json:"http_method,omitempty"`
	Protocol    string    `json:"protocol,omitempty"`
	Version     string    `json:"version,omitempty"`
	HTTP2       *eveHTTP2 `json:"http2,omitempty"`
	Status      int       `json:"status,omitempty"`
	Redirect    string    `json:"redirect,omitempty"`
	Length      int64     `json:"length"`
}

type eveHTTP2 struct {
	Stream uint32 `json:"stream_id"`
}

// eveRange is a Content-Range (RFC 9110, section 14.4).
type eveRange struct {
	Raw   string `json:"raw"`
	Start *int64 `json:"start,omitempty"`
	End   *int64 `json:"end,omitempty"`
	Size  *int64 `json:"size,omitempty"`
}

// http writes the http event of an exchange and a fileinfo event for each of
// its bodies.
func (e *EVE) http(f *eveFlow, x *record.HTTPExchange) error {
	f.events++
	tx := max(x.Sequence-1, 0)
	v := e.event("http", &x.Header, x.Time)
	switch {
	case !x.ResponseEnd.IsZero():
		v.Timestamp = eveTime(x.ResponseEnd)
	case !x.Answer.Time.IsZero():
		v.Timestamp = eveTime(x.Answer.Time)
	}
	at := v.Timestamp
	v.TxID, v.HTTP = &tx, eveHTTPOf(x)
	if err := e.put(v, x); err != nil {
		return err
	}
	for i, c := range []*record.Content{x.Request, x.Response} {
		if c == nil || c.Size == 0 && c.Missing == 0 {
			continue
		}
		v := e.event("fileinfo", &x.Header, x.Time)
		v.Timestamp, v.HTTP = at, eveHTTPOf(x)
		v.AppProto = "http"
		if x.Stream > 0 {
			v.AppProto = "http2"
		}
		if i == int(record.ServerToClient) {
			v.turn()
		}
		name := c.Name
		if name == "" {
			name, _, _ = strings.Cut(x.Target.String(), "?")
		}
		v.FileInfo = fileInfo(c, name, true, tx)
		if err := e.put(v, x); err != nil {
			return err
		}
	}
	return nil
}

func eveHTTPOf(x *record.HTTPExchange) *eveHTTP {
	h := &eveHTTP{
		Hostname: x.Host, URL: x.Target.String(), UserAgent: x.UserAgent, ContentType: x.ResponseType, Method: x.Method,
		Status: x.Status, Length: x.ResponseSize,
	}
	if i := strings.LastIndexByte(h.Hostname, ':'); i > 0 && !strings.HasSuffix(h.Hostname, "]") {
		if port, err := strconv.ParseUint(h.Hostname[i+1:], 10, 16); err == nil {
			h.Hostname, h.Port = h.Hostname[:i], int(port)
		}
	}
	if x.Stream > 0 {
		h.Version, h.HTTP2 = "2", &eveHTTP2{Stream: x.Stream}
	} else if x.Version != "" {
		h.Protocol = "HTTP/" + x.Version
	}
	if x.Status/100 == 3 {
		h.Redirect = x.Location
	}
	if x.Range != "" {
		h.Range = contentRange(x.Range)
	}
	for _, f := range x.RequestHeaders {
		switch {
		case strings.EqualFold(f.Name, "Referer"):
			h.Referer = f.Value.String()
		case strings.EqualFold(f.Name, "X-Forwarded-For"):
			h.XFF = f.Value.String()
		}
	}
	return h
}

func contentRange(raw string) *eveRange {
	r := &eveRange{Raw: raw}
	span, size, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(raw, "bytes")), "/")
	from, to, ok := strings.Cut(span, "-")
	number := func(s string) *int64 {
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return nil
		}
		return &n
	}
	if ok {
		r.Start, r.End = number(from), number(to)
	}
	r.Size = number(size)
	return r
}
