#!/bin/sh
# Records the SMTP samples: Exim on port 25 (465 with TLS from the start),
# aiosmtpd behind it for what Exim cannot be made to do; swaks and client.py as
# clients.
#
# Needs root; exim4-daemon-light or -heavy, python3-aiosmtpd, swaks, openssl, nftables,
# and what lab.sh needs. *.keys is the key log that the client of a case wrote.
# Usage: record.sh [CASE...] (all without arguments).

. "$(dirname "$0")/../lab.sh"
only=$*
wanted() { [ -z "$only" ] || case " $only " in *" $1 "*) ;; *) return 1 ;; esac; }
lab_up
chmod 0755 "$lab_dir"

openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=server.example \
	-keyout "$lab_dir/key.pem" -out "$lab_dir/cert.pem" 2>/dev/null
mkdir "$lab_dir/spool"
chown Debian-exim "$lab_dir/spool" "$lab_dir/key.pem"

cat >"$lab_dir/exim.conf" <<CONF
primary_hostname = server.example
spool_directory = $lab_dir/spool
log_file_path = $lab_dir/spool/%slog
host_lookup =
rfc1413_query_timeout = 0s
smtp_enforce_sync = false
queue_only = true
message_size_limit = 20K
prdr_enable = true
tls_advertise_hosts = *
tls_certificate = $lab_dir/cert.pem
tls_privatekey = $lab_dir/key.pem
tls_on_connect_ports = 465
daemon_smtp_ports = 25 : 465
dsn_advertise_hosts = *
acl_smtp_mail = check_mail
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
acl_smtp_data_prdr = check_prdr
begin acl
check_mail:
  deny senders = blocked@client.example
       message = Sender is on our block list
  accept
check_rcpt:
  deny local_parts = nobody
       message = 5.1.1 no such user here
  defer local_parts = full
       message = 4.2.2 mailbox full
  defer local_parts = grey
       message = 4.7.1 Greylisted, please try again in 300 seconds
  accept domains = server.example
  accept authenticated = *
  deny message = relay not permitted
check_data:
  deny condition = \${if match{\$h_subject:}{lottery}}
       message = This message looks like spam
  accept
check_prdr:
  deny local_parts = carol
       message = 5.7.1 carol wants no such mail
  accept
begin routers
all:
  driver = redirect
  data = :blackhole:
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{\$auth2}{alice}}{eq{\$auth3}{wonderland}}}}
  server_set_id = \$auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{\$auth1}{alice}}{eq{\$auth2}{wonderland}}}}
  server_set_id = \$auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${if eq{\$auth1}{alice}{wonderland}fail}
  server_set_id = \$auth1
CONF
# Exim puts a smaller list of authenticators forward when a driver is not
# compiled in (the light daemon has them all but CRAM-MD5).
if ! exim4 -C "$lab_dir/exim.conf" -bV >/dev/null 2>&1; then
	sed -i '/^cram:/,$d' "$lab_dir/exim.conf"
fi
chmod 0644 "$lab_dir/exim.conf"

server_run exim exim4 -C "$lab_dir/exim.conf" -bdf
wait_port 25

swaks_to() {
	case=$1
	shift
	wanted "$case" || return 0
	record "$case" swaks --server 192.0.2.20 --helo client.example --from alice@client.example --to bob@server.example \
		--header 'Subject: Hello' --body 'A short message.' "$@"
}
talk() {
	wanted "$1" || return 0
	record "$1" python3 "$here/client.py" "${3:-192.0.2.20}" "${2:-25}" "$1"
}
keylog_talk() {
	wanted "$1" || return 0
	rm -f "$here/$1.keys"
	record "$1" env SSLKEYLOGFILE="$here/$1.keys" python3 "$here/client.py" 192.0.2.20 "$2" "$1"
	chmod 0644 "$here/$1.keys"
}

swaks_to plain
swaks_to attachment --attach-type text/plain --attach-name readme.txt --attach "@$here/record.sh"
wanted ipv6 && record ipv6 python3 "$here/client.py" 2001:db8::20 25 several-messages
swaks_to auth-plain --auth PLAIN --auth-user alice --auth-password wonderland
swaks_to auth-login --auth LOGIN --auth-user alice --auth-password wonderland --to dave@elsewhere.example
swaks_to auth-cram-md5 --auth CRAM-MD5 --auth-user alice --auth-password wonderland
swaks_to auth-failed --auth PLAIN,LOGIN --auth-user alice --auth-password guess
keylog_talk starttls 25
keylog_talk starttls-tls12 25
keylog_talk implicit-tls 465
swaks_to starttls-without-keys --tls
head -c 30000 /dev/zero | tr '\0' x | fold -w 70 >"$lab_dir/big.txt"
swaks_to size-exceeded --body "@$lab_dir/big.txt"
swaks_to relay-denied --to dave@elsewhere.example
swaks_to sender-refused --from blocked@client.example
swaks_to greylisted --to grey@server.example
swaks_to content-refused --header 'Subject: You won the lottery'
for case in several-messages pipelined refused-recipients bdat bdat-zero-last prdr smuggling lost-in-data; do talk "$case"; done

for case in shutdown:2525 lmtp:24 slow:2526; do
	port=${case##*:} name=${case%%:*}
	server_run "$name" /usr/bin/python3 "$here/server.py" "$port" "$name"
	wait_port "$port"
done
swaks_to shutdown-421 --port 2525 --to bob@server.example,carol@server.example
swaks_to lmtp --protocol LMTP --port 24 --to bob@server.example,full@server.example
talk lost-after-dot 2526
swaks_to refused --port 2599
LAB_SNAPLEN=96
swaks_to snaplen-96
LAB_SNAPLEN=262144

# A client that tries one server after the other: the first never answers, the
# second refuses the connection, the third says what it thinks of the recipient.
on_server ip addr add 192.0.2.21/24 dev eth0
on_server ip addr add 192.0.2.22/24 dev eth0
on_server nft -f - <<NFT
table inet wall {
	chain input {
		type filter hook input priority 0
		ip daddr 192.0.2.21 tcp dport 25 drop
		ip daddr 192.0.2.22 tcp dport 25 reject with tcp reset
	}
}
NFT
talk next-server-full
talk next-server-takes-it
