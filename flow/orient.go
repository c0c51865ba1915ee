package flow

import (
	"net/netip"

	"sniff/capture"
)

// Who is the client? The sender of the first SYN, or who a SYN-ACK goes to. A
// capture that begins in the middle shows neither; then the ports give a
// guess, which the session corrects when the content says otherwise, before
// anything was consumed.

// How the client was told from the server, as record.Session says it.
const (
	byHandshake = "handshake"
	byPort      = "port"
	byFirst     = "first"
)

// guessClient says which side is the client as far as the ports tell: one
// that is a protocol's, or else one that only a server can have.
func (e *Engine) guessClient(k key, first int) (client int, how string) {
	for _, known := range [...]func(uint16) bool{e.isServerPort, isReserved} {
		a, b := known(k[0].port()), known(k[1].port())
		switch {
		case a && !b:
			return 1, byPort
		case b && !a:
			return 0, byPort
		}
	}
	return first, byFirst
}

// isServerPort reports whether port is one of a protocol's.
func (e *Engine) isServerPort(port uint16) bool { return e.serverPorts[port] }

// isReserved reports whether only a server can have the port by custom (RFC
// 6335, section 6: system ports).
func isReserved(port uint16) bool { return port < 1024 }

// handshakeClient says which side is the client by a SYN that side x sent.
func handshakeClient(x int, s *capture.Segment) int {
	if s.Flags&capture.ACK != 0 {
		return x ^ 1
	}
	return x
}

// announced reports whether a control channel announced a connection to this
// server that did not come yet.
func (e *Engine) announced(server netip.AddrPort) bool {
	if e.earliest.Load() == 0 {
		return false
	}
	e.expectations.mu.Lock()
	defer e.expectations.mu.Unlock()
	return len(e.expected[unmap(server)]) > 0
}
