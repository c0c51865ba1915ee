package diagnose

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// ftpFindings plays records of one session to a watcher and lists what it
// found, as "code: title" or "code < cause".
func ftpFindings(t *testing.T, rs ...record.Record) []string {
	t.Helper()
	var got []string
	w := NewWatcher(record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok {
			s := f.Code
			if f.Cause != "" {
				s += " < " + f.Cause
			}
			got = append(got, s+": "+f.Title)
		}
		return nil
	}), []Family{ftpFamily()})
	for _, r := range append(rs, &record.Session{}) {
		h := r.Head()
		h.Session, h.RecordKind = "s1", r.Kind()
		if !h.Client.IsValid() {
			h.Client, h.Server = netip.MustParseAddrPort("192.0.2.10:40000"), netip.MustParseAddrPort("192.0.2.20:21")
		}
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

func exchange(command, arg, user string, code int, text string) *record.FTPExchange {
	x := &record.FTPExchange{Command: command, Arg: record.Plain(arg), User: user, Result: record.FTPOk}
	x.Replies = []record.FTPReply{{Code: code, Lines: []string{text}}}
	if code >= 400 {
		x.Result = record.FTPFailed
	}
	return x
}

// whole is a file of 5 bytes that was moved; digestReply is what the server
// says of one.
func whole(path, sha256 string) *record.FTPTransfer {
	return &record.FTPTransfer{Command: "RETR", Path: path, Direction: "download", Type: "I", Outcome: record.TransferComplete,
		Bytes: 5, Content: &record.Content{Size: 5, SHA256: sha256}}
}

func digestReply(path, algorithm, digest string) *record.FTPExchange {
	x := exchange("HASH", path, "bob", 213, "x")
	x.Path, x.Algorithm, x.Digest = path, algorithm, digest
	return x
}

// play gives records to a watcher as they are and lists the findings.
func play(t *testing.T, rs ...record.Record) []string {
	t.Helper()
	var got []string
	w := NewWatcher(record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok {
			got = append(got, f.Code+": "+f.Title)
		}
		return nil
	}), []Family{ftpFamily()})
	for _, r := range rs {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return got
}

func headed(session, client, server string) record.Header {
	return record.Header{Session: session, Client: addr(client), Server: addr(server)}
}

// TestSlowTransfer: the packets of the data connection say what held it up,
// whichever of the two records comes first.
func TestSlowTransfer(t *testing.T) {
	data := func(server, client record.SideStats) *record.Session {
		return &record.Session{Header: record.Header{Session: "d", Protocol: "ftp-data", Client: addr("192.0.2.10:40001"), Server: addr("192.0.2.20:5001")}, ServerSide: server, ClientSide: client}
	}
	for _, c := range []struct {
		name           string
		bytes, rate    int64
		server, client record.SideStats
		want           string
	}{
		{"full receiver", 40000, 10000, record.SideStats{Bytes: 40000}, record.SideStats{ZeroWindows: 9}, "192.0.2.10, which received it, was 9 times full"},
		{"loss", 40000, 10000, record.SideStats{Bytes: 40000, Retransmitted: 4000}, record.SideStats{}, "4.0 KB was lost on the way and had to be sent again (10 %)"},
		{"slow sender", 400000, 20000, record.SideStats{Bytes: 400000}, record.SideStats{}, "192.0.2.20 had no more to send"},
		{"fast enough", 40000000, 10000000, record.SideStats{Bytes: 40000000, Retransmitted: 4000}, record.SideStats{}, ""},
		{"bad line", 4000, 10000, record.SideStats{Bytes: 4000, Retransmitted: 1000}, record.SideStats{}, "1.0 KB was lost on the way and had to be sent again (25 %)"},
		{"short", 400, 10000, record.SideStats{Bytes: 4000, Retransmitted: 4000}, record.SideStats{}, ""},
	} {
		transfer := &record.FTPTransfer{Header: headed("c", "192.0.2.10:40000", "192.0.2.20:21"), Command: "RETR", Path: "/a", Direction: "download",
			Outcome: record.TransferComplete, Bytes: c.bytes, Rate: c.rate, DataSession: "d"}
		control := &record.Session{Header: headed("c", "192.0.2.10:40000", "192.0.2.20:21")}
		s := data(c.server, c.client)
		for _, order := range [][]record.Record{{transfer, s, control}, {s, transfer, control}} {
			got := strings.Join(play(t, order...), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) || strings.Count(got, "ftp.slow_transfer") > 1 {
				t.Errorf("%s: %q, want %q in it", c.name, got, c.want)
			}
		}
	}
}

// TestHidden: of a session in unreadable TLS the connections that most likely
// were its data are named, whether they were over before it or not.
func TestHidden(t *testing.T) {
	control := func(id, server, inferred string) *record.Session {
		s := &record.Session{Header: headed(id, "192.0.2.10:4000", server), TLS: "opaque", Inferred: inferred}
		s.Protocol = "ftp"
		return s
	}
	moved := func(session, control string) *record.FTPTransfer {
		return &record.FTPTransfer{Header: headed(session, "192.0.2.10:4001", "192.0.2.20:50001"), Control: control, Outcome: record.TransferUnknown,
			Hidden: true, Protected: true, Inferred: record.InferredByHosts, Direction: "download", Bytes: 5000, Duration: record.Seconds(time.Second), DataSession: "d"}
	}
	got := play(t, moved("a", ""), control("a", "192.0.2.20:21", ""), moved("d", "a"), control("b", "192.0.2.20:990", record.InferredByPort))
	want := []string{
		"ftp.hidden: what 192.0.2.10 and 192.0.2.20:21 said behind AUTH TLS could not be read; 2 connections between them carried 10 KB in 2.00 s, most likely its data",
		"ftp.hidden: what 192.0.2.10 and 192.0.2.20:990 said in TLS could not be read",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestServerToServer: a PORT that passes on what another server announced to
// the same client is no bounce; for another client it is.
func TestServerToServer(t *testing.T) {
	pasv := exchange("PASV", "", "bob", 227, "(192,0,2,21,195,80)")
	pasv.Header, pasv.Endpoint = headed("a", "192.0.2.10:1", "192.0.2.21:21"), addr("192.0.2.21:50000")
	port := exchange("PORT", "192,0,2,21,195,80", "bob", 200, "OK")
	port.Header, port.Endpoint = headed("b", "192.0.2.10:2", "192.0.2.20:21"), addr("192.0.2.21:50000")
	end := &record.Session{Header: port.Header}
	if got := play(t, pasv, port, end); len(got) != 1 || !strings.HasPrefix(got[0], "ftp.server_to_server: 192.0.2.10 had 192.0.2.20:21 connect to 192.0.2.21:50000") {
		t.Errorf("%q", got)
	}
	stranger := *port
	stranger.Client = addr("192.0.2.66:2")
	if got := play(t, pasv, &stranger, end); len(got) != 1 || !strings.HasPrefix(got[0], "ftp.bounce") {
		t.Errorf("another client's: %q", got)
	}
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestFTPFindings(t *testing.T) {
	login := exchange("PASS", "***", "bob", 230, "In")
	moved := func(change func(*record.FTPTransfer)) []record.Record {
		t := &record.FTPTransfer{
			Command: "RETR", Path: "/a", Direction: "download", Type: "I", Outcome: record.TransferComplete, Bytes: 5, Completion: 226,
			DataSession: "d", DataFrom: addr("192.0.2.10:40001"), DataTo: addr("192.0.2.20:5001"), Endpoint: addr("192.0.2.20:5001"), DataEnd: record.EndClosed,
		}
		change(t)
		return []record.Record{login, t}
	}
	tests := []struct {
		name    string
		records []record.Record
		want    []string // beginnings
	}{
		{"PORT refused", []record.Record{login, func() record.Record {
			x := exchange("PORT", "192,0,2,10,200,0", "bob", 500, "Illegal PORT command.")
			x.Endpoint = addr("192.0.2.10:51200")
			return x
		}()}, []string{"ftp.active_refused: 192.0.2.20:21 refused PORT 192,0,2,10,200,0: 500 Illegal PORT command."}},
		{"the server's other data port", moved(func(t *record.FTPTransfer) {
			t.Active, t.DataFrom, t.DataTo, t.Endpoint = true, addr("192.0.2.20:36000"), addr("192.0.2.10:5000"), addr("192.0.2.10:5000")
		}), []string{"ftp.data_port: 192.0.2.20 opened its data connections from port 36000"}},
		{"opened but empty", moved(func(t *record.FTPTransfer) {
			t.Bytes, t.Outcome, t.Reason, t.Announced, t.Source = 0, record.TransferShort, "the data connection carried nothing", 500, "SIZE"
		}), []string{"ftp.data_empty: RETR /a opened a data connection and moved nothing of 500 bytes"}},
		{"shorter than announced", moved(func(t *record.FTPTransfer) {
			t.Outcome, t.Reason, t.Announced, t.Source = record.TransferShort, "5 of 500 bytes", 500, "SIZE"
		}), []string{"ftp.short_transfer: RETR /a ended early after 5 B: 5 of 500 bytes"}},
		{"given up", moved(func(t *record.FTPTransfer) {
			t.Outcome, t.Reason, t.Completion = record.TransferAborted, "426 Aborted", 426
		}), []string{"ftp.aborted: RETR /a was given up after 5 B: 426 Aborted"}},
		{"disk full", moved(func(t *record.FTPTransfer) {
			t.Command, t.Direction, t.Outcome, t.Completion, t.Reply = "STOR", "upload", record.TransferShort, 452, "No space left on device"
		}), []string{"ftp.disk_full: 192.0.2.20:21 has no room for STOR /a: 452 No space left on device"}},
		{"quota used up", moved(func(t *record.FTPTransfer) {
			t.Command, t.Direction, t.Outcome, t.Completion, t.Reply = "STOR", "upload", record.TransferShort, 552, "Quota exceeded"
		}), []string{"ftp.disk_full: 192.0.2.20:21 has no room for STOR /a: 552 Quota exceeded"}},
		{"the server cannot write, and says no more", moved(func(t *record.FTPTransfer) {
			t.Command, t.Direction, t.Outcome, t.Completion, t.Reply = "STOR", "upload", record.TransferShort, 451, "Failure writing to local file."
		}), []string{"ftp.store_failed: 192.0.2.20:21 took 5 B of STOR /a and could not write them: 451 Failure writing to local file."}},
		{"resuming is refused by the transfer", moved(func(t *record.FTPTransfer) {
			t.Restart, t.Outcome, t.Completion, t.Reply, t.Bytes = 100, record.TransferRefused, 550, "No support for resume of ASCII transfer.", 0
		}), []string{"ftp.restart_refused: 192.0.2.20:21 refused to resume RETR /a at 100: 550 No support"}},
		{"control connection ended by the server while data flowed", moved(func(t *record.FTPTransfer) {
			t.Completion, t.Reply = 421, "Session Timeout"
		}), []string{"ftp.control_lost: 192.0.2.20:21 ended the control connection while RETR /a moved: 421 Session Timeout"}},
		{"reuse demanded without a word of it", moved(func(t *record.FTPTransfer) {
			t.Outcome, t.Completion, t.Reply = record.TransferUnopened, 425, "Unable to build data connection: Operation not permitted"
			t.Protected, t.TLSVersion = true, "TLS 1.3"
		}), []string{"ftp.session_reuse: 192.0.2.20:21 wants the TLS session"}},
		{"nothing moved, nothing in the clear", []record.Record{func() record.Record {
			x := exchange("PASS", "***", "bob", 230, "In")
			x.Protection = "tls"
			return x
		}(), moved(func(t *record.FTPTransfer) {
			t.Outcome, t.Completion, t.Reply, t.Bytes = record.TransferRefused, 522, "Data connections must be encrypted.", 0
		})[1]}, []string{"ftp.data_protection: 192.0.2.20:21 refused a data connection"}},
		{"no permission", moved(func(t *record.FTPTransfer) {
			t.Outcome, t.Completion, t.Reply = record.TransferRefused, 550, "Permission denied."
		}), []string{"ftp.file_refused: RETR /a was refused: 550 Permission denied."}},
		{"name not allowed", moved(func(t *record.FTPTransfer) {
			t.Command, t.Outcome, t.Completion, t.Reply = "STOR", record.TransferRefused, 553, "Could not create file."
		}), []string{"ftp.file_refused: STOR /a was refused: 553 Could not create file."}},
		{"REST refused", []record.Record{login, exchange("REST", "100", "bob", 501, "No REST in ASCII mode")},
			[]string{"ftp.restart_refused: 192.0.2.20:21 refused to resume at 100: 501 No REST in ASCII mode"}},
		{"protection demanded", moved(func(t *record.FTPTransfer) {
			t.Outcome, t.Completion, t.Reply = record.TransferRefused, 522, "Data connections must be encrypted."
		}), []string{"ftp.data_protection: 192.0.2.20:21 refused a data connection for its protection: 522 Data"}},
		{"TLS expected on data but not spoken", []record.Record{login, &record.Anomaly{Code: "ftp_data_not_tls", Detail: "in the clear although PROT P was agreed"}},
			[]string{"ftp.data_not_tls: in the clear although PROT P was agreed"}},
		{"TLS spoken on data but not expected", []record.Record{login, &record.Anomaly{Code: "ftp_data_unexpected_tls", Detail: "TLS begins, for which PROT P was not agreed"}},
			[]string{"ftp.data_unexpected_tls: TLS begins"}},
		{"commands behind AUTH TLS", []record.Record{login, &record.Anomaly{Code: "starttls_injection", Detail: "DELE /a"}},
			[]string{"ftp.tls_injection: bytes in the clear stood behind AUTH TLS: DELE /a"}},
		{"data in the clear", []record.Record{func() record.Record {
			x := exchange("PASS", "***", "bob", 230, "In")
			x.Protection = "tls"
			return x
		}(), moved(func(*record.FTPTransfer) {})[1]}, []string{"ftp.data_in_clear: RETR /a moved in the clear although the session is in TLS"}},
		{"control connection cut by an idle timeout while data flowed", []record.Record{login, func() record.Record {
			x := exchange("", "", "bob", 421, "Timeout.")
			x.Result = record.FTPUnasked
			return x
		}(), moved(func(t *record.FTPTransfer) { t.Control, t.Outcome = "c", record.TransferUnknown })[1]}, []string{
			"ftp.idle_timeout: 192.0.2.20:21 ended the session: 421 Timeout.",
			"ftp.control_lost < ftp.idle_timeout: the control connection to 192.0.2.20",
		}},
		{"data on another machine", moved(func(t *record.FTPTransfer) {
			t.Endpoint, t.DataTo = addr("192.0.2.99:5001"), addr("192.0.2.99:5001")
		}), []string{"ftp.foreign_address: 192.0.2.20 announced a data connection on another machine, 192.0.2.99:5001"}},
		{"all is well", []record.Record{login, &record.FTPTransfer{
			Command: "RETR", Path: "/a", Direction: "download", Outcome: record.TransferComplete, Bytes: 5, Completion: 226,
			DataSession: "d", DataFrom: addr("192.0.2.10:40001"), DataTo: addr("192.0.2.20:5001"), Endpoint: addr("192.0.2.20:5001"),
		}}, nil},
		{"firewall drops the passive port", []record.Record{login, &record.FTPTransfer{
			Command: "LIST", Direction: "listing", Outcome: record.TransferUnopened, Reason: "the data connection was unanswered", Completion: 425,
			DataSession: "d", DataFrom: addr("192.0.2.10:40001"), DataTo: addr("192.0.2.20:5001"), Endpoint: addr("192.0.2.20:5001"), DataEnd: record.EndUnanswered,
		}}, []string{"ftp.passive_unreachable: 192.0.2.10 could not reach 192.0.2.20:5001 for LIST: the data connection was unanswered"}},
		{"private address behind translation", []record.Record{login, &record.FTPTransfer{
			Command: "LIST", Direction: "listing", Outcome: record.TransferUnopened, Reason: "425 Timeout", Completion: 425, Endpoint: addr("10.0.0.5:5001"),
		}}, []string{
			"ftp.private_address: the server at 192.0.2.20 announced 10.0.0.5:5001",
			"ftp.passive_unreachable < ftp.private_address: 192.0.2.10 could not reach 10.0.0.5:5001",
		}},
		{"active mode blocked", []record.Record{login, &record.FTPTransfer{
			Command: "RETR", Path: "/a", Outcome: record.TransferUnopened, Active: true, Completion: 425, Reason: "425 Failed", Endpoint: addr("192.0.2.10:5000"),
		}}, []string{"ftp.active_unreachable: 192.0.2.20 could not connect back to 192.0.2.10:5000 for RETR"}},
		{"bounce", []record.Record{login, func() record.Record {
			x := exchange("PORT", "198,51,100,9,0,25", "bob", 200, "OK")
			x.Endpoint = addr("198.51.100.9:25")
			return x
		}()}, []string{"ftp.bounce: 192.0.2.10 asked 192.0.2.20:21 to connect to 198.51.100.9:25: 200 OK"}},
		{"stranger on the data port", []record.Record{login, &record.FTPTransfer{
			Command: "RETR", Path: "/a", Direction: "download", Outcome: record.TransferComplete, DataSession: "d",
			DataFrom: addr("203.0.113.7:6000"), DataTo: addr("192.0.2.20:5001"), Endpoint: addr("192.0.2.20:5001"),
		}}, []string{"ftp.hijack: 203.0.113.7:6000, not the client 192.0.2.10"}},
		{"image as text", []record.Record{login, &record.FTPTransfer{
			Command: "RETR", Path: "/a.png", Direction: "download", Outcome: record.TransferComplete, Type: "A",
			LineEnds: &record.LineEnds{CRLF: 12, CR: 3, NUL: 40}, Content: &record.Content{Detected: "image/png"},
		}}, []string{"ftp.ascii_damage: RETR /a.png is image/png"}},
		{"text as text", []record.Record{login, &record.FTPTransfer{
			Command: "RETR", Path: "/a.txt", Direction: "download", Outcome: record.TransferComplete, Type: "A",
			LineEnds: &record.LineEnds{CRLF: 12}, Content: &record.Content{Detected: "text/plain"},
		}}, nil},
		{"reuse demanded", []record.Record{login, &record.FTPTransfer{
			Command: "LIST", Outcome: record.TransferShort, Completion: 522, Reply: "SSL connection failed: session reuse required",
		}}, []string{"ftp.session_reuse: 192.0.2.20:21 wants the TLS session"}},
		{"login failed", []record.Record{exchange("PASS", "***", "root", 530, "No")},
			[]string{`ftp.login_failed: 192.0.2.10 could not log in to 192.0.2.20:21 as "root": 530 No`}},
		{"guessing", func() []record.Record {
			var rs []record.Record
			for range 12 {
				rs = append(rs, exchange("PASS", "***", "root", 530, "No"))
			}
			return rs
		}(), []string{
			`ftp.guessing: 192.0.2.10 failed to log in to FTP 12 times as "root"`,
		}},
		{"password in the clear", []record.Record{login, &record.Credential{
			Account: "bob", Secret: record.NewSecret("x", "t"), Exposure: record.ExposureClear,
		}}, []string{`ftp.cleartext_password: 192.0.2.10 sent the password of "bob"`}},
		{"anonymous may write", []record.Record{exchange("PASS", "***", "anonymous", 230, "In"), &record.FTPTransfer{
			Command: "STOR", Path: "/in/x", Direction: "upload", User: "anonymous", Outcome: record.TransferComplete,
		}}, []string{"ftp.anonymous_write: anonymous stored /in/x"}},
		{"digest agrees", []record.Record{login, whole("/a", "ab12"), digestReply("/a", "SHA-256", "ab12")},
			[]string{"ftp.digest_agrees: RETR /a arrived whole: 192.0.2.20 computes the same SHA-256"}},
		{"digest asked for before, and differs", []record.Record{login, digestReply("/a", "SHA-256", "ab12"), whole("/a", "cd34")},
			[]string{"ftp.digest_differs: RETR /a has SHA-256 cd34 on the wire, but 192.0.2.20 computes ab12"}},
		{"digest of a part", []record.Record{login, whole("/a", "ab12"), func() record.Record {
			x := digestReply("/a", "SHA-256", "cd34")
			x.DigestTo = 3
			return x
		}()}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range tt.records {
				*r.Head() = record.Header{}
			}
			got := ftpFindings(t, tt.records...)
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], tt.want[i]) {
					t.Errorf("got %q, want it to begin with %q", got[i], tt.want[i])
				}
			}
		})
	}
}

// Every code of the catalogue has a test in this file.
func TestFTPCodesAreTested(t *testing.T) {
	b, err := os.ReadFile("ftp_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range ftpCodes() {
		if !strings.Contains(string(b), i.Code+":") && !strings.Contains(string(b), i.Code+" <") && !strings.Contains(string(b), i.Code+"\"") {
			t.Errorf("no test raises %s", i.Code)
		}
	}
}

func TestFTPCodesAreWhole(t *testing.T) {
	for _, i := range ftpCodes() {
		if !strings.HasPrefix(i.Code, "ftp.") || i.Severity.Level() == 0 || !strings.HasSuffix(i.Explanation, ".") {
			t.Errorf("%q is not whole", i.Code)
		}
	}
}
