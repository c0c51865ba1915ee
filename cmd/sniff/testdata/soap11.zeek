#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	conn
#open	2026-11-23-05-04-55
#fields	ts	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	proto	service	duration	orig_bytes	resp_bytes	conn_state	local_orig	local_resp	missed_bytes	history	orig_pkts	orig_ip_bytes	resp_pkts	resp_ip_bytes	tunnel_parents	ip_proto
#types	time	string	addr	port	addr	port	enum	string	interval	count	count	string	bool	bool	count	string	count	count	count	count	set[string]	count
1795410295.439013	CvWgttiOF6E5boT5L	192.0.2.10	43972	192.0.2.20	8011	tcp	http	0.014774	500	449	SF	T	T	0	ShADadfF	10	1028	10	977	-	6
#close	2026-11-23-05-04-55
#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	files
#open	2026-11-23-05-04-55
#fields	ts	fuid	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	source	depth	analyzers	mime_type	filename	duration	local_orig	is_orig	seen_bytes	total_bytes	missing_bytes	overflow_bytes	timedout	parent_fuid	md5	sha1	sha256	extracted	extracted_cutoff	extracted_size
#types	time	string	string	addr	port	addr	port	string	count	set[string]	string	string	interval	bool	bool	count	count	count	count	bool	string	string	string	string	string	bool	count
1795410295.439630	FN95ampGgeCUw51D9	CvWgttiOF6E5boT5L	192.0.2.10	43972	192.0.2.20	8011	HTTP	0	(empty)	text/xml	-	0.000000	T	T	255	255	0	0	F	-	-	-	-	-	-	-
1795410295.445069	FzXvajtbSnWMkwTJQ	CvWgttiOF6E5boT5L	192.0.2.10	43972	192.0.2.20	8011	HTTP	0	(empty)	text/xml	-	0.000000	T	F	294	294	0	0	F	-	-	-	-	-	-	-
#close	2026-11-23-05-04-55
#separator \x09
#set_separator	,
#empty_field	(empty)
#unset_field	-
#path	http
#open	2026-11-23-05-04-55
#fields	ts	uid	id.orig_h	id.orig_p	id.resp_h	id.resp_p	trans_depth	method	host	uri	referrer	version	user_agent	origin	request_body_len	response_body_len	status_code	status_msg	info_code	info_msg	tags	username	password	proxied	orig_fuids	orig_filenames	orig_mime_types	resp_fuids	resp_filenames	resp_mime_types
#types	time	string	addr	port	addr	port	count	string	string	string	string	string	string	string	count	count	count	string	count	string	set[enum]	string	string	set[string]	vector[string]	vector[string]	vector[string]	vector[string]	vector[string]	vector[string]
1795410295.439630	CvWgttiOF6E5boT5L	192.0.2.10	43972	192.0.2.20	8011	1	POST	server.example	/	-	1.0	Zeep/4.2.1 (www.python-zeep.org)	-	255	294	200	OK	-	-	(empty)	-	-	-	FN95ampGgeCUw51D9	-	text/xml	FzXvajtbSnWMkwTJQ	-	text/xml
#close	2026-11-23-05-04-55
