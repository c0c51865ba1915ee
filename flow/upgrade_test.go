package flow

import (
	"strings"
	"testing"

	"sniff/record"
)

// startTLS plays the agreement: the toy's client holds itself.
func startTLS(b *bench) *bench { return b.c("HOLD\n").r("UPGRADE\n") }

func TestUpgradeReadsWhatTheLayerDecrypts(t *testing.T) {
	for _, chunk := range []int{1, 3, 1000} {
		b := newBench(t, Config{TLS: newXorTLS}, toyConn)
		startTLS(b)
		stream := clientHello + sealed("one\ntw") + sealed("o\n")
		for i := 0; i < len(stream); i += chunk {
			b.c(stream[i:min(i+chunk, len(stream))])
		}
		b.r(serverHello + sealed("yes\n"))
		b.want("C HOLD", "S UPGRADE", "C one", "C two", "S yes")
		if off := b.records[2].Head().Offset; off != 5 {
			t.Errorf("the plaintext begins at %d, want 5 as if it stood in the clear", off)
		}
		// "one" begins in the first record behind the hello, "two" ends in the second.
		for i, want := range []int{0, 0, 5 + len(clientHello), 5 + len(clientHello), 8 + len(serverHello)} {
			if got := b.records[i].Head().StreamOffset; got != int64(want) {
				t.Errorf("chunks of %d: %s came in the record at %d, want %d", chunk, b.records[i].Summary(), got, want)
			}
		}
		rec := b.close()
		if rec.TLS != "read" || strings.Join(rec.Layers, " ") != "tls" || rec.OpaqueFrom != nil {
			t.Errorf("session: TLS %q, layers %v, opaque from %v", rec.TLS, rec.Layers, rec.OpaqueFrom)
		}
		if rec.ClientSide.Bytes != int64(5+len(stream)) {
			t.Errorf("%d bytes counted", rec.ClientSide.Bytes)
		}
	}
}

func TestHelloBehindStartTLSIsKept(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, toyConn)
	b.c("HOLD\n" + clientHello[:3]).r("UPGRADE\n").c(clientHello[3:] + sealed("in\n"))
	b.want("C HOLD", "S UPGRADE", "C in")
}

func TestUpgradeWithoutKeysIsOpaque(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	startTLS(b).c(clientHello).r(serverHello).c(sealed("secret\n"))
	rec := b.close()
	b.want("C HOLD", "S UPGRADE", "C [eof]", "S [eof]", "C [closed closed]")
	if rec.TLS != "opaque" || rec.OpaqueFrom["client"] != 5 || rec.OpaqueFrom["server"] != 8 {
		t.Errorf("TLS %q, opaque from %v", rec.TLS, rec.OpaqueFrom)
	}
}

func TestPlaintextBehindStartTLSIsReported(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, toyConn)
	b.c("HOLD\nRSET\r\nAUTH PLAIN c2VjcmV0\r\n" + clientHello).r("UPGRADE\n").c(sealed("in\n"))
	b.want("C HOLD", "S UPGRADE", "! starttls_injection", "C in")
	a := b.anomaly(codeInjection)
	if a.Offset != 5 || a.Dir != "client" || !strings.Contains(a.Detail, "RSET") {
		t.Errorf("%s %d: %s", a.Dir, a.Offset, a.Detail)
	}
	if strings.Contains(a.Detail, "c2VjcmV0") {
		t.Errorf("a secret is quoted: %s", a.Detail)
	}
}

func TestPlaintextBehindTheAnswerIsReported(t *testing.T) {
	for _, chunk := range []int{1, 5, 1000} {
		b := newBench(t, Config{TLS: newXorTLS}, toyConn)
		b.c("HOLD\n")
		stream := "UPGRADE\ninjected answer\r\n" + serverHello + sealed("in\n")
		for i := 0; i < len(stream); i += chunk {
			b.r(stream[i:min(i+chunk, len(stream))])
		}
		b.close()
		b.want("C HOLD", "S UPGRADE", "! starttls_injection", "S in", "C [eof]", "S [eof]", "C [closed closed]")
		if a := b.anomaly(codeInjection); a.Dir != "server" || a.Offset != 8 {
			t.Errorf("chunks of %d: reported at %s %d, want server 8", chunk, a.Dir, a.Offset)
		}
	}
}

func TestNoTLSBehindUpgrade(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, toyConn)
	startTLS(b).c(strings.Repeat("not TLS at all\n", 400))
	b.want("C HOLD", "S UPGRADE", "! starttls_injection")
	if b.close().OpaqueFrom["client"] == 0 {
		t.Error("the session does not say from where it could not be read")
	}
}

func TestDowngradeGoesOnInTheClear(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, toyConn)
	startTLS(b).c(clientHello + sealed("DOWNGRADE\n") + closeNotify).r(serverHello + closeNotify)
	b.c("clear\n").r("fine\n")
	b.want("C HOLD", "S UPGRADE", "C DOWNGRADE", "C clear", "S fine")
}

func TestInterceptedPlaintextGoesOn(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, toyConn)
	b.c("HOLD\nRSET\n" + clientHello)
	ch := b.s.Changed()
	b.r("UPGRADE\n")
	<-ch
	if !b.s.Upgrading() {
		t.Fatal("the session does not ask for TLS")
	}
	// The injected line is skipped: the client's TLS begins behind it.
	if off, held := b.s.Limit(c2s); off != 10 || !held {
		t.Errorf("Limit of the client is %d, %v; want 10, true", off, held)
	}
	if off, held := b.s.Limit(s2c); off != 8 || !held {
		t.Errorf("Limit of the server is %d, %v; want 8, true", off, held)
	}
	hs := &record.TLSHandshake{Version: "TLS 1.3"}
	b.s.Intercepted(hs)
	if b.s.Upgrading() {
		t.Error("still asking for TLS")
	}
	b.c("in\n").r("yes\n")
	b.want("C HOLD", "S UPGRADE", "! starttls_injection", "C in", "S yes")
	if off := b.records[3].Head().Offset; off != 10 {
		t.Errorf("the plaintext begins at %d, want 10", off)
	}
	if got := b.s.Consumed(c2s); got != 13 {
		t.Errorf("Consumed is %d, want 13", got)
	}
	b.c("DOWNGRADE\n")
	if !b.s.Downgrading() || b.s.Downgrading() {
		t.Error("the end of TLS is to be asked for once")
	}
	if rec := b.close(); rec.TLS != "read" {
		t.Errorf("TLS %q, want read", rec.TLS)
	}
}

func TestUpgradePassedThrough(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, toyConn)
	startTLS(b).c(clientHello)
	if _, held := b.s.Limit(c2s); held || b.s.Upgrading() {
		t.Error("held although nobody intercepts")
	}
	if got, want := b.s.Consumed(c2s), int64(5+len(clientHello)); got != want {
		t.Errorf("Consumed is %d, want %d", got, want)
	}
}

func TestImplicitTLS(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, Conn{Oriented: true})
	b.c(clientHello[:4]).c(clientHello[4:]).r(serverHello).c(sealed("toy\n")).r(sealed("yes\n"))
	b.want("C toy", "S yes")
	rec := b.close()
	if rec.Protocol != "toy" || rec.TLS != "read" || strings.Join(rec.Layers, " ") != "tls" {
		t.Errorf("protocol %q, TLS %q, layers %v", rec.Protocol, rec.TLS, rec.Layers)
	}
}

func TestImplicitTLSOfAForcedProtocol(t *testing.T) {
	b := newBench(t, Config{TLS: newXorTLS}, toyConn)
	b.c(clientHello).r(serverHello + sealed("banner\n")).c(sealed("hi\n"))
	b.want("S banner", "C hi")
}

func TestImplicitTLSWithoutKeys(t *testing.T) {
	b := newBench(t, Config{}, Conn{Oriented: true})
	b.c(clientHello).r(serverHello)
	if rec := b.close(); rec.Protocol != "tls" || rec.TLS != "opaque" {
		t.Errorf("protocol %q, TLS %q", rec.Protocol, rec.TLS)
	}
}

func TestTLSInMidstreamIsOpaque(t *testing.T) {
	b := newBench(t, Config{}, Conn{Midstream: true})
	b.r(sealed("anything"))
	if rec := b.close(); rec.Protocol != "tls" || rec.TLS != "opaque" {
		t.Errorf("protocol %q, TLS %q", rec.Protocol, rec.TLS)
	}
}

// TestDecryptedBeforeItWasCaptured: the agreement stands in the capture, and
// behind it the plaintext.
func TestDecryptedBeforeItWasCaptured(t *testing.T) {
	for _, chunk := range []int{1, 3, 1000} {
		b := newBench(t, Config{TLS: newXorTLS}, toyConn)
		startTLS(b)
		for _, part := range []struct {
			say  func(string) *bench
			text string
		}{{b.c, "one\n"}, {b.r, "yes\n"}, {b.c, "two\n"}, {b.r, "fine\n"}} {
			for i := 0; i < len(part.text); i += chunk {
				part.say(part.text[i:min(i+chunk, len(part.text))])
			}
		}
		b.want("C HOLD", "S UPGRADE", "C one", "S yes", "C two", "S fine")
		if rec := b.close(); rec.TLS != "clear" || rec.OpaqueFrom != nil {
			t.Errorf("session: TLS %q, opaque from %v", rec.TLS, rec.OpaqueFrom)
		}
	}
}
