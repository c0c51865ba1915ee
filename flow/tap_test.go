package flow

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sniff/record"
)

// listener is a tap that writes down what it hears.
type listener struct {
	heard []string
	last  time.Time
}

func (l *listener) hear(now time.Time, format string, args ...any) {
	if now.Before(l.last) {
		format += " (before what came before it)"
	}
	l.last = now
	l.heard = append(l.heard, fmt.Sprintf(format, args...))
}

func (l *listener) Data(dir record.Dir, b []byte, at time.Time) {
	who := strings.ToUpper(dir.String()[:1]) + " "
	if n := len(l.heard); n > 0 && strings.HasPrefix(l.heard[n-1], who) && !strings.HasSuffix(l.heard[n-1], "\n") {
		l.heard[n-1] += string(b) // a line in pieces
		return
	}
	l.hear(at, "%s%s", who, b)
}
func (l *listener) Gap(dir record.Dir, n int64, at time.Time) { l.hear(at, "%s misses %d", dir, n) }
func (l *listener) Comment(text string)                       { l.heard = append(l.heard, "# "+text) }
func (l *listener) EOF(dir record.Dir, at time.Time)          { l.hear(at, "%s ends", dir) }
func (l *listener) Close(end, by string, at time.Time)        { l.hear(at, "%s by %s", end, by) }

func (l *listener) want(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, h := range l.heard { // lines, however they came
		for line := range strings.Lines(h) {
			if !strings.HasPrefix(line, "C ") && !strings.HasPrefix(line, "S ") && h[1] == ' ' && h[0] != '#' {
				line = h[:2] + line
			}
			got = append(got, strings.TrimRight(line, "\n"))
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the tap heard\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func newTap(cfg Config) (Config, *listener) {
	l := &listener{}
	cfg.Tap = func(*record.Header, time.Time) record.TapConn { return l }
	return cfg, l
}

func TestTapHearsThePlaintext(t *testing.T) {
	for _, chunk := range []int{1, 3, 1000} {
		cfg, l := newTap(Config{TLS: newXorTLS})
		b := newBench(t, cfg, toyConn)
		b.c("hello\nHOLD\n").r("fine\nUPGRADE\n")
		stream := clientHello + sealed("one\ntw") + sealed("o\n")
		for i := 0; i < len(stream); i += chunk {
			b.c(stream[i:min(i+chunk, len(stream))])
		}
		b.r(serverHello + sealed("yes\n")).c(sealed("unfinished"))
		b.close()
		l.want(t, "C hello", "S fine", "# , : decrypted from here on", "C one", "C two", "S yes", "C unfinished", "client ends", "server ends", "closed by client")
	}
}

// TestTapWaitsForTheAnswer: what a hold waits for is told behind the command.
func TestTapWaitsForTheAnswer(t *testing.T) {
	cfg, l := newTap(Config{})
	b := newBench(t, cfg, toyConn)
	b.c("HOLD\nheld\n").r("to another\nGO\n").c("free\n")
	b.close()
	l.want(t, "C HOLD", "S to another", "S GO", "C held", "C free", "client ends", "server ends", "closed by client")
}

func TestTapHearsWhatNobodyReads(t *testing.T) {
	cfg, l := newTap(Config{})
	b := newBench(t, cfg, toyConn)
	b.c("cut o").s.Gap(c2s, 7, b.at())
	b.c("ERROR\nbehind it\n").r("and this\n")
	b.close()
	l.want(t, "C cut o", "client misses 7", "C ERROR", "C behind it", "S and this", "client ends", "server ends", "closed by client")
}

// TestTapMissesWhatIsOpaque: the ciphertext is no plaintext.
func TestTapMissesWhatIsOpaque(t *testing.T) {
	cfg, l := newTap(Config{})
	b := newBench(t, cfg, toyConn)
	startTLS(b).c(clientHello).r(serverHello).c(sealed("secret\n"))
	b.close()
	for _, h := range l.heard {
		if strings.Contains(h, "hello") || strings.ContainsAny(h, "\x16\x17") {
			t.Errorf("the tap heard %q", h)
		}
	}
}
