package diagnose

import "sniff/record"

// A proxy that terminates SSH makes two connections of one and passes the
// identifications on: what was negotiated on a leg is between one peer and the
// proxy, though the addresses are those of client and server.

// sshPeers names the two who negotiated.
func sshPeers(h *record.Header) (client, server string) {
	client, server = h.Client.Addr().String(), h.Server.String()
	switch h.Substream {
	case record.ClientLeg:
		server = "the proxy in front of " + server
	case record.UpstreamLeg:
		client = "the proxy for " + client
	}
	return client, server
}

// sshName is the software of a peer of a handshake.
func sshName(h *record.SSHHandshake, id *record.SSHIdentification) string {
	switch {
	case h.Substream == record.ClientLeg && id == h.ServerID, h.Substream == record.UpstreamLeg && id == h.ClientID:
		return "the proxy"
	}
	return id.Name()
}
