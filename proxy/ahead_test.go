package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sniff/flow"
	"sniff/record"
)

// slowWriter has written long before Write returns, which it does when it may.
type slowWriter struct {
	net.Conn
	may chan struct{}
}

func (c slowWriter) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	select {
	case <-c.may:
	case <-time.After(30 * time.Second):
	}
	return n, err
}

// TestAnswerOvertakes: the answer has come, and reached the client, before the
// pump of the request is back from forwarding it. The request is still what is
// read first.
func TestAnswerOvertakes(t *testing.T) {
	upstream := listen(t, func(c *net.TCPConn) {
		for in := bufio.NewReader(c); ; {
			r, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			body, _ := io.ReadAll(r.Body)
			answer := http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(string(body)))}
			_ = answer.Write(c)
		}
	})
	l := startLab(t, Config{}, upstream)
	up, err := net.Dial("tcp", upstream)
	if err != nil {
		t.Fatal(err)
	}
	may := make(chan struct{}, 10)
	accepted := make(chan net.Conn)
	client, err := net.Dial("tcp", listen(t, func(c *net.TCPConn) {
		r := l.srv.newRelay(c, slowWriter{up, may}, &l.srv.cfg.Listeners[0], "")
		r.conn = flow.Conn{Client: addrPort(c.RemoteAddr()), Server: addrPort(up.RemoteAddr()), Start: time.Now(), Oriented: true}
		accepted <- c
		r.run()
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	<-accepted
	_ = client.SetDeadline(time.Now().Add(time.Minute))
	in := bufio.NewReader(client)
	const calls = 3
	for i := range calls {
		if _, err := io.WriteString(client, "POST /call HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		if body, err := io.ReadAll(answer.Body); string(body) != "hello" || err != nil {
			t.Errorf("call %d: %q, %v", i, body, err)
		}
		may <- struct{}{} // only now
	}
	client.Close()
	l.session()
	whole := 0
	for _, r := range l.all() {
		switch r := r.(type) {
		case *record.HTTPExchange:
			if r.Status == 200 && r.Method == "POST" {
				whole++
			}
		case *record.Anomaly:
			t.Errorf("%s: %s", r.Code, r.Detail)
		}
	}
	if whole != calls {
		t.Errorf("%d exchanges, want %d", whole, calls)
	}
}

// TestReadWhileOpen: what went ahead is read without anything coming behind it,
// and what is too much to be kept is read at once; nothing is lost of either.
func TestReadWhileOpen(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}))
	t.Cleanup(web.Close)
	l := startLab(t, Config{}, web.Listener.Addr().String())
	c := l.dial()
	in := bufio.NewReader(c)
	for _, size := range []int{0, 10, 50 * maxAhead} {
		if _, err := fmt.Fprintf(c, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size, size); err != nil {
			t.Fatal(err)
		}
		for left := size; left > 0; {
			n, err := c.Write(make([]byte, min(left, maxAheadPiece-1)))
			if left -= n; err != nil {
				t.Fatal(err)
			}
		}
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(answer.Body); string(body) != fmt.Sprint(size) || err != nil {
			t.Errorf("the server got %q bytes of %d, %v", body, size, err)
		}
		// The connection stays open, and nothing more is said.
		x := wait(l, func(x *record.HTTPExchange) bool { return x.Target.String() == fmt.Sprintf("/%d", size) })
		if x.RequestSize != int64(size) || x.Status != 200 || x.State != record.HTTPComplete {
			t.Errorf("%d bytes, %d, %s; want %d, 200, %s", x.RequestSize, x.Status, x.State, size, record.HTTPComplete)
		}
	}
}
