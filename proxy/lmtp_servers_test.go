package proxy

import (
	"fmt"
	"os"
	"os/user"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// dovecot runs an LMTP server that puts the mail of every recipient into a
// maildir of its own.
func dovecot(t *testing.T, both string) mailHost {
	t.Helper()
	needs(t, "dovecot")
	account, err := user.Lookup("dovecot")
	if err != nil || os.Getuid() != 0 {
		t.Skip("dovecot must be started by root, and needs its account")
	}
	dir := readable(t)
	h := mailHost{name: "dovecot", addr: freeAddr(t, "127.0.0.1"), secure: freeAddr(t, "127.0.0.1"), copies: func(n int) int { return n }}
	listener := func(name, addr, more string) string {
		return fmt.Sprintf("inet_listener %s {\n address = 127.0.0.1\n port = %s\n %s\n}", name, portOf(addr), more)
	}
	conf := []string{
		"protocols = lmtp", "base_dir = " + dir + "/run", "log_path = " + dir + "/log", "hostname = mail.test", "postmaster_address = postmaster@mail.test",
		"ssl = yes", "ssl_cert = <" + both, "ssl_key = <" + both, "first_valid_uid = 1", "first_valid_gid = 1",
		"mail_location = maildir:~", "userdb {\n driver = static\n args = uid=" + account.Uid + " gid=" + account.Gid + " home=" + dir + "/home/%n\n}",
		"passdb {\n driver = static\n args = nopassword=y\n}", "protocol lmtp {\n auth_username_format = %n\n}",
		"service lmtp {", listener("lmtp", h.addr, ""), listener("lmtps", h.secure, "ssl = yes"), "}",
	}
	if err := os.Mkdir(dir+"/home", 0o777); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(dir+"/home", 0o777)
	config := write(t, dir+"/conf", []byte(strings.Join(conf, "\n")+"\n"))
	startProcess(t, h.addr, "dovecot", "-F", "-c", config)
	h.took = func(n int) []string { return keptFiles(t, n, dir+"/home/*/new/*", dir+"/log") }
	return h
}

// saved is the name that Dovecot gave to a message.
var saved = regexp.MustCompile(`\S+ Saved`)

// TestLMTPServer delivers mail to Dovecot with the programs that people use,
// Postfix among them, directly and through the proxy: the mailboxes must hold
// the same, and smtplib hear the same.
func TestLMTPServer(t *testing.T) {
	needs(t, "python3", "swaks", "smtp-source")
	if testing.Short() {
		t.Skip("real peers take a while")
	}
	world := newPKI(t)
	both, worldCA := localhost(t, world)
	authority, _ := newCA(t)
	trust := write(t, readable(t)+"/proxy.pem", authority.PEM())
	letter := write(t, t.TempDir()+"/letter", []byte("From: a@x.test\r\nTo: b@y.test\r\nSubject: letter\r\n\r\n.\r\n..\r\n.dot\r\n"+strings.Repeat("x", 900)+"\r\nend\r\n"))
	h := dovecot(t, both)
	l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{
		{Listen: "127.0.0.1:0", To: "localhost:" + portOf(h.addr)}, {Listen: "127.0.0.1:0", To: "localhost:" + portOf(h.secure)},
	}}, "")
	inTLS, all := 0, 0
	send := func(addr, secure, ca string) (answers string, kept []string) {
		swaks := func(more ...string) []string {
			return append([]string{"swaks", "--protocol", "LMTP", "--server", "localhost", "--port", portOf(addr), "--helo", "me.test", "--from", "a@x.test",
				"--to", "b@y.test,c@y.test", "--tls-verify", "--tls-ca-path", ca, "--data", "@" + letter}, more...)
		}
		smtplib := func(port, mode, version string) []string {
			return []string{python(), "testdata/smtp_client.py", port, mode, version, ca}
		}
		relay := postfix(t, both, "virtual_transport = lmtp:inet:localhost:"+portOf(addr), "lmtp_tls_security_level = verify", "lmtp_tls_CAfile = "+ca,
			"lmtp_host_lookup = native", "lmtp_tls_verify_cert_match = hostname", "lmtp_lhlo_name = me.test")
		said := make([]string, 4)
		files := 0
		inTLS, all = 0, 0
		var tasks []func()
		for _, c := range []struct {
			said          string // where a client tells what it heard
			mails, copies int
			tls           bool
			command       []string
		}{
			{"", 1, 2, false, swaks()},
			{"", 1, 2, true, swaks("--tls", "--tls-protocol", "tlsv1_2")},
			{"", 1, 2, true, swaks("--tls", "--tls-protocol", "tlsv1_3")},
			{"", 30, 1, false, []string{"smtp-source", "-L", "-4", "-d", "-s", "3", "-m", "30", "-l", "20000", "-M", "me.test", "-f", "a@x.test", "-t", "b@y.test", addr}},
			{"0", 3, 2, false, smtplib(portOf(addr), "lmtp-plain", "-")},
			{"1", 3, 2, true, smtplib(portOf(addr), "lmtp-starttls", "1.2")},
			{"2", 3, 2, true, smtplib(portOf(addr), "lmtp-starttls", "1.3")},
			{"3", 3, 2, true, smtplib(portOf(secure), "lmtp-implicit", "1.3")},
			{"", 1, 2, true, []string{"swaks", "--server", relay.addr, "--helo", "me.test", "--from", "a@x.test", "--to", "b@y.test,c@y.test", "--data", "@" + letter}},
		} {
			all += c.mails
			files += c.mails * c.copies
			if c.tls {
				inTLS += c.mails
			}
			tasks = append(tasks, func() {
				out, err := command(t, c.command[0], c.command[1:]...)
				if err != nil {
					t.Errorf("%s: %v\n%s", strings.Join(c.command, " "), err, out)
				}
				if c.said != "" {
					said[c.said[0]-'0'] = saved.ReplaceAllString(out, "some Saved")
				}
			})
		}
		together(tasks)
		return strings.Join(said, "\n"), h.took(files)
	}
	direct, wanted := send(h.addr, h.secure, worldCA)
	through, got := send(l.srv.Addrs()[0].String(), l.srv.Addrs()[1].String(), trust)
	if direct != through {
		t.Errorf("to smtplib, direct:\n%.3000s\nthrough the proxy:\n%.3000s", direct, through)
	}
	if !slices.Equal(wanted, got) {
		t.Errorf("%d mails were kept that were sent directly, and %d through the proxy; they differ", len(wanted), len(got))
	}
	l.srv.Shutdown(2 * time.Second)
	recorded, secured := 0, 0
	for _, r := range l.all() {
		switch r := r.(type) {
		case *record.SMTPMessage:
			if recorded++; r.TLS {
				secured++
			}
		case *record.Session:
			if r.Protocol != "smtp" {
				t.Errorf("a session is taken for %q", r.Protocol)
			}
		case *record.Anomaly:
			t.Errorf("%s: %s", r.Code, r.Detail)
		}
	}
	if recorded != all || secured != inTLS {
		t.Errorf("%d messages recorded, %d of them in TLS; sent were %d and %d", recorded, secured, all, inTLS)
	}
}
