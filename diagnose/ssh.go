package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sniff/record"
)

// sshFamily judges SSH connections: why no session came about, how well it was
// secured, and, by what was inferred, how the login went.
func sshFamily() Family {
	return Family{
		Name:    "ssh",
		Codes:   append(sshCodes(), sshProxyInfos()...),
		Session: func() Observer { return &sshObserver{} },
		Wakes: func(r record.Record) bool {
			a, ok := r.(*record.Anomaly)
			return ok && sshProxyCode(a.Code) != ""
		},
		Whole: func() Observer { return newSSHWhole() },
	}
}

type sshObserver struct {
	hs   *record.SSHHandshake
	auth *record.SSHAuth
}

func (o *sshObserver) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.SSHHandshake:
		if o.hs == nil || r.Outcome != "encrypted" {
			o.hs = r // of a proxy's two the one that failed
		}
		sshHandshake(r, rep)
		sshStrength(r, rep)
		sshKey(r, rep)
		sshSoftware(r, rep)
	case *record.SSHAuth:
		o.auth = r
		sshLogin(r, rep)
	case *record.SSHChannel:
		if r.Reverse != "" {
			rep.Raise("ssh.reverse_session", fmt.Sprintf("%s seems to drive the session from the server's side: %s", r.Server, r.Reverse), r)
		}
	case *record.Anomaly:
		if code := sshProxyCode(r.Code); code != "" {
			rep.Raise(code, r.Detail, r)
		}
		if r.Code == "ssh_strict_kex" {
			client, server := sshPeers(&r.Header)
			rep.Raise("ssh.strict_kex_violated", fmt.Sprintf("%s between %s and %s", r.Detail, client, server), r)
		}
	}
}

func (o *sshObserver) End(s *record.Session, rep *Reporter) {
	for _, cause := range []string{"ssh.proxy_host_key", "ssh.proxy_publickey", "ssh.proxy_failed"} {
		rep.Explains(cause, "ssh.login_refused")
	}
	h := o.hs
	if h == nil || h.Outcome != "closed" || endedByProxy(rep) {
		return
	}
	client, server := sshPeers(&h.Header)
	stuck := h.Reached == "kexinit" || h.Reached == "key_exchange"
	resent := max(s.ClientSide.Retransmitted, s.ServerSide.Retransmitted)
	switch {
	case stuck && resent >= 500 && (s.Duration.Duration() > 5*time.Second || s.End != record.EndClosed):
		who := "client"
		if s.ServerSide.Retransmitted > s.ClientSide.Retransmitted {
			who = "server"
		}
		rep.Raise("ssh.handshake_stalled", fmt.Sprintf("the key exchange with %s stands still; the %s sent %s again in vain, as into an MTU black hole", server, who, record.Bytes(resent)), h)
	case h.ServerID == nil && len(h.ServerLines) > 0 && s.EndedBy != "client":
		rep.Raise("ssh.closed_at_once", fmt.Sprintf("%s refuses %s: %q", server, client, h.ServerLines[0]), h)
	case h.ServerID == nil:
		title := fmt.Sprintf("%s closed the connection from %s before it said who it is", server, client)
		if s.EndedBy != "client" {
			rep.Raise("ssh.closed_at_once", title, h)
		}
	default:
		by := "one side"
		if s.EndedBy != "" {
			by = "the " + strings.TrimPrefix(s.EndedBy, "the ")
		}
		rep.Raise("ssh.handshake_closed", fmt.Sprintf("%s ended the connection to %s after %s, before it was encrypted", by, server, strings.ReplaceAll(h.Reached, "_", " ")), h)
	}
}

// sshHandshake says why no encrypted connection came about.
func sshHandshake(h *record.SSHHandshake, rep *Reporter) {
	client, server := sshPeers(&h.Header)
	switch h.Outcome {
	case "no_common_algorithm":
		f := rep.Raise("ssh.no_common_algorithm", fmt.Sprintf("%s and %s have no common %s", sshName(h, h.ClientID), sshName(h, h.ServerID), record.SSHLists(h.NoCommon)), h)
		f.Evidence = nil
		if way := sshWayIn(h); way != "" {
			f.Advice = "Update the older side. Until then OpenSSH reaches this host with: " + way
		}
		for _, list := range h.NoCommon {
			c, s := sshOffer(h.ClientKex, list), sshOffer(h.ServerKex, list)
			f.Evidence = append(f.Evidence, Seen(h, record.Plain(fmt.Sprintf("%s: the client offers %s; the server %s", record.SSHLists([]string{list}), names(c), names(s)))))
		}
	case "not_ssh":
		title := fmt.Sprintf("%s speaks SSH and %s does not", server, client)
		switch {
		case len(h.ClientLines) > 0:
			title += fmt.Sprintf(": it sent %q", h.ClientLines[0])
		case h.ServerID == nil:
			title = fmt.Sprintf("%s speaks SSH and %s does not", client, server)
			if len(h.ServerLines) > 0 {
				title += fmt.Sprintf(": it sent %q", h.ServerLines[0])
			}
		}
		rep.Raise("ssh.protocol_mismatch", title, h)
	case "version_mismatch":
		rep.Raise("ssh.version_mismatch", fmt.Sprintf("the client speaks SSH %s, the server SSH %s", h.ClientID.Version, h.ServerID.Version), h)
	case "ssh1":
		rep.Raise("ssh.ssh1", fmt.Sprintf("%s and %s speak SSH-1", client, server), h)
	}
	if d := h.Disconnect; d != nil {
		rep.Raise("ssh.disconnected", fmt.Sprintf("the %s disconnected during the handshake: %s", d.By, strings.TrimSpace(d.Reason+" "+d.Description)), h)
		rep.Explains("ssh.no_common_algorithm", "ssh.disconnected")
	}
	for i, p := range h.Phases {
		if p.Name == "identification" && p.By == "server" && i > 0 {
			if wait := record.Between(h.Phases[0].Time, p.Time); wait.Duration() > 5*time.Second {
				rep.Raise("ssh.slow_identification", fmt.Sprintf("%s took %s to say who it is", h.Server, wait), h)
			}
		}
	}
}

// sshWayIn is how OpenSSH's client can be told to use what the server offers,
// the best of each list; "" when that is not known.
func sshWayIn(h *record.SSHHandshake) string {
	options := map[string]string{"kex": "KexAlgorithms", "host_key": "HostKeyAlgorithms", "cipher": "Ciphers", "mac": "MACs"}
	way := "ssh"
	for _, list := range h.NoCommon {
		base := strings.TrimSuffix(strings.TrimSuffix(list, "_c2s"), "_s2c")
		var best string
		for _, name := range sshOffer(h.ServerKex, list) {
			if best == "" || GradeSSH(base, name).Level > GradeSSH(base, best).Level {
				best = name
			}
		}
		if best == "" || options[base] == "" {
			return ""
		}
		if option := fmt.Sprintf(" -o %s=+%s", options[base], best); !strings.Contains(way, option) {
			way += option
		}
	}
	return way
}

func sshOffer(k *record.SSHKexInit, list string) []string {
	if k == nil {
		return nil
	}
	switch list {
	case "kex":
		return k.Kex
	case "host_key":
		return k.HostKey
	case "cipher_c2s":
		return k.CipherC2S
	case "cipher_s2c":
		return k.CipherS2C
	case "mac_c2s":
		return k.MACC2S
	case "mac_s2c":
		return k.MACS2C
	case "compression_c2s":
		return k.CompressionC2S
	case "compression_s2c":
		return k.CompressionS2C
	}
	return nil
}

func names(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	if len(list) > 12 {
		return strings.Join(list[:12], ", ") + fmt.Sprintf(" and %d more", len(list)-12)
	}
	return strings.Join(list, ", ")
}

// sshStrength grades what was negotiated and offered.
func sshStrength(h *record.SSHHandshake, rep *Reporter) {
	n := h.Negotiated
	if n == nil || len(h.NoCommon) > 0 {
		return
	}
	client, server := sshPeers(&h.Header)
	seen := map[string]bool{}
	for _, a := range []struct{ list, name string }{
		{"kex", n.Kex}, {"host_key", n.HostKey}, {"cipher", n.CipherC2S}, {"cipher", n.CipherS2C},
		{"mac", n.MACC2S}, {"mac", n.MACS2C}, {"compression", n.CompressionC2S}, {"compression", n.CompressionS2C},
	} {
		g := GradeSSH(a.list, a.name)
		if seen[a.name] || g.Level > Weak {
			continue
		}
		seen[a.name] = true
		f := rep.Raise("ssh.weak_algorithm", fmt.Sprintf("%s with %s uses %s, which is %s: %s", client, server, a.name, g.Level, g.Reason), h,
			record.Plain(fmt.Sprintf("negotiated %s", a.name)))
		f.Reference = g.Source
		if g.Level == Broken {
			f.Severity = record.SeverityWarning
		}
	}
	if x := h.Exchange; x != nil && x.Family == "dh-gex" && x.Bits > 0 && x.Bits < 2048 {
		rep.Raise("ssh.small_prime", fmt.Sprintf("%s gave a prime of %d bits in the group exchange", server, x.Bits), h)
	}
	if h.Terrapin == "exposed" {
		rep.Raise("ssh.terrapin", fmt.Sprintf("%s with %s is open to the Terrapin attack: %s without strict key exchange", client, server, n.CipherC2S), h)
	}
	if g := GradeSSH("kex", n.Kex); g.Level == Fine {
		rep.Raise("ssh.not_post_quantum", fmt.Sprintf("%s with %s uses %s, which a quantum computer could break later", client, server, n.Kex), h)
	}
	if offered := sshOffered(h.ServerKex, seen); len(offered) > 0 {
		rep.Raise("ssh.weak_offered", fmt.Sprintf("%s also offers %s", server, names(offered)), h, record.Plain("offered "+strings.Join(offered, ", ")))
	}
}

// sshOffered lists what a server offers of the broken and weak beside what is
// in use.
func sshOffered(k *record.SSHKexInit, seen map[string]bool) []string {
	if k == nil {
		return nil
	}
	var out []string
	for _, l := range []struct {
		list  string
		names []string
	}{{"kex", k.Kex}, {"host_key", k.HostKey}, {"cipher", k.CipherC2S}, {"cipher", k.CipherS2C}, {"mac", k.MACC2S}, {"mac", k.MACS2C}} {
		for _, n := range l.names {
			if g := GradeSSH(l.list, n); g.Level <= Weak && !seen[n] && len(out) < 32 {
				seen[n] = true
				out = append(out, n)
			}
		}
	}
	return out
}

// sshKey judges the host key and its certificate.
func sshKey(h *record.SSHHandshake, rep *Reporter) {
	k := h.HostKey
	if k == nil || h.Substream == record.ClientLeg {
		return
	}
	_, server := sshPeers(&h.Header)
	if k.Type == "RSA" && k.Bits > 0 && k.Bits < 2048 || k.Type == "DSA" {
		rep.Raise("ssh.weak_host_key", fmt.Sprintf("%s shows a host key %s of %d bits", server, k.Type, k.Bits), h, record.Plain(k.SHA256))
	}
	c := k.Certificate
	if c == nil {
		return
	}
	switch {
	case !c.Host:
		rep.Raise("ssh.certificate_invalid", fmt.Sprintf("%s shows a certificate for users (%s) as its host key", server, c.KeyID), h)
	case !c.ValidBefore.IsZero() && h.Time.After(c.ValidBefore):
		rep.Raise("ssh.certificate_invalid", fmt.Sprintf("the host certificate %s of %s ended on %s", c.KeyID, server, c.ValidBefore.Format(time.DateOnly)), h)
	case !c.ValidAfter.IsZero() && h.Time.Before(c.ValidAfter):
		rep.Raise("ssh.certificate_invalid", fmt.Sprintf("the host certificate %s of %s is valid only from %s", c.KeyID, server, c.ValidAfter.Format(time.DateOnly)), h)
	}
}

// sshLogin says how the login went, as far as it was inferred with some
// confidence or read.
func sshLogin(a *record.SSHAuth, rep *Reporter) {
	if a.Result == "refused" && a.Confidence != record.ConfidenceLow {
		title := fmt.Sprintf("%s was not let in by %s", a.Client.Addr(), a.Server)
		switch {
		case a.Failures > 0 && a.Method != "":
			title += fmt.Sprintf(": %s by %s", record.Count(a.Failures, "failure"), a.Method)
		case slices.ContainsFunc(a.Attempts, func(t record.SSHAuthAttempt) bool { return t.Confidence == record.ConfidenceLow }):
			title += fmt.Sprintf(": %s refused, of keys or passwords", record.Count(a.Failures+a.Offered, "attempt"))
		case a.Offered > 0:
			title += fmt.Sprintf(": %s offered, none wanted", record.Count(a.Offered, "key"))
		}
		rep.Raise("ssh.login_refused", title, a, record.Plain(a.Reason))
	}
	if len(a.Attempts) > 0 && a.Attempts[0].Answer.Duration() > 4*time.Second {
		rep.Raise("ssh.slow_login", fmt.Sprintf("%s took %s to answer the first request of the login", a.Server, a.Attempts[0].Answer), a)
	}
}
