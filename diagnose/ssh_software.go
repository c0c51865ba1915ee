package diagnose

import (
	"fmt"
	"strconv"
	"strings"

	"sniff/record"
)

// sshSoftware names advisories whose range the announced version lies in. A
// distribution may have patched it without another version, so this is never
// more than a hint.
func sshSoftware(h *record.SSHHandshake, rep *Reporter) {
	raise := func(id *record.SSHIdentification, where, advisory, what string) {
		title := fmt.Sprintf("%s on %s is in the range of %s, may be patched: %s", id.Name(), where, advisory, what)
		if id.Package != "" {
			title += fmt.Sprintf(" (package %s)", id.Package)
		}
		rep.Raise("ssh.version_in_range", title, h, record.Plain(id.Text)).Reference = advisory
	}
	// A proxy passes both identifications on, so each is judged on its own leg.
	if s := h.ServerID; s != nil && h.Substream != record.ClientLeg {
		v := version(s.Release)
		switch s.Software {
		case "OpenSSH":
			// Only glibc-based systems; 9.8 has the fix. OpenBSD and Windows
			// are not affected.
			if len(v) >= 2 && s.OS != "Windows" && !repaired(s) && (atLeast(v, 8, 5) && !atLeast(v, 9, 8) || !atLeast(v, 4, 4)) {
				raise(s, h.Server.String(), "CVE-2024-6387", "a race in the signal handler (regreSSHion)")
			}
			if atLeast(v, 9, 5) && (!atLeast(v, 9, 9) || s.Release == "9.9p1" || s.Release == "9.9") {
				raise(s, h.Server.String(), "CVE-2025-26466", "pings before the login use up memory and time")
			}
		case "Erlang ssh":
			// By the releases of Erlang/OTP 25.3.2.20, 26.2.5.11 and 27.3.3.
			if len(v) >= 2 && (!atLeast(v, 4, 15, 3, 12) || atLeast(v, 5) && !atLeast(v, 5, 1, 4, 8) || atLeast(v, 5, 2) && !atLeast(v, 5, 2, 10)) {
				raise(s, h.Server.String(), "CVE-2025-32433", "commands run without a login")
			}
		case "libssh":
			if atLeast(v, 0, 6) && (!atLeast(v, 0, 7, 6) || atLeast(v, 0, 8) && !atLeast(v, 0, 8, 4)) {
				raise(s, h.Server.String(), "CVE-2018-10933", "the login can be skipped")
			}
		}
	}
	if c := h.ClientID; c != nil && c.Software == "PuTTY" && h.Substream != record.UpstreamLeg {
		if v := version(c.Release); atLeast(v, 0, 68) && !atLeast(v, 0, 81) {
			raise(c, h.Client.Addr().String(), "CVE-2024-31497", "signatures by ECDSA P-521 keys give the key away")
		}
	}
}

// repaired reports whether the distribution's package is known to hold the
// repair of CVE-2024-6387 (DSA-5724-1, USN-6859-1).
func repaired(id *record.SSHIdentification) bool {
	for _, p := range [...]struct {
		os, release, before string
		least               int
	}{
		{"Debian 12", "9.2p1", "+deb12u", 3},
		{"Ubuntu 22.04", "8.9p1", "3ubuntu0.", 10},
		{"Ubuntu 24.04", "9.6p1", "3ubuntu13.", 3},
	} {
		_, n, ok := strings.Cut(id.Package, p.before)
		if id.OS != p.os || id.Release != p.release || !ok {
			continue
		}
		if number, err := strconv.Atoi(n); err == nil {
			return number >= p.least
		}
	}
	return false
}

// version takes the numbers out of 9.2p1 or 0.8.3; the patch level is left out.
func version(release string) []int {
	release, _, _ = strings.Cut(release, "p")
	var v []int
	for _, part := range strings.Split(release, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		v = append(v, n)
	}
	return v
}

// atLeast compares versions; one that is not known is at least nothing.
func atLeast(v []int, want ...int) bool {
	if len(v) == 0 {
		return false
	}
	for i, w := range want {
		switch {
		case i >= len(v):
			return w == 0
		case v[i] != w:
			return v[i] > w
		}
	}
	return true
}
