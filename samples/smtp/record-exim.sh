#!/bin/sh
# Records the samples in which Exim refuses mail for what it finds out about the
# client: names, blocklists and SPF in DNS, here of a server of ours. EXIM is the
# folder into which `dpkg -x` put exim4-daemon-heavy (the light one knows no SPF)
# and the libraries that it needs.
#
# Needs root; the unpacked packages, the user Debian-exim, python3-dnspython,
# swaks, and what lab.sh needs.
# Usage: record-exim.sh [CASE...] (all without arguments).

: "${EXIM:?folder of the unpacked exim4-daemon-heavy}"
. "$(dirname "$0")/../lab.sh"
only=$*
wanted() { [ -z "$only" ] || case " $only " in *" $1 "*) ;; *) return 1 ;; esac; }
lab_up
chmod 0755 "$lab_dir"
cat >"$lab_dir/zone" <<CONF
\$TTL 60
. IN SOA ns. root. 1 60 60 60 60
. IN NS ns.
client.example. IN A 192.0.2.10
10.2.0.192.in-addr.arpa. IN PTR client.example.
10.2.0.192.dnsbl.example. IN A 127.0.0.2
10.2.0.192.dnsbl.example. IN TXT "Spam source, see https://dnsbl.example/?ip=192.0.2.10"
strict.example. IN A 198.51.100.1
strict.example. IN TXT "v=spf1 ip4:198.51.100.1 -all"
CONF
echo 'nameserver 127.0.0.1' >"/etc/netns/$lab-s/resolv.conf"
server_run dns /usr/bin/python3 "$here/nameserver.py" 127.0.0.1 "$lab_dir/zone"

# exim HOST SETTING...: an Exim at 192.0.2.HOST, with settings of its own.
exim() {
	host=$1
	shift
	[ "$host" = 20 ] || on_server ip addr add "192.0.2.$host/24" dev eth0
	mkdir "$lab_dir/spool$host"
	chown Debian-exim "$lab_dir/spool$host"
	cat >"$lab_dir/exim$host.conf" <<CONF
primary_hostname = server.example
local_interfaces = 192.0.2.$host
spool_directory = $lab_dir/spool$host
log_file_path = $lab_dir/spool$host/%slog
host_lookup =
rfc1413_query_timeout = 0s
queue_only = true
smtputf8_advertise_hosts =
pipelining_connect_advertise_hosts =
acl_smtp_rcpt = check_rcpt
$(for setting in "$@"; do echo "$setting"; done)
begin acl
check_rcpt:
  deny local_parts = listed
       dnslists = dnsbl.example
       message = rejected because \$sender_host_address is in a black list at \$dnslist_domain\\n\$dnslist_text
  deny local_parts = named
       !verify = reverse_host_lookup
       message = Reverse DNS lookup failed for host \$sender_host_address
  deny local_parts = strict
       spf = fail
       message = \$sender_host_address is not allowed to send mail from \$sender_address_domain
  defer local_parts = busy
       ratelimit = 0 / 1m / strict / per_rcpt
       message = Sender rate overlimit - \$sender_rate / \$sender_rate_period
  require verify = sender
  deny domains = !server.example
       !authenticated = *
       message = SMTP AUTH is required for message submission on this server
  require verify = recipient
  accept
begin routers
client:
  driver = accept
  domains = client.example : strict.example
  transport = none
server:
  driver = redirect
  domains = server.example
  local_parts = !nobody
  data = :blackhole:
begin transports
none:
  driver = smtp
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = false
CONF
	chmod 0644 "$lab_dir/exim$host.conf"
	server_run "exim$host" env LD_LIBRARY_PATH="$EXIM/usr/lib/x86_64-linux-gnu" "$EXIM/usr/sbin/exim4" -C "$lab_dir/exim$host.conf" -bdf
}
exim 20
exim 21 'check_spool_space = 100000G'
exim 22 'smtp_accept_max_per_host = 1'
exim 23 'smtp_receive_timeout = 3s'
wait_port 25
sleep 2
on_client ip addr add 192.0.2.11/24 dev eth0

swaks_at() {
	case=$1 host=$2
	shift 2
	wanted "$case" || return 0
	record "$case" swaks --server "192.0.2.$host" --helo client.example --from alice@client.example --to bob@server.example \
		--header 'Subject: Hello' --body 'A short message.' "$@"
}
talk() {
	wanted "exim-$1" || return 0
	record "exim-$1" python3 "$here/client.py" "192.0.2.${2:-20}" 25 "$1"
}

swaks_at exim-blocklisted 20 --to listed@server.example
swaks_at exim-no-reverse-name 20 --to named@server.example --local-interface 192.0.2.11
swaks_at exim-spf 20 --to strict@server.example --from alice@strict.example
swaks_at exim-rate-limited 20 --to busy@server.example
swaks_at exim-sender-verify 20 --from alice@nowhere.example
swaks_at exim-auth-required 20 --to dave@elsewhere.example
swaks_at exim-relay-trick 20 --to dave%elsewhere.example@server.example
swaks_at exim-hello-refused 20 --helo 'lap top'
talk early-talker
talk utf8-sender
swaks_at exim-server-full 21
talk two-connections 22
talk idle 23
[ -z "${LAB_DEBUG:-}" ] || tail -n +1 "$lab_dir"/*.log "$lab_dir"/spool*/*log
