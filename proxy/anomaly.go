package proxy

// Codes of the anomalies that the relay itself emits; those about SSH stand in
// the ssh files. Findings are made from them, so they stay as they are.
const (
	// codeUnreached: there is no connection to the upstream, for another reason
	// than that it refused: its name is not known, or it did not answer.
	codeUnreached = "proxy_unreached"
	// codeUpstreamCertificate: the upstream's certificate does not verify, so
	// the connection was refused.
	codeUpstreamCertificate = "proxy_upstream_certificate"
	// codeUpstreamUnverified: it does not verify, and was to be let through.
	codeUpstreamUnverified = "proxy_upstream_unverified"
	// codeUpstreamTLS: the handshake with the upstream failed otherwise.
	codeUpstreamTLS = "proxy_upstream_tls"
	// codeClientDistrust: the client refused the proxy's certificate.
	codeClientDistrust = "proxy_client_distrust"
	// codeClientPinned: the client left behind the handshake without a word.
	codeClientPinned = "proxy_client_pinned"
	// codeTLSRequired: the listener demands TLS and something was said without.
	codeTLSRequired = "proxy_tls_required"
	// codeStripped: the client was offered the dialogue without TLS, which the
	// server speaks.
	codeStripped = "proxy_stripped"
	// codeClientTLS: the handshake with the client failed otherwise.
	codeClientTLS = "proxy_client_tls"
	// codeDataTLS: TLS on an FTP data connection failed, on one of its legs.
	codeDataTLS = "proxy_data_tls"
	// codeForeignData: an FTP peer announced a data connection at an address
	// that is not its own; its own was used.
	codeForeignData = "proxy_foreign_data"
	// codeDataListen: the proxy could not listen in place of the peer.
	codeDataListen = "proxy_data_listen"
	// codeDataStranger: somebody else than the peer called for the data
	// connection, and was refused.
	codeDataStranger = "proxy_data_stranger"
)
