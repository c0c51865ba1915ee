#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	conn
#open	2026-11-23-05-48-08
#fields	ts	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	proto	service	duration	orig_bytes	resp_bytes	conn_state	local_orig	local_resp	missed_bytes	history	orig_pkts	orig_ip_bytes	resp_pkts	resp_ip_bytes	tunnel_parents	ip_proto
#types	time	string	addr	port	addr	port	enum	string	interval	count	count	string	bool	bool	count	string	count	count	count	count	set[string]	count
1795412888.125156	CRYL9Hujjh3XQ6cWs	192.0.2.10	46674	192.0.2.20	25	tcp	smtp	0.247721	9321	432	SF	T	T	0	ShAdDafF	16	10161	14	1168	-	6
#close	2026-11-23-05-48-08
#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	files
#open	2026-11-23-05-48-08
#fields	ts	fuid	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	source	depth	analyzers	mime_type	filename	duration	local_orig	is_orig	seen_bytes	total_bytes	missing_bytes	overflow_bytes	timedout	parent_fuid	md5	sha1	sha256	extracted	extracted_cutoff	extracted_size
#types	time	string	string	addr	port	addr	port	string	count	set[string]	string	string	interval	bool	bool	count	count	count	count	bool	string	string	string	string	string	bool	count
1795412888.143529	F2oee7pOwcfqvGwvJ	CRYL9Hujjh3XQ6cWs	192.0.2.10	46674	192.0.2.20	25	SMTP	-	(empty)	text/plain	-	0.000000	T	T	16	-	0	0	F	-	-	-	-	-	-	-
1795412888.143529	Fm98ajNPwp66xGwvJ	CRYL9Hujjh3XQ6cWs	192.0.2.10	46674	192.0.2.20	25	SMTP	-	(empty)	text/x-script	readme.txt	0.000000	T	T	6284	-	0	0	F	-	-	-	-	-	-	-
#close	2026-11-23-05-48-08
#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	notice
#open	2026-11-23-05-48-08
#fields	ts	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	fuid	file_mime_type	file_desc	proto	note	msg	sub	src	dst	p	n	peer_descr	actions	email_dest	suppress_for	remote_location.country_code	remote_location.region	remote_location.city	remote_location.latitude	remote_location.longitude
#types	time	string	addr	port	addr	port	string	string	string	enum	enum	string	string	addr	addr	port	count	string	set[enum]	set[string]	interval	string	string	string	double	double
1795412888.140144	CRYL9Hujjh3XQ6cWs	192.0.2.10	46674	192.0.2.20	25	-	-	-	tcp	SMTP::Not_Encrypted	mail from 192.0.2.10 to 192.0.2.20 was sent unencrypted although the server offers STARTTLS	notice: The mail was sent unencrypted.	192.0.2.10	192.0.2.20	25	-	sniff	Notice::ACTION_LOG	(empty)	3600.000000	-	-	-	-	-
#close	2026-11-23-05-48-08
#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	smtp
#open	2026-11-23-05-48-08
#fields	ts	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	trans_depth	helo	mailfrom	rcptto	date	from	to	cc	reply_to	msg_id	in_reply_to	subject	x_originating_ip	first_received	second_received	last_reply	path	user_agent	tls	fuids
#types	time	string	addr	port	addr	port	count	string	string	set[string]	string	string	set[string]	set[string]	string	string	string	string	addr	string	string	string	vector[addr]	string	bool	vector[string]
1795412888.131733	CRYL9Hujjh3XQ6cWs	192.0.2.10	46674	192.0.2.20	25	1	client.example	alice@client.example	bob@server.example	Mon, 23 Nov 2026 05:48:08 +0000	alice@client.example	bob@server.example	-	-	<20261123054808.005741@vm>	-	Hello	-	-	-	250 OK id=1xVMuO-0001Uq-0S	192.0.2.20,192.0.2.10	swaks v20201014.0 jetmore.org/john/code/swaks/	F	F2oee7pOwcfqvGwvJ,Fm98ajNPwp66xGwvJ
#close	2026-11-23-05-48-08
