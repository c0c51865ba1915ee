package diagnose

import (
	"fmt"
	"net/netip"
	"sort"
	"strings"

	"sniff/record"
)

// Limits of what the observer of the whole run remembers.
const (
	maxSSHSources = 65536 // addresses that failed to log in
	maxSSHHosts   = 65536 // host keys by address
	maxSSHOpen    = 65536 // sessions that have not ended yet
	bruteForce    = 10    // connections without a login that make a finding
)

// sshWhole sees all SSH sessions: many that fail, keys that differ.
type sshWhole struct {
	open    map[string]*sshTry
	sources map[netip.Addr]*sshSource
	keys    map[sshHost]*record.SSHHandshake
	hosts   map[string]*sshKeyUse
}

type sshTry struct {
	hs   *record.SSHHandshake
	auth *record.SSHAuth
}

type sshSource struct {
	failed, attempts int
	servers          map[netip.AddrPort]bool
	first, last      *record.SSHHandshake
	accepted         *record.SSHAuth // the first one behind many failures
}

type sshHost struct {
	server netip.AddrPort
	kind   string
}

type sshKeyUse struct {
	hs      *record.SSHHandshake
	servers map[netip.Addr]bool
}

func newSSHWhole() *sshWhole {
	return &sshWhole{
		open: map[string]*sshTry{}, sources: map[netip.Addr]*sshSource{},
		keys: map[sshHost]*record.SSHHandshake{}, hosts: map[string]*sshKeyUse{},
	}
}

func (o *sshWhole) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.SSHHandshake:
		r = brief(r)
		if o.open[r.Session] == nil && len(o.open) < maxSSHOpen {
			o.open[r.Session] = &sshTry{hs: r}
		}
		o.key(r, rep)
	case *record.SSHAuth:
		if t := o.open[r.Session]; t != nil {
			t.auth = r
		}
	case *record.Session:
		if t := o.open[r.Session]; t != nil {
			delete(o.open, r.Session)
			o.count(t)
		}
	}
}

// brief is what is remembered of a handshake: without the offers, which are
// most of it.
func brief(h *record.SSHHandshake) *record.SSHHandshake {
	b := &record.SSHHandshake{Header: h.Header, Outcome: h.Outcome, ClientID: h.ClientID, ServerID: h.ServerID, Negotiated: h.Negotiated}
	if k := h.HostKey; k != nil {
		b.HostKey = &record.SSHHostKey{Type: k.Type, SHA256: k.SHA256}
	}
	return b
}

// count takes a finished connection into the account of its client.
func (o *sshWhole) count(t *sshTry) {
	addr := t.hs.Client.Addr()
	s := o.sources[addr]
	if s == nil {
		if len(o.sources) >= maxSSHSources {
			return
		}
		s = &sshSource{servers: map[netip.AddrPort]bool{}, first: t.hs}
		o.sources[addr] = s
	}
	switch {
	case t.auth != nil && t.auth.Result == "accepted":
		if s.failed >= bruteForce && s.accepted == nil && t.auth.Method != "publickey" {
			s.accepted = t.auth
		}
		return
	case t.auth != nil && t.auth.Result == "refused":
		s.attempts += max(t.auth.Failures, t.auth.Offered)
	case t.auth != nil && t.auth.Result == "none", t.auth == nil && t.hs.Outcome == "encrypted":
	default:
		return
	}
	s.failed++
	s.last = t.hs
	if len(s.servers) < 1024 {
		s.servers[t.hs.Server] = true
	}
}

// key compares a host key with what the same address showed before.
func (o *sshWhole) key(h *record.SSHHandshake, rep *Reporter) {
	k := h.HostKey
	if k == nil || h.Substream == record.ClientLeg {
		return // none, or a proxy's
	}
	at := sshHost{h.Server, k.Type}
	switch before := o.keys[at]; {
	case before == nil:
		if len(o.keys) < maxSSHHosts {
			o.keys[at] = h
		}
	case before.HostKey.SHA256 != k.SHA256:
		f := rep.Raise("ssh.host_key_differs", fmt.Sprintf("%s showed the %s key %s and before it %s", h.Server, k.Type, k.SHA256, before.HostKey.SHA256), h)
		f.Evidence = []record.Evidence{
			Seen(before, record.Plain(before.HostKey.SHA256+" first seen")),
			Seen(h, record.Plain(k.SHA256+" first seen")),
		}
		o.keys[at] = h
	}
	u := o.hosts[k.SHA256]
	if u == nil {
		if len(o.hosts) >= maxSSHHosts {
			return
		}
		u = &sshKeyUse{hs: h, servers: map[netip.Addr]bool{}}
		o.hosts[k.SHA256] = u
	}
	if len(u.servers) < 1024 {
		u.servers[h.Server.Addr()] = true
	}
}

// End raises what shows only over the whole run, in an order that does not
// depend on maps.
func (o *sshWhole) End(s *record.Session, rep *Reporter) {
	if s != nil {
		return
	}
	for _, t := range sortedTries(o.open) {
		o.count(t)
	}
	var sources []*sshSource
	for _, s := range o.sources {
		if s.failed >= bruteForce {
			sources = append(sources, s)
		}
	}
	sort.Slice(sources, func(i, j int) bool { return earlier(sources[i].first, sources[j].first) })
	for _, s := range sources {
		title := fmt.Sprintf("%s opened %d connections to %s without logging in, from %s to %s", s.first.Client.Addr(), s.failed, servers(s.servers),
			s.first.Time.Format("15:04:05"), s.last.Time.Format("15:04:05"))
		if s.attempts > 0 {
			title += fmt.Sprintf("; %d attempts were refused", s.attempts)
		}
		rep.Raise("ssh.brute_force", title, s.first).Count = s.failed
		if s.accepted != nil {
			rep.Raise("ssh.brute_force_succeeded", fmt.Sprintf("%s was let in by %s by %s after %d failed connections", s.first.Client.Addr(), s.accepted.Server,
				s.accepted.Method, s.failed), s.accepted, record.Plain(s.accepted.Summary()))
		}
	}
	var shared []*sshKeyUse
	for _, u := range o.hosts {
		if len(u.servers) > 1 {
			shared = append(shared, u)
		}
	}
	sort.Slice(shared, func(i, j int) bool { return earlier(shared[i].hs, shared[j].hs) })
	for _, u := range shared {
		rep.Raise("ssh.host_key_shared", fmt.Sprintf("%d addresses show the %s key %s: %s", len(u.servers), u.hs.HostKey.Type, u.hs.HostKey.SHA256, addresses(u.servers)), u.hs)
	}
}

func earlier(a, b *record.SSHHandshake) bool {
	if !a.Time.Equal(b.Time) {
		return a.Time.Before(b.Time)
	}
	return a.Session < b.Session
}

func sortedTries(open map[string]*sshTry) []*sshTry {
	tries := make([]*sshTry, 0, len(open))
	for _, t := range open {
		tries = append(tries, t)
	}
	sort.Slice(tries, func(i, j int) bool { return earlier(tries[i].hs, tries[j].hs) })
	return tries
}

func servers(m map[netip.AddrPort]bool) string {
	if len(m) == 1 {
		for s := range m {
			return s.String()
		}
	}
	return fmt.Sprintf("%d servers", len(m))
}

func addresses(m map[netip.Addr]bool) string {
	var all []netip.Addr
	for a := range m {
		all = append(all, a)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Less(all[j]) })
	var out []string
	for i, a := range all {
		if i == 8 {
			out = append(out, fmt.Sprintf("and %d more", len(all)-i))
			break
		}
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}
