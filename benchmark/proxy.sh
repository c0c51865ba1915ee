#!/usr/bin/env bash
# Measures sniff's proxy, dissecting and writing pcapng, side by side with socat
# (which looks at nothing), mitmdump and a direct connection, in one run on this
# machine: SOAP calls per second over HTTP and HTTPS, the latency added to a call,
# a large file by FTP and by SFTP, memory for each idle connection. The ways take
# turns, and medians count. Only ratios are claims.
#
#   make bench-proxy                              # 1,000 MB, 5 rounds of 3 s
#   SIZE=100 ROUNDS=1 SECONDS_EACH=1 make bench-proxy
#
# Needs socat, mitmdump (mitmproxy), curl, vsftpd, OpenSSH and root (for the
# servers); what is missing is left out.
set -euo pipefail
cd "$(dirname "$0")/.."
size=${SIZE:-1000} rounds=${ROUNDS:-5} each=${SECONDS_EACH:-3} connections=${CONNECTIONS:-32} calls=${CALLS:-2000}
sniff=$PWD/bin/sniff
work=$(mktemp -d "${BENCH_DIR:-/tmp}/sniff-bench.XXXXXX")
chmod 0755 "$work"
go build -o "$work/load" ./benchmark/load
load=$work/load
pids=()
cleanup() {
	kill "${pids[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT
cd "$work"
have() { command -v "$1" >/dev/null; }
run() { # NAME COMMAND...: a server, until the end
	local name=$1
	shift
	"$@" >"$name.out" 2>"$name.err" </dev/null &
	pids+=($!)
}
listens() { # PORT: wait until something does
	for _ in $(seq 600); do
		(exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
		sleep 0.05
	done
	echo "nothing listens on port $1" >&2
	tail -n 5 ./*.err >&2
	exit 1
}
median() { sort -g "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { # WHAT OURS THEIRS FORMAT WANTED
	awk -v a="$2" -v b="$3" -v w="$1" -v f="$4" -v want="$5" 'BEGIN { printf "%-52s " f "   (wanted: %s)\n", w, a / b, want }'
}

# Ports: 1xxxx the services, 2xxxx sniff, 3xxxx socat, 4xxxx mitmdump.
run serve "$load" serve -http 127.0.0.1:18080 -https 127.0.0.1:18443 -smtp 127.0.0.1:18025 -ca service.pem
listens 18443
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f id
sed 's/^/[127.0.0.1]:10022 /' host.pub >known
run sniff "$sniff" proxy -q --ca-dir ca --upstream-ca service.pem --known-hosts known --ssh-identity id -w traffic.pcapng --rotate 64MB --max-per-client 10000 \
	--listen 127.0.0.1:28080 --to 127.0.0.1:18080 --listen 127.0.0.1:28443 --to localhost:18443 --listen 127.0.0.1:28025 --to 127.0.0.1:18025 \
	--listen 127.0.0.1:20021 --to 127.0.0.1:10021 --listen 127.0.0.1:20022 --to 127.0.0.1:10022
proxy=${pids[-1]}
listens 20022
# The capture's memory goes round: on a virtual machine, memory that nobody has
# touched for a while is several times as dear to write to.
(
	shopt -s nullglob
	while sleep 0.3; do
		files=(traffic-*.pcapng)
		[ "${#files[@]}" -le 2 ] || rm "${files[@]:0:${#files[@]}-2}"
	done
) &
pids+=($!)
ways="direct:1 sniff:2"
if have socat; then
	run socat socat TCP-LISTEN:38080,bind=127.0.0.1,fork,reuseaddr TCP:127.0.0.1:18080
	run socats socat OPENSSL-LISTEN:38443,bind=127.0.0.1,fork,reuseaddr,cert=service.pem,verify=0 OPENSSL:127.0.0.1:18443,verify=0
	listens 38443
	ways="$ways socat:3"
fi
if have mitmdump; then
	run mitmdump mitmdump -q --listen-host 127.0.0.1 -p 48080 --mode reverse:http://127.0.0.1:18080 --set confdir=mitm -w plain.flows
	listens 48080
	run mitmdumps mitmdump -q --listen-host 127.0.0.1 -p 48443 --mode reverse:https://127.0.0.1:18443 --set ssl_insecure=true --set confdir=mitm -w secure.flows
	listens 48443
	ways="$ways mitmdump:4"
fi

echo "== SOAP calls per second over $connections connections, median of $rounds times $each s, $(nproc) cores"
for _ in $(seq "$rounds"); do
	for scheme in http:8080 https:8443; do
		for way in $ways; do
			"$load" calls -c "$connections" -d "${each}s" "${scheme%%:*}://127.0.0.1:${way#*:}${scheme#*:}" >>"${scheme%%:*}.${way%%:*}"
		done
	done
done
for scheme in http https; do
	for way in $ways; do
		printf '%-6s %-9s %8s\n' "$scheme" "${way%%:*}" "$(median "$scheme.${way%%:*}")"
	done
	[ -f "$scheme.socat" ] && ratio "$scheme: sniff beside socat" "$(median "$scheme.sniff")" "$(median "$scheme.socat")" '%.2f' '0.60'
	[ -f "$scheme.mitmdump" ] && ratio "$scheme: sniff beside mitmdump" "$(median "$scheme.sniff")" "$(median "$scheme.mitmdump")" '%.1f' '25'
done

for turn in 50 1; do
	echo "== latency of a call, median, one at a time, the ways in turns of $turn"
	for scheme in http:8080 https:8443; do
		urls=()
		for way in $ways; do
			[ "$way" = mitmdump:4 ] || urls+=("${scheme%%:*}://127.0.0.1:${way#*:}${scheme#*:}")
		done
		"$load" latency -n "$calls" -turn "$turn" "${urls[@]}" | awk -v s="${scheme%%:*}" '{
			printf "%-6s direct %.0f us; sniff adds %.0f us (wanted: under 150)", s, $1, $2 - $1
			if (NF > 2) printf "; socat adds %.0f us", $3 - $1
			print "" }'
	done
done

echo "== memory for each idle connection"
"$load" idle -pid "$proxy" 127.0.0.1:28025 | awk '{ printf "%.1f KiB   (wanted: under 40)\n", $1 }'

echo "== a file of $size MB, medians of $rounds"
mkdir -p files && head -c "$((size * 1000000))" /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >files/big.bin
chmod 0555 files
chmod 0444 files/big.bin
fetch() { # NAME COMMAND...: add the seconds it takes to NAME.time
	local name=$1 began ended
	shift
	sync # what was written before is not written out meanwhile
	began=$(date +%s.%N)
	"$@" >"$name.fetch" 2>&1 || {
		cat "$name.fetch" >&2
		exit 1
	}
	ended=$(date +%s.%N)
	awk -v a="$began" -v b="$ended" 'BEGIN { print b - a }' >>"$name.time"
}
if have vsftpd && have curl && [ "$(id -u)" = 0 ]; then
	mkdir -p /var/run/vsftpd/empty
	cat >vsftpd.conf <<CONF
listen=YES
listen_address=127.0.0.1
listen_port=10021
background=NO
anonymous_enable=YES
no_anon_password=YES
local_enable=NO
anon_root=$work/files
secure_chroot_dir=/var/run/vsftpd/empty
seccomp_sandbox=NO
xferlog_enable=NO
CONF
	run vsftpd vsftpd "$work/vsftpd.conf"
	listens 10021
	for _ in $(seq "$rounds"); do
		for way in direct:1 sniff:2; do
			fetch "ftp.${way%%:*}" curl -sS -o /dev/null "ftp://127.0.0.1:${way#*:}0021/big.bin"
		done
	done
	ratio "FTP: throughput beside direct ($(median ftp.direct.time) s)" "$(median ftp.direct.time)" "$(median ftp.sniff.time)" '%.2f' '0.70'
fi
if [ -x /usr/sbin/sshd ] && have sftp && [ "$(id -u)" = 0 ]; then
	mkdir -p /run/sshd
	cat >sshd_config <<CONF
ListenAddress 127.0.0.1:10022
HostKey $work/host
AuthorizedKeysFile $work/id.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp internal-sftp
CONF
	run sshd /usr/sbin/sshd -D -e -f "$work/sshd_config"
	listens 10022
	for _ in $(seq "$rounds"); do
		for way in direct:1 sniff:2; do
			fetch "sftp.${way%%:*}" sftp -q -F none -i id -P "${way#*:}0022" -o IdentitiesOnly=yes -o IdentityAgent=none \
				-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "127.0.0.1:$work/files/big.bin" /dev/null
		done
	done
	ratio "SFTP: throughput beside direct ($(median sftp.direct.time) s)" "$(median sftp.direct.time)" "$(median sftp.sniff.time)" '%.2f' '0.50'
fi
kill -INT "$proxy"
wait "$proxy" || true
grep -E 'connections|capture' sniff.err || true
