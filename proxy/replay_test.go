package proxy

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"sniff/capture"
	"sniff/content"
	"sniff/dissect"
	"sniff/dissect/ftp"
	"sniff/dissect/http"
	"sniff/dissect/sftp"
	"sniff/dissect/smtp"
	"sniff/dissect/ssh"
	tlslayer "sniff/dissect/tls"
	"sniff/flow"
	"sniff/record"
	"sniff/render"
)

// readCapture returns the records of a capture.
func readCapture(t *testing.T, path string) []record.Record {
	t.Helper()
	var out []record.Record
	bodies := content.New(content.Config{})
	defer bodies.Close()
	e := flow.New(flow.Config{
		Protocols: []dissect.Protocol{http.Protocol(), smtp.Protocol(), ftp.Protocol(), ssh.Protocol(), sftp.Protocol(), sftp.SCP()},
		Content:   bodies,
		Inline:    true,
		TLS:       tlslayer.New(tlslayer.Config{}),
		Secrets:   record.NewKeyer([]byte("of the tests")),
		Sink:      record.SinkFunc(func(r record.Record) error { out = append(out, r); return nil }),
	})
	r, err := capture.OpenFiles([]string{path}, capture.Options{CheckChecksums: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var seg capture.Segment
	for {
		err := r.Next(&seg)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		e.Segment(&seg)
	}
	if s := r.Stats().Skipped; s.Undecodable+s.BadChecksum+s.CutHeaders > 0 {
		t.Errorf("%s: packets that cannot be read: %+v", path, s)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// comparable writes records without what differs from run to run or is only
// known to a capture or to the proxy, one a line, in order for each session.
func comparable(t *testing.T, records []record.Record) []string {
	t.Helper()
	var out []string
	for _, r := range records {
		var fields map[string]any
		switch r := r.(type) {
		case *record.TLSHandshake, *record.TLSEnd:
			continue
		case *record.Anomaly:
			if strings.HasPrefix(r.Code, "proxy_") {
				continue
			}
			if r.Code == "tcp_unreachable" {
				out = append(out, fmt.Sprintf("%s anomaly %s of the %s", r.Client, r.Code, r.Dir))
				continue
			}
		case *record.Session:
			out = append(out, fmt.Sprintf("%s session %s %s by %q: %d and %d bytes", r.Client, r.Protocol, r.End, r.EndedBy, r.ClientSide.Bytes, r.ServerSide.Bytes))
			continue
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Fatal(err)
		}
		strip(fields)
		b, _ = json.Marshal(fields)
		out = append(out, r.Head().Client.String()+" "+string(b))
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, _, _ := strings.Cut(out[i], " ")
		b, _, _ := strings.Cut(out[j], " ")
		return a < b
	})
	return out
}

// timing are the fields that tell times, packets and places in TLS.
var timing = []string{
	"time", "session", "number", "packet", "stream_offset", "parent", "community_id", "control", "started", "ended",
	"latency", "duration", "wait", "idle", "times", "waiting", "thinking", "transfer_time", "rate", "throughput", "phases", "token", "packets",
	"tls", "tls_version", "tls_cipher", "tls_resumed", "secure", "exposure", "exposed", "protection", "protected", "sending", "answered", "answered_at", "first_byte", "last_byte",
}

func strip(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if slices.Contains(timing, k) || strings.HasSuffix(k, "_time") || strings.HasSuffix(k, "_after") {
				delete(v, k)
				continue
			}
			strip(x)
		}
	case []any:
		for _, x := range v {
			strip(x)
		}
	}
}

func diff(t *testing.T, live, read []string) {
	t.Helper()
	if only := different(live, read); len(only) > 0 {
		t.Errorf("%d of %d records differ:\n%.4000s", len(only), len(live), strings.Join(only, "\n"))
	}
}

func different(live, read []string) (only []string) {
	clear := strings.NewReplacer("https://", "http://")
	for i := range max(len(live), len(read)) {
		a, b := "", ""
		if i < len(live) {
			a = live[i]
		}
		if i < len(read) {
			b = read[i]
		}
		if clear.Replace(a) != clear.Replace(b) {
			only = append(only, fmt.Sprintf("proxy %s\nfile  %s", a, b))
		}
	}
	return only
}

// piece is what one side of a sample said at a time.
type piece struct {
	dir dissect.Dir
	b   []byte
	end bool
}

// dialogues returns what the connections of a sample said, in order.
func dialogues(t *testing.T, path string) [][]piece {
	t.Helper()
	r, err := capture.OpenFiles([]string{path}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	type key struct{ a, b netip.AddrPort }
	index := map[key]int{}
	var out [][]piece
	var next [][2]uint32
	var client []netip.AddrPort
	var seg capture.Segment
	for r.Next(&seg) == nil {
		k := key{seg.Src, seg.Dst}
		if seg.Dst.Compare(seg.Src) < 0 {
			k = key{seg.Dst, seg.Src}
		}
		i, known := index[k]
		switch syn := seg.Flags&capture.SYN != 0; {
		case syn && seg.Flags&capture.ACK == 0:
			i = len(out)
			index[k] = i
			out, next, client = append(out, nil), append(next, [2]uint32{seg.Seq + 1}), append(client, seg.Src)
			continue
		case !known:
			continue
		case syn:
			next[i][1] = seg.Seq + 1
			continue
		}
		dir := record.ClientToServer
		if seg.Src != client[i] {
			dir = record.ServerToClient
		}
		if n := int32(next[i][dir] - seg.Seq); n >= 0 && int(n) < len(seg.Payload) {
			b := slices.Clone(seg.Payload[n:])
			next[i][dir] += uint32(len(b))
			out[i] = append(out[i], piece{dir: dir, b: b})
		}
		if seg.Flags&capture.FIN != 0 {
			out[i] = append(out[i], piece{dir: dir, end: true})
		}
	}
	return out
}

// TestWrittenCaptureGivesTheSameRecords replays the samples through a proxy
// that writes a capture, and reads that.
func TestWrittenCaptureGivesTheSameRecords(t *testing.T) {
	var samples []string
	for _, ext := range []string{"pcap", "pcapng"} {
		found, _ := filepath.Glob("../samples/*/*." + ext)
		samples = append(samples, found...)
	}
	if len(samples) < 60 {
		t.Fatalf("%d samples found", len(samples))
	}
	for _, sample := range samples {
		t.Run(strings.TrimPrefix(sample, "../samples/"), func(t *testing.T) {
			served := make(chan *net.TCPConn, 1)
			release := make(chan struct{})
			server := listen(t, func(c *net.TCPConn) {
				served <- c
				<-release
			})
			path := t.TempDir() + "/traffic.pcapng"
			w, err := render.CreatePcapNG(path, render.Rotation{})
			if err != nil {
				t.Fatal(err)
			}
			l := startLab(t, Config{Tap: w, AllowForeignData: true}, server)
			for _, d := range dialogues(t, sample) {
				replay(l, d, served, release)
			}
			l.srv.Shutdown(2 * time.Second)
			_ = l.engine.Close()
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			diff(t, comparable(t, l.all()), comparable(t, readCapture(t, path)))
		})
	}
}

// replay says a dialogue through the proxy, each piece when the one before has
// come through or is held back.
func replay(l *lab, d []piece, served <-chan *net.TCPConn, release chan<- struct{}) {
	c := l.dial()
	ends := [2]*net.TCPConn{c, <-served}
	var got [2]chan int
	for i := range ends {
		got[i] = make(chan int, 1000)
		go func() {
			b := make([]byte, 64<<10)
			for {
				n, err := ends[1-i].Read(b)
				got[i] <- n
				if err != nil {
					close(got[i])
					return
				}
			}
		}()
	}
	for _, p := range d {
		if p.end {
			_ = ends[p.dir].CloseWrite()
		} else {
			_, _ = ends[p.dir].Write(p.b)
		}
		timeout := time.After(30 * time.Millisecond)
		for n := max(len(p.b), 1); n > 0; {
			select {
			case m, ok := <-got[p.dir]:
				n -= m
				if !ok {
					n = 0
				}
			case <-timeout:
				n = 0
			}
		}
	}
	for _, e := range ends {
		_ = e.CloseWrite()
	}
	release <- struct{}{}
	c.Close()
	// The next connection must find this one ended, in the proxy as in the file.
	client := c.LocalAddr().String()
	wait(l, func(s *record.Session) bool { return s.Client.String() == client })
}

// TestWrittenCaptureOfTLS: behind STARTTLS stands the plaintext, and is read as
// such.
func TestWrittenCaptureOfTLS(t *testing.T) {
	path := t.TempDir() + "/traffic.pcapng"
	w, err := render.CreatePcapNG(path, render.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	l, trust := tlsLab(t, Config{Tap: w}, good(t), mail(&heard{}))
	raw := l.dial()
	expect(t, raw, "220")
	fmt.Fprint(raw, "EHLO me\r\n")
	expect(t, raw, "250")
	fmt.Fprint(raw, "STARTTLS\r\n")
	expect(t, raw, "220")
	c := tls.Client(raw, small(trust))
	sendMail(t, c)
	c.Close()
	l.session()
	// A kill at any moment leaves a readable file up to the last second: this
	// one was not closed.
	size := func() int64 {
		if at, err := os.Stat(path); err == nil {
			return at.Size()
		}
		return 0
	}
	deadline := time.Now().Add(time.Minute)
	for size() == 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	live := comparable(t, l.all())
	for len(different(live, comparable(t, readCapture(t, path)))) > 0 && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	diff(t, live, comparable(t, readCapture(t, path)))
	l.srv.Shutdown(time.Second)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	diff(t, comparable(t, l.all()), comparable(t, readCapture(t, path)))
}
