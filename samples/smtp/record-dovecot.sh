#!/bin/sh
# Records the samples with Dovecot's LMTP server, which delivers for a mail
# server: each recipient gets its own reply behind the data.
#
# Needs root; DOVECOT, the folder into which `dpkg -x` put dovecot-core and
# dovecot-lmtpd; python3, swaks, and what lab.sh needs.

: "${DOVECOT:?folder of the unpacked dovecot packages}"
. "$(dirname "$0")/../lab.sh"
lab_up
chmod 0755 "$lab_dir"
lib=$DOVECOT/usr/lib/dovecot
export LD_LIBRARY_PATH="$lib"
mkdir -p "$lab_dir/run" "$lab_dir/state" "$lab_dir/mail"
chown 2001:2001 "$lab_dir/mail"
# carol has no room left.
cat >"$lab_dir/users" <<CONF
bob@server.example:{PLAIN}x:2001:2001::$lab_dir/mail/bob::
carol@server.example:{PLAIN}x:2001:2001::$lab_dir/mail/carol::userdb_quota_rule=*:bytes=10
CONF
chmod 0644 "$lab_dir/users"
cat >"$lab_dir/dovecot.conf" <<CONF
base_dir = $lab_dir/run
state_dir = $lab_dir/state
libexec_dir = $lib
mail_plugin_dir = $lib/modules
log_path = /dev/stderr
protocols = lmtp
ssl = no
hostname = server.example
postmaster_address = postmaster@server.example
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
import_environment = LD_LIBRARY_PATH TZ
first_valid_uid = 2001
mail_location = maildir:~/Maildir
mail_plugins = quota
plugin {
  quota = maildir:User quota
}
passdb {
  driver = passwd-file
  args = $lab_dir/users
}
userdb {
  driver = passwd-file
  args = $lab_dir/users
}
service lmtp {
  inet_listener lmtp {
    address = 192.0.2.20
    port = 24
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
CONF
# Its modules and its configuration are looked for at their place of
# installation: they are mounted there, for the server alone, and doveconf is run
# by itself.
mkdir "$lab_dir/etc"
mv "$lab_dir/dovecot.conf" "$lab_dir/etc/dovecot.conf"
made=
for d in /usr/lib/dovecot /etc/dovecot; do
	[ -e "$d" ] || { mkdir "$d" && made="$made $d"; }
done
trap 'lab_down; [ -z "$made" ] || rmdir $made' EXIT
server_run dovecot sh -c 'mount --bind "$0" /usr/lib/dovecot && mount --bind "$1" /etc/dovecot && shift && exec "$@"' "$lib" "$lab_dir/etc" \
	"$DOVECOT/usr/bin/doveconf" -f service=master -c /etc/dovecot/dovecot.conf -m master -p -e "$DOVECOT/usr/sbin/dovecot" -F
wait_port 24

swaks_to() {
	case=$1
	shift
	record "$case" swaks --server 192.0.2.20 --protocol LMTP --port 24 --helo client.example --from alice@client.example \
		--header 'Subject: Hello' --body 'A short message.' "$@"
}
swaks_to dovecot-lmtp --to bob@server.example
swaks_to dovecot-lmtp-full --to bob@server.example,carol@server.example,nobody@server.example
