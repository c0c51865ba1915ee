package diagnose

import "sniff/record"

// sshCodes is the catalogue of the family.
func sshCodes() []Info {
	return []Info{
		{
			Code: "ssh.no_common_algorithm", Severity: record.SeverityError,
			Explanation: "Client and server offer lists of algorithms, and for at least one list they share none, so they cannot speak. Usually one side is much older than the other, or one was hardened.",
			Advice:      "Update the older side. Where that is impossible, allow one of the algorithms that it offers for this host alone (for OpenSSH: a Host block with KexAlgorithms, HostKeyAlgorithms, Ciphers or MACs and a leading +).",
			Reference:   "RFC 4253, section 7.1",
		},
		{
			Code: "ssh.protocol_mismatch", Severity: record.SeverityError,
			Explanation: "One side speaks SSH and the other something else: a browser or scanner called an SSH port, or an SSH client called another service.",
			Advice:      "Check the port that the client was given, and what listens there.",
			Reference:   "RFC 4253, section 4.2",
		},
		{
			Code: "ssh.version_mismatch", Severity: record.SeverityError,
			Explanation: "One side speaks SSH-1 only, the other SSH-2 only.",
			Advice:      "Replace the software that speaks SSH-1; it cannot be made safe.",
			Reference:   "RFC 4253, section 5",
		},
		{
			Code: "ssh.ssh1", Severity: record.SeverityWarning,
			Explanation: "SSH-1 protects its data with a CRC, which can be forged, and was removed from OpenSSH in 7.6. What goes through such a connection can be changed on the way.",
			Advice:      "Replace the software that speaks SSH-1, and switch SSH-1 off on the server.",
			Reference:   "CVE-1999-1085; OpenSSH 7.6 release notes",
		},
		{
			Code: "ssh.disconnected", Severity: record.SeverityError,
			Explanation: "One side ended the handshake with a message that says why.",
			Advice:      "The text of the message names the reason; look for the same time in the log of the side that sent it.",
			Reference:   "RFC 4253, section 11.1",
		},
		{
			Code: "ssh.closed_at_once", Severity: record.SeverityError,
			Explanation: "The server accepted the TCP connection and closed it without introducing itself. That is what MaxStartups does to too many unfinished logins, PerSourcePenalties to an address that misbehaved, tcpwrappers (hosts.deny) to addresses that may not connect, and a server that cannot start its child.",
			Advice:      "Look into the server's log for this address. Check MaxStartups, PerSourcePenalties, hosts.allow and hosts.deny, and fail2ban.",
			Reference:   "sshd_config(5), MaxStartups",
		},
		{
			Code: "ssh.handshake_closed", Severity: record.SeverityError,
			Explanation: "The connection ended before both sides had their keys in use, without a message that says why. A client closes here when it does not accept the host key, a server at the end of LoginGraceTime or when it cannot load a host key.",
			Advice:      "Run the client with -v, and look into the server's log for this time.",
			Reference:   "RFC 4253, section 7",
		},
		{
			Code: "ssh.handshake_stalled", Severity: record.SeverityError,
			Explanation: "Small packets pass and a large one of the key exchange is sent again and again: the path carries no full-sized packets, and the ICMP messages that would say so are filtered (an MTU black hole, usual with VPN and PPPoE).",
			Advice:      "Lower the MTU on one side to try (ip link set dev IFACE mtu 1400), let ICMP \"fragmentation needed\" through, or clamp the MSS at the router.",
			Reference:   "RFC 2923, section 2.1",
		},
		{
			Code: "ssh.slow_identification", Severity: record.SeverityNotice,
			Explanation: "The server waited before it introduced itself: it looks up the client's name in DNS, is out of processes, or keeps callers waiting on purpose (a tarpit).",
			Advice:      "Set UseDNS no, or repair the reverse lookup; check the load of the server.",
			Reference:   "sshd_config(5), UseDNS",
		},
		{
			Code: "ssh.slow_login", Severity: record.SeverityNotice,
			Explanation: "The server took long to answer the first request of the login. It often waits for a DNS lookup of the client, for GSSAPI, or for a directory service.",
			Advice:      "Try UseDNS no and GSSAPIAuthentication no on the server; check how fast names and users are looked up there.",
			Reference:   "sshd_config(5), UseDNS",
		},
		{
			Code: "ssh.login_refused", Severity: record.SeverityNotice,
			Explanation: "The sizes of the encrypted messages show requests to log in that were all refused. This is inferred, not read.",
			Advice:      "The server's log names the user and the reason.",
			Reference:   "RFC 4252, section 5.1",
		},
		{
			Code: "ssh.weak_algorithm", Severity: record.SeverityNotice,
			Explanation: "The two sides agreed on an algorithm that is not good enough any more.",
			Advice:      "Switch it off on the server, and update what cannot do without it.",
			Reference:   "RFC 9142",
		},
		{
			Code: "ssh.weak_offered", Severity: record.SeverityInfo,
			Explanation: "The server offers algorithms that are not good enough any more. A client that knows no better will use them.",
			Advice:      "Switch them off on the server.",
			Reference:   "RFC 9142",
		},
		{
			Code: "ssh.small_prime", Severity: record.SeverityWarning,
			Explanation: "A Diffie-Hellman exchange over a prime of less than 2048 bits can be broken by those who can afford it, and all recorded traffic with it.",
			Advice:      "Remove lines for less than 3072 bits from the server's moduli file, or use curve25519-sha256.",
			Reference:   "RFC 9142, section 3.2.1; RFC 8270",
		},
		{
			Code: "ssh.weak_host_key", Severity: record.SeverityWarning,
			Explanation: "The host key is of a kind or size that can be broken, so that somebody else can pass for this server.",
			Advice:      "Make a new host key (ssh-keygen -t ed25519), tell the clients, and remove the old one.",
			Reference:   "RFC 8270; NIST SP 800-131A",
		},
		{
			Code: "ssh.terrapin", Severity: record.SeverityNotice,
			Explanation: "With this cipher and without strict key exchange somebody in the middle can drop the first encrypted messages unnoticed, which switches off protections such as the hiding of keystrokes (Terrapin, CVE-2023-48795).",
			Advice:      "Update both sides to a version with strict key exchange (OpenSSH 9.6, PuTTY 0.80, Dropbear 2024.84 and later), or use AES-GCM.",
			Reference:   "CVE-2023-48795; terrapin-attack.com",
		},
		{
			Code: "ssh.strict_kex_violated", Severity: record.SeverityCritical,
			Explanation: "Both sides announced strict key exchange, and then a message came that it forbids. Correct software never sends one; it is what an attempt at the Terrapin attack looks like.",
			Advice:      "Find out who sits between the two. The peers should have ended the connection.",
			Reference:   "CVE-2023-48795; OpenSSH PROTOCOL, section 1.10",
		},
		{
			Code: "ssh.not_post_quantum", Severity: record.SeverityInfo,
			Explanation: "Somebody who records this connection can read it once there is a quantum computer that is large enough.",
			Advice:      "Update both sides, so that they agree on mlkem768x25519-sha256 or sntrup761x25519-sha512.",
			Reference:   "openssh.com/pq.html",
		},
		{
			Code: "ssh.version_in_range", Severity: record.SeverityInfo,
			Explanation: "The version in the banner lies in the range of an advisory. Distributions repair without another version, so this need not mean anything.",
			Advice:      "Compare the package's version with the distribution's advisory.",
		},
		{
			Code: "ssh.certificate_invalid", Severity: record.SeverityWarning,
			Explanation: "The certificate by which the host proves its name is not valid for this. Clients fall back to the plain key or refuse.",
			Advice:      "Sign the host key anew (ssh-keygen -s CA -h -n NAMES -V +52w).",
			Reference:   "OpenSSH PROTOCOL.certkeys",
		},
		{
			Code: "ssh.reverse_session", Severity: record.SeverityNotice,
			Explanation: "What the server sends drives the session and the client answers with more than it was sent, as when a machine calls out and is then controlled through that connection. This is inferred from sizes and times.",
			Advice:      "Look on the client for ssh with -R, and ask whether it should be there.",
			Reference:   "ssh(1), -R",
		},
		{
			Code: "ssh.brute_force", Severity: record.SeverityWarning,
			Explanation: "One address opened many connections in which no login succeeded: passwords or keys are being tried.",
			Advice:      "Allow public keys only (PasswordAuthentication no), limit who may connect, and let fail2ban or PerSourcePenalties slow such addresses down.",
			Reference:   "sshd_config(5), PerSourcePenalties",
		},
		{
			Code: "ssh.brute_force_succeeded", Severity: record.SeverityCritical,
			Explanation: "An address that failed to log in many times was let in afterwards. That it was let in is inferred from the sizes of messages.",
			Advice:      "Look into the server's log for that time, change the password of the account that was used, and see what was done with it.",
			Reference:   "",
		},
		{
			Code: "ssh.host_key_differs", Severity: record.SeverityWarning,
			Explanation: "The same address showed two different host keys of one type. Either the server was installed anew or there are several behind one address, or somebody sits in the middle.",
			Advice:      "Compare both fingerprints with those on the server's console (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub).",
			Reference:   "RFC 4251, section 4.1",
		},
		{
			Code: "ssh.host_key_shared", Severity: record.SeverityNotice,
			Explanation: "Several addresses show the same host key. They are one machine, or were copied from one image: then each of them can pass for the others.",
			Advice:      "If these are different machines, remove the host keys from the image and make new ones on each.",
			Reference:   "RFC 4251, section 4.1",
		},
		{
			Code: "ssh.host_key_changed", Severity: record.SeverityCritical,
			Explanation: "known_hosts has another key for this host. Either the server was installed anew, or somebody sits in the middle.",
			Advice:      "Compare the fingerprint with the one on the server's console before you accept the new key.",
			Reference:   "sshd(8), SSH_KNOWN_HOSTS FILE FORMAT",
		},
		{
			Code: "ssh.host_key_revoked", Severity: record.SeverityCritical,
			Explanation: "known_hosts marks this key as revoked: it must not be trusted any more, whoever shows it.",
			Advice:      "Give the server a new key, and find out who uses the old one.",
			Reference:   "sshd(8), SSH_KNOWN_HOSTS FILE FORMAT",
		},
		{
			Code: "ssh.host_key_unknown", Severity: record.SeverityInfo,
			Explanation: "known_hosts has no key for this host, so it could not be checked.",
			Advice:      "Compare the fingerprint with the one on the server's console, then add it.",
			Reference:   "sshd(8), SSH_KNOWN_HOSTS FILE FORMAT",
		},
		{
			Code: "ssh.policy_forbidden", Severity: record.SeverityError,
			Explanation: "The two sides agreed on an algorithm that the policy given with --policy forbids.",
			Advice:      "Take it out of the server's lists, and update clients that can do nothing else.",
		},
		{
			Code: "ssh.policy_offered", Severity: record.SeverityWarning,
			Explanation: "The server offers algorithms that the policy given with --policy forbids. This connection did not use them; another client may.",
			Advice:      "Take them out of the server's lists (for OpenSSH: KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs with a leading -).",
			Reference:   "sshd_config(5)",
		},
		{
			Code: "ssh.policy_required", Severity: record.SeverityError,
			Explanation: "The server does not offer what the policy given with --policy requires.",
			Advice:      "Update the server, or add it to its lists.",
			Reference:   "sshd_config(5)",
		},
		{
			Code: "ssh.policy_key_size", Severity: record.SeverityError,
			Explanation: "A key or prime is smaller than the policy given with --policy allows.",
			Advice:      "Make a larger key (ssh-keygen -t ed25519, or -t rsa -b 4096); for primes remove the small ones from the moduli file.",
			Reference:   "sshd(8), MODULI FORMAT in moduli(5)",
		},
	}
}
