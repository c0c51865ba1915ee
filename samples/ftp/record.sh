#!/bin/sh
# Records the FTP samples with vsftpd; site.sh says what it needs.
# Usage: record.sh [CASE...] (all without arguments).
. "$(dirname "$0")/site.sh"

vsftpd_run plain 21
vsftpd_run tls 2121 ssl_enable=YES force_local_logins_ssl=YES force_local_data_ssl=YES require_ssl_reuse=NO
vsftpd_run reuse 2122 ssl_enable=YES force_local_data_ssl=YES require_ssl_reuse=YES
vsftpd_run nat 2123 listen=YES listen_ipv6=NO pasv_address=10.0.0.5
vsftpd_run fxp 2124 listen=YES listen_ipv6=NO connect_from_port_20=NO port_promiscuous=YES pasv_promiscuous=YES
vsftpd_run mixed 2126 ssl_enable=YES force_local_logins_ssl=NO force_local_data_ssl=NO require_ssl_reuse=NO
vsftpd_run implicit 990 ssl_enable=YES implicit_ssl=YES force_local_data_ssl=YES require_ssl_reuse=NO

case_of passive-download curl -sS --disable-epsv -o got "$url/pub/random.bin"
holds passive-download $bob/pub/random.bin
case_of active-upload curl -sS -P 192.0.2.10 --disable-eprt -T upload.txt "$url/pub/uploaded.txt"
holds active-upload $bob/pub/uploaded.txt
case_of ipv6-extended-passive curl -sS -6 "$url6/pub/" -o got
case_of ipv6-extended-active curl -sS -6 -P - -o got "$url6/readme.txt"
holds ipv6-extended-active $bob/readme.txt
# The twins in the clear of ftps-explicit and ftps-implicit.
case_of extended-passive curl -sS -o got "$url/pub/random.bin"
holds extended-passive $bob/pub/random.bin
case_of extended-passive-text curl -sS -o got "$url/readme.txt"
holds extended-passive-text $bob/readme.txt
case_of resumed curl -sS -C - -o random.bin "$url/pub/random.bin"
case_of pipelined lftp -e 'set ftp:sync-mode no; set ftp:use-mdtm no; set net:max-retries 1; cd pub; cls -l; get random.bin -o pipelined.bin; get numbers.txt -o numbers.txt; bye' -u bob,secret server.example
holds pipelined $bob/pub/random.bin $bob/pub/numbers.txt
case_of ascii curl -sS -B -o got "$url/pub/numbers.txt"
holds ascii "$lab_dir/numbers.crlf"
case_of nat-address-ignored curl -sS --ftp-skip-pasv-ip --disable-epsv -o got "ftp://bob:secret@server.example:2123/readme.txt"
holds nat-address-ignored $bob/readme.txt
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
holds tnftp-client $bob/pub/random.bin

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
holds slow-reader $bob/pub/random.bin

# A line that loses packets behind the place of the capture.
on_client nft -f - <<'NFT'
table inet wall {
	chain input { type filter hook input priority 0; tcp sport 50000-50099 ip length > 1000 numgen inc mod 2 == 1 drop; }
}
NFT
case_of lossy-line curl -sS --disable-epsv -o got "$url/pub/random.bin"
holds lossy-line $bob/pub/random.bin
on_client nft delete table inet wall

# Only the data connections are in the capture.
LAB_FILTER='not arp and not icmp6 and not port 21'
case_of listing-without-control curl -sS --disable-epsv "$url/pub/" -o got
case_of active-without-control curl -sS -P 192.0.2.10 --disable-eprt -o got "$url/pub/random.bin"
holds active-without-control $bob/pub/random.bin
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
printf 'first\n' >log.txt.1
printf 'second\n' >log.txt.2
printf 'unique\n' >unique
printf 'caf\351' >caf.txt
holds append-and-changes log.txt.1 log.txt.2 unique caf.txt

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
keylog_case ftps-explicit curl -sSk --ssl-reqd -o got "ftp://bob:secret@server.example:2121/pub/random.bin"
holds ftps-explicit $bob/pub/random.bin
keylog_case ftps-explicit-tls12 curl -sSk --tls-max 1.2 --ssl-reqd -o got "ftp://bob:secret@server.example:2121/pub/random.bin"
holds ftps-explicit-tls12 $bob/pub/random.bin
keylog_case ftps-implicit curl -sSk -o got "ftps://bob:secret@server.example/readme.txt"
holds ftps-implicit $bob/readme.txt
keylog_case ftps-clear-refused curl -sSk --ssl-reqd --ftp-ssl-ccc -o got "ftp://bob:secret@server.example:2121/readme.txt"
holds ftps-clear-refused $bob/readme.txt
keylog_case ftps-resumed lftp -e 'set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set net:max-retries 1; cd pub; cls -l; get random.bin -o ftps.bin; bye' -u bob,secret -p 2122 server.example
holds ftps-resumed $bob/pub/random.bin
keylog_case ftps-data-in-clear curl -sSk --ftp-ssl-control -o got "ftp://bob:secret@server.example:2126/readme.txt"
holds ftps-data-in-clear $bob/readme.txt
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

