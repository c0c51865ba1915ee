#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	conn
#open	2026-11-23-05-33-26
#fields	ts	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	proto	service	duration	orig_bytes	resp_bytes	conn_state	local_orig	local_resp	missed_bytes	history	orig_pkts	orig_ip_bytes	resp_pkts	resp_ip_bytes	tunnel_parents	ip_proto
#types	time	string	addr	port	addr	port	enum	string	interval	count	count	string	bool	bool	count	string	count	count	count	count	set[string]	count
1795412006.481196	CV2NZdUbyiynr6Q0r	192.0.2.10	56880	192.0.2.20	50050	tcp	ftp-data	0.002435	0	40000	SF	T	T	0	ShAdfFa	25	1308	31	41620	-	6
1795412006.433841	CZNQbFwUtOXTfJKMf	192.0.2.10	57622	192.0.2.20	21	tcp	ftp	0.050851	91	365	SF	T	T	0	ShAdDafF	14	827	15	1153	-	6
#close	2026-11-23-05-33-26
#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	files
#open	2026-11-23-05-33-26
#fields	ts	fuid	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	source	depth	analyzers	mime_type	filename	duration	local_orig	is_orig	seen_bytes	total_bytes	missing_bytes	overflow_bytes	timedout	parent_fuid	md5	sha1	sha256	extracted	extracted_cutoff	extracted_size
#types	time	string	string	addr	port	addr	port	string	count	set[string]	string	string	interval	bool	bool	count	count	count	count	bool	string	string	string	string	string	bool	count
1795412006.482212	FV2NZdUbyiynr6Q0r	CV2NZdUbyiynr6Q0r	192.0.2.10	56880	192.0.2.20	50050	FTP_DATA	0	(empty)	application/octet-stream	-	0.000000	T	F	40000	-	0	0	F	-	-	-	-	-	-	-
#close	2026-11-23-05-33-26
#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	ftp
#open	2026-11-23-05-33-26
#fields	ts	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	user	password	command	arg	mime_type	file_size	reply_code	reply_msg	data_channel.passive	data_channel.orig_h	data_channel.resp_h	data_channel.resp_p	fuid
#types	time	string	addr	port	addr	port	string	string	string	string	string	count	count	string	bool	addr	addr	port	string
1795412006.480860	CZNQbFwUtOXTfJKMf	192.0.2.10	57622	192.0.2.20	21	bob	<hidden>	PASV	-	-	-	227	Entering Passive Mode (192,0,2,20,195,130).	T	192.0.2.10	192.0.2.20	50050	-
1795412006.481463	CZNQbFwUtOXTfJKMf	192.0.2.10	57622	192.0.2.20	21	bob	<hidden>	RETR	ftp://192.0.2.20/srv/sniff-ftp/bob/pub/random.bin	application/octet-stream	40000	226	Transfer complete.	-	-	-	-	FV2NZdUbyiynr6Q0r
#close	2026-11-23-05-33-26
#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	notice
#open	2026-11-23-05-33-26
#fields	ts	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	fuid	file_mime_type	file_desc	proto	note	msg	sub	src	dst	p	n	peer_descr	actions	email_dest	suppress_for	remote_location.country_code	remote_location.region	remote_location.city	remote_location.latitude	remote_location.longitude
#types	time	string	addr	port	addr	port	string	string	string	enum	enum	string	string	addr	addr	port	count	string	set[enum]	set[string]	interval	string	string	string	double	double
1795412006.449967	CZNQbFwUtOXTfJKMf	192.0.2.10	57622	192.0.2.20	21	-	-	-	tcp	FTP::Cleartext_Password	192.0.2.10 sent the password of "bob" to 192.0.2.20:21 in the clear	warning: Everybody on the way can read the password and use it.	192.0.2.10	192.0.2.20	21	-	sniff	Notice::ACTION_LOG	(empty)	3600.000000	-	-	-	-	-
#close	2026-11-23-05-33-26
