package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sniff/dissect"
	"sniff/export"
	"sniff/record"
	"sniff/render"
)

// exportDecrypted writes the wanted sessions in which TLS was read, and those
// that belong to them, as plain TCP. The input is read twice: for the sessions,
// and for what they said.
func (a *app) exportDecrypted(files []string, path string, sessions []string) error {
	if path == "" {
		return usageError{hinted{errors.New("where to write is missing"), "name a file with -w out.pcapng"}}
	}
	chosen, err := a.newChoice(files, sessions, "--decrypted reads")
	if err != nil {
		return err
	}
	read := &export.Choice{Want: func(r record.Record) (bool, error) {
		s, ok := r.(*record.Session)
		return ok && s.TLS == "read", nil
	}}
	if err := a.analyse(files, both{chosen, read}, 0, nil); err != nil {
		return tooMany(err)
	}
	chosen.Sessions()
	decrypted, all := read.Sessions()
	if decrypted == 0 {
		return usageError{hinted{fmt.Errorf("none of %s could be decrypted; nothing was written", record.Count(all, "session")), "give the keys with --keylog or --tls-key; sniff show says why a session was not read"}}
	}
	w, err := render.CreatePcapNG(path, render.Rotation{})
	if errors.Is(err, fs.ErrExist) {
		return usageError{hinted{fmt.Errorf("%s exists already", path), "name another file; nothing is overwritten"}}
	}
	if err != nil {
		return inputError{err}
	}
	tap := &plainTap{to: w, wanted: func(id string) bool { return chosen.Wanted(id) && read.Wanted(id) }, ports: plainPorts(protocols(nil)), odd: map[uint16]string{}}
	again := *a // what is to be said of the input was said the first time
	again.stderr, again.tap = io.Discard, tap.open
	err = again.analyse(files, record.SinkFunc(func(record.Record) error { return nil }), 0, nil)
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	a.note("wrote the plaintext of %d of %s to %s", tap.written, record.Count(all, "session"), path)
	if hint := tap.hint(); hint != "" {
		a.note("tshark does not expect these ports; tell it: tshark -r %s%s", path, hint)
	}
	return nil
}

// plainTap gives wanted sessions to a capture, on ports on which other tools
// expect the protocol in the clear.
type plainTap struct {
	to      record.Tap
	wanted  func(session string) bool
	ports   map[uint16]uint16 // of TLS to those of the same protocol in the clear
	written int
	odd     map[uint16]string // ports that tell nobody the protocol
}

func (p *plainTap) open(h *record.Header, start time.Time) record.TapConn {
	if !p.wanted(h.Session) {
		return nil
	}
	p.written++
	comment := "session " + h.Session
	server := h.Server
	if port, ok := p.ports[server.Port()]; ok {
		comment += fmt.Sprintf(", decrypted from port %d", server.Port())
		server = netip.AddrPortFrom(server.Addr(), port)
	} else if h.Protocol != "" && !strings.Contains(h.Protocol, "-") && !slices.Contains(knownPorts(h.Protocol), server.Port()) {
		p.odd[server.Port()] = h.Protocol
	}
	conn := p.to.Open(h.Client, server, start, comment)
	switch h.Protocol {
	case "smtp":
		return &anew{TapConn: conn}
	case "http":
		return &anew{TapConn: conn, asked: true}
	}
	return conn
}

// anew is a dialogue that begins anew inside TLS. SMTP's is put back to where
// the server has greeted (RFC 3207, section 4.2): of what was said before TLS
// only the greeting is written, so that nobody misses in the second EHLO's
// answer what the first one's offered. What HTTP says before TLS asks a proxy
// for the tunnel (CONNECT), behind which other tools expect TLS.
type anew struct {
	record.TapConn
	asked, inTLS bool
}

func (c *anew) Data(dir record.Dir, b []byte, at time.Time) {
	c.asked = c.asked || dir == record.ClientToServer
	if c.inTLS || !c.asked {
		c.TapConn.Data(dir, b, at)
	}
}

func (c *anew) Comment(text string) {
	c.inTLS = true
	c.TapConn.Comment(text)
}

// hint is what tells tshark the protocols of ports that it does not know.
func (p *plainTap) hint() string {
	var out []string
	for port, protocol := range p.odd {
		out = append(out, fmt.Sprintf(" -d tcp.port==%d,%s", port, protocol))
	}
	slices.Sort(out)
	return strings.Join(out[:min(len(out), 5)], "")
}

// plainPorts maps the ports of implicit TLS to those of the same protocols in
// the clear.
func plainPorts(list []dissect.Protocol) map[uint16]uint16 {
	out := map[uint16]uint16{}
	for _, p := range list {
		for _, port := range p.TLSPorts {
			if len(p.Ports) > 0 && !slices.Contains(p.Ports, port) {
				out[port] = p.Ports[0]
			}
		}
	}
	return out
}

// knownPorts are the ports on which tshark expects a protocol.
func knownPorts(protocol string) []uint16 {
	switch protocol {
	case "smtp":
		return []uint16{25, 587}
	case "ftp":
		return []uint16{21}
	case "http":
		return []uint16{80, 3128, 8080}
	}
	return nil
}
