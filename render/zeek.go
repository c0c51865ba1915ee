package render

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"sniff/record"
)

// Zeek writes records as the logs that Zeek writes: conn, smtp, ftp, ssh, ssl,
// x509, http, files, weird and notice, each in a file of its own in one
// folder, made when its first line comes. Columns, types, escapes and the
// marks for what is unset or empty are Zeek's, and so is what makes a line:
// one per connection, message, logged FTP command, exchange, handshake and
// file. Ids of connections and files are made of sniff's session ids, so that
// the same capture gives the same ids.
//
// What only Zeek can know is unset: the parents of tunnels, the course of a
// TLS handshake in letters, the depth of a file in its message.
type Zeek struct {
	dir   string
	json  bool
	style Style
	// Flush writes every line out at once, for a live view.
	Flush bool

	logs  map[string]*zeekLog
	order []*zeekLog
	conns map[string]*zeekConn
	last  time.Time
}

// zeekConn is what the lines of an open session still need.
type zeekConn struct {
	uid       string
	mailBegan time.Time       // greeting, or first command since the last message
	login     string          // FTP user
	password  string          // FTP, as it is logged
	pending   *zeekRow        // FTP command that waits for its transfer
	waitsFor  string          // that command
	auth      *record.SSHAuth // login of the SSH connection
	shake     *record.SSHHandshake
}

// NewZeek returns a sink that writes to files in dir, which is made if there
// is none. A log that exists already is not overwritten.
func NewZeek(dir string, json bool, style Style) (*Zeek, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &Zeek{dir: dir, json: json, style: style, logs: map[string]*zeekLog{}, conns: map[string]*zeekConn{}}, nil
}

// zeekID makes an id as Zeek's look: a letter and up to 18 digits of base 62.
func zeekID(letter byte, of ...string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	h := fnv.New128a()
	for _, s := range of {
		io.WriteString(h, s)
		h.Write([]byte{0})
	}
	sum := h.Sum(nil)
	id := []byte{letter}
	for _, part := range [2][]byte{sum[:8], sum[8:]} {
		var v uint64
		for _, b := range part {
			v = v<<8 | uint64(b)
		}
		for range 8 {
			id = append(id, digits[v%62])
			v /= 62
		}
	}
	return string(id)
}

func (z *Zeek) conn(h *record.Header) *zeekConn {
	c := z.conns[h.Session]
	if c == nil {
		c = &zeekConn{uid: zeekID('C', h.Session), login: "<unknown>"}
		z.conns[h.Session] = c
	}
	return c
}

func (z *Zeek) Write(r record.Record) error {
	if z.style.Reveal {
		record.Reveal(r)
	}
	if t := r.Head().Time; t.After(z.last) {
		z.last = t
	}
	switch r := r.(type) {
	case *record.SMTPExchange:
		if c := z.conn(&r.Header); c.mailBegan.IsZero() {
			c.mailBegan = r.Time
		}
	case *record.SMTPMessage:
		return z.mail(z.conn(&r.Header), r)
	case *record.FTPExchange:
		return z.ftp(z.conn(&r.Header), r)
	case *record.FTPTransfer:
		return z.ftpTransfer(z.conn(&r.Header), r)
	case *record.HTTPExchange:
		return z.http(z.conn(&r.Header), r)
	case *record.SSHHandshake:
		z.conn(&r.Header).shake = r
	case *record.SSHAuth:
		z.conn(&r.Header).auth = r
	case *record.TLSHandshake:
		return z.tls(z.conn(&r.Header), r)
	case *record.Anomaly:
		return z.weird(r)
	case *record.Finding:
		return z.notice(r)
	case *record.Session:
		c := z.conn(&r.Header)
		delete(z.conns, r.Session)
		return errors.Join(z.flushFTP(c), z.ssh(c), z.session(c, r))
	}
	return nil
}

// Close ends all logs.
func (z *Zeek) Close() error {
	var err error
	for _, c := range z.conns {
		err = errors.Join(err, z.flushFTP(c), z.ssh(c))
	}
	for _, l := range z.order {
		err = errors.Join(err, l.close(z.last))
	}
	return err
}

// zeekRow is one line: values by column.
type zeekRow struct {
	at     time.Time
	values map[string]any
}

// row begins a line of a session.
func (z *Zeek) row(h *record.Header, uid string, at time.Time) *zeekRow {
	if h.Session == "" { // about the input as a whole
		return &zeekRow{at: at, values: map[string]any{"ts": at}}
	}
	return &zeekRow{at: at, values: map[string]any{
		"ts": at, "uid": uid,
		"id.orig_h": h.Client.Addr().Unmap(), "id.orig_p": int64(h.Client.Port()),
		"id.resp_h": h.Server.Addr().Unmap(), "id.resp_p": int64(h.Server.Port()),
	}}
}

// set sets a value. An empty string is unset, as all strings here are.
func (r *zeekRow) set(column string, value any) {
	if s, ok := value.(string); ok && s == "" {
		return
	}
	r.values[column] = value
}

// put writes a line to a log, which is made if it is the first one.
func (z *Zeek) put(log string, r *zeekRow) error {
	l := z.logs[log]
	if l == nil {
		var err error
		if l, err = openZeekLog(z.dir, log, z.json, r.at); err != nil {
			return err
		}
		z.logs[log] = l
		z.order = append(z.order, l)
	}
	if err := l.write(r); err != nil || !z.Flush {
		return err
	}
	return l.w.Flush()
}

// local reports whether Zeek takes an address for one of the own network.
func local(a netip.Addr) bool {
	a = a.Unmap()
	if b := a.As16(); a.Is6() && b[0] == 0x20 && b[1] == 0x02 {
		a = netip.AddrFrom4([4]byte(b[2:6])) // 6to4: RFC 3056
	}
	return slices.ContainsFunc(privateNets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// privateNets is Zeek's Site::private_address_space: what IANA's registries of
// special purpose addresses keep from the Internet.
var privateNets = func() (nets []netip.Prefix) {
	for _, p := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/24", "239.0.0.0/8", "240.0.0.0/4",
		"::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "fc00::/7", "fe80::/10", "fec0::/10",
	} {
		nets = append(nets, netip.MustParsePrefix(p))
	}
	return nets
}()

// weird writes an anomaly.
func (z *Zeek) weird(a *record.Anomaly) error {
	r := z.row(&a.Header, zeekID('C', a.Session), a.Time)
	r.set("name", a.Code)
	r.set("addl", a.Detail)
	r.set("notice", false)
	r.set("peer", "sniff")
	r.set("source", strings.ToUpper(strings.ReplaceAll(a.Protocol, "-", "_")))
	return z.put("weird", r)
}

// notice writes a finding.
func (z *Zeek) notice(f *record.Finding) error {
	r := z.row(&f.Header, zeekID('C', f.Session), f.Time)
	family, code, _ := strings.Cut(f.Code, ".")
	note := strings.ToUpper(family) + "::"
	for word := range strings.SplitSeq(code, "_") {
		if word != "" {
			note += strings.ToUpper(word[:1]) + word[1:] + "_"
		}
	}
	r.set("proto", "tcp")
	r.set("note", strings.TrimSuffix(note, "_"))
	r.set("msg", f.Title)
	r.set("sub", fmt.Sprintf("%s: %s", f.Severity, f.Explanation))
	r.set("src", f.Client.Addr().Unmap())
	r.set("dst", f.Server.Addr().Unmap())
	r.set("p", int64(f.Server.Port()))
	if f.Count > 1 {
		r.set("n", int64(f.Count))
	}
	r.set("peer_descr", "sniff")
	r.set("actions", []string{"Notice::ACTION_LOG"})
	r.set("email_dest", []string{})
	r.set("suppress_for", 3600*time.Second)
	return z.put("notice", r)
}
