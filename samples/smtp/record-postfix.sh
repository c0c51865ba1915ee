#!/bin/sh
# Records the samples with Postfix as server. It conflicts with Exim as a
# package, so it is taken unpacked: POSTFIX is the folder into which
# `dpkg -x postfix_*.deb FOLDER` put it.
#
# Needs root; the unpacked package, the user Debian-exim (as Postfix's owner)
# and the group man; postgrey, postfix-policyd-spf-python, opendkim, opendmarc,
# libsasl2-modules, libsasl2-modules-db and sasl2-bin, which Postfix asks;
# python3-dnspython, python3-aiosmtpd, swaks, msmtp, openssl, and what lab.sh needs.
# Usage: record-postfix.sh [CASE...] (all without arguments).

: "${POSTFIX:?folder of the unpacked postfix package}"
. "$(dirname "$0")/../lab.sh"
only=$*
wanted() { [ -z "$only" ] || case " $only " in *" $1 "*) ;; *) return 1 ;; esac; }
lab_up
chmod 0755 "$lab_dir"
export LD_LIBRARY_PATH="$POSTFIX/usr/lib/postfix"

conf=$lab_dir/postfix
mkdir -p "$conf" "$lab_dir/queue" "$lab_dir/data"
chown Debian-exim "$lab_dir/data"
for d in active bounce corrupt defer deferred flush hold incoming private saved trace maildrop public; do
	mkdir -p "$lab_dir/queue/$d"
	chown Debian-exim "$lab_dir/queue/$d"
done
chgrp man "$lab_dir/queue/public" "$lab_dir/queue/maildrop"
chmod 0710 "$lab_dir/queue/public"
mkdir -p "$lab_dir/queue/pid"
cat >"$conf/main.cf" <<CONF
compatibility_level = 3.6
queue_directory = $lab_dir/queue
data_directory = $lab_dir/data
command_directory = $POSTFIX/usr/sbin
daemon_directory = $POSTFIX/usr/lib/postfix/sbin
shlib_directory = $POSTFIX/usr/lib/postfix
meta_directory = $conf
mail_owner = Debian-exim
setgid_group = man
default_privs = nobody
import_environment = MAIL_CONFIG LD_LIBRARY_PATH TZ
export_environment = LD_LIBRARY_PATH TZ
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
myhostname = server.example
mydestination =
inet_protocols = all
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = server.example
virtual_mailbox_maps = inline:{ { bob@server.example = x } { carol@server.example = x } }
virtual_transport = discard:
virtual_alias_maps = inline:{ { moved@server.example = bob@nowhere.example } }
message_size_limit = 20480
smtpd_recipient_restrictions = check_recipient_access inline:{ { full@server.example = 452 4.2.2 mailbox full } { grey@server.example = 450 4.2.0 Greylisted } }, reject_unauth_destination, reject_unlisted_recipient
smtpd_helo_restrictions = reject_non_fqdn_helo_hostname
smtpd_delay_reject = no
smtpd_sender_restrictions = reject_non_fqdn_sender
smtpd_relay_restrictions = permit
CONF
cat >"$conf/master.cf" <<CONF
192.0.2.20:25 inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
smtp unix - - n - - smtp
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
CONF

# What Postfix asks about a mail: names, blocklists and policies in DNS, here
# of a server of ours; Debian's programs for SPF, DKIM, DMARC and greylists.
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=server.example \
	-keyout "$conf/key.pem" -out "$conf/cert.pem" 2>/dev/null
openssl genrsa -out "$conf/dkim.pem" 2048 2>/dev/null
cat >"$conf/zone" <<CONF
\$TTL 60
. IN SOA ns. root. 1 60 60 60 60
. IN NS ns.
client.example. IN A 192.0.2.10
client.example. IN MX 10 client.example.
10.2.0.192.in-addr.arpa. IN PTR client.example.
12.2.0.192.in-addr.arpa. IN PTR client.example.
10.2.0.192.dnsbl.example. IN A 127.0.0.2
10.2.0.192.dnsbl.example. IN TXT "Spam source, see https://dnsbl.example/?ip=192.0.2.10"
strict.example. IN A 198.51.100.1
strict.example. IN TXT "v=spf1 ip4:198.51.100.1 -all"
_dmarc.strict.example. IN TXT "v=DMARC1; p=reject"
key._domainkey.strict.example. IN TXT "v=DKIM1; p=$(openssl rsa -in "$conf/dkim.pem" -pubout -outform DER 2>/dev/null | base64 -w0 | sed 's/.\{200\}/&" "/')"
nomail.example. IN MX 0 .
CONF
echo 'nameserver 127.0.0.1' >"/etc/netns/$lab-s/resolv.conf"
server_run dns /usr/bin/python3 "$here/nameserver.py" 127.0.0.1 "$conf/zone"
printf 'TestOnly = 1\nHELO_reject = Fail\nMail_From_reject = Fail\nskip_addresses = 127.0.0.0/8\n' >"$conf/spf.conf"
mkdir "$lab_dir/greylist" && chown postgrey "$lab_dir/greylist"
server_run postgrey postgrey --inet=127.0.0.1:10023 --delay=2 --dbdir="$lab_dir/greylist" --hostname=server.example
printf 'Mode v\nOn-BadSignature reject\nOn-SignatureError reject\nNameservers 127.0.0.1\nSyslog no\n' >"$conf/opendkim.conf"
server_run opendkim opendkim -f -x "$conf/opendkim.conf" -p inet:8891@127.0.0.1 -u opendkim
printf 'AuthservID server.example\nRejectFailures true\nSPFSelfValidate true\nSPFIgnoreResults true\nIgnoreMailTo x@x\n' >"$conf/dmarc.conf"
server_run opendmarc opendmarc -f -l -c "$conf/dmarc.conf" -p inet:8893@127.0.0.1 -u opendmarc
mkdir "$conf/sasl"
cat >"$conf/sasl/smtpd.conf" <<CONF
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: $conf/sasl/users
mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 NTLM
CONF
printf wonderland | saslpasswd2 -p -c -f "$conf/sasl/users" -u server.example alice
chown Debian-exim "$conf/sasl/users"
chmod 0755 "$conf" "$conf/sasl"

echo '/^Subject:.*lottery/ REJECT We play no lottery' >"$conf/header_checks"

# server HOST SETTING...: one more smtpd, at 192.0.2.HOST, with settings of its own.
server() {
	on_server ip addr add "192.0.2.$1/24" dev eth0
	echo "192.0.2.$1:25 inet n - n - - smtpd"
	shift
	for setting in 'smtpd_helo_restrictions =' 'smtpd_sender_restrictions =' 'smtpd_recipient_restrictions =' \
		'smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination' "$@"; do
		echo "  -o { $setting }"
	done
}
tls="smtpd_tls_cert_file = $conf/cert.pem"
{
	server 31 'smtpd_client_restrictions = reject_rbl_client dnsbl.example' 'smtpd_delay_reject = yes'
	server 32 'smtpd_client_restrictions = reject_unknown_reverse_client_hostname, reject_unknown_client_hostname' 'smtpd_delay_reject = yes'
	server 33 'smtpd_client_message_rate_limit = 1'
	server 34 'smtpd_client_connection_count_limit = 1'
	server 35 'smtpd_tls_security_level = encrypt' "$tls" "smtpd_tls_key_file = $conf/key.pem"
	server 36 'smtpd_sasl_auth_enable = yes' "cyrus_sasl_config_path = $conf/sasl" 'smtpd_sasl_local_domain = server.example' \
		'smtpd_client_restrictions = permit_sasl_authenticated, reject' 'smtpd_delay_reject = yes'
	server 37 'smtpd_recipient_restrictions = check_policy_service unix:private/spf'
	server 38 'smtpd_milters = inet:127.0.0.1:8891'
	server 39 'smtpd_milters = inet:127.0.0.1:8893'
	server 40 'smtpd_client_restrictions = sleep 6'
	server 42 'smtpd_tls_security_level = may' "$tls" "smtpd_tls_key_file = $conf/dkim.pem"
	server 43 'smtputf8_enable = no'
	server 44 'smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10023'
	server 45 'cleanup_service_name = checks'
	server 47 'smtpd_data_restrictions = reject_unauth_pipelining'
	server 48 'smtpd_sender_restrictions = reject_unknown_sender_domain' 'smtpd_recipient_restrictions = reject_unknown_recipient_domain' \
		'smtpd_relay_restrictions = permit_mynetworks, reject' 'mynetworks = 192.0.2.0/24'
	server 49 'smtpd_helo_restrictions = reject_unknown_helo_hostname' 'smtpd_delay_reject = yes'
	server 51 'smtpd_timeout = 3s'
	server 52 'smtpd_hard_error_limit = 3' 'smtpd_error_sleep_time = 0'
	server 53 'smtpd_recipient_limit = 2'
	server 54 'strict_rfc821_envelopes = yes' 'smtpd_helo_required = yes'
	server 56 'smtpd_sasl_auth_enable = yes' "cyrus_sasl_config_path = $conf/sasl" 'smtpd_sasl_local_domain = server.example' \
		'smtpd_sender_login_maps = inline:{ { alice@client.example = alice@server.example } }' 'smtpd_sender_restrictions = reject_sender_login_mismatch'
	on_server ip addr add 192.0.2.41/24 dev eth0
	cat <<CONF
192.0.2.41:25 inet n - n - 1 postscreen
  -o { postscreen_greet_action = enforce }
  -o { postscreen_dnsbl_sites = dnsbl.example }
  -o { postscreen_dnsbl_action = enforce }
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
spf unix - n n - 0 spawn
  user=policyd-spf argv=/usr/bin/policyd-spf $conf/spf.conf
checks unix n - n - 0 cleanup
  -o { header_checks = regexp:$conf/header_checks }
  -o { hopcount_limit = 10 }
CONF
} >>"$conf/master.cf"
on_client ip addr add 192.0.2.11/24 dev eth0
on_client ip addr add 192.0.2.12/24 dev eth0

MAIL_CONFIG=$conf
export MAIL_CONFIG
server_run postfix "$POSTFIX/usr/lib/postfix/sbin/master" -c "$conf" -d
wait_port 25
sleep 1

swaks_at() {
	case=$1 host=$2
	shift 2
	wanted "$case" || return 0
	record "$case" swaks --server "192.0.2.$host" --helo client.example --from alice@client.example --to bob@server.example \
		--header 'Subject: Hello' --body 'A short message.' "$@"
}
swaks_to() {
	case=$1
	shift
	swaks_at "$case" 20 "$@"
}
talk() {
	wanted "postfix-$1" || return 0
	record "postfix-$1" python3 "$here/client.py" "192.0.2.${2:-20}" 25 "$1"
}

swaks_to postfix-plain
swaks_to postfix-hello-refused --helo laptop
swaks_to postfix-relay-denied --to dave@elsewhere.example
head -c 30000 /dev/zero | tr '\0' x | fold -w 70 >"$lab_dir/big.txt"
swaks_to postfix-size-exceeded --body "@$lab_dir/big.txt"
for case in pipelined refused-recipients bdat; do talk "$case"; done
wanted postfix-smtp-source && record postfix-smtp-source "$POSTFIX/usr/sbin/smtp-source" -c -m 5 -s 1 -l 600 -f alice@client.example -t bob@server.example -M client.example 192.0.2.20:25

swaks_at postfix-blocklisted 31
swaks_at postfix-no-reverse-name 32 --local-interface 192.0.2.11
swaks_at postfix-false-reverse-name 32 --local-interface 192.0.2.12
talk two-mails 33
talk two-connections 34
swaks_at postfix-tls-required 35
swaks_at postfix-access-denied 36
swaks_at postfix-spf 37 --from alice@strict.example
# Signed, then changed on the way.
digest=$(printf 'A short message.\r\n' | openssl dgst -sha256 -binary | base64)
signature="DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=strict.example; s=key; h=from:subject; bh=$digest; b="
signed=$(printf 'From: alice@strict.example\r\nSubject: Hello\r\n%s' "$signature" | openssl dgst -sha256 -sign "$conf/dkim.pem" | base64 -w0)
printf '%s%s\nFrom: alice@strict.example\nTo: bob@server.example\nSubject: Hello\n\nA very short message.\n' "$signature" "$signed" >"$lab_dir/changed.txt"
swaks_at postfix-dkim 38 --from alice@strict.example --data "@$lab_dir/changed.txt"
swaks_at postfix-dmarc 39 --from alice@strict.example
swaks_at postfix-slow-greeting 40
swaks_at postscreen-blocklisted 41
wanted postscreen-early-talker && record postscreen-early-talker python3 "$here/client.py" 192.0.2.41 25 early-talker
swaks_at postfix-starttls-refused 42 --tls
talk utf8-sender 43
wanted postfix-greylisted && record postfix-greylisted sh -c '"$@"; sleep 3; "$@"' - swaks --server 192.0.2.44 --helo client.example \
	--from alice@client.example --to bob@server.example --header 'Subject: Hello' --body 'A short message.'
swaks_at postfix-header-refused 45 --header 'Subject: You won the lottery'
talk loop 45
talk eager-data 47
swaks_at postfix-sender-domain 48 --from alice@nowhere.example
swaks_at postfix-domain-without-mail 48 --to dave@nomail.example
swaks_at postfix-hello-unknown 49 --helo laptop.example
talk idle 51
talk nonsense 52
talk http-client 52
talk http-client-first 52
swaks_at postfix-too-many-recipients 53 --to bob@server.example,carol@server.example,eve@server.example
talk syntax 54
swaks_at postfix-not-logged-in 56
for mechanism in DIGEST-MD5 NTLM; do
	swaks_at "postfix-auth-$(echo $mechanism | tr A-Z a-z)" 56 --auth "$mechanism" --auth-user alice@server.example --auth-password wonderland
done
printf 'From: alice@client.example\nTo: bob@server.example\nSubject: Hello\n\nA short message.\n' >"$lab_dir/mail.txt"
for mechanism in scram-sha-1 scram-sha-256; do
	wanted "postfix-auth-$mechanism" && record "postfix-auth-$mechanism" sh -c '"$@" <"$0"' "$lab_dir/mail.txt" msmtp --host=192.0.2.56 --port=25 --domain=client.example \
		--auth=$mechanism --user=alice@server.example --passwordeval='echo wonderland' --from=alice@client.example bob@server.example
done
swaks_at postfix-auth-failed 56 --auth CRAM-MD5 --auth-user alice@server.example --auth-password guess
# Accepted first, and sent back: the bounce goes to the client's own server.
wanted postfix-bounce && record postfix-bounce sh -c '/usr/bin/python3 -m aiosmtpd -n -l 192.0.2.10:25 & sink=$!; sleep 2; "$@"; sleep 4; kill $sink' - \
	swaks --server 192.0.2.20 --helo client.example --from alice@client.example --to moved@server.example --header 'Subject: Hello' --body 'A short message.'
[ -z "${LAB_DEBUG:-}" ] || tail -n +1 "$lab_dir"/*.log
