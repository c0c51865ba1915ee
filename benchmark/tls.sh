#!/usr/bin/env bash
# Measures the decryption of a TLS 1.3 transfer (AES-128-GCM, full records)
# against what `openssl speed` gives for the cipher alone on one core, in CPU
# time: through the TLS layer, and as a whole process that reads a capture of
# it, with nothing inside and with an HTTP response, whose content is digested.
# The median of RUNS runs. It fails when the layer gives less than 70 %.
#
#   make bench-tls                     # 1,000 MB
#   SIZE=200 RUNS=1 make bench-tls
set -euo pipefail
cd "$(dirname "$0")/.."
size=${SIZE:-1000} runs=${RUNS:-3}
out=${BENCH_DIR:-benchmark/out}
mkdir -p "$out"
for tool in /usr/bin/time openssl; do
	command -v "$tool" >/dev/null || {
		echo "needs $tool" >&2
		exit 1
	}
done
go build -o "$out/tls-record" ./benchmark/tls
go test -c -o "$out/tls.test" ./dissect/tls
for kind in raw http; do
	flag=
	[ "$kind" = raw ] && flag=-raw
	[ -f "$out/tls-$kind-$size.pcapng" ] || "$out/tls-record" $flag -size "$size" -o "$out/tls-$kind-$size.pcapng" -keylog "$out/tls-$kind-$size.keys"
	cat "$out/tls-$kind-$size.pcapng" >/dev/null # into the page cache
done

# measure COMMAND...: medians of CPU and wall time, seconds.
measure() {
	for _ in $(seq "$runs"); do
		/usr/bin/time -a -o "$out/tls.times" -f '%U %S %e' "$@" >/dev/null 2>&1
	done
	awk '{ print $1+$2, $3 }' "$out/tls.times" | sort -n | awk '{ l[NR]=$0 } END { print l[int((NR+1)/2)] }'
	rm -f "$out/tls.times"
}
# say WHAT CPU WALL: the rate in CPU time and its part of openssl's.
say() {
	awk -v w="$1" -v cpu="$2" -v wall="$3" -v mb="$size" -v ref="$openssl" \
		'BEGIN { printf "%-28s %6.2f s CPU %6.2f s wall %6.0f MB/s of CPU, %3.0f %% of openssl\n", w, cpu, wall, mb/cpu, 100*mb/cpu/ref }'
}

openssl=$(for _ in $(seq "$runs"); do openssl speed -seconds 2 -bytes 16384 -evp aes-128-gcm 2>/dev/null | awk 'END { sub("k", "", $NF); print $NF/1000 }'; done | sort -n | awk '{ l[NR]=$0 } END { print l[int((NR+1)/2)] }')
printf '%-28s %34.0f MB/s\n' 'openssl speed aes-128-gcm' "$openssl"
records=$((size * 1000000 / 16384))
layer=$(measure "$out/tls.test" -test.run '^$' -test.bench 'Decrypt/AES-128-GCM$' -test.benchtime "${records}x" -test.cpu 1)
say 'the TLS layer' $layer
say 'sniff read, nothing inside' $(measure bin/sniff read -q --keylog "$out/tls-raw-$size.keys" "$out/tls-raw-$size.pcapng")
say 'sniff read, HTTP, digested' $(measure bin/sniff read -q --keylog "$out/tls-http-$size.keys" "$out/tls-http-$size.pcapng")
say 'sniff read without keys' $(measure bin/sniff read -q "$out/tls-http-$size.pcapng")
awk -v cpu="${layer% *}" -v mb="$size" -v ref="$openssl" 'BEGIN { if (mb/cpu < 0.7*ref) { print "the TLS layer gives less than 70 % of openssl"; exit 1 } }'
