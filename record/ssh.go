package record

import (
	"fmt"
	"strings"
	"time"
)

// SSHHandshake is what an SSH connection shows before it is encrypted: who
// spoke, what both sides offered, what came of it. It is written when both
// sides have taken their keys into use, or when the connection ended before.
type SSHHandshake struct {
	Header
	Version     string             `json:"version,omitempty" doc:"protocol version spoken: 2.0, 1.5, or empty when only one side was seen"`
	ClientID    *SSHIdentification `json:"client_id,omitempty" doc:"identification of the client"`
	ServerID    *SSHIdentification `json:"server_id,omitempty" doc:"identification of the server"`
	ServerLines []string           `json:"server_lines,omitempty" doc:"lines that the server sent before its identification, the first 16"`
	ClientLines []string           `json:"client_lines,omitempty" doc:"lines from the client that are no identification, the first 16: it spoke another protocol"`

	ClientKex  *SSHKexInit    `json:"client_kex,omitempty" doc:"what the client offered (KEXINIT)"`
	ServerKex  *SSHKexInit    `json:"server_kex,omitempty" doc:"what the server offered (KEXINIT)"`
	Negotiated *SSHNegotiated `json:"negotiated,omitempty" doc:"what came of the two offers; empty where there was no common algorithm"`
	NoCommon   []string       `json:"no_common,omitempty" doc:"lists without a common algorithm: kex, host_key, cipher_c2s, cipher_s2c, mac_c2s, mac_s2c, compression_c2s, compression_s2c"`

	Exchange *SSHExchange `json:"exchange,omitempty" doc:"the key exchange messages"`
	HostKey  *SSHHostKey  `json:"host_key,omitempty" doc:"key by which the server proved who it is"`

	HASSH             string `json:"hassh,omitempty" doc:"HASSH of the client: MD5 of hassh_string"`
	HASSHString       string `json:"hassh_string,omitempty" doc:"the client's kex, cipher, MAC and compression lists joined by semicolons, at most 4 KiB"`
	HASSHServer       string `json:"hassh_server,omitempty" doc:"hasshServer: MD5 of hassh_server_string"`
	HASSHServerString string `json:"hassh_server_string,omitempty" doc:"the server's kex, cipher, MAC and compression lists joined by semicolons, at most 4 KiB"`

	StrictKex bool   `json:"strict_kex,omitempty" doc:"both sides announced strict key exchange, so it is in force"`
	Terrapin  string `json:"terrapin,omitempty" doc:"exposure to CVE-2023-48795 by what was negotiated: protected (strict kex), exposed (a cipher that can be cut without strict kex), unaffected (another cipher)"`

	ClientNewKeys bool           `json:"client_new_keys,omitempty" doc:"the client took its keys into use"`
	ServerNewKeys bool           `json:"server_new_keys,omitempty" doc:"the server took its keys into use"`
	Phases        []SSHPhase     `json:"phases,omitempty" doc:"the course of the handshake, in order of time"`
	Disconnect    *SSHDisconnect `json:"disconnect,omitempty" doc:"DISCONNECT message in the clear"`
	SSH1          *SSH1Key       `json:"ssh1,omitempty" doc:"public key packet of SSH-1"`

	Outcome string  `json:"outcome" doc:"encrypted (both took keys into use), no_common_algorithm, disconnected (by message), closed (before the end of the key exchange), not_ssh (one side spoke another protocol), version_mismatch, ssh1, partial (the capture lacks part of it)"`
	Reached string  `json:"reached" doc:"last phase that was reached"`
	Took    Seconds `json:"took,omitempty" doc:"time from the first byte to the keys in use, seconds"`
}

// SSHIdentification is the line by which a side introduces itself (RFC 4253,
// section 4.2).
type SSHIdentification struct {
	Text     string `json:"text" doc:"the line without its end, at most 512 bytes"`
	Version  string `json:"version" doc:"protocol version, such as 2.0 or 1.99"`
	Banner   string `json:"banner" doc:"software version field as sent, such as OpenSSH_9.2p1"`
	Comments string `json:"comments,omitempty" doc:"comments field as sent"`
	Software string `json:"software" doc:"name of the software, or unknown"`
	Release  string `json:"release,omitempty" doc:"its version, such as 9.2p1"`
	OS       string `json:"os,omitempty" doc:"operating system, as far as the banner tells"`
	Package  string `json:"package,omitempty" doc:"distribution package revision, such as 2+deb12u3"`
}

// Name is the software and version in short: OpenSSH_9.2p1 as it was sent.
func (i *SSHIdentification) Name() string {
	if i == nil {
		return "unseen"
	}
	if i.Banner == "" {
		return "unnamed"
	}
	return i.Banner
}

// SSHKexInit is one side's offer (RFC 4253, section 7.1). A list is cut at
// 512 names.
type SSHKexInit struct {
	Cookie         string   `json:"cookie" doc:"random cookie, hexadecimal"`
	Kex            []string `json:"kex" doc:"key exchange methods, without markers such as ext-info-c"`
	Markers        []string `json:"markers,omitempty" doc:"names in the kex list that are no methods: ext-info-c, kex-strict-s-v00@openssh.com and so on"`
	HostKey        []string `json:"host_key" doc:"host key algorithms"`
	CipherC2S      []string `json:"cipher_c2s" doc:"ciphers, client to server"`
	CipherS2C      []string `json:"cipher_s2c" doc:"ciphers, server to client"`
	MACC2S         []string `json:"mac_c2s" doc:"MACs, client to server"`
	MACS2C         []string `json:"mac_s2c" doc:"MACs, server to client"`
	CompressionC2S []string `json:"compression_c2s" doc:"compression methods, client to server"`
	CompressionS2C []string `json:"compression_s2c" doc:"compression methods, server to client"`
	LanguageC2S    []string `json:"language_c2s,omitempty" doc:"languages, client to server"`
	LanguageS2C    []string `json:"language_s2c,omitempty" doc:"languages, server to client"`
	Guess          bool     `json:"guess,omitempty" doc:"a guessed key exchange packet follows (first_kex_packet_follows)"`
	ExtInfo        bool     `json:"ext_info,omitempty" doc:"wants extension negotiation (RFC 8308)"`
	Strict         bool     `json:"strict,omitempty" doc:"announces strict key exchange"`
}

// SSHNegotiated is the outcome of the two offers.
type SSHNegotiated struct {
	Kex            string `json:"kex,omitempty" doc:"key exchange method"`
	HostKey        string `json:"host_key,omitempty" doc:"host key algorithm"`
	CipherC2S      string `json:"cipher_c2s,omitempty" doc:"cipher, client to server"`
	CipherS2C      string `json:"cipher_s2c,omitempty" doc:"cipher, server to client"`
	MACC2S         string `json:"mac_c2s,omitempty" doc:"MAC, client to server; implicit where the cipher authenticates by itself"`
	MACS2C         string `json:"mac_s2c,omitempty" doc:"MAC, server to client; implicit where the cipher authenticates by itself"`
	CompressionC2S string `json:"compression_c2s,omitempty" doc:"compression, client to server"`
	CompressionS2C string `json:"compression_s2c,omitempty" doc:"compression, server to client"`
	WrongGuess     bool   `json:"wrong_guess,omitempty" doc:"a guessed packet was sent and has to be ignored"`
}

// SSHExchange is what the key exchange messages show.
type SSHExchange struct {
	Family        string `json:"family" doc:"kind of exchange: dh, dh-gex, ecdh, hybrid (with a post-quantum part), gss, rsa"`
	Bits          int    `json:"bits,omitempty" doc:"size of the prime or curve"`
	Generator     string `json:"generator,omitempty" doc:"generator sent in a group exchange, hexadecimal, when it is short"`
	Prime         string `json:"prime,omitempty" doc:"SHA-256 of the prime sent in a group exchange, by which a shared one is recognised"`
	AskedMin      int    `json:"asked_min,omitempty" doc:"group exchange: smallest prime the client accepts, bits"`
	Asked         int    `json:"asked,omitempty" doc:"group exchange: size the client prefers, bits"`
	AskedMax      int    `json:"asked_max,omitempty" doc:"group exchange: largest prime the client accepts, bits"`
	OldRequest    bool   `json:"old_request,omitempty" doc:"group exchange asked in the old form, with one size only"`
	ClientPublic  int    `json:"client_public,omitempty" doc:"size of the client's public value, bytes"`
	ServerPublic  int    `json:"server_public,omitempty" doc:"size of the server's public value, bytes"`
	Signature     string `json:"signature,omitempty" doc:"algorithm of the host key's signature"`
	SignatureSize int    `json:"signature_size,omitempty" doc:"size of the signature, bytes"`
	PostQuantum   bool   `json:"post_quantum,omitempty" doc:"a part of it holds against a quantum computer"`
	Rounds        int    `json:"rounds,omitempty" doc:"GSS: continuation messages"`
}

// SSHHostKey is the server's public key.
type SSHHostKey struct {
	Type        string          `json:"type" doc:"key type as OpenSSH prints it: RSA, DSA, ECDSA, ED25519, ED448, ECDSA-SK, ED25519-SK, or the algorithm's name"`
	Algorithm   string          `json:"algorithm" doc:"algorithm name inside the key"`
	Bits        int             `json:"bits,omitempty" doc:"size of the key"`
	Exponent    int64           `json:"exponent,omitempty" doc:"RSA public exponent, when it fits"`
	SHA256      string          `json:"sha256" doc:"fingerprint as OpenSSH prints it: SHA256: and base64; of the key inside a certificate"`
	MD5         string          `json:"md5" doc:"old fingerprint, 16 bytes in hexadecimal with colons"`
	Key         string          `json:"key,omitempty" doc:"the key itself, base64, as in known_hosts"`
	Certificate *SSHCertificate `json:"certificate,omitempty" doc:"OpenSSH certificate around the key"`
}

// SSHCertificate is an OpenSSH host certificate (PROTOCOL.certkeys).
type SSHCertificate struct {
	Serial      uint64    `json:"serial" doc:"serial number"`
	KeyID       string    `json:"key_id" doc:"key id given by the authority"`
	Host        bool      `json:"host" doc:"it is a host certificate; false: one for users, which must not be shown here"`
	Principals  []string  `json:"principals,omitempty" doc:"host names it is valid for; none: any"`
	ValidAfter  time.Time `json:"valid_after,omitzero" doc:"begin of validity; absent: always"`
	ValidBefore time.Time `json:"valid_before,omitzero" doc:"end of validity; absent: forever"`
	Critical    []string  `json:"critical,omitempty" doc:"critical options, name=value"`
	Extensions  []string  `json:"extensions,omitempty" doc:"extensions, name=value"`
	CAType      string    `json:"ca_type" doc:"type of the authority's key"`
	CASHA256    string    `json:"ca_sha256" doc:"fingerprint of the authority's key"`
	Signature   string    `json:"signature" doc:"algorithm of the authority's signature"`
}

// SSHPhase is one step of the course of a connection.
type SSHPhase struct {
	Name   string    `json:"name" doc:"connect, identification, kexinit, key_exchange, host_key, new_keys, service, authentication, session, data, end"`
	Time   time.Time `json:"time" doc:"when it began"`
	By     string    `json:"by,omitempty" doc:"side whose bytes began it"`
	Took   Seconds   `json:"took,omitempty" doc:"time until the next phase began, seconds"`
	Detail string    `json:"detail,omitempty" doc:"what was seen, in words"`
}

// SSHDisconnect is a DISCONNECT message (RFC 4253, section 11.1).
type SSHDisconnect struct {
	By          string `json:"by" doc:"who sent it: client or server"`
	Code        uint32 `json:"code" doc:"reason code"`
	Reason      string `json:"reason" doc:"name of the code in RFC 4250, lower case"`
	Description string `json:"description,omitempty" doc:"text that came with it"`
}

// SSH1Key is the public key packet of an SSH-1 server.
type SSH1Key struct {
	HostBits   int      `json:"host_bits" doc:"size of the RSA host key"`
	ServerBits int      `json:"server_bits" doc:"size of the RSA server key"`
	MD5        string   `json:"md5" doc:"fingerprint of the host key as ssh-keygen printed it"`
	Ciphers    []string `json:"ciphers,omitempty" doc:"ciphers that the server supports"`
	Auth       []string `json:"auth,omitempty" doc:"authentication methods that the server supports"`
	Cipher     string   `json:"cipher,omitempty" doc:"cipher that the client chose"`
}

func (*SSHHandshake) Kind() Kind { return KindSSHHandshake }

// Summary is what `sniff read` prints: who with whom, how, and to which key.
func (h *SSHHandshake) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s with %s", sshShort(h.ClientID), sshShort(h.ServerID))
	if n := h.Negotiated; n != nil && n.Kex != "" {
		b.WriteString(", " + n.Kex)
	}
	if k := h.HostKey; k != nil {
		b.WriteString(", host key " + k.Type + " " + k.SHA256)
	}
	if k := h.SSH1; k != nil {
		fmt.Fprintf(&b, ", SSH-1, host key RSA1 %d MD5:%s", k.HostBits, k.MD5)
	}
	if s := h.failure(); s != "" {
		b.WriteString(", " + s)
	}
	return b.String()
}

// failure says why the handshake led to nothing; "" when it did.
func (h *SSHHandshake) failure() string {
	switch h.Outcome {
	case "no_common_algorithm":
		return "no common " + SSHLists(h.NoCommon)
	case "disconnected":
		if d := h.Disconnect; d != nil {
			s := d.By + " disconnected: " + d.Reason
			if d.Description != "" {
				s += " (" + d.Description + ")"
			}
			return s
		}
		return "disconnected"
	case "closed":
		if h.ServerID == nil && len(h.ServerLines) > 0 {
			return fmt.Sprintf("refused by the server: %q", h.ServerLines[0])
		}
		return "closed after " + sshPhaseNames(h.Reached)
	case "not_ssh":
		if len(h.ClientLines) > 0 {
			return fmt.Sprintf("the client sent %q, which is not SSH", h.ClientLines[0])
		}
		return "one side did not speak SSH"
	case "version_mismatch":
		return "protocol versions do not match"
	case "partial":
		return "only partly captured"
	}
	return ""
}

// SSHLists puts the names of algorithm lists (SSHHandshake.NoCommon) in words.
func SSHLists(lists []string) string {
	var out []string
	for _, l := range lists {
		base, way, found := strings.Cut(l, "_c2s")
		if !found {
			base, way, found = strings.Cut(l, "_s2c")
			way = " to the client" + way
		} else {
			way = " to the server" + way
		}
		if !found {
			way = ""
		}
		switch base {
		case "kex":
			base = "key exchange method"
		case "host_key":
			base = "host key algorithm"
		case "mac":
			base = "MAC"
		}
		out = append(out, base+way)
	}
	return strings.Join(out, ", ")
}

func sshPhaseNames(p string) string { return strings.ReplaceAll(p, "_", " ") }

// sshShort is the software without its distribution: OpenSSH_9.2.
func sshShort(i *SSHIdentification) string {
	name := i.Name()
	if rest, ok := strings.CutPrefix(name, "OpenSSH_"); ok && rest != "" && rest[0] <= '9' {
		if at := strings.IndexByte(rest, 'p'); at > 0 {
			return name[:len("OpenSSH_")+at]
		}
	}
	return name
}

// Tell puts the handshake first in the session's line. Of a proxy's two the
// one with the server tells more, unless the other failed.
func (h *SSHHandshake) Tell(o *Outline) {
	f := o.Fact("ssh.handshake")
	if h.Substream == ClientLeg && f.Text != "" && h.failure() == "" {
		return
	}
	f.Rank, f.Text = 5, h.Summary()
}

// Lines gives the course of the handshake, phase by phase.
func (h *SSHHandshake) Lines() []Line {
	var lines []Line
	for _, p := range h.Phases {
		l := Line{Time: p.Time, Note: p.By == ""}
		if p.By == ServerToClient.String() {
			l.Dir = ServerToClient
		}
		text := sshPhaseNames(p.Name)
		if h.Substream != "" {
			text = h.Substream + " leg, " + text
		}
		if p.Detail != "" {
			text += ": " + p.Detail
		}
		if p.Name == "host_key" && h.HostKey != nil {
			l.Fold = h.HostKey.Randomart()
		}
		l.Text = Plain(text)
		lines = append(lines, l)
	}
	if s := h.failure(); s != "" && len(lines) > 0 {
		lines = append(lines, Line{Time: lines[len(lines)-1].Time, Note: true, Text: Plain(s)})
	}
	return lines
}
