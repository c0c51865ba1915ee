package proxy

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// mailHost is a mail server of its own kind: one port for clear and STARTTLS,
// one for TLS from the start.
type mailHost struct {
	name         string
	addr, secure string
	// took returns what the server keeps of the messages that it took, once
	// there are n, and forgets them.
	took func(n int) []string
	// copies is how many it keeps of a message to so many recipients.
	copies func(recipients int) int
}

const postfixServices = `%s inet n - n - - smtpd
%s inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
lmtp unix - - n - - lmtp
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
postlog unix-dgram n - n - 1 postlogd
`

// postfix runs one with its own configuration and queue, which delivers all
// mail to one maildir, unless more settings say otherwise.
func postfix(t *testing.T, both string, more ...string) mailHost {
	t.Helper()
	const master = "/usr/lib/postfix/sbin/master"
	if _, err := os.Stat(master); err != nil {
		t.Skip("postfix is not installed")
	}
	account, err := user.Lookup("postfix")
	if err != nil || os.Getuid() != 0 {
		t.Skip("postfix must be started by root, and needs its account")
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	dir := readable(t)
	folder := func(name string, mode os.FileMode, owned bool) {
		if err := os.MkdirAll(dir+"/"+name, mode); err != nil {
			t.Fatal(err)
		}
		if owned {
			_ = os.Chown(dir+"/"+name, uid, -1)
		}
		_ = os.Chmod(dir+"/"+name, mode)
	}
	folder("queue", 0o755, false)
	for _, q := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"} {
		folder("queue/"+q, 0o700, true)
	}
	folder("queue/pid", 0o755, false)
	folder("queue/public", 0o710, true)
	folder("queue/maildrop", 0o730, true)
	folder("data", 0o700, true)
	folder("home", 0o700, true)
	folder("conf", 0o755, false)
	h := mailHost{name: "postfix", addr: freeAddr(t, "127.0.0.1"), secure: freeAddr(t, "127.0.0.1"), copies: func(n int) int { return n }}
	conf := append([]string{
		"compatibility_level = 3.6", "queue_directory = " + dir + "/queue", "data_directory = " + dir + "/data",
		"inet_interfaces = 127.0.0.1", "inet_protocols = ipv4", "myhostname = mail.test", "mydestination =", "mynetworks = 127.0.0.0/8",
		"smtpd_recipient_restrictions = permit_mynetworks, reject", "alias_maps =", "local_recipient_maps =",
		"smtpd_tls_cert_file = " + both, "smtpd_tls_key_file = " + both, "smtpd_tls_security_level = may",
		"virtual_mailbox_domains = y.test", "virtual_mailbox_base = " + dir + "/home", "virtual_mailbox_maps = static:all/",
		"virtual_mailbox_limit = 0", "virtual_uid_maps = static:" + account.Uid, "virtual_gid_maps = static:" + strconv.Itoa(gid),
		"maillog_file = " + dir + "/log", "maillog_file_prefixes = /",
	}, more...)
	write(t, dir+"/conf/main.cf", []byte(strings.Join(conf, "\n")+"\n"))
	write(t, dir+"/conf/master.cf", fmt.Appendf(nil, postfixServices, h.addr, h.secure))
	startProcess(t, h.addr, master, "-c", dir+"/conf", "-d")
	h.took = func(n int) []string { return keptFiles(t, n, dir+"/home/all/new/*", dir+"/log") }
	return h
}

// exim runs one that leaves what it takes in its spool.
func exim(t *testing.T, both string) mailHost {
	t.Helper()
	path, libraries := peers(t, "exim4")
	account, err := user.Lookup("Debian-exim")
	if err != nil {
		t.Skip("exim needs the account Debian-exim: run .ci/peers.sh")
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	dir := readable(t)
	if err := os.Mkdir(dir+"/spool", 0o750); err != nil {
		t.Fatal(err)
	}
	_ = os.Chown(dir+"/spool", uid, gid)
	pair, err := os.ReadFile(both)
	if err != nil {
		t.Fatal(err)
	}
	key := write(t, dir+"/both.pem", pair)
	_ = os.Chown(key, uid, gid)
	h := mailHost{name: "exim", addr: freeAddr(t, "127.0.0.1"), secure: freeAddr(t, "127.0.0.1"), copies: func(int) int { return 1 }}
	_, clear, _ := net.SplitHostPort(h.addr)
	_, secure, _ := net.SplitHostPort(h.secure)
	conf := []string{
		"primary_hostname = mail.test", "spool_directory = " + dir + "/spool", "log_file_path = " + dir + "/spool/%slog",
		"host_lookup =", "rfc1413_query_timeout = 0s", "queue_only = true", "smtp_accept_max = 100", "smtp_accept_max_per_connection = 0",
		"local_interfaces = 127.0.0.1", "daemon_smtp_ports = " + clear + " : " + secure, "tls_on_connect_ports = " + secure,
		"tls_advertise_hosts = *", "tls_certificate = " + key, "tls_privatekey = " + key, "acl_smtp_rcpt = all",
		"begin acl", "all:", "  accept",
	}
	config := write(t, dir+"/conf", []byte(strings.Join(conf, "\n")+"\n"))
	startProcess(t, h.addr, "env", "LD_LIBRARY_PATH="+libraries, path, "-C", config, "-bdf")
	h.took = func(n int) []string {
		var all []string
		// The file of the data begins with its own name.
		for _, data := range keptFiles(t, n, dir+"/spool/input/*-D", dir+"/spool/mainlog") {
			_, data, _ = strings.Cut(data, "-D\n")
			all = append(all, data)
		}
		heads, _ := filepath.Glob(dir + "/spool/input/*-H")
		for _, h := range heads {
			os.Remove(h)
		}
		slices.Sort(all)
		return all
	}
	return h
}

// ownFields are those that a server adds, or that differ from mail to mail.
var ownFields = regexp.MustCompile(`(?mi)^(Received|Return-Path|Delivered-To|X-Original-To|Date|Message-Id|X-Mailer):.*\n([ \t].*\n)*`)

// keptFiles waits until n files match, and returns and removes them.
func keptFiles(t *testing.T, n int, pattern, log string) []string {
	t.Helper()
	var names []string
	for deadline := time.Now().Add(3 * time.Minute); len(names) < n; time.Sleep(20 * time.Millisecond) {
		names, _ = filepath.Glob(pattern)
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(log)
			t.Fatalf("%d messages were kept, %d sent\n%s", len(names), n, said[max(0, len(said)-3000):])
		}
	}
	var all []string
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		os.Remove(name)
		all = append(all, ownFields.ReplaceAllString(string(b), ""))
	}
	slices.Sort(all)
	return all
}

// queued is the name that a server gave to a message.
var queued = regexp.MustCompile(`(queued as |id=)[0-9A-Za-z-]+`)

// TestMailServers sends mail to Postfix and Exim with the programs that people
// use, directly and through the proxy: the servers must have the same messages,
// and smtplib the same answers.
func TestMailServers(t *testing.T) {
	needs(t, "python3", "swaks", "curl", "smtp-source")
	if testing.Short() {
		t.Skip("real peers take a while")
	}
	world := newPKI(t)
	both, worldCA := localhost(t, world)
	authority, _ := newCA(t)
	trust := write(t, t.TempDir()+"/proxy.pem", authority.PEM())
	// Lines that begin with dots, long lines, no end of the last line.
	letter := write(t, t.TempDir()+"/letter", []byte("From: a@x.test\r\nTo: b@y.test\r\nSubject: letter\r\n\r\n.\r\n..\r\n.dot\r\n"+strings.Repeat("x", 900)+"\r\nend"))
	for _, start := range []func() mailHost{func() mailHost { return postfix(t, both) }, func() mailHost { return exim(t, both) }} {
		func() {
			h := start()
			l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{
				{Listen: "127.0.0.1:0", To: "localhost:" + portOf(h.addr)}, {Listen: "127.0.0.1:0", To: "localhost:" + portOf(h.secure)},
			}}, "")
			messages := 0
			send := func(addr, secure, ca string) (answers string, kept []string) {
				port, securePort := portOf(addr), portOf(secure)
				swaks := func(port string, more ...string) []string {
					return append([]string{"swaks", "--server", "localhost", "--port", port, "--helo", "me.test", "--from", "a@x.test", "--to", "b@y.test",
						"--tls-verify", "--tls-ca-path", ca, "--data", "@" + letter}, more...)
				}
				curl := func(url string, more ...string) []string {
					return append([]string{"curl", "-sS", "-4", "-m", "150", "--cacert", ca, url + "/me.test", "--mail-from", "a@x.test", "--mail-rcpt", "b@y.test", "-T", letter}, more...)
				}
				smtplib := func(port, mode, version string) []string {
					return []string{python(), "testdata/smtp_client.py", port, mode, version, ca}
				}
				said := make([]string, 0, 5)
				files := 0
				messages = 0
				var tasks []func()
				for _, c := range []struct {
					mails, recipients int
					command           []string
				}{
					{1, 1, swaks(port)},
					{1, 1, swaks(port, "--pipeline")},
					{1, 1, swaks(port, "--tls", "--tls-protocol", "tlsv1_2")},
					{1, 1, swaks(port, "--tls", "--tls-protocol", "tlsv1_3", "--pipeline")},
					{1, 1, swaks(securePort, "--tls-on-connect")},
					{1, 1, curl("smtp://localhost:" + port)},
					{1, 1, curl("smtp://localhost:"+port, "--ssl-reqd")},
					{1, 1, curl("smtps://localhost:" + securePort)},
					{40, 1, []string{"smtp-source", "-4", "-d", "-s", "4", "-m", "40", "-l", "20000", "-M", "me.test", "-f", "a@x.test", "-t", "b@y.test", addr}},
					{3, 2, smtplib(port, "plain", "-")},
					{3, 2, smtplib(port, "starttls", "1.2")},
					{3, 2, smtplib(port, "starttls", "1.3")},
					{3, 2, smtplib(securePort, "implicit", "1.3")},
				} {
					messages += c.mails
					files += c.mails * h.copies(c.recipients)
					place := -1
					if c.recipients == 2 {
						place = len(said)
						said = append(said, "")
					}
					tasks = append(tasks, func() {
						out, err := command(t, c.command[0], c.command[1:]...)
						if err != nil {
							t.Errorf("%s, %s: %v\n%s", h.name, strings.Join(c.command, " "), err, out)
						}
						if place >= 0 {
							said[place] = queued.ReplaceAllString(out, "$1some")
						}
					})
				}
				together(tasks)
				return strings.Join(said, "\n"), h.took(files)
			}
			direct, wanted := send(h.addr, h.secure, worldCA)
			through, got := send(l.srv.Addrs()[0].String(), l.srv.Addrs()[1].String(), trust)
			if direct != through {
				t.Errorf("%s to smtplib, direct:\n%.3000s\nthrough the proxy:\n%.3000s", h.name, direct, through)
			}
			if !slices.Equal(wanted, got) {
				i := 0
				for i < len(wanted) && i < len(got) && wanted[i] == got[i] {
					i++
				}
				t.Errorf("%s kept %d messages sent to it and %d sent through the proxy, which differ at %d:\n%.500q\n%.500q",
					h.name, len(wanted), len(got), i, wanted[min(i, len(wanted)-1)], got[min(i, len(got)-1)])
			}
			l.srv.Shutdown(2 * time.Second)
			recorded := 0
			for _, r := range l.all() {
				switch r := r.(type) {
				case *record.SMTPMessage:
					recorded++
				case *record.Anomaly:
					if strings.HasPrefix(r.Code, "proxy_") {
						t.Errorf("%s: %s", r.Code, r.Detail)
					}
				}
			}
			if recorded != messages {
				t.Errorf("%d messages to %s recorded, %d were sent", recorded, h.name, messages)
			}
		}()
	}
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
