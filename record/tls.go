package record

import "time"

// TLSHandshake is what the hellos, and what follows them in the clear or
// decrypted, tell about a TLS connection. It is written when both sides have
// finished, or with what is known when the connection ended before.
type TLSHandshake struct {
	Header
	Version    string `json:"version,omitempty" doc:"negotiated version: SSL 2.0, SSL 3.0, TLS 1.0 to TLS 1.3"`
	Cipher     string `json:"cipher,omitempty" doc:"negotiated cipher suite, IANA name"`
	ServerName string `json:"server_name,omitempty" doc:"SNI: the host name that the client asked for"`
	ALPN       string `json:"alpn,omitempty" doc:"application protocol that the server chose"`

	Outcome       string  `json:"outcome,omitempty" doc:"established (both sides took their keys into use), alert (an alert ended it), closed (the connection ended before), partial (the capture lacks part of it)"`
	Renegotiation bool    `json:"renegotiation,omitempty" doc:"a further handshake inside an established connection"`
	Took          Seconds `json:"took,omitempty" doc:"time from the ClientHello to the keys in use on both sides, seconds"`

	KeyExchange  string `json:"key_exchange,omitempty" doc:"how keys were agreed: ECDHE, DHE, RSA, PSK, ECDHE-PSK and so on"`
	Group        string `json:"group,omitempty" doc:"named group or curve of the key exchange"`
	GroupBits    int    `json:"group_bits,omitempty" doc:"size of the prime of a finite field key exchange, bits"`
	Signature    string `json:"signature,omitempty" doc:"signature scheme by which the server proved its key, when it was seen"`
	Secrecy      string `json:"forward_secrecy,omitempty" doc:"yes or no: whether a key stolen later can decrypt the recorded session"`
	Resumed      string `json:"resumed,omitempty" doc:"an earlier session was resumed, by: session_id, ticket, psk"`
	ResumedFrom  string `json:"resumed_from,omitempty" doc:"id of the session in this input that the resumed one came from"`
	EarlyData    string `json:"early_data,omitempty" doc:"0-RTT data: offered, accepted or rejected"`
	MasterSecret bool   `json:"extended_master_secret,omitempty" doc:"extended master secret (RFC 7627) is in force"`
	EtM          bool   `json:"encrypt_then_mac,omitempty" doc:"encrypt-then-MAC (RFC 7366) is in force"`
	Compression  string `json:"compression,omitempty" doc:"compression method, when it is not null"`
	Heartbeat    bool   `json:"heartbeat,omitempty" doc:"both sides agreed on the heartbeat extension"`
	ECH          string `json:"ech,omitempty" doc:"encrypted ClientHello in the outer hello: offered (or greased, which looks alike)"`
	Sentinel     string `json:"downgrade_sentinel,omitempty" doc:"the server's random ends in the mark of RFC 8446, section 4.1.3: the server could speak more than the negotiated version (its highest: TLS 1.2 or TLS 1.3)"`

	Client       *TLSHello        `json:"client_hello,omitempty" doc:"what the client offered; the second hello where the server asked for one"`
	Server       *TLSHello        `json:"server_hello,omitempty" doc:"what the server chose"`
	HelloRetry   *TLSHelloRetry   `json:"hello_retry,omitempty" doc:"the server asked for another ClientHello (HelloRetryRequest)"`
	SSLv2Hello   bool             `json:"sslv2_hello,omitempty" doc:"the ClientHello came in the format of SSL 2.0"`
	JA3          string           `json:"ja3,omitempty" doc:"JA3 of the client: MD5 of ja3_string"`
	JA3String    string           `json:"ja3_string,omitempty" doc:"version, cipher suites, extensions, groups and point formats of the ClientHello, decimal, without GREASE"`
	JA3S         string           `json:"ja3s,omitempty" doc:"JA3S of the server: MD5 of ja3s_string"`
	JA3SString   string           `json:"ja3s_string,omitempty" doc:"version, cipher suite and extensions of the ServerHello, decimal"`
	JA4          string           `json:"ja4,omitempty" doc:"JA4 of the client"`
	JA4String    string           `json:"ja4_string,omitempty" doc:"JA4 before hashing (JA4_r)"`
	Certificates []TLSCertificate `json:"certificates,omitempty" doc:"the server's certificates as sent, its own first; of TLS 1.3 only when decrypted"`
	Chain        *TLSChain        `json:"chain,omitempty" doc:"what verification said of the server's chain"`
	OCSP         *TLSOCSP         `json:"ocsp,omitempty" doc:"stapled OCSP response"`

	CertificateRequested bool             `json:"certificate_requested,omitempty" doc:"the server asked the client for a certificate"`
	ClientCertificates   []TLSCertificate `json:"client_certificates,omitempty" doc:"the client's certificates as sent"`
	NoClientCertificate  bool             `json:"no_client_certificate,omitempty" doc:"the client was asked for a certificate and sent none"`

	Tickets []TLSTicket `json:"tickets,omitempty" doc:"session tickets that the server gave out during the handshake"`
	Alerts  []TLSAlert  `json:"alerts,omitempty" doc:"alerts during the handshake"`

	Decryption string `json:"decryption,omitempty" doc:"read (keys were at hand) or opaque"`
	Keys       string `json:"keys,omitempty" doc:"where the keys came from: keylog, rsa key, resumed"`
	Opaque     string `json:"opaque_because,omitempty" doc:"why it could not be read"`
}

// TLSHello is one hello as it was sent. Lists are cut at 512 entries; GREASE
// values (RFC 8701) stand in them as GREASE.
type TLSHello struct {
	LegacyVersion  string   `json:"legacy_version" doc:"version in the hello's own field"`
	RecordVersion  string   `json:"record_version,omitempty" doc:"version of the record that carried it"`
	Versions       []string `json:"versions,omitempty" doc:"supported_versions extension"`
	Random         string   `json:"random" doc:"random, hexadecimal"`
	SessionID      string   `json:"session_id,omitempty" doc:"session id, hexadecimal"`
	Ciphers        []string `json:"ciphers,omitempty" doc:"cipher suites, IANA names"`
	Compression    []string `json:"compression,omitempty" doc:"compression methods"`
	Extensions     []string `json:"extensions,omitempty" doc:"extensions in the order sent, IANA names"`
	Groups         []string `json:"groups,omitempty" doc:"supported groups"`
	KeyShares      []string `json:"key_shares,omitempty" doc:"groups of the key shares"`
	PointFormats   []string `json:"point_formats,omitempty" doc:"EC point formats"`
	Signatures     []string `json:"signatures,omitempty" doc:"signature algorithms"`
	CertSignatures []string `json:"certificate_signatures,omitempty" doc:"signature algorithms for certificates, when they differ"`
	ALPN           []string `json:"alpn,omitempty" doc:"application protocols offered or chosen"`
	PSKModes       []string `json:"psk_modes,omitempty" doc:"psk_key_exchange_modes"`
	PSKs           int      `json:"psks,omitempty" doc:"pre-shared keys offered"`
	Ticket         string   `json:"ticket,omitempty" doc:"session ticket or first PSK identity: SHA-256 of it, hexadecimal, the first 16 digits; empty ticket: requested"`
	FallbackSCSV   bool     `json:"fallback_scsv,omitempty" doc:"TLS_FALLBACK_SCSV: the client retries with a lower version"`
	SecureReneg    bool     `json:"secure_renegotiation,omitempty" doc:"secure renegotiation (RFC 5746) is signalled"`
	Heartbeat      bool     `json:"heartbeat,omitempty" doc:"heartbeat extension"`
	OCSP           bool     `json:"ocsp,omitempty" doc:"status_request: wants a stapled OCSP response"`
	SCT            bool     `json:"sct,omitempty" doc:"signed_certificate_timestamp extension"`
	GREASE         bool     `json:"grease,omitempty" doc:"GREASE values stand in it"`
	Size           int      `json:"size,omitempty" doc:"size of the message, bytes"`
}

// TLSHelloRetry is a HelloRetryRequest (RFC 8446, section 4.1.4).
type TLSHelloRetry struct {
	Group  string   `json:"group,omitempty" doc:"group that the server wants a key share of"`
	Cookie bool     `json:"cookie,omitempty" doc:"it carries a cookie"`
	Cipher string   `json:"cipher,omitempty" doc:"cipher suite"`
	Before []string `json:"key_shares_before,omitempty" doc:"groups of the key shares in the first ClientHello"`
}

// TLSCertificate is an X.509 certificate.
type TLSCertificate struct {
	Subject    string    `json:"subject,omitempty" doc:"subject, RFC 2253"`
	Issuer     string    `json:"issuer,omitempty" doc:"issuer, RFC 2253"`
	CommonName string    `json:"common_name,omitempty" doc:"common name of the subject"`
	Names      []string  `json:"names,omitempty" doc:"alternative names: host names, addresses, mail addresses, URIs; the first 256"`
	Serial     string    `json:"serial,omitempty" doc:"serial number, hexadecimal"`
	NotBefore  time.Time `json:"not_before,omitzero" doc:"begin of validity"`
	NotAfter   time.Time `json:"not_after,omitzero" doc:"end of validity"`
	Key        string    `json:"key,omitempty" doc:"algorithm of the public key: RSA, ECDSA P-256, Ed25519 and so on"`
	KeyBits    int       `json:"key_bits,omitempty" doc:"size of the public key, bits"`
	Signature  string    `json:"signature,omitempty" doc:"algorithm of the signature on it"`
	CA         bool      `json:"ca,omitempty" doc:"it may sign certificates"`
	SelfSigned bool      `json:"self_signed,omitempty" doc:"issuer and subject are the same and the signature is by its own key"`
	SHA256     string    `json:"sha256" doc:"fingerprint: SHA-256 of the certificate, hexadecimal"`
	SHA1       string    `json:"sha1" doc:"SHA-1 of it, hexadecimal, by which older tools name certificates"`
	Size       int       `json:"size" doc:"size, bytes"`
	Problem    string    `json:"problem,omitempty" doc:"why it could not be read"`
}

// Valid reports whether at lies in the certificate's validity; true where it
// is unknown.
func (c *TLSCertificate) Valid(at time.Time) bool {
	return c.NotAfter.IsZero() || !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

// TLSChain is what is to be said of a chain of certificates at capture time.
type TLSChain struct {
	Validity string `json:"validity" doc:"of the server's own certificate at capture time: valid, expired, not_yet_valid"`
	Name     string `json:"name,omitempty" doc:"host name that was checked: the SNI"`
	Matches  string `json:"matches,omitempty" doc:"whether the certificate is for that name: yes, no, or common_name (it stands in the common name only, where clients do not look any more)"`
	Order    string `json:"order,omitempty" doc:"ordered (each certificate is signed by the next), unordered, or extra (certificates that do not belong to the chain)"`
	Missing  string `json:"missing,omitempty" doc:"issuer that is neither in the chain nor self-signed: an intermediate or the root"`
	Verified string `json:"verified,omitempty" doc:"against the given roots at capture time: yes, no; absent when there were no roots"`
	Problem  string `json:"problem,omitempty" doc:"why it does not verify"`
}

// TLSOCSP is a stapled OCSP response (RFC 6960).
type TLSOCSP struct {
	Status     string    `json:"status" doc:"good, revoked, unknown, or unreadable"`
	ThisUpdate time.Time `json:"this_update,omitzero" doc:"when it was known to be correct"`
	NextUpdate time.Time `json:"next_update,omitzero" doc:"when newer information will be there"`
	RevokedAt  time.Time `json:"revoked_at,omitzero" doc:"when the certificate was revoked"`
}

// TLSTicket is a session ticket that the server gave out.
type TLSTicket struct {
	Lifetime  int    `json:"lifetime" doc:"lifetime hint, seconds"`
	Size      int    `json:"size" doc:"size, bytes"`
	ID        string `json:"id" doc:"SHA-256 of it, hexadecimal, the first 16 digits"`
	EarlyData int64  `json:"early_data,omitempty" doc:"most bytes of 0-RTT data that it allows"`
}

// TLSAlert is an alert.
type TLSAlert struct {
	Time      time.Time `json:"time" doc:"capture time"`
	By        string    `json:"by" doc:"who sent it: client or server"`
	Level     string    `json:"level,omitempty" doc:"warning or fatal; absent when it was not read"`
	Name      string    `json:"name" doc:"name of the alert, such as unknown_ca; encrypted when it was not read"`
	Meaning   string    `json:"meaning,omitempty" doc:"what it means, in words"`
	Encrypted bool      `json:"encrypted,omitempty" doc:"it was encrypted"`
	Packet    uint64    `json:"packet,omitempty" doc:"packet that carried it"`
	Offset    int64     `json:"offset" doc:"offset of its record in the direction's stream"`
}

// TLSEnd is how a TLS connection went on behind its handshake and ended. It is
// written when the connection ends.
type TLSEnd struct {
	Header
	Client     TLSSide    `json:"client_side" doc:"what the client sent"`
	Server     TLSSide    `json:"server_side" doc:"what the server sent"`
	Alerts     []TLSAlert `json:"alerts,omitempty" doc:"alerts behind the handshake, the first 16"`
	Tickets    int        `json:"tickets,omitempty" doc:"session tickets that were given out behind the handshake, as far as they were read"`
	Decryption string     `json:"decryption" doc:"read, opaque or partly"`
	Opaque     string     `json:"opaque_because,omitempty" doc:"why part of it could not be read"`
}

// TLSSide counts one direction of a TLS connection.
type TLSSide struct {
	Records    int64  `json:"records" doc:"records behind the handshake"`
	Plaintext  int64  `json:"plaintext,omitempty" doc:"bytes of application data that were decrypted"`
	Opaque     int64  `json:"opaque,omitempty" doc:"bytes of application data that could not be read, as far as they can be counted"`
	Failed     int64  `json:"failed,omitempty" doc:"records that did not authenticate"`
	KeyUpdates int    `json:"key_updates,omitempty" doc:"key updates (TLS 1.3)"`
	End        string `json:"end" doc:"close_notify, alert (fatal), encrypted_alert (close_notify or another, it was not read), cut (the connection ended without), unread (the end was not read), not_tls (it did not speak TLS)"`
}

func (*TLSHandshake) Kind() Kind { return KindTLSHandshake }
func (*TLSEnd) Kind() Kind       { return KindTLSEnd }

// Leaf returns the server's own certificate, nil when it was not seen.
func (h *TLSHandshake) Leaf() *TLSCertificate {
	if len(h.Certificates) == 0 {
		return nil
	}
	return &h.Certificates[0]
}
