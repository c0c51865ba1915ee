#!/bin/sh
# Records one and the same kind of mail, by swaks to aiosmtpd, in the forms in
# which traffic reaches captures: tagged, cut into fragments, taken from all
# interfaces at a time, with packets missing, from the middle on.
#
# Needs root; python3-aiosmtpd, swaks, and what lab.sh needs.
# Usage: record.sh [CASE...] (all without arguments).

. "$(dirname "$0")/../lab.sh"
only=$*
wanted() { [ -z "$only" ] || case " $only " in *" $1 "*) ;; *) return 1 ;; esac; }
lab_up
trap 'ip netns del "$lab-r" 2>/dev/null; lab_down' EXIT

server_run smtp /usr/bin/python3 "$here/../smtp/server.py" 25 taken
wait_port 25
for i in $(seq 60); do echo "Line $i of a mail that is long enough for several packets, one after the other."; done >"$lab_dir/body.txt"
mail_to() { # CASE ADDRESS
	wanted "$1" || return 0
	record "$1" swaks --server "$2" --helo client.example --from alice@client.example --to bob@server.example \
		--header 'Subject: Hello' --header 'Date: Thu, 26 Nov 2026 12:00:00 +0000' --body "@$lab_dir/body.txt"
}
# link HOST NAME ADDRESS: a wire from the host's interface NAME to "to-HOST" of a
# box between the two.
ip netns add "$lab-r"
link() {
	ip link add name "r$$$2" type veth peer name "h$$$2"
	ip link set "r$$$2" netns "$lab-r" name "$2-$1"
	ip link set "h$$$2" netns "$lab-$1" name "$2"
	ip -n "$lab-r" link set "$2-$1" up
	[ "$1" = r ] || ip -n "$lab-$1" addr add "$3" dev "$2"
	ip -n "$lab-$1" link set "$2" up
	for end in "$lab-r $2-$1" "$lab-$1 $2"; do
		ip netns exec "${end% *}" sysctl -qw "net.ipv6.conf.${end#* }.disable_ipv6=1"
		ip netns exec "${end% *}" ethtool -K "${end#* }" tx off rx off sg off tso off gso off gro off >/dev/null 2>&1 || true
	done
}

# VLANs, as the mirror port of a switch shows them: one tag (802.1Q), and two of
# them (802.1ad around 802.1Q).
link c swc 198.51.100.10/24
link s sws 198.51.100.20/24
link r mirror
ip -n "$lab-c" link set swc mtu 1492
ip -n "$lab-s" link set sws mtu 1492
LAB_HOST=r LAB_INTERFACE=mirror
LAB_FILTER='greater 1' # what a filter says of addresses it does not say of tagged packets
for case in 'vlan 8100:42' 'vlan-in-vlan 88a8:7 8100:8'; do
	ip netns exec "$lab-r" python3 "$here/mirror.py" swc-c sws-s mirror-r ${case#* } >"$lab_dir/mirror.log" 2>&1 &
	mirror=$!
	until grep -q ready "$lab_dir/mirror.log"; do sleep 0.05; done
	mail_to "${case%% *}" 198.51.100.20
	kill "$mirror"
	wait "$mirror" 2>/dev/null || true
done
unset LAB_HOST LAB_INTERFACE LAB_FILTER
ip -n "$lab-c" link del swc
ip -n "$lab-s" link del sws

# The Linux cooked form: all interfaces at a time.
LAB_INTERFACE=any LAB_FILTER=tcp
mail_to all-interfaces 192.0.2.20
unset LAB_INTERFACE LAB_FILTER

# Some of the larger packets are not in the capture, although they arrived.
LAB_FILTER='not arp and not icmp6 and not (ip[2:2] > 1000 and ip[5] & 1 = 1)'
mail_to missing-packets 192.0.2.20
unset LAB_FILTER

# The capture begins when the dialogue is under way: the client waits for a file
# between EHLO and the mail.
if wanted mid-stream; then
	rm -f "$lab_dir/go"
	on_client /usr/bin/python3 - "$lab_dir/go" "$lab_dir/body.txt" <<'PY' &
import os, smtplib, sys, time
s = smtplib.SMTP("192.0.2.20", 25, local_hostname="client.example")
s.ehlo()
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
s.sendmail("alice@client.example", ["bob@server.example"], "Subject: Hello\n\n" + open(sys.argv[2]).read())
s.quit()
PY
	sleep 1
	LAB_QUIET=0 record mid-stream touch "$lab_dir/go"
fi

# A router between two lines whose second takes smaller packets than the first.
# The hosts do not ask for the path's size, so it cuts packets into fragments;
# the capture is the server's.
for host in c s; do
	net=203.0.11$([ $host = c ] && echo 3 || echo 4)
	link $host eth1$host "$net.2/24"
	ip -n "$lab-r" addr add "$net.1/24" dev eth1$host-$host
	ip -n "$lab-$host" route add 203.0.112.0/22 via "$net.1"
	ip netns exec "$lab-$host" sysctl -qw net.ipv4.ip_no_pmtu_disc=1
done
ip netns exec "$lab-r" sysctl -qw net.ipv4.ip_forward=1
ip -n "$lab-r" link set eth1s-s mtu 576
sleep 0.3
LAB_INTERFACE=eth1s LAB_HOST=s
mail_to fragments 203.0.114.2
