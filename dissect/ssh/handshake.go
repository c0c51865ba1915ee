package ssh

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// handshake collects what the messages in the clear say.
type handshake struct {
	rec      record.SSHHandshake
	began    bool
	dir      dissect.Dir // who sent the first byte seen
	stamp    record.Stamp
	lastSeen record.Stamp
	offers   [2]*offer
	messages []kexMessage
	kept     int // bytes of them
	keyed    [2]bool
	phases   []record.SSHPhase
	course   []record.SSHPhase // of the record that was written
}

// see notes that bytes of the clear were understood.
func (h *handshake) see(dir dissect.Dir, at record.Stamp) {
	if !h.began {
		h.began, h.dir, h.stamp = true, dir, at
	}
	h.lastSeen = at
}

// maxPhases bounds the course of a handshake.
const maxPhases = 24

// phase adds a step to the course.
func (h *handshake) phase(name string, dir dissect.Dir, at record.Stamp, detail string) {
	h.see(dir, at)
	if h.phases == nil {
		h.phases = make([]record.SSHPhase, 0, 10) // what a handshake has
	}
	if len(h.phases) < maxPhases {
		h.phases = append(h.phases, record.SSHPhase{Name: name, Time: at.Time, By: dir.String(), Detail: detail})
	}
}

func (h *handshake) otherLine(dir dissect.Dir, text []byte, at record.Stamp) {
	h.see(dir, at)
	lines := &h.rec.ServerLines
	if dir == dissect.ClientToServer {
		lines = &h.rec.ClientLines
	}
	if len(*lines) < keptLines {
		*lines = append(*lines, clip(text, keptLine))
	}
}

func (h *handshake) identified(dir dissect.Dir, id *record.SSHIdentification, at record.Stamp) {
	if dir == dissect.ClientToServer {
		h.rec.ClientID = id
	} else {
		h.rec.ServerID = id
	}
	detail := id.Text
	if id.OS != "" {
		detail += " (" + id.OS + ")"
	}
	h.phase("identification", dir, at, detail)
}

func (h *handshake) offered(dir dissect.Dir, k *knownOffer, at record.Stamp) {
	o := &k.offer
	h.offers[dir] = o
	detail := strings.Join([]string{
		counted(len(o.init.Kex), "key exchange method"), counted(len(o.init.HostKey), "host key algorithm"),
		counted(len(o.init.CipherC2S), "cipher"), counted(len(o.init.MACC2S), "MAC"),
	}, ", ")
	if dir == dissect.ClientToServer {
		h.rec.ClientKex = o.init
		h.rec.HASSH, h.rec.HASSHString = k.sum, k.text
	} else {
		h.rec.ServerKex = o.init
		h.rec.HASSHServer, h.rec.HASSHServerString = k.sum, k.text
	}
	h.phase("kexinit", dir, at, detail)
	if h.offers[0] != nil && h.offers[1] != nil {
		h.rec.Negotiated, h.rec.NoCommon = negotiate(h.offers[0], h.offers[1])
		h.rec.StrictKex = h.strict()
		h.rec.Terrapin = terrapin(h.rec.Negotiated, h.rec.StrictKex)
	}
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// strict reports whether strict key exchange is in force.
func (h *handshake) strict() bool {
	return h.offers[0] != nil && h.offers[1] != nil && h.offers[0].strict && h.offers[1].strict
}

// terrapin judges CVE-2023-48795 by what was negotiated: the prefix of the
// stream can be cut with chacha20-poly1305, and with CBC ciphers under an
// encrypt-then-MAC, unless both sides keep to a strict key exchange.
func terrapin(n *record.SSHNegotiated, strict bool) string {
	weak := func(cipher, mac string) bool {
		return strings.HasPrefix(cipher, "chacha20-poly1305") || strings.HasSuffix(cipher, "-cbc") && strings.Contains(mac, "-etm")
	}
	switch {
	case n.CipherC2S == "" || n.CipherS2C == "":
		return ""
	case strict:
		return "protected"
	case weak(n.CipherC2S, n.MACC2S) || weak(n.CipherS2C, n.MACS2C):
		return "exposed"
	}
	return "unaffected"
}

func (h *handshake) exchanged(dir dissect.Dir, payload []byte, at record.Stamp) {
	if len(h.messages) < maxKexMessages && h.kept+len(payload) <= maxKexBytes {
		h.kept += len(payload)
		h.messages = append(h.messages, kexMessage{dir, slices.Clone(payload), at})
	}
	h.phase("key_exchange", dir, at, "")
}

func (h *handshake) newKeys(dir dissect.Dir, at record.Stamp) {
	if dir == dissect.ClientToServer {
		h.rec.ClientNewKeys = true
	} else {
		h.rec.ServerNewKeys = true
	}
	h.keyed[dir] = true
	h.phase("new_keys", dir, at, "")
}

// disconnect reads RFC 4253, section 11.1.
func (h *handshake) disconnect(dir dissect.Dir, p []byte, at record.Stamp) {
	r := reader{b: p}
	m := &record.SSHDisconnect{By: dir.String(), Code: r.uint32()}
	m.Description = clip(r.string(), keptLine)
	m.Reason = disconnectReason(m.Code)
	if h.rec.Disconnect == nil {
		h.rec.Disconnect = m
	}
	h.phase("end", dir, at, strings.TrimSpace("disconnect: "+m.Reason+" "+m.Description))
}

// disconnectReason names a code of RFC 4250, section 4.2.2.
func disconnectReason(code uint32) string {
	names := [...]string{"", "host_not_allowed_to_connect", "protocol_error", "key_exchange_failed", "reserved", "mac_error",
		"compression_error", "service_not_available", "protocol_version_not_supported", "host_key_not_verifiable",
		"connection_lost", "by_application", "too_many_connections", "auth_cancelled_by_user",
		"no_more_auth_methods_available", "illegal_user_name"}
	if code >= 1 && code < uint32(len(names)) {
		return names[code]
	}
	return fmt.Sprintf("code %d", code)
}

// finish writes the handshake, once.
func (d *dissector) finish() {
	h := &d.hs
	if d.emitted || !h.began {
		return
	}
	d.emitted = true
	r := &h.rec
	r.Stamp(h.stamp, h.dir)
	method, wrong := "", false
	if r.Negotiated != nil {
		method, wrong = r.Negotiated.Kex, r.Negotiated.WrongGuess
	}
	// A side whose guess was wrong has its first message ignored.
	skipC := wrong && h.offers[0].init.Guess
	skipS := wrong && h.offers[1].init.Guess
	r.Exchange, r.HostKey = readExchange(d.offers, method, h.messages, skipC, skipS)
	h.detail()
	r.Version = h.version()
	r.Outcome = d.outcome()
	d.course()
	// The record must not hold on to the dissector, nor the dissector to the
	// offers.
	out := *r
	h.rec = record.SSHHandshake{Negotiated: out.Negotiated, HostKey: out.HostKey, SSH1: out.SSH1}
	h.messages, h.course = nil, out.Phases
	for _, o := range h.offers {
		if o != nil {
			o.init, o.lists = nil, [8]string{}
		}
	}
	d.env.Emit(&out)
}

// detail says in the phases what the key exchange messages showed.
func (h *handshake) detail() {
	r := &h.rec
	for i := range h.phases {
		p := &h.phases[i]
		if p.Name != "key_exchange" {
			continue
		}
		if n := r.Negotiated; n != nil && n.Kex != "" {
			p.Detail = n.Kex
		}
		if x := r.Exchange; x != nil && x.Family == "dh-gex" && x.Asked > 0 {
			p.Detail += fmt.Sprintf(", asked for %d bits, given %d", x.Asked, x.Bits)
		}
	}
	if r.HostKey == nil {
		return
	}
	// The message that brought the host key is the server's last.
	for i := len(h.phases) - 1; i >= 0; i-- {
		if p := &h.phases[i]; p.Name == "key_exchange" && p.By == "server" {
			p.Name = "host_key"
			p.Detail = fmt.Sprintf("%s %d %s", r.HostKey.Type, r.HostKey.Bits, r.HostKey.SHA256)
			break
		}
	}
}

func (h *handshake) version() string {
	c, s := h.rec.ClientID, h.rec.ServerID
	switch {
	case c == nil && s == nil:
		if h.offers[0] != nil || h.offers[1] != nil {
			return "2.0"
		}
		return ""
	case c == nil:
		return s.Version
	case s == nil:
		return c.Version
	case c.Version == s.Version:
		return c.Version
	case s.Version == "1.99":
		return c.Version
	case c.Version == "1.99":
		return s.Version
	}
	return ""
}

// outcome says how far the two came and what stopped them.
func (d *dissector) outcome() string {
	h, r := &d.hs, &d.hs.rec
	c, s := r.ClientID, r.ServerID
	missing := d.sides[0].gap || d.sides[1].gap
	conn := d.env.Conn()
	switch {
	case h.keyed[0] && h.keyed[1]:
		return "encrypted"
	case len(r.NoCommon) > 0:
		return "no_common_algorithm"
	case r.Disconnect != nil:
		return "disconnected"
	case r.SSH1 != nil || c != nil && s != nil && (oldVersion(c.Version) && oldVersion(s.Version)):
		return "ssh1"
	case c != nil && s != nil && h.version() == "":
		return "version_mismatch"
	case s == nil && slices.ContainsFunc(r.ServerLines, refusal):
		return "closed"
	case c == nil && len(r.ClientLines) > 0 || s == nil && c != nil && len(r.ServerLines) > 0 && !missing:
		return "not_ssh"
	case missing || conn.Midstream || conn.OneSided || d.oneSided():
		return "partial"
	}
	return "closed"
}

// refusal recognises what sshd says in place of its identification to a client
// that it does not want: MaxStartups and PerSourcePenalties.
func refusal(line string) bool {
	return strings.HasPrefix(line, "Exceeded MaxStartups") || strings.HasPrefix(line, "Not allowed at this time")
}

// oneSided reports whether one direction came far and nothing of the other was
// seen at all.
func (d *dissector) oneSided() bool {
	for i := range d.sides {
		s, other := &d.sides[i], &d.sides[1-i]
		if s.packets > 1 && other.id == nil && other.packets == 0 && other.lines == 0 {
			return true
		}
	}
	return false
}

// course puts the phases in order of time and says how long each one took.
func (d *dissector) course() {
	h, r := &d.hs, &d.hs.rec
	start := d.env.Conn().Start
	phases := h.phases
	h.phases = nil
	if !d.env.Conn().Midstream && !start.IsZero() && start.Before(h.stamp.Time) {
		phases = slices.Insert(phases, 0, record.SSHPhase{Name: "connect", Time: start})
	}
	slices.SortStableFunc(phases, func(a, b record.SSHPhase) int { return a.Time.Compare(b.Time) })
	for i := range phases {
		if i+1 < len(phases) {
			phases[i].Took = record.Between(phases[i].Time, phases[i+1].Time)
		}
	}
	r.Phases = phases
	if len(phases) > 0 {
		r.Reached = phases[len(phases)-1].Name
	}
	if h.keyed[0] && h.keyed[1] {
		r.Took = record.Between(h.stamp.Time, h.lastSeen.Time)
	}
}
