package capture

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

func TestPcapVariants(t *testing.T) {
	data := ether("\x08\x00", tcp4(t, 1, "hi"))
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, v := range []struct {
			magic, frac uint32
			extra       int
		}{{magicMicro, 123456, 0}, {magicNano, 123456000, 0}, {magicModified, 123456, 8}} {
			b := order.AppendUint32(nil, v.magic)
			b = order.AppendUint16(b, 2)
			b = order.AppendUint16(b, 4)
			for _, n := range []uint32{0, 0, 65535, linkEthernet, uint32(epoch.Unix()), v.frac, uint32(len(data)), uint32(len(data))} {
				b = order.AppendUint32(b, n)
			}
			b = append(b, make([]byte, v.extra)...)
			got := readAll(t, append(b, data...), Options{})
			if got.payloads() != "hi" || !got.segments[0].Time.Equal(epoch) {
				t.Errorf("%v, %x: got %q at %v", order, v.magic, got.payloads(), got.segments)
			}
		}
	}
}

func TestPcapng(t *testing.T) {
	hour := int64(3600)
	micros := uint64(epoch.UnixMicro())
	raw := tcp4(t, 1, "r")
	eth := ether("\x08\x00", tcp4(t, 1, "e"))
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		other := binary.AppendByteOrder(binary.BigEndian)
		if order == other {
			other = binary.LittleEndian
		}
		binary20 := uint64(epoch.Unix())<<20 | 123456<<20/1000000 + 1
		obsolete := cat(order.AppendUint16(nil, 1), order.AppendUint16(nil, 0), order.AppendUint32(nil, uint32(micros>>32)), order.AppendUint32(nil, uint32(micros)),
			order.AppendUint32(nil, uint32(len(raw))), order.AppendUint32(nil, uint32(len(raw))), raw)
		file := cat(
			sectionBlock(order),
			interfaceBlock(order, linkEthernet, option(order, 2, 'e', 't', 'h', '0')),
			interfaceBlock(order, linkRaw),
			interfaceBlock(order, linkRaw, option(order, optInterfaceTSRes, 9)),
			interfaceBlock(order, linkRaw, option(order, optInterfaceTSRes, 0x80|20)),
			interfaceBlock(order, linkRaw, option(order, optInterfaceTSOff, order.AppendUint64(nil, uint64(hour))...)),
			interfaceBlock(order, linkRaw, option(order, optInterfaceTSRes, 10)),
			ngBlock(order, blockSecrets, order.AppendUint32(nil, SecretTLSKeyLog), order.AppendUint32(nil, 5), "KEYS!"),
			ngBlock(order, 4, "names are skipped"),
			ngBlock(order, 0x40000bad, "custom blocks too"),
			packetBlock(order, 0, micros, eth),
			packetBlock(order, 1, micros, raw),
			packetBlock(order, 2, micros*1000, raw),
			packetBlock(order, 3, binary20, raw),
			packetBlock(order, 4, micros-uint64(hour)*1e6, raw),
			packetBlock(order, 5, micros*10000, raw),
			ngBlock(order, blockPacket, obsolete),
			ngBlock(order, blockSimple, order.AppendUint32(nil, uint32(len(eth))), eth),
			ngBlock(order, blockStatistics, order.AppendUint32(nil, 0), make([]byte, 8), option(order, optStatisticsIfDrop, order.AppendUint64(nil, 42)...)),
			sectionBlock(other),
			interfaceBlock(other, linkRaw),
			packetBlock(other, 0, micros, raw),
		)
		r, err := NewReader(bytes.NewReader(file), "x.pcapng", Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := drain(t, r)
		if len(got.damages) > 0 {
			t.Fatal(got.damages[0])
		}
		if got.payloads() != "errrrrrer" {
			t.Errorf("payloads %q", got.payloads())
		}
		for i, s := range got.segments {
			if d := s.Time.Sub(epoch).Abs(); d > 2*time.Microsecond {
				t.Errorf("packet %d: time %v, want %v", i+1, s.Time, epoch)
			}
		}
		if s := r.Secrets(); len(s) != 1 || s[0].Type != SecretTLSKeyLog || string(s[0].Data) != "KEYS!" {
			t.Errorf("secrets: %v", s)
		}
		in := got.stats.Interfaces
		if len(in) != 2 || in[0].Name != "eth0" || in[0].Dropped != 42 || in[0].Packets != 2 || in[1].LinkType != linkRaw || in[1].Packets != 7 {
			t.Errorf("interfaces: %+v", in)
		}
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		resolution byte
		offset     int64
		ts         uint64
		want       int64
	}{
		{6, 0, 1500000, 1500000000},
		{0, 0, 7, 7e9},
		{9, -1, 5, 5 - 1e9},
		{12, 0, 2500, 2},
		{19, 0, 15000000000000000000, 1500000000},
		{27, 0, 3000000000000000000, 3},
		{127, 5, 1 << 63, 5e9},
		{0x80, 0, 9, 9e9},
		{0x80 | 1, 0, 3, 1500000000},
		{0x80 | 63, 0, 1 << 62, 500000000},
		{0x80 | 64, 0, 1 << 63, 500000000},
		{0x80 | 127, 0, 1 << 63, 0},
		{0, 0, 1 << 63, maxSeconds * 1e9},
		{6, -1 << 63, 0, -maxSeconds * 1e9},
	} {
		k := newClock(c.resolution, c.offset)
		if got := k.ns(c.ts); got != c.want {
			t.Errorf("resolution %#x, offset %d: %d is %d ns, want %d", c.resolution, c.offset, c.ts, got, c.want)
		}
	}
}

// compressions make what decompress undoes; bzip2 takes the tool.
func compressions(t testing.TB, b []byte) map[string][]byte {
	write := func(w io.WriteCloser, buf *bytes.Buffer) []byte {
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return buf.Bytes()
	}
	out := make(map[string][]byte)
	var g, z, l, x bytes.Buffer
	out["gzip"] = write(gzip.NewWriter(&g), &g)
	zw, _ := zstd.NewWriter(&z)
	out["zstd"] = write(zw, &z)
	out["lz4"] = write(lz4.NewWriter(&l), &l)
	xw, err := xz.NewWriter(&x)
	if err != nil {
		t.Fatal(err)
	}
	out["xz"] = write(xw, &x)
	if _, err := exec.LookPath("bzip2"); err == nil {
		cmd := exec.Command("bzip2", "-c")
		cmd.Stdin = bytes.NewReader(b)
		if out["bzip2"], err = cmd.Output(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestCompressed(t *testing.T) {
	plain := pcapOf(t, layers.LinkTypeEthernet, dialogue(t, 20)...)
	want := readAll(t, plain, Options{})
	for name, b := range compressions(t, plain) {
		got := readAll(t, b, Options{})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d segments, %v; want %d", name, len(got.segments), got.damages, len(want.segments))
		}
		for outer, bb := range compressions(t, b) {
			if got := readAll(t, bb, Options{}); !reflect.DeepEqual(got, want) {
				t.Errorf("%s in %s: %d segments, %v", name, outer, len(got.segments), got.damages)
			}
		}
		// Cut in the middle: what comes out before counts, and the damage names
		// the compression.
		r, err := NewReader(bytes.NewReader(b[:len(b)-3]), "x", Options{})
		if err == nil {
			if cut := drain(t, r); len(cut.damages) == 1 {
				err = cut.damages[0]
			}
		}
		if err == nil || !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s, cut: %v", name, err)
		}
	}
	// Members of gzip follow each other, as rotating writers append them.
	half := len(plain) / 2
	joined := append(bytes.Clone(compressions(t, plain[:half])["gzip"]), compressions(t, plain[half:])["gzip"]...)
	if got := readAll(t, joined, Options{}); !reflect.DeepEqual(got, want) {
		t.Errorf("two gzip members: %d segments, %v", len(got.segments), got.damages)
	}
}

func TestNotACapture(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "f: empty, not a capture",
		"ab":                       "f: not a capture: too short",
		"220 mail.example ESMTP":   "f: not a capture: unknown format, begins with 32 32 30 20",
		"\xd4\xc3\xb2\xa1\x02\x00": "f: pcap file header is cut: unexpected EOF",
		"\xfd7zXZ\x00":             "f: xz: unexpected EOF",
	} {
		_, err := NewReader(strings.NewReader(text), "f", Options{})
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestXZThatAsksForGigabytes(t *testing.T) {
	b := bytes.Clone(compressions(t, make([]byte, 10))["xz"])
	i := bytes.IndexByte(b[14:], 0x21) // the LZMA2 filter: id, size, dictionary
	b[14+i+2] = 40
	if _, err := NewReader(bytes.NewReader(b), "f", Options{}); err == nil || !strings.Contains(err.Error(), "dictionary") {
		t.Errorf("got %v", err)
	}
}

// TestCutAnywhere cuts small captures at every byte.
func TestCutAnywhere(t *testing.T) {
	records := dialogue(t, 4)
	order := binary.LittleEndian
	ng := cat(sectionBlock(order), interfaceBlock(order, linkEthernet))
	pc := pcapOf(t, layers.LinkTypeEthernet)
	ends := map[string][]int{"pcap": {len(pc)}, "pcapng": {len(ng)}}
	ends["pcapng"] = []int{len(sectionBlock(order)), len(ng)}
	packetsAt := map[string][]int{}
	for i, r := range records {
		ng = append(ng, packetBlock(order, 0, uint64(i), r.data)...)
		ends["pcapng"] = append(ends["pcapng"], len(ng))
		packetsAt["pcapng"] = append(packetsAt["pcapng"], len(ng))
		pc = pcapOf(t, layers.LinkTypeEthernet, records[:i+1]...)
		ends["pcap"] = append(ends["pcap"], len(pc))
		packetsAt["pcap"] = append(packetsAt["pcap"], len(pc))
	}
	for name, file := range map[string][]byte{"pcap": pc, "pcapng": ng} {
		for n := range file {
			r, err := NewReader(bytes.NewReader(file[:n]), "cut", Options{})
			if err != nil {
				if n >= 24 {
					t.Errorf("%s cut at %d: %v", name, n, err)
				}
				continue
			}
			got := drain(t, r)
			whole, want := false, 0
			for _, e := range ends[name] {
				whole = whole || e == n
			}
			for _, e := range packetsAt[name] {
				if e <= n {
					want++
				}
			}
			if len(got.segments) != want {
				t.Errorf("%s cut at %d: %d segments, want %d", name, n, len(got.segments), want)
			}
			if whole != (len(got.damages) == 0) || len(got.damages) > 1 {
				t.Errorf("%s cut at %d: damages %v", name, n, got.damages)
			}
			if !whole && got.damages[0].Packet != uint64(want+1) {
				t.Errorf("%s cut at %d: damage in packet %d, want %d", name, n, got.damages[0].Packet, want+1)
			}
		}
	}
}

func TestDamageSaysWhere(t *testing.T) {
	file := pcapOf(t, layers.LinkTypeEthernet, dialogue(t, 3)...)
	at := len(pcapOf(t, layers.LinkTypeEthernet, dialogue(t, 2)...))
	binary.LittleEndian.PutUint32(file[at+8:], 99999999)
	got := readAll(t, file, Options{})
	want := fmt.Sprintf("test.pcap: packet 3 at offset %d: record length 99999999 exceeds 262144", at)
	if len(got.segments) != 2 || len(got.damages) != 1 || got.damages[0].Error() != want {
		t.Errorf("%d segments, %v\nwant %s", len(got.segments), got.damages, want)
	}
}

func TestHostilePcapng(t *testing.T) {
	order := binary.LittleEndian
	start := cat(sectionBlock(order), interfaceBlock(order, linkEthernet))
	length := func(n uint32) []byte {
		return order.AppendUint32(order.AppendUint32(nil, blockEnhanced), n)
	}
	for want, tail := range map[string][]byte{
		"block length 4294967292 exceeds":            cat(length(0xfffffffc), make([]byte, 40)),
		"block length 8 is impossible":               cat(length(8), make([]byte, 40)),
		"block length 33 is impossible":              cat(length(33), make([]byte, 40)),
		"block lengths differ":                       cat(length(40), make([]byte, 60)),
		"cut within a block":                         cat(length(400), make([]byte, 60)),
		"interface 9, which was not described":       packetBlock(order, 9, 0, nil),
		"secrets are longer":                         ngBlock(order, blockSecrets, make([]byte, 4), order.AppendUint32(nil, 0xffffffff)),
		"packet length 4294967295 exceeds its block": ngBlock(order, blockEnhanced, make([]byte, 12), "\xff\xff\xff\xff\xff\xff\xff\xff"),
		"unknown byte order":                         ngBlock(order, blockSection, make([]byte, 16)),
	} {
		got := readAll(t, cat(start, tail), Options{})
		if len(got.damages) != 1 || !strings.Contains(got.damages[0].Error(), want) {
			t.Errorf("want %q, got %v", want, got.damages)
		}
	}
}

// TestByteByByte reads a capture as it trickles in.
func TestByteByByte(t *testing.T) {
	file := pcapOf(t, layers.LinkTypeEthernet, dialogue(t, 20)...)
	r, err := NewReader(iotest.OneByteReader(bytes.NewReader(file)), "x", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := drain(t, r); got.payloads() != "abcdefghijklmnopqrst" || len(got.damages) > 0 {
		t.Errorf("got %q, %v", got.payloads(), got.damages)
	}
}

// TestSameHowever reads one capture in several ways.
func TestSameHowever(t *testing.T) {
	var records []record
	for i := range 3000 {
		records = append(records, record{at: epoch.Add(time.Duration(i) * time.Millisecond),
			data: ether("\x08\x00", tcp4(t, uint32(i), strings.Repeat("x", i*7%1400)))})
	}
	records[1500].data = cat(records[1500].data, make([]byte, 200000)) // longer than the headroom
	file := pcapOf(t, layers.LinkTypeEthernet, records...)
	name := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	want := readAll(t, file, Options{})
	if len(want.segments) != 3000 {
		t.Fatalf("%d segments", len(want.segments))
	}
	check := func(how string, r *Reader, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(how, err)
		}
		if got := drain(t, r); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: differs, %d segments, %v", how, len(got.segments), got.damages)
		}
	}
	r, err := OpenFiles([]string{name}, Options{})
	check("file", r, err)
	r, err = OpenFiles([]string{name}, Options{ReadAhead: 4096})
	check("small blocks", r, err)
	r, err = OpenFiles([]string{filepath.Join(filepath.Dir(name), "*.pc?p"), name}, Options{})
	check("pattern", r, err)
	r, err = NewReader(iotest.HalfReader(bytes.NewReader(file)), "x", Options{})
	check("half reads", r, err)
	stdin := os.Stdin
	defer func() { os.Stdin = stdin }()
	if os.Stdin, err = os.Open(name); err != nil {
		t.Fatal(err)
	}
	r, err = OpenFiles([]string{"-"}, Options{})
	check("standard input", r, err)
}

func TestManyFiles(t *testing.T) {
	dir := t.TempDir()
	records := dialogue(t, 12)
	write := func(name string, r ...record) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pcapOf(t, layers.LinkTypeEthernet, r...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var odd, even []record
	for i, r := range records[8:] {
		if i%2 == 0 {
			even = append(even, r)
		} else {
			odd = append(odd, r)
		}
	}
	// A ring buffer whose names do not follow time, two files that overlap, one
	// that is empty, one that is cut, one that is missing and one that is none.
	names := []string{
		write("ring3", records[6:8]...), write("ring1", records[0:3]...), write("ring2", records[3:6]...),
		write("odd", odd...), write("even", even...), write("empty"),
		filepath.Join(dir, "missing"), filepath.Join(dir, "cut"), filepath.Join(dir, "text"),
	}
	cut := pcapOf(t, layers.LinkTypeEthernet, records[0])
	os.WriteFile(filepath.Join(dir, "cut"), cut[:len(cut)-1], 0o600)
	os.WriteFile(filepath.Join(dir, "text"), []byte("text"), 0o600)
	r, err := OpenFiles(names, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := drain(t, r)
	if got.payloads() != "abcdefghijkl" {
		t.Errorf("payloads %q", got.payloads())
	}
	for i, s := range got.segments {
		if s.Packet != uint64(i+1) {
			t.Errorf("segment %d is packet %d", i+1, s.Packet)
		}
	}
	if len(got.damages) != 3 || !errors.Is(got.damages[0], fs.ErrNotExist) {
		t.Errorf("damages: %v", got.damages)
	}
	if len(got.stats.Interfaces) != 1 {
		t.Errorf("interfaces: %v", got.stats.Interfaces)
	}
	if _, err := OpenFiles([]string{names[6], names[8]}, Options{}); err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing but broken inputs: %v", err)
	}
	if _, err := OpenFiles([]string{filepath.Join(dir, "*.none")}, Options{}); err == nil || !strings.Contains(err.Error(), "no file matches") {
		t.Errorf("pattern without files: %v", err)
	}
	if _, err := OpenFiles([]string{dir}, Options{}); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("directory: %v", err)
	}
}

func TestFilterAndProgress(t *testing.T) {
	file := pcapOf(t, layers.LinkTypeEthernet, append(dialogue(t, 3), record{at: epoch, data: ether("\x08\x00", udp4(t, 53, 53, nil))})...)
	name := filepath.Join(t.TempDir(), "a")
	os.WriteFile(name, file, 0o600)
	var done, total int64
	r, err := OpenFiles([]string{name}, Options{Filter: "udp or tcp[4:4] = 1", Progress: func(d, n int64) { done, total = d, n }})
	if err != nil {
		t.Fatal(err)
	}
	got := drain(t, r)
	if got.payloads() != "b" || got.stats.Skipped.Filtered != 2 || got.stats.Skipped.NotTCP != 1 || got.segments[0].Packet != 2 {
		t.Errorf("got %q, %+v", got.payloads(), got.stats.Skipped)
	}
	if done != int64(len(file)) || total != done {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	for _, bad := range []string{"port", "tcp port 99999", "geneve", "host example.com"} {
		r, err := OpenFiles([]string{name}, Options{Filter: bad})
		if err == nil {
			var s Segment
			err = r.Next(&s)
			r.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "filter: ") {
			t.Errorf("filter %q: %v", bad, err)
		}
	}
}
