# The laboratory in which samples are recorded: two hosts with a wire between
# them, as network namespaces with a veth pair (MTU 1500, offloads off, so that
# packets are as on a real wire). Sourced by the record.sh of each protocol:
#
#   . "$(dirname "$0")/../lab.sh"
#   lab_up                          # client 192.0.2.10 2001:db8::10, server 192.0.2.20 2001:db8::20
#   server_run  NAME COMMAND...     # start a daemon on the server; stopped at the end
#   wait_port   25                  # until something listens there
#   record      CASE COMMAND...     # run a client command while capturing to CASE.pcapng beside the script
#   on_server COMMAND... / on_client COMMAND...   # run something on one of the two
#
# A case begins when nothing of the one before is open any more, and its capture
# goes on until its connections are closed (4 seconds at most).
#
# Environment: LAB_SNAPLEN (default 262144) and LAB_SETTLE (seconds to wait
# after the command, default 0.4) change `record`; LAB_FILTER is its capture
# filter (default: no ARP, no ICMPv6 neighbour discovery), LAB_INTERFACE where it
# captures (default eth0), LAB_HOST on which of the two (default c, the client),
# LAB_QUIET how long it waits for what is open from before (default 30 seconds).
#
# Needs root, and iproute2, ethtool, tcpdump, tshark (editcap).
# Everything is torn down when the script exits; processes are stopped by id.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
lab=sniff$$
lab_dir=$(mktemp -d)
lab_pids=

lab_up() {
	trap lab_down EXIT
	trap 'exit 1' INT TERM
	ip netns add "$lab-c"
	ip netns add "$lab-s"
	ip link add name "v$$c" type veth peer name "v$$s"
	ip link set "v$$c" netns "$lab-c" name eth0
	ip link set "v$$s" netns "$lab-s" name eth0
	for side in c:10 s:20; do
		ns=$lab-${side%%:*} host=${side##*:}
		ip -n "$ns" link set lo up
		ip netns exec "$ns" ethtool -K eth0 tx off rx off sg off tso off gso off gro off >/dev/null 2>&1 || true
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv4.ip_forward=1 2>/dev/null || true
		ip -n "$ns" addr add "192.0.2.$host/24" dev eth0
		ip -n "$ns" addr add "2001:db8::$host/64" dev eth0 nodad
		ip -n "$ns" link set eth0 up
		mkdir -p "/etc/netns/$ns"
		printf '127.0.0.1 localhost\n192.0.2.10 client.example client\n192.0.2.20 server.example server\n2001:db8::20 server6.example\n' >"/etc/netns/$ns/hosts"
		: >"/etc/netns/$ns/resolv.conf"
	done
	sleep 0.3
}

lab_down() {
	for pid in $lab_pids; do kill "$pid" 2>/dev/null || true; done
	sleep 0.2
	for ns in "$lab-c" "$lab-s"; do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do kill -9 "$pid" 2>/dev/null || true; done
		ip netns del "$ns" 2>/dev/null || true
		rm -rf "/etc/netns/$ns"
	done
	rm -rf "$lab_dir"
}

on_client() { ip netns exec "$lab-c" "$@"; }
on_server() { ip netns exec "$lab-s" "$@"; }

server_run() {
	name=$1
	shift
	ip netns exec "$lab-s" "$@" >"$lab_dir/$name.log" 2>&1 &
	lab_pids="$lab_pids $!"
}

wait_port() {
	for _ in $(seq 100); do
		if on_server ss -ltnH "sport = :$1" | grep -q .; then return 0; fi
		sleep 0.1
	done
	echo "nothing listens on port $1; logs:" >&2
	tail -n 20 "$lab_dir"/*.log >&2
	return 1
}

# lab_quiet SECONDS: wait until no connection over the wire is open, but not
# longer than that.
lab_quiet() {
	until=$(($(date +%s) + $1))
	while [ "$(date +%s)" -le "$until" ]; do
		open=$({
			on_client ss -tnH state connected exclude time-wait
			on_server ss -tnH state connected exclude time-wait
		} | grep -v -e '127\.0\.0\.1' -e '\[::1\]' || true)
		[ -n "$open" ] || return 0
		sleep 0.1
	done
}

# record CASE COMMAND... : the command's own failure is part of many cases and
# does not stop the script.
record() {
	case_name=$1
	shift
	lab_quiet "${LAB_QUIET:-30}"
	ip netns exec "$lab-${LAB_HOST:-c}" tcpdump -i "${LAB_INTERFACE:-eth0}" -Z root --immediate-mode -U -s "${LAB_SNAPLEN:-262144}" -w "$lab_dir/$case_name.pcap" \
		"${LAB_FILTER:-not arp and not icmp6}" >"$lab_dir/tcpdump.log" 2>&1 &
	dump=$!
	for _ in $(seq 50); do
		grep -q 'listening on' "$lab_dir/tcpdump.log" && break
		sleep 0.05
	done
	on_client timeout 60 "$@" >"$lab_dir/$case_name.out" 2>&1 </dev/null || true
	lab_quiet 4
	sleep "${LAB_SETTLE:-0.4}"
	kill -INT "$dump"
	wait "$dump" 2>/dev/null || true
	editcap -F pcapng "$lab_dir/$case_name.pcap" "$lab_dir/$case_name.pcapng"
	cp "$lab_dir/$case_name.pcapng" "$here/$case_name.pcapng"
	chmod 0644 "$here/$case_name.pcapng"
	printf '%-32s %s packets\n' "$case_name" "$(tcpdump -r "$lab_dir/$case_name.pcap" 2>/dev/null | wc -l)"
}
