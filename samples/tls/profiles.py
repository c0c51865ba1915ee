"""The TLS settings of the recordings: name, port, version, ciphers, options.

Both sides are OpenSSL by way of Python's ssl module. Options: noetm (no
encrypt-then-MAC), noems (no extended master secret), ecdsa (the server shows an
ECDSA certificate), noticket (session ids instead of tickets), p384 (the server
wants a group that the client sends no key share of), clientcert.
"""
import ssl

PROFILES = {
    "tls10-cbc": (4001, "TLSv1", "ECDHE-RSA-AES128-SHA", "noetm"),
    "tls10-etm": (4002, "TLSv1", "AES256-SHA", ""),
    "tls11-cbc": (4003, "TLSv1_1", "ECDHE-RSA-AES256-SHA", "noetm noems"),
    "tls12-cbc": (4004, "TLSv1_2", "ECDHE-RSA-AES256-SHA384", "noetm"),
    "tls12-etm": (4005, "TLSv1_2", "ECDHE-RSA-AES128-SHA256", ""),
    "tls12-gcm": (4006, "TLSv1_2", "ECDHE-RSA-AES256-GCM-SHA384", ""),
    "tls12-gcm-noems": (4007, "TLSv1_2", "ECDHE-RSA-AES128-GCM-SHA256", "noems"),
    "tls12-ccm": (4008, "TLSv1_2", "ECDHE-ECDSA-AES128-CCM", "ecdsa"),
    "tls12-ccm8": (4009, "TLSv1_2", "ECDHE-ECDSA-AES256-CCM8", "ecdsa"),
    "tls12-chacha20": (4010, "TLSv1_2", "ECDHE-RSA-CHACHA20-POLY1305", ""),
    "tls12-static-rsa": (4011, "TLSv1_2", "AES128-GCM-SHA256", ""),
    "tls12-session-id": (4012, "TLSv1_2", "AES128-SHA256", "noticket"),
    "tls12-null": (4013, "TLSv1_2", "NULL-SHA256", ""),
    "tls12-client-certificate": (4014, "TLSv1_2", "ECDHE-RSA-AES128-GCM-SHA256", "clientcert"),
    "tls12-camellia": (4015, "TLSv1_2", "CAMELLIA128-SHA256", ""),
    "tls13": (4016, "TLSv1_3", None, ""),
    "tls13-ecdsa": (4017, "TLSv1_3", None, "ecdsa"),
    "tls13-client-certificate": (4018, "TLSv1_3", None, "clientcert"),
    "tls13-retry": (4019, "TLSv1_3", None, "p384"),
    # What the client offers of TLS 1.3 is set by OPENSSL_CONF.
    "tls13-aes-128-gcm": (4020, "TLSv1_3", None, ""),
    "tls13-chacha20-poly1305": (4021, "TLSv1_3", None, ""),
    "tls13-aes-128-ccm": (4022, "TLSv1_3", None, ""),
    "tls13-aes-128-ccm-8": (4023, "TLSv1_3", None, ""),
}


def context(side, name, folder):
    port, version, ciphers, options = PROFILES[name]
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT)
    v = getattr(ssl.TLSVersion, version)
    ctx.minimum_version = ctx.maximum_version = v
    ctx.set_ciphers((ciphers or "DEFAULT") + ":@SECLEVEL=0")
    if "noetm" in options:
        ctx.options |= 1 << 19  # SSL_OP_NO_ENCRYPT_THEN_MAC
    if "noems" in options:
        ctx.options |= 1 << 0  # SSL_OP_NO_EXTENDED_MASTER_SECRET
    if "noticket" in options:
        ctx.options |= ssl.OP_NO_TICKET
    if side == "server":
        cert = "ecdsa" if "ecdsa" in options else "rsa"
        ctx.load_cert_chain(f"{folder}/{cert}.pem", f"{folder}/{cert}.key")
        if "p384" in options:
            ctx.set_ecdh_curve("secp384r1")
        if "clientcert" in options:
            ctx.verify_mode = ssl.CERT_REQUIRED
            ctx.load_verify_locations(f"{folder}/ca.pem")
    else:
        ctx.load_verify_locations(f"{folder}/ca.pem")
        ctx.keylog_filename = f"{folder}/keys"
        if "clientcert" in options:
            ctx.load_cert_chain(f"{folder}/client.pem", f"{folder}/client.key")
    return ctx
