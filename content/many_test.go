package content

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestManyOpenMails leaves many mails open in the middle of an attachment, as
// the connections of a busy relay do, and looks at what each takes.
func TestManyOpenMails(t *testing.T) {
	const mails = 3 * mostSmall
	const most = 5 << 10 // bytes for each
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	r := New(Config{})
	defer r.Close()
	half := []byte("Subject: many\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" +
		"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
		strings.Repeat(strings.Repeat("QUJD", 19)+"\r\n", 20))
	before := heap()
	open := make([]Body, mails)
	for i := range open {
		open[i] = r.Open(Info{Role: Message, ContentType: "message/rfc822"})
		open[i].Write(half)
	}
	for deadline := time.Now().Add(time.Minute); r.pools.crowded() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	waiting := int64(mostSmall * smallChunk)
	if each := (heap() - before - waiting) / mails; each > most {
		t.Errorf("%d bytes for each open mail beside the chunks that wait, want at most %d", each, most)
	} else {
		t.Logf("%d bytes for each open mail beside the chunks that wait", each)
	}
	for _, b := range open {
		b.Write([]byte("\r\n--b--\r\n"))
		if c := b.Close(true).Wait(); len(c.Parts) != 1 || len(c.Parts[0].Parts) != 1 || c.Parts[0].Parts[0].Size != 20*19*3 {
			t.Fatalf("a mail came out as %+v", c)
		}
	}
}
