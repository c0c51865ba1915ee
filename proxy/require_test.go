package proxy

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"sniff/record"
)

// TestRequireFTP: where TLS is required, data goes in TLS as well. What leads to
// a transfer without, or out of TLS on the control connection, is refused with
// the reason before the server hears of it.
func TestRequireFTP(t *testing.T) {
	needs(t, "curl", "lftp")
	world := newPKI(t)
	both, _ := localhost(t, world)
	server := vsftpd(t, "127.0.0.1", secureFTP(both, "force_anon_logins_ssl=NO", "force_anon_data_ssl=NO")...)
	authority, _ := newCA(t)
	trust := write(t, t.TempDir()+"/proxy.pem", authority.PEM())
	want := randomBytes(1_000_000)
	dir := t.TempDir()
	write(t, dir+"/want", want)
	for name, c := range map[string]struct {
		cmd  string
		ok   bool
		told string // in what the client or the records say
	}{
		"private":        {"curl -sS -m 40 -4 --ssl-reqd --cacert TRUST -T WANT URL/incoming/a.bin && curl -sS -m 40 -4 --ssl-reqd --cacert TRUST -o OUT URL/incoming/a.bin", true, ""},
		"private active": {"lftp -c 'set net:timeout 20; set net:max-retries 1; set ssl:ca-file TRUST; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:passive-mode no; open -u ftp,x URL; put WANT -o incoming/b.bin; get incoming/b.bin -o OUT'", true, ""},
		"clear":          {"curl -sSv -m 40 -4 -T WANT URL/incoming/c.bin", false, "530 sniff proxy: TLS is required"},
		"PROT C":         {"curl -sSv -m 40 -4 --ftp-ssl-control --cacert TRUST -T WANT URL/incoming/d.bin", false, "534 sniff proxy: TLS is required; PROT C would leave it"},
		"CCC":            {"curl -sSv -m 40 -4 --ssl-reqd --ftp-ssl-ccc --cacert TRUST -T WANT URL/incoming/e.bin", false, "534 sniff proxy: TLS is required; CCC would leave it"},
		"unsaid":         {"python3 testdata/ftp_unsaid.py PORT TRUST", false, "521 sniff proxy: TLS is required, and the data would go without; PROT P comes first"},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{{Listen: "127.0.0.1:0", To: server, TLS: Require}}}, "")
			_, port, _ := net.SplitHostPort(l.addr)
			out := t.TempDir() + "/got"
			cmd := strings.NewReplacer("TRUST", trust, "WANT", dir+"/want", "OUT", out, "URL", "ftp://localhost:"+port, "PORT", port, "python3", python()).Replace(c.cmd)
			said, err := command(t, "sh", "-c", cmd)
			if c.ok {
				if got := read(t, out); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%v: %d of %d bytes\n%s", err, len(got), len(want), said)
				}
				l.none(codeTLSRequired)
				return
			}
			if err == nil {
				t.Errorf("it went through: %s", said)
			}
			a := l.anomaly(codeTLSRequired)
			if !strings.Contains(said+a.Detail, c.told) {
				t.Errorf("the client was told:\n%s\nrecorded: %s\nwant: %s", said, a.Detail, c.told)
			}
			l.srv.Shutdown(0)
			for _, r := range l.all() {
				if x, is := r.(*record.FTPTransfer); is && x.Content != nil && x.Content.Size > 0 {
					t.Errorf("recorded: %s", x.Summary())
				}
			}
		})
	}
}

// TestRequireOfServersWithout: that it is the server who has no TLS is told to
// clients that go on, and recorded also of those that leave.
func TestRequireOfServersWithout(t *testing.T) {
	needs(t, "curl", "swaks")
	authority, _ := newCA(t)
	mail, files := listen(t, mailServer(nil, nil)), vsftpd(t, "127.0.0.1")
	const offersNone = "TLS is required, and the server offers no STARTTLS"
	const refuses = "TLS is required, and the server refuses AUTH TLS: 530 Please login with USER and PASS."
	for name, c := range map[string]struct {
		server, cmd string
		recorded    string
		told        string // "" where the client goes by what the server says
	}{
		"mail goes on":   {mail, "swaks --server 127.0.0.1:PORT --to bob@x.test --tls-optional", offersNone, "421 4.7.0 sniff proxy: " + offersNone},
		"mail leaves":    {mail, "swaks --server 127.0.0.1:PORT --to bob@x.test --tls", offersNone, ""},
		"files goes on":  {files, "curl -sSv -m 40 --ssl ftp://127.0.0.1:PORT/", refuses, "421 sniff proxy: " + refuses},
		"files leaves":   {files, "curl -sSv -m 40 --ssl-reqd ftp://127.0.0.1:PORT/", refuses, ""},
		"mail with curl": {mail, "curl -sSv -m 40 --ssl-reqd smtp://127.0.0.1:PORT/ -X NOOP", offersNone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLab(t, Config{CA: authority, Listeners: []Listener{{Listen: "127.0.0.1:0", To: c.server, TLS: Require}}}, "")
			_, port, _ := net.SplitHostPort(l.addr)
			said, err := command(t, "sh", "-c", strings.ReplaceAll(c.cmd, "PORT", port))
			if err == nil || !strings.Contains(said, c.told) {
				t.Errorf("the client was told (%v):\n%s", err, said)
			}
			if a := l.anomaly(codeTLSRequired); a.Detail != c.recorded || a.Dir != "server" {
				t.Errorf("recorded of the %s: %s", a.Dir, a.Detail)
			}
			l.session()
			n := 0
			for _, r := range l.all() {
				if a, ok := r.(*record.Anomaly); ok && a.Code == codeTLSRequired {
					n++
				}
			}
			if n != 1 {
				t.Errorf("recorded %d times", n)
			}
		})
	}
}

// TestOffer holds what is concluded from answers, however they come.
func TestOffer(t *testing.T) {
	const helo = "220-mail.test\r\n220 ready\r\n"
	for _, c := range []struct{ asked, said, want string }{
		{"", helo, ""},
		{"EHLO me", helo, ""},
		{"EHLO me", helo + "250-mail.test\r\n250-PIPELINING\r\n", ""},
		{"EHLO me", helo + "250-mail.test\r\n250 PIPELINING\r\n", "the server offers no STARTTLS"},
		{"EHLO me", helo + "250-mail.test\r\n250-starttls\r\n250 PIPELINING\r\n", ""},
		{"LHLO me", helo + "250 mail.test\r\n", "the server offers no STARTTLS"},
		{"NOOP\nEHLO me", helo + "250 STARTTLS\r\n250 mail.test\r\n", "the server offers no STARTTLS"},
		{"EHLO me\nHELO me", helo + "502 what?\r\n250 mail.test\r\n", "the server offers no STARTTLS, and answers EHLO with 502 what?"},
		{"EHLO me", helo + "421 busy\r\n", ""},
		{"EHLO me\nSTARTTLS", helo + "250 STARTTLS\r\n454 not now\r\n", "the server refuses STARTTLS: 454 not now"},
		{"EHLO me\nSTARTTLS", helo + "250 mail.test\r\n220 go\r\n", ""},
		{"AUTH TLS", "120 in a minute\r\n220 now\r\n504 no\r\n", "the server refuses AUTH TLS: 504 no"},
		{"auth tls\nAUTH SSL", "220 hi\r\n504 no\r\n234 yes\r\n", ""},
		{"FEAT\nAUTH TLS", "220 hi\r\n211-Features:\r\n UTF8\r\n530 looks like a reply\r\n211 End\r\n234 yes\r\n", ""},
		{"AUTH TLS", "220 hi\r\n500 " + strings.Repeat("long ", 2000) + "\r\n", "the server refuses AUTH TLS: 500 long"},
		{"EHLO me", "\r\nSSH-2.0-x\r\n9\r\n\x00", ""},
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			o := newOffer()
			for line := range strings.Lines(c.asked) {
				o.asks([]byte(line))
			}
			for rest := c.said; rest != ""; {
				n := min(size, len(rest))
				o.hears([]byte(rest[:n]))
				rest = rest[n:]
			}
			want := c.want
			if want != "" {
				want = "TLS is required, and " + want
			}
			if got := o.lacking(); !strings.HasPrefix(got, want) || want == "" && got != "" || len(got) > 2*maxCommand {
				t.Errorf("%q in pieces of %d: %q, want %q", c.said, size, got, want)
			}
		}
	}
}
