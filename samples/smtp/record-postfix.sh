#!/bin/sh
# Records the samples with Postfix as server. It conflicts with Exim as a
# package, so it is taken unpacked: POSTFIX is the folder into which
# `dpkg -x postfix_*.deb FOLDER` put it.
#
# Needs root; the unpacked package, the user Debian-exim (as Postfix's owner)
# and the group man, python3, swaks, and what lab.sh needs.

: "${POSTFIX:?folder of the unpacked postfix package}"
. "$(dirname "$0")/../lab.sh"
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
message_size_limit = 20480
smtpd_recipient_restrictions = check_recipient_access inline:{ { full@server.example = 452 4.2.2 mailbox full } { grey@server.example = 450 4.2.0 Greylisted } }, reject_unauth_destination, reject_unlisted_recipient
smtpd_helo_restrictions = reject_non_fqdn_helo_hostname
smtpd_delay_reject = no
smtpd_sender_restrictions = reject_non_fqdn_sender
smtpd_relay_restrictions = permit
CONF
cat >"$conf/master.cf" <<CONF
smtp inet n - n - - smtpd
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
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
CONF
MAIL_CONFIG=$conf
export MAIL_CONFIG
server_run postfix "$POSTFIX/usr/lib/postfix/sbin/master" -c "$conf" -d
wait_port 25
sleep 1

swaks_to() {
	case=$1
	shift
	record "$case" swaks --server 192.0.2.20 --helo client.example --from alice@client.example --to bob@server.example \
		--header 'Subject: Hello' --body 'A short message.' "$@"
}
talk() { record "postfix-$1" python3 "$here/client.py" 192.0.2.20 25 "$1"; }

swaks_to postfix-plain
swaks_to postfix-hello-refused --helo laptop
swaks_to postfix-relay-denied --to dave@elsewhere.example
head -c 30000 /dev/zero | tr '\0' x | fold -w 70 >"$lab_dir/big.txt"
swaks_to postfix-size-exceeded --body "@$lab_dir/big.txt"
for case in pipelined refused-recipients bdat; do talk "$case"; done
record postfix-smtp-source "$POSTFIX/usr/sbin/smtp-source" -c -m 5 -s 1 -l 600 -f alice@client.example -t bob@server.example -M client.example 192.0.2.20:25
[ -z "${LAB_DEBUG:-}" ] || cat "$lab_dir/postfix.log"
