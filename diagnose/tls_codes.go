package diagnose

import "sniff/record"

// tlsHandshakeCodes are about handshakes that fail and certificates.
func tlsHandshakeCodes() []Info {
	const rfc5280, rfc9525 = "RFC 5280, section 4.1.2.5", "RFC 9525, section 6"
	return []Info{
		{"tls.no_shared_version", record.SeverityError, "Client and server have no TLS version in common, so no session came about.", "Update the older of the two. Do not turn TLS 1.0 or 1.1 back on if it can be helped.", "RFC 8446, section 4.2.1"},
		{"tls.no_shared_parameters", record.SeverityError, "The server accepts nothing of what the ClientHello offers: no cipher suite, group or signature algorithm in common, or none that fits its certificate.", "Compare the offer that is shown with the server's settings. A server that only has an ECDSA certificate needs ECDSA suites in the offer; one with TLS 1.2 only needs ECDHE groups that both know.", "RFC 8446, section 4.1.1"},
		{"tls.no_shared_alpn", record.SeverityError, "Client and server have no application protocol in common.", "Look which protocols the service on that port speaks, and configure the client for one of them.", "RFC 7301, section 3.2"},
		{"tls.handshake_failed", record.SeverityError, "One side ended the handshake with an alert that names a fault in what the other side sent, or one of its own.", "Look into the log of the side that sent the alert: it knows why.", "RFC 8446, section 6.2"},
		{"tls.handshake_cut", record.SeverityWarning, "The connection ended within the handshake, without an alert.", "A side that crashes, a timeout, or a device between them that cuts what it does not like. Capture on both sides.", ""},
		{"tls.not_answered", record.SeverityError, "The server closed the connection in answer to the ClientHello. It may not speak TLS on this port, or a device between them refuses the name that was asked for.", "Check that the service expects TLS from the first byte on this port (not STARTTLS).", ""},
		{"tls.refused_unread", record.SeverityError, "An alert took the place of the last message of the handshake. It is encrypted and cannot be read without the session's keys; from a client it most often means that it does not accept the server's certificate.", "Read the capture with --keylog, or look into the log of the side that sent the alert.", "RFC 8446, section 6.2"},
		{"tls.connection_failed", record.SeverityNotice, "A connection that was established ended with a fatal alert. OpenSSL 3 sends decode_error when its peer hung up without close_notify, which harms nothing.", "Look into the log of the side that sent the alert.", "RFC 8446, section 6.2"},
		{"tls.certificate_refused", record.SeverityError, "The client did not accept the server's certificate, so no session came about.", "Mend the certificate, or, where the client is to trust an authority of your own, install that authority on it.", "RFC 8446, section 6.2"},
		{"tls.client_certificate_refused", record.SeverityError, "The server did not accept the certificate by which the client introduced itself.", "Check that the client's certificate is valid and issued by an authority that the server trusts for clients.", "RFC 8446, section 4.4.2"},
		{"tls.client_certificate_required", record.SeverityError, "The server lets in clients with a certificate only, and the client sent none.", "Configure the client with a certificate, or relax the server.", "RFC 8446, section 6.2"},
		{"tls.name_unknown", record.SeverityWarning, "The server has no service under the name that the client asked for (SNI).", "Check the host name that the client is configured with, and the server's virtual hosts.", "RFC 6066, section 3"},
		{"tls.fallback_refused", record.SeverityWarning, "The client retried with a lower version and said so (TLS_FALLBACK_SCSV); the server can do better and refused. The attempt before failed for another reason, or somebody made it fail.", "Look at the connection before this one: why did it fail?", "RFC 7507"},
		{"tls.certificate_expired", record.SeverityError, "The certificate was past its end of validity when the connection was made. Clients that check certificates refuse it.", "Renew it, and see that renewal is automatic and the service reloads it.", rfc5280},
		{"tls.certificate_not_yet_valid", record.SeverityError, "The certificate's validity begins after this connection: it was installed too early, or a clock is wrong.", "Compare the clocks of server, client and capture.", rfc5280},
		{"tls.certificate_expires_soon", record.SeverityNotice, "The certificate expires within a week of this connection.", "Renew it.", rfc5280},
		{"tls.certificate_name", record.SeverityError, "The certificate is not for the name that the client asked for. Clients that check names refuse it.", "Get a certificate that holds the name, or configure the client with a name that the certificate holds.", rfc9525},
		{"tls.certificate_common_name", record.SeverityNotice, "The name stands in the subject's common name only. Clients look at the alternative names and refuse it.", "Issue the certificate with a subjectAltName.", rfc9525},
		{"tls.certificate_self_signed", record.SeverityNotice, "The certificate is signed by its own key: a client can only accept it by trusting this very certificate, or by not checking at all.", "For mail between servers this is common. For clients get a certificate of an authority that they trust.", ""},
		{"tls.certificate_untrusted", record.SeverityNotice, "The chain does not end at a root that is trusted here. That may be an authority of your own, which the client trusts.", "Give the authority with --ca. If the client does not have it either, the connection only works because it does not check.", "RFC 5280, section 6"},
		{"tls.missing_intermediate", record.SeverityNotice, "The server sends its own certificate without that of the authority which issued it. Clients that do not have the authority's certificate already cannot verify it.", "Install the whole chain on the server, without the root.", "RFC 8446, section 4.4.2"},
		{"tls.chain_order", record.SeverityNotice, "Each certificate of a chain should be issued by the next one. Some clients cannot put them in order themselves.", "Put the chain in order: the server's own certificate first.", "RFC 5246, section 7.4.2"},
		{"tls.certificate_revoked", record.SeverityError, "The server itself staples the statement that its certificate was revoked.", "Replace the certificate, and find out why it was revoked.", "RFC 6960"},
		{"tls.weak_key", record.SeverityWarning, "The key is so short that it can be broken with means that exist.", "Issue a certificate for an RSA key of 2048 bits or more, or for ECDSA with P-256.", "NIST SP 800-131A"},
		{"tls.weak_signature", record.SeverityWarning, "The signature on the certificate uses a digest for which collisions can be made: a forged certificate cannot be told from it.", "Issue the certificate anew, signed with SHA-256.", "RFC 9155"},
		{"tls.proxy_client_distrust", record.SeverityWarning, "The client refused the certificate that the proxy made for the server: it does not trust the proxy's authority, or expects one certain certificate (pinning).", "Install the proxy's authority on the client (sniff ca export). A client with a pinned certificate cannot be intercepted; let it pass with --tls passthrough.", ""},
		{"tls.proxy_client_pinned", record.SeverityNotice, "The client did the TLS handshake with the proxy and left without a word: it has looked at the certificate and found another one than it expects (pinning), or it only wanted to see whether somebody is there.", "A client with a pinned certificate or key cannot be intercepted; let it pass with --tls passthrough.", ""},
		{"tls.proxy_tls_required", record.SeverityError, "The proxy demands TLS (--tls require), and one side would have gone on without; the proxy refused it and passed nothing of it on.", "Switch TLS on in the client (STARTTLS, AUTH TLS with PROT P, or the port for TLS), and on the server if it offers none.", "RFC 3207, section 4; RFC 4217"},
		{"tls.proxy_stripped", record.SeverityInfo, "The proxy speaks TLS to the server and none to the client (--tls strip), and offers the client none.", "This is what --tls strip is for. Everybody between client and proxy can read along.", ""},
		{"tls.proxy_upstream_certificate", record.SeverityError, "The proxy refused the server's certificate on behalf of the client: it does not verify.", "Give the authority with --upstream-ca. --upstream-verify report goes on all the same and says so.", ""},
		{"tls.proxy_upstream_unverified", record.SeverityWarning, "The server's certificate does not verify. The proxy went on, as it was told to by --upstream-verify report.", "Give the authority with --upstream-ca; a client without the proxy would have refused the connection.", ""},
		{"tls.proxy_upstream_failed", record.SeverityError, "The TLS handshake between the proxy and the server failed.", "The detail names the reason. Try the server directly to see whether it fails without the proxy too.", ""},
		{"tls.proxy_client_failed", record.SeverityError, "The TLS handshake between the client and the proxy failed.", "The detail names the reason; very old clients may offer nothing that the proxy accepts.", ""},
	}
}

// tlsStrengthCodes are about how well a connection is protected, and about
// TLS where there should be none and the other way round.
func tlsStrengthCodes() []Info {
	return []Info{
		{"tls.broken_version", record.SeverityError, "SSL 2.0 and 3.0 are broken: their content can be uncovered by an attacker on the way.", "Turn them off on both sides.", "RFC 6176; RFC 7568"},
		{"tls.old_version", record.SeverityWarning, "TLS 1.0 and 1.1 are deprecated: they rest on MD5 and SHA-1.", "Update the side that cannot do TLS 1.2.", "RFC 8996"},
		{"tls.no_protection", record.SeverityError, "The suite leaves out encryption or authentication: anybody on the way can read along, or play the server.", "Take such suites off the lists of both sides.", "RFC 9325, section 4.1"},
		{"tls.broken_suite", record.SeverityWarning, "The suite's cipher is broken or was weakened on purpose (RC4, DES, export suites).", "Take it off the lists of both sides.", "RFC 9325, section 4.1; RFC 7465"},
		{"tls.weak_suite", record.SeverityNotice, "Ciphers with blocks of 64 bits leak content in long connections (Sweet32).", "Prefer AES-GCM or ChaCha20-Poly1305.", "RFC 9325, section 4.1"},
		{"tls.no_forward_secrecy", record.SeverityNotice, "The session key can be computed from this recording and the server's private key, whenever that falls into wrong hands.", "Prefer ECDHE suites; TLS 1.3 has no others.", "RFC 9325, section 4.1"},
		{"tls.small_dh_group", record.SeverityWarning, "Groups of 1024 bits and less can be broken by those with large means, once for all who use the same one (Logjam).", "Use ECDHE, or a group of 2048 bits or more.", "RFC 9325, section 4.2"},
		{"tls.compression", record.SeverityWarning, "Compression inside of TLS leaks secrets that stand beside content of an attacker's choice (CRIME).", "Turn it off.", "RFC 9325, section 3.3"},
		{"tls.heartbeat", record.SeverityInfo, "The heartbeat extension is hardly used any more; servers from 2012 to 2014 that have it may leak memory (CVE-2014-0160).", "Make sure that the server is not one of those.", "RFC 6520"},
		{"tls.heartbleed", record.SeverityCritical, "A heartbeat asks for more bytes back than it brings: an attempt to read the other side's memory (CVE-2014-0160).", "If the answer is longer than the request, the server leaks: update it, and replace its keys and all passwords.", "CVE-2014-0160"},
		{"tls.downgrade", record.SeverityCritical, "The server's random says that it could speak a higher version, and the client offered that version: its hello was changed on the way.", "Look for a device between the two that rewrites hellos.", "RFC 8446, section 4.1.3"},
		{"tls.fallback", record.SeverityNotice, "The client came back with a lower version because an attempt before it failed.", "Look at the connection before this one: why did it fail?", "RFC 7507"},
		{"tls.insecure_renegotiation", record.SeverityWarning, "A renegotiation that is not bound to the session before it: somebody on the way can put words in front of the client's (CVE-2009-3555).", "Update the side that does not know RFC 5746.", "RFC 5746"},
		{"tls.bad_record", record.SeverityWarning, "A record did not authenticate: it was damaged or altered on the way, or the key log is not of this session.", "Check that the key log belongs to this capture.", "RFC 8446, section 5.2"},
		{"tls.starttls_injection", record.SeverityError, "Bytes were sent in the clear behind the agreement to start TLS. Software that keeps them lets somebody on the way put commands into the encrypted session.", "Update the peer that keeps such bytes; look who sent them.", "CVE-2011-0411; CVE-2021-38371"},
		{"tls.plain_port", record.SeverityError, "The client began with TLS, and the server does not expect it there: it answered in its own protocol.", "Use STARTTLS (or AUTH TLS) on this port, or the port for implicit TLS.", "RFC 8314, section 3"},
		{"tls.plain_to_tls_port", record.SeverityWarning, "The client spoke in the clear on a port where TLS is expected from the first byte.", "Turn on TLS in the client, or use the port for the clear protocol with STARTTLS.", "RFC 8314, section 3"},
	}
}
