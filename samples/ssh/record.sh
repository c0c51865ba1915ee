#!/bin/sh
# Records the SSH samples: real clients and servers, one connection or a few
# each. What happened is in the name of the case and in truth.txt beside, which
# the servers' logs and the commands below vouch for.
#
# Needs root and the packages openssh-server openssh-client dropbear-bin
# tinysshd putty-tools python3-paramiko python3-asyncssh socat bsdutils curl nftables
# golang lftp, and proftpd out of .ci/peers.sh,
# beside those of lab.sh. Usage: record.sh [CASE...] (all without arguments).
. "$(dirname "$0")/../lab.sh"

only=$*
wanted() {
	[ -z "$only" ] && return 0
	for w in $only; do [ "$w" = "$1" ] && return 0; done
	return 1
}
case_of() { # CASE COMMAND...: record unless other cases were asked for
	wanted "$1" || return 0
	record "$@"
}

lab_up
keys=$lab_dir/keys
mkdir -p "$keys"
ssh-keygen -q -t dsa -N '' -C host -f "$keys/host_dsa"
for kind in ed25519 ecdsa rsa; do
	ssh-keygen -q -t $kind -N '' -C host -f "$keys/host_$kind"
	ssh-keygen -q -t $kind -N '' -C alice@client.example -f "$keys/user_$kind"
done
ssh-keygen -q -t ed25519 -N '' -C ca -f "$keys/ca"
cp "$keys/host_ed25519" "$keys/host_cert" && cp "$keys/host_ed25519.pub" "$keys/host_cert.pub"
ssh-keygen -q -s "$keys/ca" -I server.example -h -n server.example,192.0.2.20 -V 20260101:20360101 -z 7 "$keys/host_cert.pub"
cat "$keys"/user_*.pub >"$keys/authorized_keys"

# alice exists in the server's mount namespace only; her password is secret1.
cp /etc/passwd "$lab_dir/passwd" && echo 'alice:x:4000:4000::/home/alice:/bin/sh' >>"$lab_dir/passwd"
cp /etc/shadow "$lab_dir/shadow" && echo "alice:$(openssl passwd -6 secret1):19000:0:99999:7:::" >>"$lab_dir/shadow"
cp /etc/group "$lab_dir/group" && echo 'alice:x:4000:' >>"$lab_dir/group"
cat >"$lab_dir/as_server" <<-SCRIPT
	#!/bin/sh
	for f in passwd shadow group; do mount --bind "$lab_dir/\$f" /etc/\$f; done
	mount -t tmpfs -o mode=755 tmpfs /home && mkdir -p /home/alice/.ssh
	cp "$keys/authorized_keys" /home/alice/.ssh/ && chown -R 4000:4000 /home/alice && chmod 700 /home/alice/.ssh
	head -c 60000 /dev/urandom >/home/alice/report.bin
	mkdir -p /run/sshd
	exec "\$@"
SCRIPT
chmod 755 "$lab_dir/as_server" && chmod 711 "$lab_dir"

sshd() { # NAME PORT OPTION...
	name=$1 port=$2
	shift 2
	cat >"$lab_dir/sshd_$name" <<-CONF
		Port $port
		PidFile none
		StrictModes no
		UseDNS no
		PrintMotd no
		PrintLastLog no
		Subsystem sftp internal-sftp
		AuthorizedKeysFile /home/alice/.ssh/authorized_keys
	CONF
	for o in "$@"; do echo "$o" >>"$lab_dir/sshd_$name"; done
	server_run "sshd_$name" "$lab_dir/as_server" /usr/sbin/sshd -D -e -f "$lab_dir/sshd_$name"
	wait_port "$port"
}
# Options are taken from the first line that has them, so host keys and the
# like are given by each server.
sshd plain 22 "HostKey $keys/host_ed25519" "HostKey $keys/host_ecdsa" "HostKey $keys/host_rsa" "UsePAM no"
sshd pam 2222 "HostKey $keys/host_ecdsa" "UsePAM yes" "PasswordAuthentication no" "KbdInteractiveAuthentication yes" "PubkeyAuthentication no"
sshd old 2200 "HostKey $keys/host_rsa" "UsePAM no" "KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1" \
	"Ciphers 3des-cbc,aes128-cbc" "MACs hmac-sha1,hmac-md5" "HostKeyAlgorithms ssh-rsa"
sshd cert 2201 "HostKey $keys/host_cert" "HostCertificate $keys/host_cert-cert.pub" "UsePAM no" "KexAlgorithms diffie-hellman-group-exchange-sha256"
sshd tries 2202 "HostKey $keys/host_ed25519" "UsePAM no" "MaxAuthTries 3"

sshd dsa 2203 "HostKey $keys/host_dsa" "HostKeyAlgorithms ssh-dss" "UsePAM no"
sshd userca 2204 "HostKey $keys/host_ed25519" "TrustedUserCAKeys $keys/ca.pub" "UsePAM no"
sshd busy 2205 "HostKey $keys/host_ed25519" "MaxStartups 1:100:1" "UsePAM no"

# Answers the prompts of ssh from a list, one line for each prompt.
cat >"$lab_dir/askpass" <<-'SCRIPT'
	#!/bin/sh
	head -n 1 "$ANSWERS"
	sed -i 1d "$ANSWERS"
SCRIPT
chmod 755 "$lab_dir/askpass"
answers() { # ANSWER...: what to type
	export SSH_ASKPASS="$lab_dir/askpass" SSH_ASKPASS_REQUIRE=force ANSWERS="$lab_dir/answers" DISPLAY=:0
	printf '%s\n' "$@" >"$ANSWERS"
}
base="-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes"
key="$base -o IdentityFile=$keys/user_ed25519 -o BatchMode=yes"
password="$base -o PubkeyAuthentication=no -o PreferredAuthentications=password"
host=alice@server.example
# Types a session into ssh, key by key.
cat >"$lab_dir/typist" <<-'SCRIPT'
	#!/bin/sh
	keys() { for k in $(echo "$1" | sed 's/./& /g'); do printf %s "$k" | tr _ ' '; sleep 0.1; done; printf '\r'; sleep 0.6; }
	(sleep 1; keys id; keys ls_-l; sleep 1.5; keys uptime; keys exit) | "$@"
SCRIPT
chmod 755 "$lab_dir/typist"
head -c 40000 /dev/urandom >"$lab_dir/upload.bin"

answers wrong1 wrong2 secret1
case_of password-third-try ssh $password $host true
answers wrong1 wrong2 wrong3
case_of password-refused ssh $password $host true
case_of publickey-exec ssh $key $host 'echo done; id'
case_of publickey-second-key ssh $base -o BatchMode=yes -i "$keys/ca" -i "$keys/user_rsa" $host id
case_of publickey-refused ssh $base -o BatchMode=yes -i "$keys/ca" $host id
answers secret1
case_of interactive "$lab_dir/typist" script -qfec "ssh $password $host" /dev/null
answers secret1
case_of keyboard-interactive ssh $base -p 2222 -o PreferredAuthentications=keyboard-interactive $host id
answers bad1 bad2 bad3 bad4 bad5
case_of too-many-tries ssh $password -o NumberOfPasswordPrompts=6 -p 2202 $host id
printf 'ls\nget report.bin %s\nput %s up.bin\nbye\n' "$lab_dir/report.bin" "$lab_dir/upload.bin" >"$lab_dir/batch"
case_of sftp sftp -b "$lab_dir/batch" $key $host
case_of scp-upload scp -O $key "$lab_dir/upload.bin" $host:up2.bin
case_of scp-download-gcm scp -O -c aes128-gcm@openssh.com $key $host:report.bin "$lab_dir/down.bin"
case_of legacy ssh $key -p 2200 -o KexAlgorithms=+diffie-hellman-group14-sha1 -o Ciphers=3des-cbc -o MACs=hmac-sha1 \
	-o HostKeyAlgorithms=ssh-rsa -o PubkeyAcceptedAlgorithms=+ssh-rsa $host id
case_of no-common-kex ssh $key -p 2200 $host id
case_of host-certificate ssh $key -p 2201 $host id
case_of cipher-gcm ssh $key -c aes256-gcm@openssh.com -o HostKeyAlgorithms=ecdsa-sha2-nistp256 $host id
case_of cipher-ctr-etm ssh $key -c aes128-ctr -m hmac-sha2-256-etm@openssh.com -o KexAlgorithms=curve25519-sha256 $host id
case_of cipher-ctr-mac ssh $key -c aes256-ctr -m hmac-sha2-512 -o KexAlgorithms=ecdh-sha2-nistp521 $host id
case_of legacy-group1 ssh $key -p 2200 -o KexAlgorithms=+diffie-hellman-group1-sha1 -o Ciphers=aes128-cbc -o MACs=hmac-md5 \
	-o HostKeyAlgorithms=ssh-rsa $host id
case_of rekey ssh $key -c aes128-gcm@openssh.com -o KexAlgorithms=curve25519-sha256 -o RekeyLimit=16K $host 'head -c 60000 report.bin'
case_of compressed ssh $key -C $host 'ls -la'
case_of tunnel sh -c "ssh $key -N -L 127.0.0.1:8022:127.0.0.1:22 $host & p=\$!; sleep 1; ssh-keyscan -p 8022 -t ed25519 127.0.0.1; sleep 0.5; kill \$p"
case_of not-ssh curl -s -m 2 --http0.9 -H 'User-Agent: curl' http://server.example:22/

dropbearkey -t ed25519 -f "$keys/dropbear_ed25519" >/dev/null 2>&1
server_run dropbear "$lab_dir/as_server" dropbear -F -E -r "$keys/dropbear_ed25519" -R -p 2300 -P "$lab_dir/dropbear.pid"
wait_port 2300
answers secret1
case_of dropbear-server ssh $password -p 2300 $host id
case_of dropbear-client env DROPBEAR_PASSWORD=secret1 dbclient -y -y -p 22 $host id

mkdir -p "$lab_dir/tiny" && tinysshd-makekey -q "$lab_dir/tiny/keys"
server_run tiny "$lab_dir/as_server" socat TCP-LISTEN:2400,reuseaddr,fork EXEC:"tinysshd -q $lab_dir/tiny/keys"
wait_port 2400
case_of tinysshd ssh $key -p 2400 $host id

case_of plink sh -c "echo y | plink -ssh -batch -hostkey \$(ssh-keygen -lf $keys/host_ed25519.pub | cut -d' ' -f2) -pw secret1 $host id"

cat >"$lab_dir/para.py" <<-'SCRIPT'
	import paramiko, sys
	c = paramiko.SSHClient()
	c.set_missing_host_key_policy(paramiko.AutoAddPolicy())
	c.connect("server.example", username="alice", password="secret1", look_for_keys=False, allow_agent=False)
	print(c.exec_command("id")[1].read())
	c.close()
SCRIPT
case_of paramiko /usr/bin/python3 -W ignore "$lab_dir/para.py"

cat >"$lab_dir/aserver.py" <<-'SCRIPT'
	import asyncio, asyncssh, sys
	class Server(asyncssh.SSHServer):
	    def begin_auth(self, username): return True
	    def password_auth_supported(self): return True
	    def validate_password(self, username, password): return password == "secret1"
	async def serve(process):
	    process.stdout.write("hello\n")
	    process.exit(0)
	async def main():
	    await asyncssh.create_server(Server, "", 2500, server_host_keys=[sys.argv[1]], process_factory=serve)
	    await asyncio.Event().wait()
	asyncio.run(main())
SCRIPT
server_run asyncssh /usr/bin/python3 -W ignore "$lab_dir/aserver.py" "$keys/host_rsa"
wait_port 2500
cat >"$lab_dir/aclient.py" <<-'SCRIPT'
	import asyncio, asyncssh
	async def main():
	    async with asyncssh.connect("server.example", 2500, username="alice", password="secret1", known_hosts=None, client_keys=None) as c:
	        print((await c.run("id")).stdout)
	asyncio.run(main())
SCRIPT
case_of asyncssh /usr/bin/python3 -W ignore "$lab_dir/aclient.py"
# With the secrets of the key exchanges, which AsyncSSH can be made to tell, in
# CASE.keys beside the capture.
seq 8000 >"$lab_dir/numbers.txt"
cat >"$lab_dir/keyed.py" <<-'SCRIPT'
	import asyncio, asyncssh, os, sys
	case, log, folder, key = sys.argv[1:5]
	told = asyncssh.connection.SSHConnection.send_newkeys
	def tell(self, k, h):
	    secret = k.to_bytes((k.bit_length() + 7) // 8, "big")
	    with open(log, "a") as f:
	        f.write("%s SHARED_SECRET %s\n" % (self._client_kexinit[1:17].hex(), secret.hex()))
	    return told(self, k, h)
	asyncssh.connection.SSHConnection.send_newkeys = tell
	async def connect(port=22, **options):
	    return await asyncssh.connect("server.example", port, username="alice", known_hosts=None, config=None, **options)
	async def sftp():
	    async with await connect(client_keys=[key], compression_algs=["zlib@openssh.com"], encryption_algs=["chacha20-poly1305@openssh.com"], kex_algs=["curve25519-sha256"]) as c:
	        async with c.start_sftp_client() as s:
	            await s.put(folder + "/numbers.txt", "numbers.txt")
	            await s.get("numbers.txt", folder + "/back.txt")
	            await s.rename("numbers.txt", "renamed.txt")
	            try:
	                await s.get("/etc/shadow", folder + "/no.txt")
	            except asyncssh.SFTPError:
	                pass
	async def scp():
	    async with await connect(password="secret1", client_keys=None, encryption_algs=["aes256-gcm@openssh.com"], kex_algs=["ecdh-sha2-nistp384"]) as c:
	        await asyncssh.scp(folder + "/numbers.txt", (c, "up.txt"))
	        await asyncssh.scp((c, "up.txt"), folder + "/down.txt")
	async def command():
	    async with await connect(client_keys=[key], encryption_algs=["aes256-ctr"], mac_algs=["umac-64-etm@openssh.com"], kex_algs=["diffie-hellman-group-exchange-sha256"]) as c:
	        await c.run("echo done; echo oops >&2; exit 3")
	        await c.run("cat", input="fed\n")
	async def legacy():
	    async with await connect(2200, client_keys=[key], encryption_algs=["3des-cbc"], mac_algs=["hmac-sha1"], kex_algs=["diffie-hellman-group14-sha1"],
	            server_host_key_algs=["ssh-rsa"], signature_algs=["ssh-rsa", "ssh-ed25519"]) as c:
	        await c.run("id -un")
	async def tunnel():
	    async with await connect(client_keys=[key], encryption_algs=["aes128-gcm@openssh.com"], kex_algs=["curve25519-sha256"], rekey_bytes=20000) as c:
	        l = await c.forward_local_port("127.0.0.1", 0, "127.0.0.1", 2222)
	        r, w = await asyncio.open_connection("127.0.0.1", l.get_port())
	        await r.readline()
	        w.close()
	        shell = await c.create_process(term_type="xterm", term_size=(80, 24))
	        shell.stdin.write("seq 6000 | tail -c 30000\nexit\n")
	        await shell.wait()
	async def kbdint():
	    async with await connect(2222, password="secret1", client_keys=None, preferred_auth="keyboard-interactive", compression_algs=["none"],
	            encryption_algs=["aes128-ctr"], mac_algs=["hmac-sha2-256"], kex_algs=["ecdh-sha2-nistp256"]) as c:
	        await c.run("id -un")
	async def umac():
	    async with await connect(client_keys=[key], compression_algs=["none"], encryption_algs=["aes192-ctr"], mac_algs=["umac-128@openssh.com"],
	            kex_algs=["ecdh-sha2-nistp521"]) as c:
	        await c.run("seq 3000")
	# The way to a server for a client that brings its own SFTP. The line is cut
	# once CUT bytes went by.
	async def pipe():
	    port = int(os.environ.get("SFTP_PORT", "22"))
	    login = {"client_keys": [key]} if port == 22 else {"client_keys": None, "password": "secret1"}
	    left = int(os.environ.get("CUT", "1000000000"))
	    async def pump(read, write, drain):
	        nonlocal left
	        while b := await read(65536):
	            left -= len(b)
	            write(b[:len(b) + min(left, 0)])
	            await drain()
	            if left <= 0:
	                await asyncio.sleep(0.3)
	                os._exit(1)
	    async with await connect(port, **login, compression_algs=["zlib@openssh.com"], encryption_algs=["aes128-gcm@openssh.com", "aes128-ctr"], kex_algs=["curve25519-sha256", "ecdh-sha2-nistp256"]) as c:
	        p = await c.create_process(subsystem="sftp", encoding=None)
	        own = asyncio.StreamReader()
	        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(own), sys.stdin)
	        async def out():
	            pass
	        down = asyncio.create_task(pump(p.stdout.read, lambda b: os.write(1, b), out))
	        await pump(own.read, p.stdin.write, p.stdin.drain)
	        p.stdin.write_eof()
	        await down
	asyncio.run(globals()[case]())
SCRIPT
# OpenSSH's sftp: an upload and a download that are cut, and the rest of them.
cat >"$lab_dir/pipe" <<-SCRIPT
	#!/bin/sh
	exec /usr/bin/python3 -W ignore "$lab_dir/keyed.py" pipe "$here/\$CASE.keys" "$lab_dir" "$keys/user_ed25519"
SCRIPT
cat >"$lab_dir/resume" <<-SCRIPT
	#!/bin/sh
	cd "$lab_dir" && rm -f back.txt
	say() { echo "\$1" >"$lab_dir/batch"; sftp -B 8000 -S "$lab_dir/pipe" -b "$lab_dir/batch" $host; }
	CUT=20000 say 'put numbers.txt resumed.txt'
	say 'reput numbers.txt resumed.txt'
	CUT=20000 say 'get resumed.txt back.txt'
	say 'reget resumed.txt back.txt'
	cmp numbers.txt back.txt && echo "whole again"
SCRIPT
chmod 755 "$lab_dir/pipe" "$lab_dir/resume"
if wanted keys-sftp-resumed; then
	rm -f "$here/keys-sftp-resumed.keys"
	CASE=keys-sftp-resumed case_of keys-sftp-resumed "$lab_dir/resume"
fi
# lftp and proftpd, which speak the versions of SFTP that OpenSSH does not.
if wanted keys-sftp-versions && [ -e "$here/../../.ci/peers/usr/lib/proftpd/mod_sftp.so" ]; then
	peers=$here/../../.ci/peers
	mkdir -p "$lab_dir/pro/home"
	seq 500 >"$lab_dir/pro/home/numbers.txt"
	head -c 3000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >"$lab_dir/small.bin"
	cp "$keys/host_ecdsa" "$lab_dir/pro/host"
	printf 'alice:%s:4000:4000::%s:/bin/sh\n' "$(openssl passwd -6 secret1)" "$lab_dir/pro/home" >"$lab_dir/pro/passwd"
	chmod 600 "$lab_dir/pro/passwd" && chown -R 4000:4000 "$lab_dir/pro/home" && chmod 711 "$lab_dir/pro"
	cat >"$lab_dir/pro/conf" <<-CONF
		ServerName files.example
		ServerType standalone
		DefaultAddress 192.0.2.20
		Port 2700
		UseIPv6 off
		User nobody
		Group nogroup
		ModulePath $peers/usr/lib/proftpd
		LoadModule mod_sftp.c
		PidFile $lab_dir/pro/pid
		ScoreboardFile $lab_dir/pro/scoreboard
		DelayEngine off
		WtmpLog off
		AuthUserFile $lab_dir/pro/passwd
		AuthOrder mod_auth_file.c
		RequireValidShell off
		AllowOverwrite on
		DefaultRoot ~
		SFTPEngine on
		SFTPHostKey $lab_dir/pro/host
		SFTPAuthMethods password
		SFTPCompression delayed
	CONF
	server_run proftpd env LD_LIBRARY_PATH="$peers/usr/lib/x86_64-linux-gnu" "$peers/usr/sbin/proftpd" -n -c "$lab_dir/pro/conf"
	wait_port 2700
	cat >"$lab_dir/versions" <<-SCRIPT
		#!/bin/sh
		cd "$lab_dir"
		for v in 4 5 6; do
			lftp -c "set net:max-retries 1; set sftp:connect-program $lab_dir/pipe; set sftp:protocol-version \$v; open sftp://alice:secret1@server.example
				cls -l; get numbers.txt -o got-\$v.txt; put small.bin -o up-\$v.bin; mv up-\$v.bin moved-\$v.bin; chmod 640 moved-\$v.bin; get no-such-file -o none"
			cmp got-\$v.txt "$lab_dir/pro/home/numbers.txt" && cmp small.bin "$lab_dir/pro/home/moved-\$v.bin" && echo "version \$v: both whole"
		done
	SCRIPT
	chmod 755 "$lab_dir/versions"
	rm -f "$here/keys-sftp-versions.keys"
	SFTP_PORT=2700 CASE=keys-sftp-versions case_of keys-sftp-versions "$lab_dir/versions"
fi
for c in sftp scp command legacy tunnel kbdint umac; do
	wanted "keys-$c" || continue
	rm -f "$here/keys-$c.keys"
	case_of "keys-$c" /usr/bin/python3 -W ignore "$lab_dir/keyed.py" "$c" "$here/keys-$c.keys" "$lab_dir" "$keys/user_ed25519"
done
# The second set: other peers and other doings, recorded after the inference was
# written, to score it. second.txt says what happened.
(cd "$here" && go build -o "$lab_dir/gopeer" ./gopeer)
server_run gopeer "$lab_dir/gopeer" server :2600 "$keys/host_ed25519" secret1
wait_port 2600
case_of go-password "$lab_dir/gopeer" client server.example:22 alice secret1 'uname -a; ls -la /'
case_of go-publickey "$lab_dir/gopeer" client server.example:22 alice "$keys/user_rsa" 'id; df'
case_of go-refused "$lab_dir/gopeer" client server.example:22 alice wrongpassword id
case_of go-both "$lab_dir/gopeer" client server.example:2600 alice secret1 hello
answers bad secret1
case_of go-server ssh $password -p 2600 $host hello
case_of dynamic-forward sh -c "ssh $key -N -D 127.0.0.1:1080 $host & p=\$!; sleep 1; curl -s -m 3 --http0.9 --socks5 127.0.0.1:1080 http://127.0.0.1:2222/; sleep 0.3; kill \$p"
case_of remote-forward sh -c "ssh $key -N -R 127.0.0.1:8033:192.0.2.10:8044 $host & p=\$!; sleep 1.5; kill \$p"
case_of control-master sh -c "ssh $key -M -S $lab_dir/mux -N $host & p=\$!; sleep 1; ssh -S $lab_dir/mux $host id; ssh -S $lab_dir/mux $host 'ls -l'; sleep 0.3; kill \$p"
case_of scp-by-sftp scp -s $key "$lab_dir/upload.bin" $host:up3.bin
case_of pipe-in sh -c "ssh $key -c aes256-gcm@openssh.com $host 'cat >/dev/null' <$lab_dir/upload.bin"
case_of terminal-key "$lab_dir/typist" script -qfec "ssh $key -c aes128-gcm@openssh.com $host" /dev/null
hostsum=$(ssh-keygen -lf "$keys/host_ed25519.pub" | cut -d' ' -f2)
case_of pscp sh -c "echo y | pscp -batch -hostkey $hostsum -pw secret1 $lab_dir/upload.bin $host:up4.bin"
printf 'ls\nget report.bin %s\nquit\n' "$lab_dir/report2.bin" >"$lab_dir/psftp_batch"
case_of psftp psftp -batch -hostkey "$hostsum" -pw secret1 -b "$lab_dir/psftp_batch" $host
# libssh2 signs with ssh-rsa, which the server does not take.
case_of curl-refused curl -s -k --key "$keys/user_rsa" --pubkey "$keys/user_rsa.pub" -u alice: "sftp://server.example/home/alice/report.bin" -o "$lab_dir/report3.bin"
dropbearkey -t ecdsa -f "$keys/dropbear_user" >/dev/null 2>&1
case_of dropbear-refused dbclient -y -y -i "$keys/dropbear_user" server.example -l alice id
case_of legacy-dsa ssh $key -p 2203 -o HostKeyAlgorithms=ssh-dss $host id
cp "$keys/user_ed25519" "$keys/user_cert" && cp "$keys/user_ed25519.pub" "$keys/user_cert.pub"
ssh-keygen -q -s "$keys/ca" -I alice@client.example -n alice -V 20260101:20360101 "$keys/user_cert.pub"
case_of user-certificate ssh $base -o BatchMode=yes -i "$keys/user_cert" -p 2204 $host id
# Somebody is half way in, and the server takes no second one.
case_of max-startups sh -c "sleep 1.5 | socat - TCP:server.example:2205 >/dev/null & sleep 0.5; ssh $key -p 2205 $host id; wait"
# tcpwrappers closes the connection before the server says a word. The name by
# which hosts.deny knows the daemon is that of its program.
if wanted tcp-wrappers; then
	echo 'sshd_wrapped: ALL' >"/etc/netns/$lab-s/hosts.deny"
	cp /usr/sbin/sshd "$lab_dir/sshd_wrapped"
	sed 's/^Port .*/Port 2206/' "$lab_dir/sshd_plain" >"$lab_dir/sshd_wrapped.conf"
	server_run sshd_wrapped "$lab_dir/as_server" "$lab_dir/sshd_wrapped" -D -e -f "$lab_dir/sshd_wrapped.conf"
	wait_port 2206
	case_of tcp-wrappers ssh $key -p 2206 $host id
fi
# A dozen connections that try a password each, and one that finds it.
cat >"$lab_dir/guess" <<-SCRIPT
	#!/bin/sh
	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		[ \$n = 12 ] && word=secret1 || word=word\$n
		echo \$word >"$lab_dir/answers"
		ssh $password -o NumberOfPasswordPrompts=1 -o KexAlgorithms=curve25519-sha256 -c aes128-gcm@openssh.com $host id
	done
SCRIPT
chmod 755 "$lab_dir/guess"
answers none
case_of guessing "$lab_dir/guess"
# Renewals of the keys after a megabyte: too large for a sample, for a look.
[ -z "${LARGE:-}" ] || case_of rekey-1m ssh $key -c aes128-gcm@openssh.com -o RekeyLimit=1M $host 'head -c 2500000 /dev/zero'
# What the finding about no-common-kex says to do.
case_of no-common-kex-mended ssh $key -p 2200 $host -o KexAlgorithms=+diffie-hellman-group14-sha1 -o HostKeyAlgorithms=+ssh-rsa -o Ciphers=+3des-cbc id
# The way to the server carries no large packets, and nobody says so.
if wanted mtu-black-hole; then
	on_server nft 'add table ip hole; add chain ip hole in { type filter hook input priority 0; }; add rule ip hole in ip length > 576 drop'
	case_of mtu-black-hole timeout 7 ssh $key $host id
	on_server nft delete table ip hole
fi
mkdir -p "${SSH_LOGS:-$lab_dir/logs}" && cp "$lab_dir"/*.log "$lab_dir"/*.out "${SSH_LOGS:-$lab_dir/logs}"/
