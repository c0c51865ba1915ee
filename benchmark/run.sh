#!/usr/bin/env bash
# Measures sniff beside cat, tcpflow and tshark (the ones that are installed) on
# one generated capture, each as a whole process: wall time, CPU time and peak
# memory, the median of RUNS runs, then the ratios. Only ratios are claims:
# they come from one run on one machine. Then the same for SOAP alone: calls with
# envelopes of 4 KB, to JSON lines and to the table.
#
#   make bench                     # 1,000 MB, a million packets
#   make bench SIZE=200 RUNS=1 CALLS=10000
#   make bench KINDS=k             # 10,000 mails of 100 KB, attachments decoded and digested
#   make bench KINDS=h SIZE=285    # 50,000 SSH handshakes
#   make bench OTHERS= CALLS=0     # sniff and cat alone, on the mix alone
set -euo pipefail
cd "$(dirname "$0")/.."
size=${SIZE:-1000} runs=${RUNS:-3} kinds=${KINDS:-mfps} others=${OTHERS-tcpflow tshark}
[ "$kinds" = mfps ] && calls=${CALLS:-100000} || calls=${CALLS:-0}
out=${BENCH_DIR:-benchmark/out}
mkdir -p "$out"
capture=$out/$kinds-$size.pcapng
[ -f "$capture" ] || go run ./benchmark -size "$size" -kinds "$kinds" -o "$capture"
if [ ! -x /usr/bin/time ]; then
	echo "needs GNU time (package time)" >&2
	exit 1
fi

# measure NAME COMMAND...: medians of wall, CPU and peak memory into variables.
measure() {
	name=$1
	shift
	rm -f "$out/$name.times"
	for _ in $(seq "$runs"); do
		rm -rf "$out/work" && mkdir "$out/work"
		/usr/bin/time -a -o "$out/$name.times" -f '%e %U %S %M' "$@" >"$out/$name.out" 2>"$out/$name.err" || {
			echo "$name failed:" >&2
			tail -n 5 "$out/$name.err" >&2
			exit 1
		}
	done
	sort -n "$out/$name.times" | awk -v name="$name" '
		{ wall[NR]=$1; cpu[NR]=$2+$3; mem[NR]=$4 }
		END { i=int((NR+1)/2); printf "%-10s %8.2f s wall %8.2f s CPU %8.0f MiB\n", name, wall[i], cpu[i], mem[i]/1024
		      print wall[i] > "'"$out"'/" name ".wall" }'
}

ls -l "$capture" | awk '{printf "capture: %d MB", $5/1000000}'
command -v capinfos >/dev/null && capinfos -Mc "$capture" | awk '/packets/ {printf ", %s packets", $NF}'
echo ", $(nproc) cores, median of $runs"
rm -f "$out"/*.wall
cat "$capture" >/dev/null # into the page cache
measure cat cat "$capture"
measure sniff bin/sniff read -q -o jsonl "$capture"
wants() { [[ " $others " == *" $1 "* ]] && command -v "$1" >/dev/null; }
if wants tcpflow; then
	measure tcpflow tcpflow -q -a -r "$capture" -o "$out/work"
fi
if wants tshark; then
	measure tshark tshark -r "$capture" -Y 'smtp or ftp or ssh or http' -T fields \
		-e frame.number -e smtp.req.command -e smtp.response.code -e ftp.request.command -e ftp.response.code \
		-e ssh.protocol -e http.request.method -e http.response.code -e xml.tag
fi
if [ "$calls" -gt 0 ]; then
	soap=$out/calls-$calls.pcapng
	[ -f "$soap" ] || go run ./benchmark -calls "$calls" -o "$soap"
	cat "$soap" >/dev/null
	measure soap-jsonl bin/sniff read -q -o jsonl "$soap"
	measure soap-table bin/sniff read -q "$soap"
	for kind in soap-jsonl soap-table; do
		awk -v mb="$(($(stat -c %s "$soap") / 1000000))" -v s="$(cat "$out/$kind.wall")" -v kind="$kind" \
			'BEGIN { if (s > 0) printf "%-10s %.0f MB/s\n", kind, mb/s }'
	done
fi
rm -rf "$out/work"
awk -v b="$(cat "$out/sniff.wall")" -v n="$(stat -c %s "$capture")" 'BEGIN { printf "sniff reads %.0f MB/s\n", n/1e6/b }'
for other in tcpflow tshark; do
	[ -f "$out/$other.wall" ] && awk -v o="$other" -v a="$(cat "$out/$other.wall")" -v b="$(cat "$out/sniff.wall")" \
		'BEGIN { printf "sniff is %.1f times as fast as %s in wall time\n", a/b, o }'
done
exit 0
