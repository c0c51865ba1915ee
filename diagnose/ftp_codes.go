package diagnose

import "sniff/record"

// ftpCodes is the catalogue of the FTP findings.
func ftpCodes() []Info {
	return []Info{
		{
			Code: "ftp.passive_unreachable", Severity: record.SeverityError,
			Explanation: "The login works, but the data port that the server announced cannot be reached: the request for a connection was dropped, refused or rejected on its way. Listings and files hang, then fail.",
			Advice:      "Open the server's passive port range in the firewall in front of it (pasv_min_port and pasv_max_port in vsftpd, PassivePorts in proftpd), or let the firewall's FTP helper follow the control connection; a helper cannot look into TLS.",
			Reference:   "RFC 959, section 3.2; RFC 1579",
		},
		{
			Code: "ftp.private_address", Severity: record.SeverityError,
			Explanation: "The address announced for the data connection is not the one that the packets bear: one side stands behind address translation and announces its inner address, which the other side cannot reach.",
			Advice:      "Tell the server its public address (pasv_address in vsftpd, MasqueradeAddress in proftpd), or use EPSV, which announces no address. Many clients ignore the address of 227; then only the port matters.",
			Reference:   "RFC 2428, section 1; RFC 3022, section 2.9",
		},
		{
			Code: "ftp.active_unreachable", Severity: record.SeverityError,
			Explanation: "In active mode the server connects back to the client, and that connection did not come about: a firewall or address translation in front of the client does not let it in.",
			Advice:      "Use passive mode in the client.",
			Reference:   "RFC 1579",
		},
		{
			Code: "ftp.active_refused", Severity: record.SeverityNotice,
			Explanation: "The server does not accept the address for an active data connection, by its configuration or because of the address family.",
			Advice:      "Use passive mode in the client.",
			Reference:   "RFC 2577, section 3",
		},
		{
			Code: "ftp.data_empty", Severity: record.SeverityError,
			Explanation: "The data connection opened and closed again without a byte of the file that was announced.",
			Advice:      "Look at the server's log for the reason. A middlebox that answers connections itself before it has reached the other side looks like this, too.",
		},
		{
			Code: "ftp.data_protection", Severity: record.SeverityError,
			Explanation: "The server demands another protection of data connections than the client asked for with PROT.",
			Advice:      "Have the client send PBSZ 0 and PROT P before transfers.",
			Reference:   "RFC 4217, section 9",
		},
		{
			Code: "ftp.data_not_tls", Severity: record.SeverityWarning,
			Explanation: "PROT P says that data connections are in TLS, and this one is not: the file can be read and changed on the way, and a peer that expects TLS gives up.",
			Advice:      "Look at which side leaves TLS out; update it, or see whether something between the two answers in its place.",
			Reference:   "RFC 4217, section 9",
		},
		{
			Code: "ftp.data_unexpected_tls", Severity: record.SeverityError,
			Explanation: "One side speaks TLS on a data connection that is in the clear for the other one: the transfer fails, or a handshake ends up in the file.",
			Advice:      "Have the client send PBSZ 0 and PROT P before transfers, or not use TLS on data connections.",
			Reference:   "RFC 4217, section 9",
		},
		{
			Code: "ftp.session_reuse", Severity: record.SeverityError,
			Explanation: "The server accepts a data connection only when it resumes the TLS session of the control connection, so that nobody else can take it. The client made a new session.",
			Advice:      "Use a client that resumes the session, or switch the demand off (require_ssl_reuse=NO in vsftpd, TLSOptions NoSessionReuseRequired in proftpd).",
			Reference:   "RFC 4217, section 10.2",
		},
		{
			Code: "ftp.control_lost", Severity: record.SeverityError,
			Explanation: "The control connection ended, or fell silent, while its data connection was moving the file. A device on the way forgets connections that are silent, and the control connection is silent during a long transfer; the client then never learns that the file is complete. Where the server ended it, its reply says why.",
			Advice:      "Raise the idle timeout of the firewall or translation, or switch on TCP keep-alive for control connections. With a time limit of the server's, raise that (TimeoutSession in proftpd).",
		},
		{
			Code: "ftp.idle_timeout", Severity: record.SeverityNotice,
			Explanation: "The server ended the session by itself, with 421: it was idle for too long, or the service is going down.",
			Reference:   "RFC 959, section 4.2",
		},
		{
			Code: "ftp.short_transfer", Severity: record.SeverityError,
			Explanation: "The transfer stopped before the end of the file. What arrived is a part of it.",
			Advice:      "Resume it (REST), and look at who ended the data connection and at the reply.",
			Reference:   "RFC 3659, section 5",
		},
		{
			Code: "ftp.aborted", Severity: record.SeverityNotice,
			Explanation: "One side gave the transfer up, by ABOR or by closing the data connection.",
		},
		{
			Code: "ftp.restart_refused", Severity: record.SeverityWarning,
			Explanation: "The server does not resume transfers at this point: the file would be moved from its beginning, or a client that does not look appends it to what it has.",
			Advice:      "Switch to TYPE I, where servers allow REST, or delete the part and begin anew.",
			Reference:   "RFC 3659, section 5.1",
		},
		{
			Code: "ftp.slow_transfer", Severity: record.SeverityNotice,
			Explanation: "The transfer took its time, and the packets of its data connection tell what it waited for: packets that were lost and sent again, a receiver whose buffer was full (its window closed), or a sender that had nothing to send.",
			Advice:      "Where the line loses packets, look at it (duplex mismatch, overload, radio). Where the receiver is full, look at its disk and load. Where neither is, look at the sender's disk and load, and at the delay of the line: one window of data goes out in each round trip.",
			Reference:   "RFC 9293, section 3.8.6",
		},
		{
			Code: "ftp.hidden", Severity: record.SeverityInfo,
			Explanation: "The session went on in TLS and no keys are at hand: logins, commands and file names cannot be shown. Handshakes, sizes and times of the connections are seen all the same.",
			Advice:      "Have the client write its keys (SSLKEYLOGFILE, which curl, lftp with OpenSSL and Python follow) and give them with --keylog, or put the proxy in between.",
			Reference:   "RFC 4217, section 4",
		},
		{
			Code: "ftp.digest_differs", Severity: record.SeverityError,
			Explanation: "The server computes another digest over the file than the bytes on the data connection have: the file was changed or damaged on one side, or is another one by now.",
			Advice:      "Move the file again, in binary (TYPE I), and compare once more.",
			Reference:   "draft-bryan-ftpext-hash",
		},
		{
			Code: "ftp.digest_agrees", Severity: record.SeverityInfo,
			Explanation: "The server's digest of the file is the one of the bytes on the data connection: it arrived as it lies on the server.",
			Reference:   "draft-bryan-ftpext-hash",
		},
		{
			Code: "ftp.server_to_server", Severity: record.SeverityNotice,
			Explanation: "The client asked one server for a data port and told another server to connect there, so that the file goes straight from server to server. The client does so with servers that let it log in on both; in the hands of a stranger the same is a bounce attack.",
			Advice:      "If it is not meant to be, have the servers accept the client's own address only (the default; port_promiscuous and pasv_promiscuous in vsftpd, AllowForeignAddress in proftpd).",
			Reference:   "RFC 959, section 2.3; RFC 2577, section 3",
		},
		{
			Code: "ftp.disk_full", Severity: record.SeverityError,
			Explanation: "The server has no room for the file, or the account's quota is used up. What was stored is a part of it.",
			Advice:      "Free space or raise the quota, delete the part, and send the file again.",
			Reference:   "RFC 959, section 4.2 (452, 552)",
		},
		{
			Code: "ftp.store_failed", Severity: record.SeverityError,
			Explanation: "The server took the data and could not write them to its disk, all or in part. 451 is what vsftpd, proftpd and pure-ftpd say when the disk is full, without naming the reason; a quota of the system or a failing disk can be meant as well.",
			Advice:      "Look at the free space and the quota on the server, and into its log; delete the part and send the file again.",
			Reference:   "RFC 959, section 4.2 (451)",
		},
		{
			Code: "ftp.file_refused", Severity: record.SeverityWarning,
			Explanation: "The server would not begin the transfer: the file does not exist, its name is not allowed, or the account has no permission for it.",
			Advice:      "Check the path against the working directory, and the permissions of the server's account on file and folder.",
			Reference:   "RFC 959, section 4.2 (550, 553)",
		},
		{
			Code: "ftp.ascii_damage", Severity: record.SeverityError,
			Explanation: "A file that is no text was moved in ASCII type, which changes line ends: every LF in it has become CR LF on the wire. The file is damaged unless the receiver undoes exactly that.",
			Advice:      "Switch to binary (TYPE I) before the transfer and move the file again.",
			Reference:   "RFC 959, section 3.1.1.1",
		},
		{
			Code: "ftp.login_failed", Severity: record.SeverityWarning,
			Explanation: "The session ended without a login that worked.",
			Advice:      "Check user name and password, and whether the server allows this account (shell, user list, TLS demanded before login).",
			Reference:   "RFC 959, section 5.4",
		},
		{
			Code: "ftp.guessing", Severity: record.SeverityError,
			Explanation: "So many logins of one client failed that somebody is guessing passwords, or a program goes on with an old one.",
			Advice:      "Block or slow down the address (fail2ban, MaxLoginAttempts), and check the accounts that were tried.",
		},
		{
			Code: "ftp.cleartext_password", Severity: record.SeverityWarning,
			Explanation: "Everybody on the way can read the password and use it.",
			Advice:      "Demand TLS before login (force_local_logins_ssl in vsftpd, TLSRequired in proftpd), or use SFTP, and change the password.",
			Reference:   "RFC 4217, section 5",
		},
		{
			Code: "ftp.data_in_clear", Severity: record.SeverityWarning,
			Explanation: "The control connection is in TLS, but the data connections are not: files and listings can be read and changed on the way.",
			Advice:      "Have the client send PROT P.",
			Reference:   "RFC 4217, section 9",
		},
		{
			Code: "ftp.anonymous_write", Severity: record.SeverityWarning,
			Explanation: "Anybody can change what is on this server without a password. Such servers are found and filled by strangers.",
			Advice:      "Switch anonymous writing off (anon_upload_enable=NO), or make the folder unreadable for anonymous.",
		},
		{
			Code: "ftp.bounce", Severity: record.SeverityCritical,
			Explanation: "The client told the server to connect to a third machine, or to a port below 1024. That is how a server is made to scan or attack others in its own name (and how two servers exchange files without the client, FXP).",
			Advice:      "Have the server accept only the client's own address and ports from 1024 on, which is the default of today's servers.",
			Reference:   "RFC 2577, section 3",
		},
		{
			Code: "ftp.hijack", Severity: record.SeverityCritical,
			Explanation: "The passive data connection was taken by another machine than the client: the file went to it, or came from it. A stranger can do that by trying data ports; a server-to-server transfer and some address translations look alike.",
			Advice:      "Have the server accept data connections from the client's address only (the default of most servers), and use TLS with session reuse.",
			Reference:   "RFC 2577, section 2; RFC 4217, section 10.2",
		},
		{
			Code: "ftp.foreign_address", Severity: record.SeverityWarning,
			Explanation: "The data connection belongs to another machine than the server of the control connection. Clusters do that, and so does an attacker who sends the client elsewhere.",
			Advice:      "Check that the address is the server's.",
			Reference:   "RFC 2577, section 3",
		},
		{
			Code: "ftp.data_port", Severity: record.SeverityInfo,
			Explanation: "The server's active data connections come from another port than 20 or the one below its control port. Firewalls that expect port 20 do not let them in.",
			Advice:      "Switch it on at the server (connect_from_port_20 in vsftpd), or use passive mode.",
			Reference:   "RFC 959, section 3.2",
		},
		{
			Code: "ftp.tls_injection", Severity: record.SeverityCritical,
			Explanation: "The client's stream held bytes in the clear behind AUTH TLS, before the server's answer. A server that reads them as commands after the handshake lets an attacker on the way put words into the encrypted session.",
			Advice:      "Update the server: it must drop what is buffered when TLS begins.",
			Reference:   "RFC 4217, section 15; CVE-2011-0411",
		},
	}
}
