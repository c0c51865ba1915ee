package ssh

import (
	"encoding/binary"
	"testing"
	"time"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// still is an Env in which all bytes of a call came at one time.
type still struct {
	now     record.Stamp
	records int
}

func (*still) Conn() dissect.Conn                                  { return dissect.Conn{} }
func (e *still) At(int) record.Stamp                               { return e.now }
func (e *still) Emit(record.Record)                                { e.records++ }
func (*still) Defer(record.Record, func(emit func(record.Record))) {}
func (*still) Violation(dissect.Violation)                         {}
func (*still) Secret(string) record.Secret                         { return record.Secret{} }
func (*still) Body(content.Info) content.Body                      { return nil }
func (*still) Expect(dissect.Expectation) dissect.Expected         { return nil }
func (*still) Open(string, string) dissect.Stream                  { return nil }
func (*still) TLS() *record.TLSHandshake                           { return nil }
func (e *still) tick()                                             { e.now.Time = e.now.Time.Add(time.Millisecond); e.now.Packet++ }

// sealedDissector is one whose key exchange is over.
func sealedDissector(env dissect.Env, cipher, mac string) *dissector {
	d := newDissector(env, &offers{})
	for i := range d.sides {
		d.sides[i].stage = stageSealed
		d.sides[i].sealed.framing = frame(cipher, mac, "none")
		d.sides[i].offer = &offer{size: 1000}
	}
	return d
}

// segment is a full-sized segment of packets with their lengths in the clear.
func segment() []byte {
	b := make([]byte, 0, 1460)
	for len(b)+4+336+16 <= 1460 {
		b = binary.BigEndian.AppendUint32(b, 336)
		b = append(b, make([]byte, 336+16)...)
	}
	return b
}

func TestSealedSegmentsDoNotAllocate(t *testing.T) {
	for _, cipher := range []string{"aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"} {
		env := &still{now: record.Stamp{Time: time.Unix(0, 0)}}
		d := sealedDissector(env, cipher, "hmac-sha2-256")
		b := segment()
		send := func() {
			env.tick()
			if n, _, err := d.Consume(dissect.ServerToClient, b); n != len(b) || err != nil {
				t.Fatalf("%s: consumed %d of %d: %v", cipher, n, len(b), err)
			}
		}
		for range 2 * maxLog {
			send() // past the part that is looked at one by one
		}
		if n := testing.AllocsPerRun(1000, send); n != 0 {
			t.Errorf("%s: %v allocations a segment", cipher, n)
		}
	}
}

func BenchmarkSealed(b *testing.B) {
	for _, cipher := range []string{"aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"} {
		b.Run(cipher, func(b *testing.B) {
			env := &still{now: record.Stamp{Time: time.Unix(0, 0)}}
			d := sealedDissector(env, cipher, "hmac-sha2-256")
			p := segment()
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				env.tick()
				d.Consume(dissect.ServerToClient, p)
			}
		})
	}
}
