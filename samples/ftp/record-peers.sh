#!/bin/sh
# Records the FTP samples with proftpd and pure-ftpd; site.sh says what it needs.
# The case of ncftp wants its package unpacked beside the servers.
# Usage: record-peers.sh [CASE...] (all without arguments).
. "$(dirname "$0")/site.sh"

proftpd_run proftpd 2131
case_of proftpd-mode-z lftp -e 'set ftp:use-mode-z yes; set net:max-retries 1; cd pub; cls -l; get numbers.txt -o z.txt; bye' -u bob,secret -p 2131 server.example
holds proftpd-mode-z $bob/pub/numbers.txt
case_of proftpd-machine-listing lftp -e 'set ftp:use-mlsd yes; set net:max-retries 1; cd pub; cls -l; get random.bin -o got.bin; bye' -u bob,secret -p 2131 server.example
holds proftpd-machine-listing $bob/pub/random.bin

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
holds proftpd-digests $bob/pub/random.bin
# A download that breaks off, and its rest over a connection of the other kind.
pro=ftp://bob:secret@server.example:2131
case_of proftpd-curl-resumed sh -c 'rm -f part; curl -sS -r 0-14999 -o part "$0"; curl -sS -C - -P 192.0.2.10 --disable-eprt -o part "$0"' "$pro/pub/random.bin"
holds proftpd-curl-resumed $bob/pub/random.bin
case_of proftpd-tnftp-active tnftp -A -V -o got "$pro/pub/numbers.txt"
holds proftpd-tnftp-active $bob/pub/numbers.txt

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

[ ! -x "$peers/usr/bin/ncftpget" ] || case_of ncftp-client "$peers/usr/bin/ncftpget" -u bob -p secret -V -P 2131 server.example "$lab_dir/client" pub/numbers.txt
holds ncftp-client $bob/pub/numbers.txt

pure_ftpd_run 2132
case_of pure-ftpd curl -sS --disable-epsv -o got "ftp://bob:secret@server.example:2132/pub/random.bin"
holds pure-ftpd $bob/pub/random.bin

pure=ftp://bob:secret@server.example:2132
case_of pure-ftpd-tnftp-upload tnftp -V -u "$pure/pub/stored.txt" upload.txt
holds pure-ftpd-tnftp-upload $bob/pub/stored.txt
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
printf 'unique\n' >unique.bin
printf 'one\r\ntwo\r\n' >lines.txt # as they came
holds pure-ftpd-ftplib "$lab_dir/numbers.crlf" unique.bin $bob/pub/part.bin lines.txt

# It takes CCC, which vsftpd does not.
pure_ftpd_run 2134 -Y 1 -2 "$lab_dir/both.pem"
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
holds ftps-clear-command-channel "$lab_dir/numbers.crlf"
keylog_case pure-ftpd-ftps-curl curl -sSk --ssl-reqd -T upload.txt "ftp://bob:secret@server.example:2134/pub/tls-curl.txt" --next -sSk --ssl-reqd -o got "ftp://bob:secret@server.example:2134/pub/random.bin"
holds pure-ftpd-ftps-curl upload.txt $bob/pub/random.bin
keylog_case pure-ftpd-ftps-lftp lftp -e 'set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set net:max-retries 1; cd pub; cls -l; get random.bin -o tls.bin; put upload.txt -o tls-up.txt; bye' -u bob,secret -p 2134 server.example
holds pure-ftpd-ftps-lftp upload.txt $bob/pub/random.bin

# More of pure-ftpd: lftp, up and down, with what it lists.
case_of pure-ftpd-lftp lftp -e 'set net:max-retries 1; cd pub; cls -l; get numbers.txt -o lftp.txt; put upload.txt -o lftp-up.txt; bye' -u bob,secret -p 2132 server.example

# A name that the server makes up, from a client's own command for it.
printf 'open server.example 2131\nuser bob secret\nbinary\nsunique\nput upload.txt\nquit\n' >tnftp.script
case_of proftpd-unique-store sh -c 'tnftp -n -V <tnftp.script'
case_of proftpd-mode-z-upload lftp -e 'set ftp:use-mode-z yes; set net:max-retries 1; cd pub; put upload.txt -o z-up.txt; bye' -u bob,secret -p 2131 server.example

# FTPS of proftpd, which demands session reuse unless told otherwise.
proftpd_run proftpd-tls 2141 'TLSEngine on' 'TLSRequired on' 'TLSOptions NoSessionReuseRequired'
proftpd_run proftpd-reuse 2142 'TLSEngine on' 'TLSRequired on'
proftpd_run proftpd-clear 2143 'TLSEngine on' 'TLSOptions NoSessionReuseRequired'
proftpd_run proftpd-implicit 990 'TLSEngine on' 'TLSRequired on' 'TLSOptions UseImplicitSSL NoSessionReuseRequired'
tls=ftp://bob:secret@server.example
keylog_case proftpd-ftps-explicit curl -sSk --ssl-reqd -o got "$tls:2141/pub/random.bin"
keylog_case proftpd-ftps-implicit curl -sSk -o got "ftps://bob:secret@server.example/pub/numbers.txt"
keylog_case proftpd-ftps-ccc curl -sSk --ssl-reqd --ftp-ssl-ccc --ftp-ssl-ccc-mode active -o got "$tls:2143/pub/numbers.txt"
keylog_case proftpd-ftps-lftp lftp -e 'set ssl:verify-certificate no; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set net:max-retries 1; cd pub; get random.bin -o tls.bin; put upload.txt -o tls-up.txt; bye' -u bob,secret -p 2142 server.example
case_of proftpd-ftps-without-keys curl -sSk --ssl-reqd -T upload.txt "$tls:2141/pub/hidden.txt"
case_of proftpd-ftps-implicit-without-keys curl -sSk -o got "ftps://bob:secret@server.example/pub/numbers.txt"
cat >"$lab_dir/proftpd-ftps-reuse-demanded.py" <<'PY'
import ftplib, os, ssl
context = ssl._create_unverified_context()
context.keylog_filename = os.environ["SSLKEYLOGFILE"]
ftp = ftplib.FTP_TLS(context=context)
ftp.connect("server.example", 2142, timeout=10)
ftp.login("bob", "secret")
ftp.prot_p()
try:
    ftp.retrlines("LIST", lambda l: None)
except (ftplib.all_errors, ssl.SSLError, EOFError):
    pass
try:
    ftp.quit()
except (ftplib.all_errors, ssl.SSLError, EOFError):
    pass
PY
keylog_case proftpd-ftps-reuse-demanded python3 "$lab_dir/proftpd-ftps-reuse-demanded.py"
holds pure-ftpd-lftp $bob/pub/numbers.txt $bob/pub/lftp-up.txt
holds proftpd-unique-store upload.txt
holds proftpd-mode-z-upload $bob/pub/z-up.txt
holds proftpd-ftps-explicit $bob/pub/random.bin
holds proftpd-ftps-implicit $bob/pub/numbers.txt
holds proftpd-ftps-ccc $bob/pub/numbers.txt
holds proftpd-ftps-lftp $bob/pub/random.bin $bob/pub/tls-up.txt
