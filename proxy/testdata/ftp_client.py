"""An FTP session with transfers of every kind; prints what came of each.

usage: ftp_client.py HOST PORT active|passive plain|clear|private|implicit VERSION CAFILE [USER PASSWORD [whole]]

with "whole" no transfer is aborted.
"""
import ftplib, hashlib, io, socket, ssl, sys

host, port, mode, secure, version, cafile = sys.argv[1:7]
user, password = sys.argv[7:9] or ("ftp", "me@x.test")


class Secure(ftplib.FTP_TLS):
    """Resumes the control connection's session on data connections, as servers
    may require, and can begin with TLS at once."""

    resumed = []

    def implicit(self, host, port):
        self.host, self.port = host, port
        raw = socket.create_connection((host, port), 50)
        self.af = raw.family
        self.sock = self.context.wrap_socket(raw, server_hostname="localhost")
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def auth(self):
        resp = self.voidcmd("AUTH TLS")
        self.sock = self.context.wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("r", encoding=self.encoding)
        return resp

    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            conn = self.context.wrap_socket(conn, server_hostname="localhost", session=self.sock.session)
            self.resumed.append(conn.session_reused)
        return conn, size


if secure == "plain":
    f = ftplib.FTP(timeout=100)
    f.connect(host, int(port))
    f.login(user, password)
else:
    ctx = ssl.create_default_context(cafile=cafile)
    ctx.maximum_version = ctx.minimum_version = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_"))
    f = Secure(context=ctx, timeout=100)
    if secure == "implicit":
        f.implicit(host, int(port))
        print(ftplib.FTP.login(f, user, password))
    else:
        f.connect(host, int(port))
        print(f.auth())
        print(ftplib.FTP.login(f, user, password))
    print(f.prot_c() if secure == "clear" else f.prot_p())
f.set_pasv(mode == "passive")


def digest(rest=None):
    h, n = hashlib.sha256(), 0

    def add(b):
        nonlocal n
        h.update(b)
        n += len(b)

    print("retr", f.retrbinary("RETR big.bin", add, rest=rest), n, h.hexdigest())


print("pwd", f.pwd())
print("nlst", sorted(f.nlst()))
lines = []
print("list", f.retrlines("LIST", lines.append), len(lines))
digest()
digest(1234567)
digest()
f.cwd("incoming")
up = bytes(range(256)) * 4096
print("stor", f.storbinary("STOR up.bin", io.BytesIO(up)))
print("size", f.size("up.bin"))
back = io.BytesIO()
print("back", f.retrbinary("RETR up.bin", back.write), back.getvalue() == up)
print("dele", f.delete("up.bin"))
print("empty", f.nlst())
f.cwd("/")
try:
    f.retrbinary("RETR none.bin", print)
except ftplib.error_perm as e:
    print("missing", e)
if "whole" not in sys.argv:
    # A transfer that is aborted: what is said depends on how far it got.
    conn = f.transfercmd("RETR big.bin")
    conn.recv(1000)
    conn.close()
    try:
        f.voidresp()
    except ftplib.all_errors as e:
        pass
f.set_pasv(mode == "passive")
digest()
print("quit", f.quit())
if secure in ("private", "implicit"):
    print("resumed", all(Secure.resumed))
