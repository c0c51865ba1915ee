package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// webServer answers as the paths of TestHTTPThroughTheProxy want it.
func webServer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/trailer", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %s", b, r.Trailer.Get("X-Mine"))
		w.Header().Set("X-Sum", "42")
	})
	mux.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		in := bufio.NewReader(r.Body)
		_ = http.NewResponseController(w).EnableFullDuplex()
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprint(w, "got "+line)
			w.(http.Flusher).Flush()
		}
	})
	mux.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, _ *http.Request) {
		c, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(c, in)
	})
	s := httptest.NewUnstartedServer(mux)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// TestHTTPThroughTheProxy: trailers, 100-continue, bodies that stream both ways
// at a time, over HTTP/1.1 and over HTTP/2 without TLS.
func TestHTTPThroughTheProxy(t *testing.T) {
	server := webServer(t)
	for _, two := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP2 %v", two), func(t *testing.T) {
			l := startLab(t, Config{}, server.Listener.Addr().String())
			transport := &http.Transport{Protocols: new(http.Protocols), ExpectContinueTimeout: time.Minute}
			transport.Protocols.SetHTTP1(!two)
			transport.Protocols.SetUnencryptedHTTP2(two)
			client := &http.Client{Transport: transport, Timeout: time.Minute}
			url := "http://" + l.addr
			do := func(path string, body io.Reader, change func(*http.Request)) *http.Response {
				t.Helper()
				r, _ := http.NewRequest("POST", url+path, body)
				if change != nil {
					change(r)
				}
				answer, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				return answer
			}

			answer := do("/trailer", io.MultiReader(strings.NewReader("hello")), func(r *http.Request) { r.Trailer = http.Header{"X-Mine": {"7"}} })
			b, _ := io.ReadAll(answer.Body)
			answer.Body.Close()
			if string(b) != "hello 7" || answer.Trailer.Get("X-Sum") != "42" || answer.ProtoMajor != map[bool]int{false: 1, true: 2}[two] {
				t.Errorf("trailers: %q, %v, %s", b, answer.Trailer, answer.Proto)
			}

			continued := false
			answer = do("/trailer", strings.NewReader("hello"), func(r *http.Request) {
				r.Header.Set("Expect", "100-continue")
				*r = *r.WithContext(httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got100Continue: func() { continued = true }}))
			})
			b, _ = io.ReadAll(answer.Body)
			answer.Body.Close()
			if !continued || !strings.HasPrefix(string(b), "hello") {
				t.Errorf("100-continue: %v, %q", continued, b)
			}

			// Each line is answered before the next is sent: nothing is kept
			// until a body is whole.
			body, lines := io.Pipe()
			go fmt.Fprintln(lines, "line 0")
			answer = do("/stream", body, nil)
			in := bufio.NewReader(answer.Body)
			for i := range 5 {
				if line, err := in.ReadString('\n'); err != nil || line != fmt.Sprintf("got line %d\n", i) {
					t.Fatalf("%q, %v", line, err)
				}
				if i < 4 {
					fmt.Fprintf(lines, "line %d\n", i+1)
				}
			}
			lines.Close()
			_, _ = io.Copy(io.Discard, in)
			answer.Body.Close()
			transport.CloseIdleConnections()
			for _, path := range []string{"/trailer", "/stream"} {
				wait(l, func(x *record.HTTPExchange) bool {
					return strings.HasSuffix(x.Target.String(), path) && x.Status == 200
				})
			}
		})
	}
}

// TestHTTPRefusedBeforeTheBody: a client that waits for 100 and gets 403 keeps
// its body.
func TestHTTPRefusedBeforeTheBody(t *testing.T) {
	l := startLab(t, Config{}, webServer(t).Listener.Addr().String())
	c := l.dial()
	fmt.Fprint(c, "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(c); !bytes.HasPrefix(got, []byte("HTTP/1.1 403 ")) {
		t.Errorf("%q", got)
	}
}

// TestHTTPUpgrade: behind 101 the connection is another protocol's.
func TestHTTPUpgrade(t *testing.T) {
	l := startLab(t, Config{}, webServer(t).Listener.Addr().String())
	c := l.dial()
	fmt.Fprint(c, "GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
	in := bufio.NewReader(c)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != 101 {
		t.Fatalf("%v, %v", answer, err)
	}
	for _, word := range []string{"\x00\xff binary\n", "POST / HTTP/1.1\n"} {
		fmt.Fprint(c, word)
		if got, err := in.ReadString('\n'); got != word || err != nil {
			t.Errorf("%q came back for %q, %v", got, word, err)
		}
	}
	wait(l, func(x *record.HTTPExchange) bool { return x.Status == 101 })
}

// TestIPv6: every way in and the way out.
func TestIPv6(t *testing.T) {
	six, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "six") }))
	web.Listener = six
	web.Start()
	t.Cleanup(web.Close)
	needs(t, "curl")
	l := startLab(t, Config{Listeners: []Listener{
		{Listen: "[::1]:0", To: six.Addr().String()}, {Mode: SOCKS, Listen: "[::1]:0"}, {Mode: HTTPForward, Listen: "[::1]:0"},
	}}, "")
	at := l.srv.Addrs()
	for name, args := range map[string][]string{
		"reverse": {"http://" + at[0].String()},
		"socks5":  {"-x", "socks5://" + at[1].String(), "http://" + six.Addr().String()},
		"http":    {"-x", "http://" + at[2].String(), "http://" + six.Addr().String()},
		"connect": {"-p", "-x", "http://" + at[2].String(), "http://" + six.Addr().String()},
	} {
		if got := curl(t, args...); got != "six" {
			t.Errorf("%s: %q", name, got)
		}
	}
	wait(l, func(s *record.Session) bool { return s.Client.Addr().Is6() && s.Server.String() == six.Addr().String() })
}
