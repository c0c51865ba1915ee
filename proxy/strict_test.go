package proxy

import (
	"net"
	"strings"
	"testing"
)

// TestStrictClients: Java (PKIX, names checked) and Python with the flags that
// it has on by default since 3.13 accept the proxy's certificates, and not
// those for another name.
func TestStrictClients(t *testing.T) {
	for name, c := range map[string]struct {
		tool     string
		program  []string
		versions []string
		refused  string
	}{
		"python": {python(), []string{python(), "testdata/strict.py"}, []string{"TLSv1.2", "TLSv1.3"}, "CERTIFICATE_VERIFY_FAILED"},
		"java":   {"javac", []string{"java", "-XX:TieredStopAtLevel=1", "testdata/Strict.java"}, []string{"TLSv1.2", "TLSv1.3"}, "SSLHandshakeException"},
	} {
		t.Run(name, func(t *testing.T) {
			needs(t, c.tool)
			world := newPKI(t)
			authority, _ := newCA(t)
			both, _ := localhost(t, world)
			server := listen(t, secureEcho(loaded(t, both)))
			l := startLab(t, Config{CA: authority, Roots: world.pool, Listeners: []Listener{{Listen: "127.0.0.1:0", To: server}}}, "")
			_, port, _ := net.SplitHostPort(l.addr)
			trust := write(t, t.TempDir()+"/proxy.pem", authority.PEM())
			run := func(host, authority string) (string, error) {
				args := append(append([]string{}, c.program[1:]...), port, host, authority)
				return command(t, c.program[0], append(args, c.versions...)...)
			}
			for _, host := range []string{"localhost", "127.0.0.1"} {
				out, err := run(host, trust)
				if err != nil || strings.TrimSpace(out) != "TLSv1.2 hello\nTLSv1.3 hello" {
					t.Errorf("%s: %v\n%s", host, err, out)
				}
			}
			other := write(t, t.TempDir()+"/other.pem", otherAuthority(t))
			if out, err := run("localhost", other); err == nil || !strings.Contains(out, c.refused) {
				t.Errorf("with another authority: %v\n%s", err, out)
			}
			l.anomaly(codeClientDistrust)
		})
	}
}

func otherAuthority(t *testing.T) []byte {
	t.Helper()
	a, _ := newCA(t)
	return a.PEM()
}
