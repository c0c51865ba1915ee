#!/bin/sh
# Records the TLS samples, each with its key log beside it: one mail sent in the
# clear, after STARTTLS, and inside of TLS of each version and family of suites
# (profiles.py), aiosmtpd being the server and Python's ssl both sides' TLS;
# what Python cannot be made to do with openssl s_server and s_client; and
# handshakes that fail.
#
# Needs root; python3-aiosmtpd, openssl, gnutls-bin, libnss3-tools, curl, postfix, a JDK of 17, tshark
# (editcap), and what lab.sh needs. The certificates are valid for ten years; server.key is of this
# laboratory and protects nothing.

. "$(dirname "$0")/../lab.sh"
lab_up
chmod 0755 "$lab_dir"
cd "$lab_dir"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

sign() { # NAME SUBJECT SAN DAYS KEYTYPE...
	name=$1 subject=$2 san=$3 days=$4
	shift 4
	openssl req -new -nodes -newkey "$@" -subj "$subject" -keyout "$name.key" -out "$name.csr" 2>/dev/null
	printf 'subjectAltName=%s\n' "$san" >"$name.ext"
	openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$days" -extfile "$name.ext" -out "$name.crt" 2>/dev/null
	cat "$name.crt" ca.pem >"$name.pem"
}
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=Example Root' -keyout ca.key -out ca.pem 2>/dev/null
sign rsa /CN=server.example DNS:server.example 3650 rsa:2048
sign ecdsa /CN=server.example DNS:server.example 3650 ec -pkeyopt ec_paramgen_curve:P-256
sign client /CN=client.example DNS:client.example 3650 ec -pkeyopt ec_paramgen_curve:P-256
openssl req -x509 -newkey rsa:1024 -nodes -days 3650 -subj /CN=other.example -addext subjectAltName=DNS:other.example \
	-keyout weak.key -out weak.pem 2>/dev/null
cp ca.pem "$here/ca.pem"
cp rsa.key "$here/server.key"
# The server may choose every suite of TLS 1.3; a client offers the one of its case.
suites() { # FILE SUITES
	printf 'openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCiphersuites = %s\n' "$2" >"$1"
}
suites all.cnf TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256

# keys CASE: keeps the key log of the case that was recorded just now.
keys() {
	if [ -s keys ]; then mv keys "$here/$1.keys"; chmod 0644 "$here/$1.keys"; fi
}
# openssl_case CASE SERVER-OPTIONS CLIENT-OPTIONS: a line each way.
openssl_case() {
	rm -f keys
	port=$((${port:-5000} + 1))
	on_server openssl s_server -accept "192.0.2.20:$port" -naccept 1 -rev $2 >"server-$1.log" 2>&1 &
	server=$!
	wait_port "$port"
	record "$1" sh -c "(sleep 0.3; printf '%s' '${4:-the quick brown fox}'; printf '\n'; sleep 0.4) | openssl s_client -connect 192.0.2.20:$port -servername server.example -CAfile ca.pem -keylogfile keys $3"
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	keys "$1"
}
echo 'the quick brown fox' >line.txt
case_of() { echo "$1" | tr 'A-Z_' 'a-z-' | sed 's/^tls-/tls13-/; s/-sha256//'; } # of a suite of TLS 1.3

server_run aiosmtpd env OPENSSL_CONF=all.cnf /usr/bin/python3 "$here/server.py" "$lab_dir"
wait_port 4019
record clear /usr/bin/python3 "$here/client.py" "$lab_dir" clear
record starttls /usr/bin/python3 "$here/client.py" "$lab_dir" starttls
keys starttls
for p in tls10-cbc tls10-etm tls11-cbc tls12-cbc tls12-etm tls12-gcm tls12-gcm-noems tls12-ccm tls12-ccm8 tls12-chacha20 tls12-static-rsa \
	tls12-null tls12-client-certificate tls12-camellia tls13 tls13-ecdsa tls13-client-certificate tls13-retry; do
	record "$p" /usr/bin/python3 "$here/client.py" "$lab_dir" "$p"
	keys "$p"
done
for p in tls10-cbc tls10-etm tls11-cbc tls12-cbc tls12-etm tls12-ccm tls12-ccm8 tls12-chacha20 tls12-static-rsa tls12-session-id tls12-gcm tls13; do
	record "$p-resumed" /usr/bin/python3 "$here/client.py" "$lab_dir" "$p" resume
	keys "$p-resumed"
done
for s in TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_CCM_SHA256 TLS_AES_128_CCM_8_SHA256; do
	p=$(case_of "$s")
	suites one.cnf "$s"
	record "$p-resumed" env OPENSSL_CONF=one.cnf /usr/bin/python3 "$here/client.py" "$lab_dir" "$p" resume
	keys "$p-resumed"
done
for p in starttls:25 starttls-tls12:4052; do
	record "${p%:*}-resumed" /usr/bin/python3 "$here/client.py" "$lab_dir" starttls "${p#*:}" resume
	keys "${p%:*}-resumed"
done

rsa='-cert rsa.pem -key rsa.key -cert_chain rsa.pem'
for s in TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256 TLS_AES_128_CCM_SHA256 TLS_AES_128_CCM_8_SHA256; do
	openssl_case "$(case_of "$s")" "$rsa -ciphersuites $s" "-ciphersuites $s -quiet"
done
openssl_case tls13-key-update "$rsa" '-tls1_3' 'K'
openssl_case tls12-renegotiation "$rsa -client_renegotiation" '-tls1_2' 'R'

# 0-RTT: a first session gives the ticket, the second one sends early data.
rm -f keys
mkfifo input
sleep 60 >input &
holder=$!
lab_pids="$lab_pids $holder"
on_server openssl s_server -accept 192.0.2.20:5100 $rsa -tls1_3 -early_data -no_anti_replay <input >early.log 2>&1 &
server=$!
wait_port 5100
record tls13-early-data sh -c '
	(sleep 0.3; echo first; sleep 0.3) | openssl s_client -connect 192.0.2.20:5100 -servername server.example -keylogfile keys -sess_out session -tls1_3
	(sleep 0.3; echo third; sleep 0.3) | openssl s_client -connect 192.0.2.20:5100 -servername server.example -keylogfile keys -sess_in session -early_data line.txt -tls1_3'
kill "$server" 2>/dev/null || true
keys tls13-early-data

# Java: as a client of aiosmtpd, which logs the keys; and on both sides, in
# versions and suites that OpenSSL was built without, with a static RSA exchange
# that the server's key opens.
openssl pkcs12 -export -in rsa.crt -inkey rsa.key -passout pass:secret -out rsa.p12
for p in tls12:4050 tls13:4051; do
	record "${p%:*}-java" java "$here/Mail.java" client "${p#*:}" "$(echo "${p%:*}" | sed 's/tls1/TLSv1./')" any
	cp keys-server keys
	: >keys-server
	keys "${p%:*}-java"
done
java_case() { # CASE PROTOCOL SUITE
	port=$((${port:-5000} + 1))
	on_server java "$here/Mail.java" server "$port" "$2" "$3" >"java-$1.log" 2>&1 &
	lab_pids="$lab_pids $!"
	wait_port "$port"
	record "$1" java "$here/Mail.java" client "$port" "$2" "$3"
}
java_case ssl30-java-3des SSLv3 SSL_RSA_WITH_3DES_EDE_CBC_SHA
java_case ssl30-java-aes SSLv3 TLS_RSA_WITH_AES_256_CBC_SHA
java_case ssl30-java-rc4 SSLv3 SSL_RSA_WITH_RC4_128_MD5
java_case tls10-java-3des TLSv1 SSL_RSA_WITH_3DES_EDE_CBC_SHA
java_case tls11-java-rc4 TLSv1.1 SSL_RSA_WITH_RC4_128_SHA

# The first message in the form of SSL 2.0.
java_case tls10-v2hello SSLv2Hello,TLSv1 TLS_RSA_WITH_AES_128_CBC_SHA

# OCSP responses, stapled: good, and revoked.
serial=$(openssl x509 -noout -serial -in rsa.crt | cut -d = -f 2)
staple() { # FILE INDEX-LINE
	printf "$2" >index.txt
	openssl ocsp -issuer ca.pem -cert rsa.crt -reqout request.der 2>/dev/null
	openssl ocsp -index index.txt -rsigner ca.pem -rkey ca.key -CA ca.pem -reqin request.der -respout "$1" -ndays 3650 >/dev/null 2>&1
}
staple good.der "V\t351231235959Z\t\t$serial\tunknown\t/CN=server.example\n"
staple revoked.der "R\t351231235959Z\t260601000000Z,keyCompromise\t$serial\tunknown\t/CN=server.example\n"
openssl_case tls12-ocsp "$rsa -status_file good.der" '-tls1_2 -status'
openssl_case tls13-ocsp "$rsa -status_file good.der" '-tls1_3 -status'
openssl_case tls12-ocsp-revoked "$rsa -status_file revoked.der" '-tls1_2 -status'

# Heartbeats (RFC 6520), which OpenSSL has no more: GnuTLS on both sides.
rm -f keys
server_run gnutls gnutls-serv --port 5210 --echo --heartbeat --x509certfile rsa.pem --x509keyfile rsa.key
wait_port 5210
record tls12-heartbeat sh -c '(sleep 0.5; printf "^heartbeat^\n"; sleep 0.5; echo the quick brown fox; sleep 0.5) |
	SSLKEYLOGFILE=keys gnutls-cli --heartbeat --inline-commands --insecure --port 5210 --priority NORMAL:-VERS-ALL:+VERS-TLS1.2 server.example'
keys tls12-heartbeat

# A ClientHello with an encrypted one in it (here GREASE: it looks the same), by
# NSS, whose tstclnt sends what it reads.
mkdir nss
certutil -N -d sql:nss --empty-password
on_server openssl s_server -accept 192.0.2.20:5220 -naccept 1 -rev $rsa >ech.log 2>&1 &
lab_pids="$lab_pids $!"
wait_port 5220
record tls13-ech sh -c '(sleep 0.5; echo the quick brown fox; sleep 0.5) |
	timeout 3 tstclnt -h server.example -p 5220 -d sql:nss -o -V tls1.3: -i 100'

# curl, directly and through a proxy's CONNECT.
server_run web /usr/bin/python3 "$here/web.py" "$lab_dir"
wait_port 3128
wait_port 443
for p in https https-connect; do
	via=
	[ "$p" = https ] || via='--proxy http://server.example:3128'
	record "$p" env SSLKEYLOGFILE=keys curl -s $via --cacert ca.pem --data-binary @line.txt https://server.example/echo
	keys "$p"
done

# Postfix with STARTTLS.
mkdir -p postfix/queue postfix/data
chown postfix postfix/data
cat >postfix/main.cf <<EOF
compatibility_level = 3.6
myhostname = server.example
mydestination = server.example
queue_directory = $lab_dir/postfix/queue
data_directory = $lab_dir/postfix/data
maillog_file = $lab_dir/postfix.log
maillog_file_prefixes = $lab_dir
inet_interfaces = 192.0.2.20
local_recipient_maps =
local_transport = discard
smtpd_tls_security_level = may
smtpd_tls_cert_file = $lab_dir/rsa.pem
smtpd_tls_key_file = $lab_dir/rsa.key
EOF
sed 's/^smtp  *inet  *n  *- *y/2526 inet n - n/; s/^\([a-z]*  *[a-z]*  *[-n]  *[-n]  *\)y /\1n /' /usr/share/postfix/master.cf.dist >postfix/master.cf
on_server postfix -c "$lab_dir/postfix" start
wait_port 2526
record postfix /usr/bin/python3 "$here/client.py" "$lab_dir" starttls 2526
keys postfix
on_server postfix -c "$lab_dir/postfix" stop

# Handshakes that fail, and certificates that should not pass.
openssl_case failed-version "$rsa -tls1_3" '-tls1_2'
openssl_case failed-suite "$rsa -tls1_2 -cipher ECDHE-RSA-AES256-GCM-SHA384" '-tls1_2 -cipher AES128-SHA'
openssl_case failed-group "$rsa -tls1_3 -groups P-521" '-tls1_3 -groups X25519'
openssl_case failed-unknown-ca "$rsa -tls1_2" '-tls1_2 -CAfile weak.pem -verify_return_error'
openssl_case failed-unknown-ca-tls13 "$rsa -tls1_3" '-tls1_3 -CAfile weak.pem -verify_return_error'
openssl_case failed-certificate-required "$rsa -tls1_3 -Verify 1 -verify_return_error" '-tls1_3'
openssl_case failed-name "$rsa -servername_fatal -servername elsewhere.example -cert2 rsa.pem -key2 rsa.key" ''
openssl_case failed-alpn "$rsa -alpn h2" '-alpn http/1.1'
openssl_case failed-fallback "$rsa" '-fallback_scsv -tls1_1 -cipher ALL:@SECLEVEL=0'
openssl_case weak-certificate '-cert weak.pem -key weak.key -cipher ALL:@SECLEVEL=0' '-tls1_2 -cipher ALL:@SECLEVEL=0'
openssl_case anonymous '-nocert -tls1_2 -cipher ADH-AES128-SHA:@SECLEVEL=0' '-tls1_2 -cipher ADH-AES128-SHA:@SECLEVEL=0'

# What else is wrong with certificates: their chain, dates, names and signature.
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj '/CN=Example Issuing' -CA ca.pem -CAkey ca.key -keyout sub.key -out sub.pem 2>/dev/null
issue() { # NAME START END OPTIONS...
	name=$1 start=$2 end=$3
	shift 3
	: >index.db
	printf '[ca]\ndefault_ca = c\n[c]\ndatabase = index.db\nnew_certs_dir = .\nrand_serial = yes\npolicy = p\ndefault_md = sha256\n[p]\ncommonName = supplied\n' >ca.cnf
	openssl ca -config ca.cnf -batch -notext -in rsa.csr -startdate "$start" -enddate "$end" -out "$name.crt" "$@" 2>/dev/null
}
days() { date -u -d "$1 days" +%y%m%d%H%M%SZ; }
sub='-cert sub.pem -keyfile sub.key -extfile rsa.ext' root='-cert ca.pem -keyfile ca.key'
issue leaf "$(days -1)" "$(days 3650)" $sub
issue expired "$(days -90)" "$(days -1)" $root -extfile rsa.ext
issue early "$(days 30)" "$(days 3650)" $root -extfile rsa.ext
issue soon "$(days -80)" "$(days 3)" $root -extfile rsa.ext
issue sha1 "$(days -1)" "$(days 3650)" $root -extfile rsa.ext -md sha1
issue nameless "$(days -1)" "$(days 3650)" $root
cat ca.pem sub.pem >unordered.pem
openssl_case certificate-chain-order '-cert leaf.crt -key rsa.key -cert_chain unordered.pem -tls1_2' ''
openssl_case certificate-alone '-cert leaf.crt -key rsa.key -tls1_2' ''
for c in expired early soon sha1 nameless; do
	openssl_case "certificate-$c" "-cert $c.crt -key rsa.key -tls1_2 -cipher ALL:@SECLEVEL=0" ''
done
rm -f keys
record certificate-address env SSLKEYLOGFILE=keys curl -sk --data-binary @line.txt https://192.0.2.20/echo
keys certificate-address

# More handshakes that fail, that are spoiled on their way, or are a second try.
openssl dhparam -dsaparam -out dh.pem 1024 2>/dev/null
openssl_case failed-dh-group "$rsa -tls1_2 -dhparam dh.pem -cipher DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0" '-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=2'
openssl_case failed-client-certificate "$rsa -tls1_2 -Verify 1 -verify_return_error -CAfile weak.pem" '-cert client.pem -key client.key'
openssl_case fallback "$rsa -tls1_2" '-tls1_2 -fallback_scsv'
relayed() { # CASE HOW
	port=$((${port:-5000} + 2))
	on_server openssl s_server -accept "192.0.2.20:$((port - 1))" -naccept 1 -rev $rsa >"server-$1.log" 2>&1 &
	lab_pids="$lab_pids $!"
	wait_port $((port - 1))
	on_server /usr/bin/python3 "$here/relay.py" "$port" $((port - 1)) "$2" >"relay-$1.log" 2>&1 &
	lab_pids="$lab_pids $!"
	wait_port "$port"
	record "$1" openssl s_client -connect "192.0.2.20:$port" -servername server.example -CAfile ca.pem -min_protocol TLSv1.2
}
relayed failed-cut cut
relayed failed-downgrade downgrade
record heartbleed /usr/bin/python3 "$here/heartbleed.py" 5210
record tls-to-plain-port openssl s_client -connect 192.0.2.20:2525
record plain-to-tls-port curl -s --data-binary @line.txt http://server.example:443/echo
record failed-unread gnutls-cli --x509cafile weak.pem --port 5210 server.example
