package tls

import (
	"fmt"

	"sniff/dissect"
	"sniff/record"
)

// alertInfo is the name of an alert (RFC 8446, section 6, and the IANA
// registry "TLS Alerts") and what it means to people.
type alertInfo struct{ name, meaning string }

var alerts = map[uint8]alertInfo{
	0:   {"close_notify", "it will send no more"},
	10:  {"unexpected_message", "a message came that does not belong there"},
	20:  {"bad_record_mac", "a record did not authenticate: damaged, or the keys differ"},
	21:  {"decryption_failed", "a record could not be decrypted"},
	22:  {"record_overflow", "a record was too long"},
	30:  {"decompression_failure", "a record could not be decompressed"},
	40:  {"handshake_failure", "no acceptable set of parameters: suites, groups or signatures have nothing in common, or a certificate is required"},
	41:  {"no_certificate", "it has no certificate to show"},
	42:  {"bad_certificate", "the certificate is corrupt or its signature does not verify"},
	43:  {"unsupported_certificate", "the certificate is of a type it does not support"},
	44:  {"certificate_revoked", "the certificate was revoked"},
	45:  {"certificate_expired", "the certificate has expired or is not valid yet"},
	46:  {"certificate_unknown", "the certificate was refused for some other reason"},
	47:  {"illegal_parameter", "a field was out of range or inconsistent"},
	48:  {"unknown_ca", "the certificate's issuer is not trusted"},
	49:  {"access_denied", "the certificate is valid, but access is not allowed"},
	50:  {"decode_error", "a message could not be decoded"},
	51:  {"decrypt_error", "a signature or a Finished message does not verify"},
	60:  {"export_restriction", "a key length is against export rules"},
	70:  {"protocol_version", "the offered version is not supported"},
	71:  {"insufficient_security", "the offered ciphers are too weak"},
	80:  {"internal_error", "an error of its own"},
	86:  {"inappropriate_fallback", "a retry with a lower version, although a higher one is supported"},
	90:  {"user_canceled", "the handshake was cancelled"},
	100: {"no_renegotiation", "it does not renegotiate"},
	109: {"missing_extension", "a mandatory extension is missing"},
	110: {"unsupported_extension", "an extension came that was not asked for"},
	111: {"certificate_unobtainable", "the certificate could not be fetched"},
	112: {"unrecognized_name", "no server of that name is here"},
	113: {"bad_certificate_status_response", "the stapled OCSP response is invalid"},
	114: {"bad_certificate_hash_value", "the certificate does not match its hash"},
	115: {"unknown_psk_identity", "the pre-shared key is not known"},
	116: {"certificate_required", "a client certificate is required and none was sent"},
	120: {"no_application_protocol", "no application protocol in common"},
	121: {"ech_required", "encrypted ClientHello is required"},
}

const (
	alertCloseNotify = 0
	alertDecodeError = 50
)

// readAlert makes a record of an alert message that was read.
func readAlert(level, code uint8, dir dissect.Dir, at record.Stamp, encrypted bool) record.TLSAlert {
	info, ok := alerts[code]
	if !ok {
		info.name = fmt.Sprintf("alert %d", code)
	}
	a := record.TLSAlert{
		Time: at.Time, Packet: at.Packet, Offset: at.Offset, By: dir.String(),
		Name: info.name, Meaning: info.meaning, Encrypted: encrypted,
	}
	switch level {
	case 1:
		a.Level = "warning"
	case 2:
		a.Level = "fatal"
	default:
		a.Level = fmt.Sprintf("level %d", level)
	}
	return a
}

// unreadAlert makes a record of an alert whose content is encrypted.
func unreadAlert(dir dissect.Dir, at record.Stamp) record.TLSAlert {
	return record.TLSAlert{Time: at.Time, Packet: at.Packet, Offset: at.Offset, By: dir.String(), Name: "encrypted", Encrypted: true}
}
