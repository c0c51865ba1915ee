#!/bin/sh
# Records the FTP samples: real clients against vsftpd, proftpd and pure-ftpd.
#
# Needs root and the packages vsftpd curl lftp tnftp python3 nftables openssl,
# beside those of lab.sh. proftpd-core and pure-ftpd conflict with vsftpd as
# packages: unpack them and ncftp (apt-get download, dpkg -x, with the libraries
# they miss) into a folder and name it in FTP_SERVERS; without it their cases are
# left out.
# Usage: record.sh [CASE...] (all without arguments).
. "$(dirname "$0")/../lab.sh"

only=$*
case_of() { # CASE COMMAND...: record unless other cases were asked for
	if [ -n "$only" ]; then
		case " $only " in *" $1 "*) ;; *) return 0 ;; esac
	fi
	record "$@"
}

lab_up

# The account bob exists on the server only: ip netns puts these files in the
# place of the machine's.
etc=/etc/netns/$lab-s
cp /etc/passwd "$etc/passwd"
cp /etc/shadow "$etc/shadow"
cp /etc/group "$etc/group"
echo 'bob:x:2001:2001::/srv/sniff-ftp/bob:/bin/sh' >>"$etc/passwd"
echo 'bob:x:2001:' >>"$etc/group"
echo "bob:$(openssl passwd -6 secret):20000:0:99999:7:::" >>"$etc/shadow"
chmod 0640 "$etc/shadow"

# The files lie in a file system of their own, which ends with the script.
home=$lab_dir/home
mkdir -p "$home"
tmpfs_up() {
	mkdir -p /srv/sniff-ftp
	mount -t tmpfs none /srv/sniff-ftp
}
trap 'umount /srv/sniff-ftp 2>/dev/null; rmdir /srv/sniff-ftp 2>/dev/null; lab_down' EXIT
tmpfs_up
mkdir -p /srv/sniff-ftp/bob/pub /srv/sniff-ftp/empty "$lab_dir/client"
(
	cd /srv/sniff-ftp/bob
	printf 'Hello from the server.\nSecond line.\n' >readme.txt
	seq 1 4000 >pub/numbers.txt
	head -c 40000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >pub/random.bin
	head -c 400000 /dev/zero | openssl enc -aes-128-ctr -K 01 -iv 00 2>/dev/null >pub/large.bin
	printf 'caf\351' >"$(printf 'pub/caf\351.txt')"
)
chown -R 2001:2001 /srv/sniff-ftp/bob
find /srv/sniff-ftp -exec touch -h -d '2026-01-02 03:04:05 UTC' {} +

openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=server.example -keyout "$lab_dir/key.pem" -out "$lab_dir/cert.pem" 2>/dev/null

# vsftpd NAME PORT OPTION...: one server, in the foreground.
vsftpd_run() {
	name=$1 port=$2
	shift 2
	{
		cat <<CONF
listen=NO
listen_ipv6=YES
listen_port=$port
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
pam_service_name=vsftpd
secure_chroot_dir=/srv/sniff-ftp/empty
connect_from_port_20=YES
ascii_download_enable=YES
ascii_upload_enable=YES
pasv_min_port=50000
pasv_max_port=50099
seccomp_sandbox=NO
file_open_mode=0666
rsa_cert_file=$lab_dir/cert.pem
rsa_private_key_file=$lab_dir/key.pem
CONF
		for option; do echo "$option"; done
	} >"$lab_dir/$name.conf"
	server_run "$name" vsftpd "$lab_dir/$name.conf"
	wait_port "$port"
}

vsftpd_run plain 21
vsftpd_run tls 2121 ssl_enable=YES force_local_logins_ssl=YES force_local_data_ssl=YES require_ssl_reuse=NO
vsftpd_run reuse 2122 ssl_enable=YES force_local_data_ssl=YES require_ssl_reuse=YES
vsftpd_run nat 2123 listen=YES listen_ipv6=NO pasv_address=10.0.0.5
vsftpd_run fxp 2124 listen=YES listen_ipv6=NO connect_from_port_20=NO port_promiscuous=YES pasv_promiscuous=YES
vsftpd_run mixed 2126 ssl_enable=YES force_local_logins_ssl=NO force_local_data_ssl=NO require_ssl_reuse=NO
vsftpd_run implicit 990 ssl_enable=YES implicit_ssl=YES force_local_data_ssl=YES require_ssl_reuse=NO

cd "$lab_dir/client"
head -c 15000 /srv/sniff-ftp/bob/pub/random.bin >random.bin
seq 1 500 >upload.txt
url=ftp://bob:secret@server.example
url6=ftp://bob:secret@server6.example

# python CASE < script: a dialogue by ftplib.
python() {
	cat >"$lab_dir/$1.py"
	case_of "$1" python3 "$lab_dir/$1.py"
}

case_of passive-download curl -sS --disable-epsv -o got "$url/pub/random.bin"
case_of active-upload curl -sS -P 192.0.2.10 --disable-eprt -T upload.txt "$url/pub/uploaded.txt"
case_of ipv6-extended-passive curl -sS -6 "$url6/pub/" -o got
case_of ipv6-extended-active curl -sS -6 -P - -o got "$url6/readme.txt"
case_of resumed curl -sS -C - -o random.bin "$url/pub/random.bin"
case_of pipelined lftp -e 'set ftp:sync-mode no; set ftp:use-mdtm no; set net:max-retries 1; cd pub; cls -l; get random.bin -o pipelined.bin; get numbers.txt -o numbers.txt; bye' -u bob,secret server.example
case_of ascii curl -sS -B -o got "$url/pub/numbers.txt"
case_of nat-address-ignored curl -sS --ftp-skip-pasv-ip --disable-epsv -o got "ftp://bob:secret@server.example:2123/readme.txt"
case_of nat-address-believed curl -sS --no-ftp-skip-pasv-ip --disable-epsv --connect-timeout 3 -o got "ftp://bob:secret@server.example:2123/readme.txt"
case_of file-refused lftp -e 'set net:max-retries 1; set ftp:use-size no; get pub/nothere.bin; bye' -u bob,secret server.example

python failed-logins <<'PY'
import ftplib
for attempt in range(2):
    ftp = ftplib.FTP("server.example")
    for password in ("123456", "letmein"):
        try:
            ftp.login("bob", password)
        except ftplib.error_perm:
            pass
    ftp.close()
ftp = ftplib.FTP("server.example")
ftp.login("bob", "secret")
ftp.quit()
PY

# The transfers of other clients.
case_of tnftp-client tnftp -n -V -o got "$url/pub/random.bin"

# A reader that is slower than the line: its window closes again and again.
python slow-reader <<'PY'
import ftplib, socket, time
ftp = ftplib.FTP("server.example")
ftp.login("bob", "secret")
ftp.voidcmd("TYPE I")
host, port = ftp.makepasv()
data = socket.socket()
data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
data.connect((host, port))
ftp.sendcmd("RETR pub/random.bin")
while data.recv(1024):
    time.sleep(0.08)
data.close()
ftp.voidresp()
ftp.quit()
PY

# A line that loses packets behind the place of the capture.
on_client nft -f - <<'NFT'
table inet wall {
	chain input { type filter hook input priority 0; tcp sport 50000-50099 ip length > 1000 numgen inc mod 2 == 1 drop; }
}
NFT
case_of lossy-line curl -sS --disable-epsv -o got "$url/pub/random.bin"
on_client nft delete table inet wall

# Only the data connections are in the capture.
LAB_FILTER='not arp and not icmp6 and not port 21'
case_of listing-without-control curl -sS --disable-epsv "$url/pub/" -o got
case_of active-without-control curl -sS -P 192.0.2.10 --disable-eprt -o got "$url/pub/random.bin"
unset LAB_FILTER

# One server sends a file to another one, on the word of a client (FXP). Both
# are on the same side, so that the file does not cross the wire.
on_server ip addr add 192.0.2.21/24 dev eth0
python server-to-server <<'PY'
import ftplib
source, target = ftplib.FTP(), ftplib.FTP()
for ftp, host in (source, "192.0.2.20"), (target, "192.0.2.21"):
    ftp.connect(host, 2124)
    ftp.login("bob", "secret")
    ftp.voidcmd("TYPE I")
host, port = ftplib.parse227(target.sendcmd("PASV"))
source.sendport(host, port)
target.putcmd("STOR copied.bin")
source.sendcmd("RETR pub/random.bin")
target.getresp()
source.voidresp()
target.voidresp()
source.quit()
target.quit()
PY

python aborted <<'PY'
import ftplib, time
ftp = ftplib.FTP("server.example")
ftp.login("bob", "secret")
ftp.voidcmd("TYPE I")
ftp.sock.settimeout(5)
data = ftp.transfercmd("RETR pub/large.bin")
data.recv(8000)
time.sleep(0.2)
try:
    ftp.abort()
except ftplib.all_errors:
    pass
data.close()
try:
    ftp.voidcmd("NOOP")
    ftp.quit()
except ftplib.all_errors:
    pass
PY

python append-and-changes <<'PY'
import ftplib, io
ftp = ftplib.FTP("server.example", encoding="latin-1")
ftp.login("bob", "secret")
ftp.cwd("pub")
ftp.storbinary("APPE log.txt", io.BytesIO(b"first\n"))
ftp.storbinary("APPE log.txt", io.BytesIO(b"second\n"))
ftp.storbinary("STOU", io.BytesIO(b"unique\n"))
ftp.retrbinary("RETR caf\xe9.txt", lambda b: None)
ftp.mkd("new")
ftp.rename("log.txt", "new/log.txt")
ftp.sendcmd("SITE CHMOD 600 new/log.txt")
ftp.size("new/log.txt")
ftp.delete("new/log.txt")
ftp.rmd("new")
ftp.retrlines("NLST", lambda l: None)
ftp.retrlines("LIST", lambda l: None)
ftp.quit()
PY

# A firewall in front of the server that knows port 21 only.
on_server nft -f - <<'NFT'
table inet wall {
	chain input { type filter hook input priority 0; tcp dport 50000-50099 drop; }
}
NFT
case_of passive-port-dropped curl -sS --connect-timeout 3 -o got "$url/readme.txt"
on_server nft delete table inet wall
on_server nft -f - <<'NFT'
table inet wall {
	chain input { type filter hook input priority 0; tcp dport 50000-50099 reject with tcp reset; }
}
NFT
case_of passive-port-refused curl -sS --disable-epsv -o got "$url/readme.txt"
on_server nft delete table inet wall
on_server nft -f - <<'NFT'
table inet wall {
	chain input { type filter hook input priority 0; tcp dport 50000-50099 reject with icmp type admin-prohibited; }
}
NFT
case_of passive-port-prohibited curl -sS --disable-epsv --connect-timeout 3 -o got "$url/readme.txt"
on_server nft delete table inet wall
# With their keys beside them: *.keys is the key log that the client wrote.
keylog_case() {
	if [ -n "$only" ]; then
		case " $only " in *" $1 "*) ;; *) return 0 ;; esac
	fi
	rm -f "$here/$1.keys"
	name=$1
	shift
	record "$name" env SSLKEYLOGFILE="$here/$name.keys" "$@"
	chmod 0644 "$here/$name.keys"
}
keylog_case ftps-explicit curl -sSk --ssl-reqd -o got "ftp://bob:secret@server.example:2121/pub/random.bin"
keylog_case ftps-explicit-tls12 curl -sSk --tls-max 1.2 --ssl-reqd -o got "ftp://bob:secret@server.example:2121/pub/random.bin"
keylog_case ftps-implicit curl -sSk -o got "ftps://bob:secret@server.example/readme.txt"
keylog_case ftps-clear-refused curl -sSk --ssl-reqd --ftp-ssl-ccc -o got "ftp://bob:secret@server.example:2121/readme.txt"
keylog_case ftps-resumed lftp -e 'set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set net:max-retries 1; cd pub; cls -l; get random.bin -o ftps.bin; bye' -u bob,secret -p 2122 server.example
keylog_case ftps-data-in-clear curl -sSk --ftp-ssl-control -o got "ftp://bob:secret@server.example:2126/readme.txt"
case_of ftps-without-keys curl -sSk --ssl-reqd -o got "ftp://bob:secret@server.example:2121/pub/random.bin"
case_of ftps-implicit-without-keys curl -sSk -o got "ftps://bob:secret@server.example/pub/random.bin"
cat >"$lab_dir/ftps-reuse-demanded.py" <<'PY'
import ftplib, ssl
context = ssl._create_unverified_context()
context.keylog_filename = __import__("os").environ["SSLKEYLOGFILE"]
ftp = ftplib.FTP_TLS(context=context)
ftp.connect("server.example", 2122)
ftp.login("bob", "secret")
ftp.prot_p()
try:
    ftp.retrlines("LIST", lambda l: None)
except ftplib.all_errors:
    pass
try:
    ftp.quit()
except (ftplib.all_errors, ssl.SSLError, EOFError):
    pass
PY
keylog_case ftps-reuse-demanded python3 "$lab_dir/ftps-reuse-demanded.py"

# The server goes on calling the client until somebody answers.
on_client nft -f - <<'NFT'
table inet wall {
	chain input { type filter hook input priority 0; tcp sport 20 drop; }
}
NFT
LAB_SETTLE=1 case_of active-blocked curl -sS -P - --max-time 4 -o got "$url/readme.txt"
on_client nft delete table inet wall

[ -n "${FTP_SERVERS:-}" ] || exit 0
lib=$FTP_SERVERS/usr/lib/x86_64-linux-gnu
printf 'bob:%s:2001:2001::/srv/sniff-ftp/bob:/bin/sh\n' "$(openssl passwd -6 secret)" >"$lab_dir/pro.passwd"
chmod 0600 "$lab_dir/pro.passwd"
cat >"$lab_dir/proftpd.conf" <<CONF
ServerName files.example
ServerType standalone
DefaultAddress 192.0.2.20
Port 2131
UseIPv6 off
User nobody
Group nogroup
ModulePath $FTP_SERVERS/usr/lib/proftpd
LoadModule mod_deflate.c
LoadModule mod_digest.c
PidFile $lab_dir/proftpd.pid
ScoreboardFile $lab_dir/proftpd.scoreboard
DelayEngine off
WtmpLog off
AuthUserFile $lab_dir/pro.passwd
AuthOrder mod_auth_file.c
RequireValidShell off
PassivePorts 50000 50099
AllowStoreRestart on
AllowRetrieveRestart on
DeflateEngine on
CONF
server_run proftpd env LD_LIBRARY_PATH="$lib" "$FTP_SERVERS/usr/sbin/proftpd" -n -c "$lab_dir/proftpd.conf"
wait_port 2131
case_of proftpd-mode-z lftp -e 'set ftp:use-mode-z yes; set net:max-retries 1; cd pub; cls -l; get numbers.txt -o z.txt; bye' -u bob,secret -p 2131 server.example
case_of proftpd-machine-listing lftp -e 'set ftp:use-mlsd yes; set net:max-retries 1; cd pub; cls -l; get random.bin -o got.bin; bye' -u bob,secret -p 2131 server.example

python proftpd-digests <<'PY'
import ftplib
ftp = ftplib.FTP()
ftp.connect("server.example", 2131)
ftp.login("bob", "secret")
ftp.cwd("pub")
ftp.retrbinary("RETR random.bin", lambda b: None)
for command in ("XSHA256 random.bin", "XMD5 random.bin", "XCRC random.bin", "OPTS HASH SHA-256", "HASH random.bin"):
    try:
        ftp.sendcmd(command)
    except ftplib.error_perm:
        pass
ftp.quit()
PY
# A download that breaks off, and its rest over a connection of the other kind.
pro=ftp://bob:secret@server.example:2131
case_of proftpd-curl-resumed sh -c 'rm -f part; curl -sS -r 0-14999 -o part "$0"; curl -sS -C - -P 192.0.2.10 --disable-eprt -o part "$0"' "$pro/pub/random.bin"
case_of proftpd-tnftp-active tnftp -A -V -o got "$pro/pub/numbers.txt"

# ABOR as RFC 959 has it: Telnet's IP and DM in front, the DM's mark urgent.
python proftpd-telnet-abort <<'PY'
import ftplib, socket, time
ftp = ftplib.FTP()
ftp.connect("server.example", 2131, timeout=5)
ftp.login("bob", "secret")
ftp.voidcmd("TYPE I")
host, port = ftp.makepasv()
data = socket.socket()
data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
data.connect((host, port))
ftp.sendcmd("RETR pub/large.bin")
data.recv(4000)
time.sleep(0.2)
ftp.sock.sendall(b"\xff\xf4")
ftp.sock.send(b"\xff", socket.MSG_OOB)
ftp.sock.sendall(b"\xf2ABOR\r\n")
for _ in range(2):
    try:
        ftp.getmultiline()
    except (ftplib.all_errors, EOFError):
        pass
data.close()
try:
    ftp.quit()
except (ftplib.all_errors, EOFError):
    pass
PY

case_of ncftp-client "$FTP_SERVERS/usr/bin/ncftpget" -u bob -p secret -V -P 2131 server.example "$lab_dir/home" pub/numbers.txt

server_run pure-ftpd env LD_LIBRARY_PATH="$lib" "$FTP_SERVERS/usr/sbin/pure-ftpd" -S 2132 -p 50000:50099 -l unix -u 1 -C 8 -H
wait_port 2132
case_of pure-ftpd curl -sS --disable-epsv -o got "ftp://bob:secret@server.example:2132/pub/random.bin"

pure=ftp://bob:secret@server.example:2132
case_of pure-ftpd-tnftp-upload tnftp -V -u "$pure/pub/stored.txt" upload.txt
python pure-ftpd-ftplib <<'PY'
import ftplib, io
ftp = ftplib.FTP()
ftp.connect("server.example", 2132)
ftp.login("bob", "secret")
ftp.cwd("pub")
ftp.retrlines("RETR numbers.txt", lambda l: None)
ftp.set_pasv(False)
ftp.storlines("STOR lines.txt", io.BytesIO(b"one\ntwo\n"))
ftp.storbinary("STOR part.bin", io.BytesIO(bytes(range(100))))
size = ftp.size("part.bin")
ftp.storbinary("APPE part.bin", io.BytesIO(bytes(range(100, 250))))
try:
    ftp.storbinary("STOU unique.bin", io.BytesIO(b"unique\n"))
except ftplib.all_errors:
    pass
ftp.retrbinary("RETR random.bin", lambda b: None, rest=39000)
ftp.retrlines("MLSD", lambda l: None)
ftp.quit()
PY

# It takes CCC, which vsftpd does not.
cat "$lab_dir/key.pem" "$lab_dir/cert.pem" >"$lab_dir/both.pem"
server_run pure-ftpd-tls env LD_LIBRARY_PATH="$lib" "$FTP_SERVERS/usr/sbin/pure-ftpd" -S 2134 -p 50000:50099 -l unix -u 1 -C 8 -H -Y 1 -2 "$lab_dir/both.pem"
wait_port 2134
cat >"$lab_dir/ftps-clear-command-channel.py" <<'PY'
import ftplib, os, ssl
context = ssl._create_unverified_context()
context.keylog_filename = os.environ["SSLKEYLOGFILE"]
ftp = ftplib.FTP_TLS(context=context)
ftp.connect("server.example", 2134, timeout=5)
ftp.login("bob", "secret")
ftp.prot_p()
ftp.ccc()
ftp.cwd("pub")
with ftp.transfercmd("RETR numbers.txt") as data:
    while data.recv(8192):
        pass
    data.unwrap()
ftp.voidresp()
ftp.quit()
PY
keylog_case ftps-clear-command-channel python3 "$lab_dir/ftps-clear-command-channel.py"
