"""Says nothing about the data connection, which is in the clear then, and lists: PORT AUTHORITY"""
import ftplib, ssl, sys

f = ftplib.FTP_TLS(context=ssl.create_default_context(cafile=sys.argv[2]), timeout=100)
f.connect("localhost", int(sys.argv[1]))
f.login("ftp", "x")
print(f.retrlines("LIST"))
