package record

// TLSHandshake is what the two hellos and what follows them in the clear (or
// decrypted) tell about a TLS connection.
type TLSHandshake struct {
	Header
	Version    string `json:"version,omitempty" doc:"negotiated version: SSL 3.0, TLS 1.0 to TLS 1.3"`
	Cipher     string `json:"cipher,omitempty" doc:"negotiated cipher suite, IANA name"`
	ServerName string `json:"server_name,omitempty" doc:"SNI"`
	ALPN       string `json:"alpn,omitempty" doc:"application protocol that the server chose"`
}

func (*TLSHandshake) Kind() Kind { return KindTLSHandshake }
func (h *TLSHandshake) Summary() string {
	s := h.Version + " " + h.Cipher
	if h.ServerName != "" {
		s += " for " + h.ServerName
	}
	return s
}
