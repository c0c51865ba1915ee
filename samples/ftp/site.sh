# What the scripts that record the FTP samples share: the two hosts, the account
# and the files on the server, and how servers and cases are run. Sourced:
#
#   . "$(dirname "$0")/site.sh"
#   vsftpd_run NAME PORT OPTION...       # start a vsftpd
#   proftpd_run NAME PORT DIRECTIVE...   # start a proftpd
#   pure_ftpd_run PORT OPTION...         # start a pure-ftpd
#   case_of CASE COMMAND...              # record a case
#   python CASE <SCRIPT                  # record a dialogue by ftplib
#   keylog_case CASE COMMAND...          # record a case and the key log that its client writes
#   holds CASE FILE...                   # the files that were moved whole in it
#
# A script's arguments are the cases to record, all without any. The digests of
# what was moved whole are kept in files.sha256 beside the samples, as
# sha256sum finds them on the server: the tests hold what is exported against
# them.
#
# Needs root and the packages vsftpd curl lftp tnftp python3 nftables openssl,
# beside those of lab.sh. proftpd and pure-ftpd conflict with vsftpd as packages:
# .ci/peers.sh unpacks them. FTP_SERVERS names another folder for them.
. "$(dirname "$0")/../lab.sh"

only=$*
wanted() { # CASE: none was asked for, or this one
	case " $only " in "  " | *" $1 "*) return 0 ;; esac
	return 1
}
case_of() {
	wanted "$1" || return 0
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

# The files lie in a file system of their own, which ends with the script, and
# has a place that is soon full.
bob=/srv/sniff-ftp/bob
tmpfs_up() {
	mkdir -p /srv/sniff-ftp
	mount -t tmpfs none /srv/sniff-ftp
	mkdir -p /srv/sniff-ftp/bob/full
	mount -t tmpfs -o size=16k none /srv/sniff-ftp/bob/full
}
trap 'umount -R /srv/sniff-ftp 2>/dev/null; rmdir /srv/sniff-ftp 2>/dev/null; lab_down' EXIT
tmpfs_up
mkdir -p /srv/sniff-ftp/bob/pub /srv/sniff-ftp/empty "$lab_dir/client"
(
	cd /srv/sniff-ftp/bob
	printf 'Hello from the server.\nSecond line.\n' >readme.txt
	seq 1 4000 >pub/numbers.txt
	head -c 40000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 2>/dev/null >pub/random.bin
	head -c 400000 /dev/zero | openssl enc -aes-128-ctr -K 01 -iv 00 2>/dev/null >pub/large.bin
	printf 'caf\351' >"$(printf 'pub/caf\351.txt')"
	seq 1 4000 | sed 's/$/\r/' >"$lab_dir/numbers.crlf"
)
chown -R 2001:2001 /srv/sniff-ftp/bob
find /srv/sniff-ftp -exec touch -h -d '2026-01-02 03:04:05 UTC' {} +

openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=server.example -keyout "$lab_dir/key.pem" -out "$lab_dir/cert.pem" 2>/dev/null
cat "$lab_dir/key.pem" "$lab_dir/cert.pem" >"$lab_dir/both.pem"

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

# proftpd_run NAME PORT DIRECTIVE...
peers=${FTP_SERVERS:-$here/../../.ci/peers}
peers_lib=$peers/usr/lib/x86_64-linux-gnu
proftpd_run() {
	name=$1 port=$2
	shift 2
	printf 'bob:%s:2001:2001::/srv/sniff-ftp/bob:/bin/sh\n' "$(openssl passwd -6 secret)" >"$lab_dir/pro.passwd"
	chmod 0600 "$lab_dir/pro.passwd"
	{
		cat <<CONF
ServerName files.example
ServerType standalone
DefaultAddress 192.0.2.20
Port $port
UseIPv6 off
User nobody
Group nogroup
ModulePath $peers/usr/lib/proftpd
LoadModule mod_deflate.c
LoadModule mod_digest.c
LoadModule mod_tls.c
CONF
		for directive; do echo "$directive"; done # the first of a name counts
		cat <<CONF
PidFile $lab_dir/$name.pid
ScoreboardFile $lab_dir/$name.scoreboard
DelayEngine off
WtmpLog off
AuthUserFile $lab_dir/pro.passwd
AuthOrder mod_auth_file.c
RequireValidShell off
PassivePorts 50000 50099
AllowStoreRestart on
AllowRetrieveRestart on
AllowOverwrite on
DeflateEngine on
TLSRSACertificateFile $lab_dir/cert.pem
TLSRSACertificateKeyFile $lab_dir/key.pem
CONF
	} >"$lab_dir/$name.conf"
	server_run "$name" env LD_LIBRARY_PATH="$peers_lib" "$peers/usr/sbin/proftpd" -n -c "$lab_dir/$name.conf"
	wait_port "$port"
}

# pure_ftpd_run PORT OPTION...
pure_ftpd_run() {
	port=$1
	shift
	server_run "pure-ftpd-$port" env LD_LIBRARY_PATH="$peers_lib" "$peers/usr/sbin/pure-ftpd" -S "$port" -p 50000:50099 -l unix -u 1 -C 8 -H "$@"
	wait_port "$port"
}

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

# With their keys beside them: *.keys is the key log that the client wrote.
keylog_case() {
	wanted "$1" || return 0
	rm -f "$here/$1.keys"
	name=$1
	shift
	record "$name" env SSLKEYLOGFILE="$here/$name.keys" "$@"
	chmod 0644 "$here/$name.keys"
}

holds() {
	wanted "$1" || return 0
	name=$1
	shift
	sed -i "/  $name\//d" "$here/files.sha256"
	for file; do
		[ -r "$file" ] || { echo "$name: there is no $file" >&2; exit 1; }
		printf '%s  %s/%s\n' "$(sha256sum <"$file" | cut -d' ' -f1)" "$name" "${file##*/}" >>"$here/files.sha256"
	done
	LC_ALL=C sort -k 2 -o "$here/files.sha256" "$here/files.sha256"
}

