package render

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"sniff/record"
)

// http writes the line of an exchange and those of its bodies.
func (z *Zeek) http(c *zeekConn, x *record.HTTPExchange) error {
	r := z.row(&x.Header, c.uid, x.Time)
	r.set("trans_depth", int64(max(x.Sequence, 1)))
	r.set("method", x.Method)
	host := x.Host
	if ap, err := netip.ParseAddrPort(host); err == nil {
		host = ap.Addr().String()
	} else if name, _, ok := strings.Cut(host, ":"); ok && !strings.HasPrefix(host, "[") {
		host = name
	}
	r.set("host", host)
	r.set("uri", unescaped(x.Target.String()))
	for _, f := range x.RequestHeaders {
		switch {
		case strings.EqualFold(f.Name, "Referer"):
			r.set("referrer", f.Value.String())
		case strings.EqualFold(f.Name, "Origin"):
			r.set("origin", f.Value.String())
		}
	}
	if x.ResponseVersion != "" {
		r.set("version", x.ResponseVersion)
	} else if x.Version == "0.9" {
		r.set("version", x.Version)
	}
	r.set("user_agent", x.UserAgent)
	r.set("request_body_len", x.RequestSize)
	r.set("response_body_len", zeekBodyLength(x))
	if x.Status > 0 {
		r.set("status_code", int64(x.Status))
		r.set("status_msg", x.Reason)
		if x.Reason == "" {
			r.set("status_msg", "<empty>")
		}
	}
	if x.Version == "0.9" && x.Response != nil {
		r.set("status_code", int64(0))
		r.set("status_msg", "<empty>")
	}
	if n := len(x.Interim); n > 0 {
		r.set("info_code", int64(x.Interim[n-1]))
	}
	r.set("tags", []string{})
	for side, body := range []*record.Content{x.Request, x.Response} {
		if body == nil || body.Size == 0 && body.Missing == 0 {
			continue
		}
		name := [...]string{"orig", "resp"}[side]
		fuid := zeekID('F', x.Session, name, fmt.Sprint(x.Offset), fmt.Sprint(x.Stream), fmt.Sprint(x.Sequence))
		r.set(name+"_fuids", []string{fuid})
		if body.Detected != "" {
			r.set(name+"_mime_types", []string{body.Detected})
		}
		if body.Name != "" && body.Disposition != "" {
			r.set(name+"_filenames", []string{body.Name})
		}
		at := x.Time
		if side == int(record.ServerToClient) && !x.Answer.Time.IsZero() {
			at = x.Answer.Time
		}
		if err := z.file(c.uid, &x.Header, fuid, "HTTP", at, body, declared(x, side), side == int(record.ClientToServer)); err != nil {
			return err
		}
	}
	return z.put("http", r)
}

// zeekBodyLength is the size of the body as Zeek counts it: content codings
// undone.
func zeekBodyLength(x *record.HTTPExchange) int64 {
	if x.Response != nil && x.Response.WireSize > 0 {
		return x.Response.Size
	}
	if x.Response != nil && x.Response.Missing > 0 {
		return x.ResponseSize + x.Response.Missing
	}
	return x.ResponseSize
}

// declared is the Content-Length of one side, 0 when it has none.
func declared(x *record.HTTPExchange, side int) int64 {
	fields := x.RequestHeaders
	if side == int(record.ServerToClient) {
		fields = x.ResponseHeaders
	}
	for _, f := range fields {
		if strings.EqualFold(f.Name, "Content-Length") {
			n, err := strconv.ParseInt(strings.TrimSpace(f.Value.String()), 10, 64)
			if err != nil || n < 0 {
				return 0
			}
			return n
		}
	}
	return 0
}

// unescaped undoes the percent-encoding of a URI, as Zeek does in its log; what
// is no encoding stays as it is.
func unescaped(uri string) string {
	if !strings.Contains(uri, "%") {
		return uri
	}
	var b strings.Builder
	for i := 0; i < len(uri); i++ {
		if uri[i] == '%' && i+2 < len(uri) {
			if c, err := strconv.ParseUint(uri[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(uri[i])
	}
	return b.String()
}
