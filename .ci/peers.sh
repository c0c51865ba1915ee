#!/usr/bin/env bash
# Puts servers that conflict as packages side by side into .ci/peers, where the
# tests of the proxy find them: proftpd and pure-ftpd beside vsftpd, Exim beside
# Postfix, each with the libraries it needs. Nothing is installed or started.
# Runs as root on Debian; does nothing when they are there.
set -euo pipefail
cd "$(dirname "$0")"
packages=(
	proftpd-core proftpd-mod-crypto libhiredis0.14 libmemcached11 libhashkit2 libmemcachedutil2 libpcre2-posix3
	pure-ftpd pure-ftpd-common libsodium23
	exim4-daemon-light libidn12 libgnutls-dane0 libunbound8 libnsl2
)
[ -x peers/usr/sbin/proftpd ] && [ -x peers/usr/sbin/pure-ftpd ] && [ -x peers/usr/sbin/exim4 ] && exit 0
rm -rf peers peers.new
mkdir -p peers.new/deb
(
	cd peers.new/deb
	apt-get download -q "${packages[@]}" >../log 2>&1 || {
		tail -n 20 ../log >&2
		exit 1
	}
)
for deb in peers.new/deb/*.deb; do
	dpkg -x "$deb" peers.new
done
rm -rf peers.new/deb
# Exim runs as the account that its package makes.
getent passwd Debian-exim >/dev/null || useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin Debian-exim
mv peers.new peers
