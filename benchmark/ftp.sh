#!/usr/bin/env bash
# Measures `sniff export --files` beside cp: files of 1 KB to 100 MB are
# downloaded in one capture, exported and hashed; cp copies the same files. Each
# is a whole process: wall time, CPU time and peak memory, the median of RUNS
# runs. The exported files are held against the originals by their digests, and
# the peak memory against that of a capture of a quarter of the size. Only ratios
# are claims: they come from one run on one machine.
#
#   make bench-ftp                     # 2,000 MB
#   SIZE=200 RUNS=1 make bench-ftp
set -euo pipefail
cd "$(dirname "$0")/.."
size=${SIZE:-2000} runs=${RUNS:-3}
out=${BENCH_DIR:-benchmark/out}/ftp
if [ ! -x /usr/bin/time ]; then
	echo "needs GNU time (package time)" >&2
	exit 1
fi
mkdir -p "$out"
trap 'rm -rf "$out"' EXIT
for mb in "$size" $((size / 4)); do
	go run ./benchmark/ftp -size "$mb" -files "$out/files-$mb" -o "$out/$mb.pcapng"
done

# once NAME COMMAND...: one run into an empty folder.
once() {
	name=$1
	shift
	rm -rf "$out/copy"
	/usr/bin/time -a -o "$out/$name.times" -f '%e %U %S %M' "$@" >"$out/$name.out" 2>"$out/$name.err" || {
		echo "$name failed:" >&2
		tail -n 5 "$out/$name.err" >&2
		exit 1
	}
}

# median NAME: wall, CPU, peak memory; the wall time goes to NAME.wall, the
# memory to NAME.mem.
median() {
	sort -n "$out/$1.times" | awk -v name="$1" -v out="$out" '
		{ wall[NR]=$1; cpu[NR]=$2+$3; mem[NR]=$4 }
		END { i=int((NR+1)/2); printf "%-14s %8.2f s wall %8.2f s CPU %8.0f MiB\n", name, wall[i], cpu[i], mem[i]/1024
		      print wall[i] > out "/" name ".wall"; print mem[i] > out "/" name ".mem" }'
}

cat "$out/$size.pcapng" "$out/files-$size"/* >/dev/null # into the page cache
for _ in $(seq "$runs"); do # in turn, so that both meet the same load
	once cp cp -r "$out/files-$size" "$out/copy"
	once sniff bin/sniff export -q --files -w "$out/copy" "$out/$size.pcapng"
done
digests() { (cd "$1" && find . -type f -name '*.bin' -exec sha256sum {} +) | cut -d' ' -f1 | sort; }
if ! cmp <(digests "$out/files-$size") <(digests "$out/copy"); then
	echo "what was exported is not what was downloaded" >&2
	exit 1
fi
once quarter bin/sniff export -q --files -w "$out/copy" "$out/$((size / 4)).pcapng"
for name in cp sniff quarter; do median "$name"; done
awk -v c="$(cat "$out/cp.wall")" -v s="$(cat "$out/sniff.wall")" -v m="$(cat "$out/sniff.mem")" -v q="$(cat "$out/quarter.mem")" \
	'BEGIN { printf "export runs at %.2f of the speed of cp in wall time; peak memory is %.2f times that of a quarter\n", c/s, m/q }'
