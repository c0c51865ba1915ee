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
