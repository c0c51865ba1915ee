package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"sniff/record"
)

// peers is the folder into which .ci/peers.sh unpacks servers that conflict as
// packages, SNIFF_PEERS if that is set.
func peers(t *testing.T, program string) (path, libraries string) {
	t.Helper()
	folder := os.Getenv("SNIFF_PEERS")
	if folder == "" {
		folder = "../.ci/peers"
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(folder, "usr/sbin", program)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not unpacked: run .ci/peers.sh", program)
	}
	if os.Getuid() != 0 {
		t.Skipf("%s must be started by root", program)
	}
	found, _ := filepath.Glob(folder + "/usr/lib/*-linux-gnu")
	return path, strings.Join(found, ":")
}

// ftpAccount is who logs in at proftpd and pure-ftpd.
const ftpAccount, ftpPassword = "ann", "me@x.test"

// ftpHome makes the folder of the account, which may be written to.
func ftpHome(t *testing.T, big []byte) string {
	t.Helper()
	root := readable(t)
	write(t, root+"/big.bin", big)
	if err := os.Mkdir(root+"/incoming", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{root, root + "/big.bin", root + "/incoming"} {
		if err := os.Chown(path, 2001, 2001); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func passwordHash(t *testing.T) []byte {
	t.Helper()
	hash, err := exec.Command("openssl", "passwd", "-6", ftpPassword).Output()
	if err != nil {
		t.Skipf("openssl: %v", err)
	}
	return bytes.TrimSpace(hash)
}

// proftpd runs one with TLS as it comes: data connections must resume the
// session of their control connection.
func proftpd(t *testing.T, both, root string, more ...string) string {
	t.Helper()
	path, libraries := peers(t, "proftpd")
	hash := passwordHash(t)
	dir := t.TempDir()
	passwd := write(t, dir+"/passwd", fmt.Appendf(nil, "%s:%s:2001:2001::%s:/bin/sh\n", ftpAccount, hash, root))
	if err := os.Chmod(passwd, 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(addr)
	modules := filepath.Join(filepath.Dir(filepath.Dir(path)), "lib/proftpd")
	conf := append([]string{
		"ServerName files.test", "ServerType standalone", "DefaultAddress 127.0.0.1", "Port " + port, "UseIPv6 off", "UseReverseDNS off",
		"User nobody", "Group nogroup", "MaxInstances 100", "ModulePath " + modules, "LoadModule mod_tls.c",
		"PidFile " + dir + "/pid", "ScoreboardFile " + dir + "/scoreboard", "DelayEngine off", "WtmpLog off", "SystemLog " + dir + "/log",
		"AuthUserFile " + passwd, "AuthOrder mod_auth_file.c", "RequireValidShell off", "DefaultRoot ~", "AllowOverwrite on",
		"AllowStoreRestart on", "AllowRetrieveRestart on",
		"TLSEngine on", "TLSProtocol TLSv1.2 TLSv1.3", "TLSECCertificateFile " + both, "TLSECCertificateKeyFile " + both,
		"TLSLog " + dir + "/tls",
	}, more...)
	config := write(t, dir+"/conf", []byte(strings.Join(conf, "\n")+"\n"))
	startProcess(t, addr, "env", "LD_LIBRARY_PATH="+libraries, path, "-n", "-c", config)
	return addr
}

// pureFTPd runs one that offers TLS.
func pureFTPd(t *testing.T, both, root string) string {
	t.Helper()
	path, libraries := peers(t, "pure-ftpd")
	dir := t.TempDir()
	// pure-pw's own hashes are made to take long.
	passwd := write(t, dir+"/passwd", fmt.Appendf(nil, "%s:%s:2001:2001::%s/./::::::::::::\n", ftpAccount, passwordHash(t), root))
	pw := exec.Command(filepath.Join(filepath.Dir(filepath.Dir(path)), "bin/pure-pw"), "mkdb", dir+"/pdb", "-f", passwd)
	pw.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries)
	if out, err := pw.CombinedOutput(); err != nil {
		t.Fatalf("pure-pw: %v: %s", err, out)
	}
	addr := freeAddr(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(addr)
	startProcess(t, addr, "env", "LD_LIBRARY_PATH="+libraries, path, "-S", "127.0.0.1,"+port, "-l", "puredb:"+dir+"/pdb", "-u", "1", "-C", "50", "-H",
		"-g", dir+"/pid", "-Y", "1", "-2", both)
	return addr
}

// measured is what servers say that differs from one session to the next: how
// long a transfer took, how fast it was, how far one came that was aborted.
var measured = regexp.MustCompile(`[0-9.]+ (seconds|[kKMG]?bytes)`)

// together runs tasks, a few at a time: what they wait for is other processes.
func together(tasks []func()) {
	slots := make(chan struct{}, 2*runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for _, task := range tasks {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			task()
		})
	}
	wg.Wait()
}

// command runs a client, for three minutes at most.
func command(t *testing.T, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// TestFTPServers holds the sessions of testdata/ftp_client.py through the proxy
// against the same without it, reply for reply and file for file, and fetches
// with the clients that people use.
func TestFTPServers(t *testing.T) {
	needs(t, "python3", "curl", "lftp", "tnftp")
	if testing.Short() {
		t.Skip("real peers take a while")
	}
	world := newPKI(t)
	both, worldCA := localhost(t, world)
	big := randomBytes(3_000_000)
	servers := []struct{ name, addr string }{
		{"proftpd", proftpd(t, both, ftpHome(t, big))},
		{"pure-ftpd", pureFTPd(t, both, ftpHome(t, big))},
	}
	authority, _ := newCA(t)
	dir := t.TempDir()
	trust := write(t, dir+"/proxy.pem", authority.PEM())
	cfg := Config{CA: authority, Roots: world.pool}
	for _, s := range servers {
		cfg.Listeners = append(cfg.Listeners, Listener{Listen: "127.0.0.1:0", To: s.addr})
	}
	l := startLab(t, cfg, "")
	var tasks []func()
	transfers := 0
	for i, s := range servers {
		proxied := l.srv.Addrs()[i].String()
		// Sessions that write have the folder to themselves.
		var writers []func()
		for _, c := range []struct{ secure, version string }{
			{"plain", "-"}, {"clear", "1.3"}, {"private", "1.2"}, {"private", "1.3"},
		} {
			for _, mode := range []string{"passive", "active"} {
				extent := "abort"
				if c.secure != "plain" {
					// Either server may die, or stand still for ever, when a
					// transfer in TLS is aborted.
					extent = "whole"
				}
				writers = append(writers, func() {
					session := func(addr, ca string) string {
						_, port, _ := net.SplitHostPort(addr)
						out, err := command(t, python(), "testdata/ftp_client.py", "127.0.0.1", port, mode, c.secure, c.version, ca, ftpAccount, ftpPassword, extent)
						if err != nil {
							t.Errorf("%s, %s, %s %s, at %s: %v\n%s", s.name, mode, c.secure, c.version, addr, err, out)
						}
						return measured.ReplaceAllString(out, "some $1")
					}
					direct, through := session(s.addr, worldCA), session(proxied, trust)
					// The proxy's tickets do for every transfer, also where the
					// server's would run out.
					if c.secure == "private" && !strings.HasSuffix(through, "resumed True\n") {
						t.Errorf("%s, %s, %s: a data connection did not resume the session: %s", s.name, mode, c.version, through)
					}
					if direct = strings.Replace(direct, "resumed False", "resumed True", 1); direct != through {
						t.Errorf("%s, %s, %s %s, direct:\n%s\nthrough the proxy:\n%s", s.name, mode, c.secure, c.version, direct, through)
					}
				})
				transfers += 8
			}
		}
		tasks = append(tasks, func() {
			for _, w := range writers {
				w()
			}
		})
		for name, args := range ftpFetches(proxied, trust) {
			switch s.name + " " + name {
			case "pure-ftpd curl CCC passive":
				// Either waits for the other to end TLS, also without a proxy.
				continue
			}
			out := filepath.Join(dir, s.name+" "+name)
			tasks = append(tasks, func() {
				for i, a := range args {
					args[i] = strings.ReplaceAll(a, "OUT", "'"+out+"'")
				}
				said, err := command(t, "sh", "-c", strings.Join(args, " "))
				got, _ := os.ReadFile(out)
				if err != nil || !bytes.Equal(got, big) {
					t.Errorf("%s, %s: %v: %d of %d bytes\n%s", s.name, name, err, len(got), len(big), said)
				}
			})
			transfers++
		}
	}
	together(tasks)
	sum := fmt.Sprintf("%x", sha256.Sum256(big))
	recorded, whole := 0, 0
	for _, r := range l.all() {
		switch r := r.(type) {
		case *record.FTPTransfer:
			recorded++
			if r.Content != nil && r.Content.SHA256 == sum {
				whole++
			}
		case *record.Anomaly:
			if strings.HasPrefix(r.Code, "proxy_") {
				t.Errorf("%s: %s", r.Code, r.Detail)
			}
		}
	}
	if recorded < transfers || whole < transfers/4 {
		t.Errorf("%d transfers recorded, %d of them with the digest of the file; at least %d were made", recorded, whole, transfers)
	}
}

// ftpFetches are commands that put big.bin into OUT. In each there are more
// transfers than the two tickets that OpenSSL hands out.
//
// lftp's CCC is none of them: lftp 4.9 takes the server's end of TLS for the end
// of the connection when it reads it together with the reply ("Peer closed
// connection"). Without a proxy it fails as often.
func ftpFetches(addr, trust string) map[string][]string {
	_, port, _ := net.SplitHostPort(addr)
	url := "ftp://localhost:" + port
	curl := func(more string) []string {
		return []string{"curl", "-sS", "-4", "-m", "150", "-u", ftpAccount + ":" + ftpPassword, "--cacert", trust, more,
			"-o", "OUT", url + "/big.bin", "-o", "OUT", url + "/big.bin", "-o", "OUT", url + "/big.bin", "-o", "OUT", url + "/big.bin"}
	}
	lftp := func(settings string) []string {
		return []string{"lftp", "-c", `"set net:timeout 20; set net:max-retries 1; set xfer:clobber yes; set ssl:ca-file ` + trust + "; " + settings +
			"; open -u " + ftpAccount + "," + ftpPassword + " " + url + `; ls; get big.bin -o OUT; ls incoming; get big.bin -o OUT"`}
	}
	return map[string][]string{
		"curl FTPS 1.2":    curl("--ssl-reqd --tls-max 1.2"),
		"curl FTPS 1.3":    curl("--ssl-reqd --tlsv1.3"),
		"curl CCC":         curl("--ssl-reqd --tls-max 1.2 --ftp-ssl-ccc --ftp-ssl-ccc-mode active"),
		"curl CCC passive": curl("--ssl-reqd --ftp-ssl-ccc --ftp-ssl-ccc-mode passive"),
		"lftp FTPS":        lftp("set ftp:ssl-force yes; set ftp:ssl-protect-data yes"),
		"lftp FTPS active": lftp("set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:passive-mode no"),
		"tnftp":            {"printf", `'open localhost ` + port + `\nuser ` + ftpAccount + " " + ftpPassword + `\nbinary\nget big.bin "%s"\nls\nget big.bin "%s"\nquit\n'`, "OUT", "OUT", "|", "tnftp", "-n", "-4"},
	}
}
