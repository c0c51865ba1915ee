package ssh

import (
	"encoding/binary"
	"testing"
	"time"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// openEnv is an Env for decrypted messages.
type openEnv struct{ still }

func (*openEnv) Secret(s string) record.Secret { return record.NewSecret(s, "t") }
func (e *openEnv) Defer(r record.Record, finish func(emit func(record.Record))) {
	finish(func(record.Record) { e.records++ })
}
func (*openEnv) Body(content.Info) content.Body { return noBody{} }

type noBody struct{}

func (noBody) Write([]byte)              {}
func (noBody) Gap(int64)                 {}
func (noBody) Close(bool) content.Result { return noBody{} }
func (noBody) Wait() *record.Content     { return &record.Content{} }
func (noBody) Loaded() []content.Loaded  { return nil }

// FuzzOpened gives messages to what reads them once they are decrypted: each
// is headed by its direction and length.
func FuzzOpened(f *testing.F) {
	message := func(dir byte, p ...byte) []byte {
		return append([]byte{dir, byte(len(p))}, p...)
	}
	str := func(s string) []byte { return appendString(nil, []byte(s)) }
	join := func(parts ...[]byte) (out []byte) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	num := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	f.Add(join(
		message(0, join([]byte{50}, str("alice"), str("ssh-connection"), str("password"), []byte{0}, str("secret1"))...),
		message(1, 52),
		message(0, join([]byte{90}, str("session"), num(0), num(9), num(9))...),
		message(1, join([]byte{91}, num(0), num(7), num(9), num(9))...),
		message(0, join([]byte{98}, num(7), str("exec"), []byte{1}, str("scp -t x"))...),
		message(1, join([]byte{94}, num(0), str("hello"))...),
		message(1, join([]byte{97}, num(0))...),
		message(0, join([]byte{97}, num(7))...),
	))
	f.Fuzz(func(t *testing.T, b []byte) {
		env := &openEnv{}
		env.now.Time = time.Unix(0, 0)
		d := newDissector(env, &offers{})
		d.dec = &decryption{log: &KeyLog{}}
		n := 0
		for len(b) >= 2 {
			dir, size := dissect.Dir(b[0]&1), min(int(b[1]), len(b)-2)
			if size > 0 && !d.dec.ways[dir].dark {
				d.opened(dir, b[2:2+size], env.now)
				n++
			}
			b = b[2+size:]
		}
		d.dec.finish(d, record.EndClosed, "client")
		// A message opens a channel or asks for one, a login tells its secrets.
		if env.records > (maxAnswers+2)*n+2 {
			t.Errorf("%d records of %d messages", env.records, n)
		}
	})
}

func FuzzInflater(f *testing.F) {
	f.Add([]byte{0x78, 0x9c, 0x4a, 0x4c, 0x04, 0x00, 0x00, 0x00, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, cut inflater
		w, err := whole.packet(b)
		first, err1 := cut.packet(b[:len(b)/2])
		got := append([]byte(nil), first...)
		if err1 == nil {
			var second []byte
			if second, err1 = cut.packet(b[len(b)/2:]); err1 == nil {
				got = append(got, second...)
			}
		}
		if err == nil && err1 == nil && string(got) != string(w) {
			t.Errorf("%d bytes in two pieces, %d in one", len(got), len(w))
		}
	})
}
