#!/bin/sh
# Records FTP sessions in which something goes wrong, or is unsafe: what sniff
# has to find out. site.sh says what it needs.
# Usage: record-failures.sh [CASE...] (all without arguments).
. "$(dirname "$0")/site.sh"

vsftpd_run plain 21
vsftpd_run tls 2121 ssl_enable=YES force_local_logins_ssl=YES force_local_data_ssl=YES require_ssl_reuse=NO
vsftpd_run fxp 2124 listen=YES listen_ipv6=NO connect_from_port_20=NO port_promiscuous=YES pasv_promiscuous=YES
vsftpd_run mixed 2126 ssl_enable=YES force_local_logins_ssl=NO force_local_data_ssl=NO require_ssl_reuse=NO

# Active mode: not allowed by the server, and not let in by the client.
vsftpd_run passive 2151 port_enable=NO
case_of active-refused curl -sS -P 192.0.2.10 --disable-eprt -o got "ftp://bob:secret@server.example:2151/readme.txt"
vsftpd_run patient 2152 connect_timeout=2
on_client nft -f - <<'NFT'
table inet wall {
	chain input { type filter hook input priority 0; tcp sport 20 reject with tcp reset; }
}
NFT
case_of active-rejected curl -sS -P - --max-time 10 -o got "ftp://bob:secret@server.example:2152/readme.txt"
on_client nft delete table inet wall

# A client that has the server connect to a third machine: to a port below 1024
# at a server that does not do it, and at one that does.
python bounce <<'PY'
import ftplib
for port in 21, 2124:
    ftp = ftplib.FTP()
    ftp.connect("192.0.2.20", port)
    ftp.login("bob", "secret")
    for command in "PORT 192,0,2,99,0,25", "PORT 192,0,2,99,200,0":
        try:
            ftp.sendcmd(command)
        except ftplib.error_perm:
            pass
    ftp.quit()
PY

# A second machine takes the passive port before the client does.
on_client ip addr add 192.0.2.66/24 dev eth0
python data-hijacked <<'PY'
import ftplib, socket
ftp = ftplib.FTP()
ftp.connect("192.0.2.20", 2124, source_address=("192.0.2.10", 0))
ftp.login("bob", "secret")
ftp.voidcmd("TYPE I")
port = ftplib.parse227(ftp.sendcmd("PASV"))[1]
stranger = socket.create_connection(("192.0.2.20", port), source_address=("192.0.2.66", 0))
ftp.sendcmd("RETR readme.txt")
while stranger.recv(8192):
    pass
stranger.close()
ftp.voidresp()
ftp.quit()
PY
holds data-hijacked $bob/readme.txt

# A cluster: the data connections go to another address than the control ones.
on_server ip addr add 192.0.2.22/24 dev eth0
on_server nft -f - <<'NFT'
table ip cluster {
	chain prerouting { type nat hook prerouting priority -100; ip daddr 192.0.2.22 dnat to 192.0.2.20; }
}
NFT
vsftpd_run cluster 2153 listen=YES listen_ipv6=NO pasv_address=192.0.2.22
case_of data-on-other-machine curl -sS --no-ftp-skip-pasv-ip --disable-epsv -o got "ftp://bob:secret@server.example:2153/readme.txt"
holds data-on-other-machine $bob/readme.txt
on_server nft delete table ip cluster

# A file of the kernel's that says it has 4096 bytes and has none.
empty=$(on_server find /sys/module /sys/class/net /sys/kernel -maxdepth 3 -type f -size 4096c -perm -444 2>/dev/null | while read -r f; do
	on_server sh -c "[ \$(cat '$f' 2>/dev/null | wc -c) = 0 ] && cat '$f' >/dev/null 2>&1" && echo "$f" && break
done) || true
ln -sf "$empty" $bob/empty.bin
case_of data-empty curl -sS --disable-epsv -o got "$url/empty.bin"

# The file shrinks while it is sent, to a number of whole pages: what is under
# way of others stays as it was.
head -c 400000 $bob/pub/large.bin >$bob/shrinks.bin
python file-shrank <<'PY'
import ftplib, os, socket, time
ftp = ftplib.FTP("server.example")
ftp.login("bob", "secret")
ftp.voidcmd("TYPE I")
ftp.size("shrinks.bin")
host, port = ftp.makepasv()
data = socket.socket()
data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
data.connect((host, port))
ftp.sendcmd("RETR shrinks.bin")
data.recv(1000)
time.sleep(0.3)
os.truncate("/srv/sniff-ftp/bob/shrinks.bin", 20480)
while data.recv(65536):
    pass
data.close()
ftp.getmultiline()
ftp.quit()
PY

# Text mode on what is no text.
case_of ascii-damage curl -sS -B --disable-epsv -o got "$url/pub/random.bin"
# vsftpd leaves CR LF as it is.
python3 -c 'import re, sys; sys.stdout.buffer.write(re.sub(rb"(?<!\r)\n", b"\r\n", open(sys.argv[1], "rb").read()))' $bob/pub/random.bin >random.crlf
holds ascii-damage random.crlf

# A place where the account may not write, and a name that is taken.
mkdir -p $bob/readonly
chown 0:0 $bob/readonly
case_of store-refused curl -sS -T upload.txt "$url/readonly/upload.txt"

# No room: each server says it in another way.
seq 1 5000 >big.txt
case_of disk-full curl -sS --disable-epsv -T big.txt "$url/full/big.txt"
# Of a full disk proftpd says so only when not even a part of a buffer fits.
rm -f $bob/full/*
head -c 16384 /dev/zero >$bob/full/other 2>/dev/null || true
proftpd_run proftpd 2131
case_of proftpd-disk-full curl -sS --disable-epsv -T big.txt "ftp://bob:secret@server.example:2131/full/big.txt"
rm -f $bob/full/*
pure_ftpd_run 2132
case_of pure-ftpd-disk-full curl -sS --disable-epsv -T big.txt "ftp://bob:secret@server.example:2132/full/big.txt"
rm -f $bob/full/*
# A quota of ten files and nothing in them.
pure_ftpd_run 2133 -n 10:0
python pure-ftpd-quota <<'PY'
import ftplib
ftp = ftplib.FTP()
ftp.connect("server.example", 2133)
ftp.login("bob", "secret")
try:
    ftp.storbinary("STOR quota.txt", open("big.txt", "rb"))
except ftplib.all_errors:
    pass
try:
    ftp.quit()
except (ftplib.all_errors, EOFError):
    pass
PY

# Servers that do not resume: in ASCII, and not at all.
python restart-refused <<'PY'
import ftplib
ftp = ftplib.FTP("server.example")
ftp.login("bob", "secret")
for kind in "A", "I":
    ftp.voidcmd("TYPE " + kind)
    try:
        if kind == "A":
            ftp.transfercmd("RETR pub/numbers.txt", rest=100).close()
        else:
            ftp.sendcmd("REST -5")
    except ftplib.all_errors:
        pass
ftp.quit()
PY
proftpd_run proftpd-from-start 2135 'AllowRetrieveRestart off'
python proftpd-restart-refused <<'PY'
import ftplib
ftp = ftplib.FTP()
ftp.connect("server.example", 2135)
ftp.login("bob", "secret")
for kind in "A", "I":
    ftp.voidcmd("TYPE " + kind)
    try:
        ftp.transfercmd("RETR pub/numbers.txt", rest=100).close()
    except ftplib.all_errors:
        pass
ftp.quit()
PY

# The file is another one by the time that the server digests it.
python proftpd-digest-differs <<'PY'
import ftplib
ftp = ftplib.FTP()
ftp.connect("server.example", 2131)
ftp.login("bob", "secret")
ftp.retrbinary("RETR readme.txt", lambda b: None)
with open("/srv/sniff-ftp/bob/readme.txt", "a") as f:
    f.write("Third line.\n")
ftp.sendcmd("XSHA256 readme.txt")
ftp.quit()
PY
head -n 2 $bob/readme.txt >readme.txt && cp readme.txt $bob/readme.txt
holds proftpd-digest-differs readme.txt

# The server ends a session: an idle one, and one in the middle of a file.
vsftpd_run idle 2154 idle_session_timeout=2
python idle-timeout <<'PY'
import ftplib, time
ftp = ftplib.FTP()
ftp.connect("server.example", 2154)
ftp.login("bob", "secret")
time.sleep(3.5)
try:
    ftp.sendcmd("NOOP")
except (ftplib.all_errors, EOFError):
    pass
PY
slow_client() { # PORT
	cat <<PY
import ftplib, socket, time
ftp = ftplib.FTP()
ftp.connect("server.example", $1, timeout=6)
ftp.login("bob", "secret")
ftp.voidcmd("TYPE I")
host, port = ftp.makepasv()
data = socket.socket()
data.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
data.connect((host, port))
ftp.sendcmd("RETR pub/random.bin")
while data.recv(1000):
    time.sleep(0.1)
data.close()
try:
    ftp.getmultiline()
    ftp.quit()
except (ftplib.all_errors, OSError, EOFError):
    pass
ftp.close()
PY
}
proftpd_run proftpd-short-day 2136 'TimeoutSession 3'
slow_client 2136 | python proftpd-session-timeout
holds proftpd-session-timeout $bob/pub/random.bin

# A firewall that forgets connections which are silent for two seconds, as the
# control connection is while a file moves, and then lets nothing of them pass.
on_server sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
on_server nft -f - <<'NFT'
table inet wall {
	ct timeout brief { protocol tcp; policy = { established: 2 }; }
	chain early { type filter hook prerouting priority -150; tcp dport 21 ct timeout set "brief"; }
	chain input { type filter hook input priority 0; tcp dport 21 ct state invalid drop; }
	chain output { type filter hook output priority 0; tcp sport 21 ct state invalid drop; }
}
NFT
slow_client 21 | python control-forgotten
on_server nft delete table inet wall
holds control-forgotten $bob/pub/random.bin

# Somebody tries passwords, over and over.
vsftpd_run quick 2155 delay_failed_login=0 max_login_fails=4
python guessing <<'PY'
import ftplib
for start in range(3):
    ftp = ftplib.FTP()
    ftp.connect("server.example", 2155)
    try:
        for n in range(4):
            try:
                ftp.login("bob", "guess%d%d" % (start, n))
            except ftplib.error_perm:
                pass
    except (ftplib.all_errors, EOFError):
        pass
    ftp.close()
PY

# Anybody may leave files here, and take others away.
mkdir -p /srv/sniff-ftp/anonymous/incoming
chown 2001:2001 /srv/sniff-ftp/anonymous/incoming
vsftpd_run anonymous 2156 anonymous_enable=YES ftp_username=bob anon_root=/srv/sniff-ftp/anonymous anon_upload_enable=YES anon_mkdir_write_enable=YES anon_other_write_enable=YES anon_umask=022
python anonymous-write <<'PY'
import ftplib
ftp = ftplib.FTP()
ftp.connect("server.example", 2156)
ftp.login()
ftp.cwd("incoming")
ftp.storbinary("STOR warez.bin", open("upload.txt", "rb"))
ftp.mkd("new")
ftp.rename("warez.bin", "moved.bin")
ftp.quit()
PY
holds anonymous-write upload.txt

# TLS: not on data although it was demanded, spoken on one side only, and
# commands in the clear right behind AUTH TLS.
keylog_case ftps-protection-demanded curl -sSk --ftp-ssl-control -o got "ftp://bob:secret@server.example:2121/readme.txt"
ftps_client() {
	cat <<'PY'
import ftplib, io, os, socket, ssl
context = ssl._create_unverified_context()
context.keylog_filename = os.environ["SSLKEYLOGFILE"]
def session(port):
    ftp = ftplib.FTP_TLS(context=context)
    ftp.connect("server.example", port, timeout=5)
    ftp.login("bob", "secret")
    return ftp
def ends(ftp):
    for step in ftp.getmultiline, ftp.quit:
        try:
            step()
        except (ftplib.all_errors, OSError, EOFError):
            pass
    ftp.close()
PY
}
{
	ftps_client
	cat <<'PY'
ftp = session(2126)
ftp.prot_p()
ftp.voidcmd("TYPE I")
data = socket.create_connection(ftp.makepasv(), timeout=5)
ftp.putcmd("STOR plain.txt")
ftp.getmultiline()
data.sendall(b"in the clear\n" * 10)
data.close()
ends(ftp)
PY
} >"$lab_dir/ftps-data-without-tls.py"
keylog_case ftps-data-without-tls python3 "$lab_dir/ftps-data-without-tls.py"
{
	ftps_client
	cat <<'PY'
ftp = session(2126)
ftp.prot_c()
ftp.voidcmd("TYPE I")
data = socket.create_connection(ftp.makepasv(), timeout=5)
ftp.sendcmd("RETR readme.txt")
try:
    context.wrap_socket(data)
except OSError:
    pass
ends(ftp)
PY
} >"$lab_dir/ftps-data-unexpected-tls.py"
keylog_case ftps-data-unexpected-tls python3 "$lab_dir/ftps-data-unexpected-tls.py"
holds ftps-data-unexpected-tls $bob/readme.txt
cat >"$lab_dir/ftps-injection.py" <<'PY'
import socket, ssl
context = ssl._create_unverified_context()
s = socket.create_connection(("server.example", 2126), timeout=5)
s.recv(1000)
s.sendall(b"AUTH TLS\r\nDELE readme.txt\r\n")
s.recv(1000)
try:
    tls = context.wrap_socket(s)
    tls.sendall(b"QUIT\r\n")
    tls.recv(1000)
    tls.close()
except OSError:
    s.close()
PY
case_of ftps-injection python3 "$lab_dir/ftps-injection.py"
