package tls

import (
	"fmt"
	"strconv"
)

// Versions on the wire.
const (
	versionSSL2  = 0x0002
	versionSSL3  = 0x0300
	versionTLS10 = 0x0301
	versionTLS11 = 0x0302
	versionTLS12 = 0x0303
	versionTLS13 = 0x0304
)

func versionName(v uint16) string {
	switch v {
	case versionSSL2:
		return "SSL 2.0"
	case versionSSL3:
		return "SSL 3.0"
	case versionTLS10, versionTLS11, versionTLS12, versionTLS13:
		return "TLS 1." + strconv.Itoa(int(v-versionTLS10))
	}
	switch {
	case isGREASE(v):
		return grease
	case v>>8 == 0x7f:
		return fmt.Sprintf("TLS 1.3 draft %d", v&0xff)
	}
	return fmt.Sprintf("0x%04x", v)
}

// grease stands for all values of RFC 8701 in lists.
const grease = "GREASE"

// isGREASE reports whether v is reserved by RFC 8701, section 2.
func isGREASE(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

// name16 looks a number up; unknown ones stand in hexadecimal.
func name16(names map[uint16]string, v uint16) string {
	if n, ok := names[v]; ok {
		return n
	}
	if isGREASE(v) {
		return grease
	}
	return fmt.Sprintf("0x%04x", v)
}

func name8(names map[uint8]string, v uint8) string {
	if n, ok := names[v]; ok {
		return n
	}
	return strconv.Itoa(int(v))
}

// Extension numbers that are read.
const (
	extServerName       = 0
	extStatusRequest    = 5
	extGroups           = 10
	extPointFormats     = 11
	extSignatures       = 13
	extHeartbeat        = 15
	extALPN             = 16
	extSCT              = 18
	extEncryptThenMAC   = 22
	extMasterSecret     = 23
	extTicket           = 35
	extPreSharedKey     = 41
	extEarlyData        = 42
	extVersions         = 43
	extCookie           = 44
	extPSKModes         = 45
	extCertSignatures   = 50
	extKeyShare         = 51
	extECH              = 0xfe0d
	extRenegotiationInf = 0xff01
)

var extensionNames = map[uint16]string{
	0: "server_name", 1: "max_fragment_length", 2: "client_certificate_url", 3: "trusted_ca_keys", 4: "truncated_hmac",
	5: "status_request", 6: "user_mapping", 7: "client_authz", 8: "server_authz", 9: "cert_type", 10: "supported_groups",
	11: "ec_point_formats", 12: "srp", 13: "signature_algorithms", 14: "use_srtp", 15: "heartbeat",
	16: "application_layer_protocol_negotiation", 17: "status_request_v2", 18: "signed_certificate_timestamp",
	19: "client_certificate_type", 20: "server_certificate_type", 21: "padding", 22: "encrypt_then_mac",
	23: "extended_master_secret", 24: "token_binding", 25: "cached_info", 27: "compress_certificate", 28: "record_size_limit",
	34: "delegated_credential", 35: "session_ticket", 41: "pre_shared_key", 42: "early_data", 43: "supported_versions",
	44: "cookie", 45: "psk_key_exchange_modes", 47: "certificate_authorities", 48: "oid_filters", 49: "post_handshake_auth",
	50: "signature_algorithms_cert", 51: "key_share", 52: "transparency_info", 54: "connection_id", 55: "external_id_hash",
	56: "external_session_id", 57: "quic_transport_parameters", 58: "ticket_request", 59: "dnssec_chain",
	13172: "next_protocol_negotiation", 17513: "application_settings", 17613: "application_settings_new", 30032: "channel_id",
	0xfd00: "ech_outer_extensions", 0xfe0d: "encrypted_client_hello", 0xff01: "renegotiation_info",
}

var groupNames = map[uint16]string{
	1: "sect163k1", 2: "sect163r1", 3: "sect163r2", 4: "sect193r1", 5: "sect193r2", 6: "sect233k1", 7: "sect233r1",
	8: "sect239k1", 9: "sect283k1", 10: "sect283r1", 11: "sect409k1", 12: "sect409r1", 13: "sect571k1", 14: "sect571r1",
	15: "secp160k1", 16: "secp160r1", 17: "secp160r2", 18: "secp192k1", 19: "secp192r1", 20: "secp224k1", 21: "secp224r1",
	22: "secp256k1", 23: "secp256r1", 24: "secp384r1", 25: "secp521r1", 26: "brainpoolP256r1", 27: "brainpoolP384r1",
	28: "brainpoolP512r1", 29: "x25519", 30: "x448", 31: "brainpoolP256r1tls13", 32: "brainpoolP384r1tls13",
	33: "brainpoolP512r1tls13", 41: "curveSM2", 256: "ffdhe2048", 257: "ffdhe3072", 258: "ffdhe4096", 259: "ffdhe6144",
	260: "ffdhe8192", 512: "MLKEM512", 513: "MLKEM768", 514: "MLKEM1024", 4587: "SecP256r1MLKEM768", 4588: "X25519MLKEM768",
	4589: "SecP384r1MLKEM1024", 0x6399: "X25519Kyber768Draft00", 0xff01: "arbitrary_explicit_prime_curves",
	0xff02: "arbitrary_explicit_char2_curves",
}

var signatureNames = map[uint16]string{
	0x0101: "rsa_pkcs1_md5", 0x0201: "rsa_pkcs1_sha1", 0x0202: "dsa_sha1", 0x0203: "ecdsa_sha1",
	0x0301: "rsa_pkcs1_sha224", 0x0302: "dsa_sha224", 0x0303: "ecdsa_sha224",
	0x0401: "rsa_pkcs1_sha256", 0x0402: "dsa_sha256", 0x0403: "ecdsa_secp256r1_sha256",
	0x0501: "rsa_pkcs1_sha384", 0x0502: "dsa_sha384", 0x0503: "ecdsa_secp384r1_sha384",
	0x0601: "rsa_pkcs1_sha512", 0x0602: "dsa_sha512", 0x0603: "ecdsa_secp521r1_sha512", 0x0708: "sm2sig_sm3",
	0x0804: "rsa_pss_rsae_sha256", 0x0805: "rsa_pss_rsae_sha384", 0x0806: "rsa_pss_rsae_sha512", 0x0807: "ed25519",
	0x0808: "ed448", 0x0809: "rsa_pss_pss_sha256", 0x080a: "rsa_pss_pss_sha384", 0x080b: "rsa_pss_pss_sha512",
	0x081a: "ecdsa_brainpoolP256r1tls13_sha256", 0x081b: "ecdsa_brainpoolP384r1tls13_sha384",
	0x081c: "ecdsa_brainpoolP512r1tls13_sha512", 0x0904: "mldsa44", 0x0905: "mldsa65", 0x0906: "mldsa87",
}

var pointFormatNames = map[uint8]string{0: "uncompressed", 1: "ansiX962_compressed_prime", 2: "ansiX962_compressed_char2"}

var compressionNames = map[uint8]string{0: "null", 1: "DEFLATE", 64: "LZS"}

var pskModeNames = map[uint8]string{0: "psk_ke", 1: "psk_dhe_ke"}

func suiteName(v uint16) string     { return name16(suiteNames, v) }
func extensionName(v uint16) string { return name16(extensionNames, v) }
func groupName(v uint16) string     { return name16(groupNames, v) }
func signatureName(v uint16) string { return name16(signatureNames, v) }
