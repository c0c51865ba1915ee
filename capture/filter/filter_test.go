package filter_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"

	"sniff/capture/filter"
)

func compile(t testing.TB, text string, link layers.LinkType) *filter.Program {
	t.Helper()
	expr, err := filter.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := expr.Compile(uint32(link))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRefusesByName(t *testing.T) {
	for text, want := range map[string]string{
		"geneve":                      `"geneve" is not supported`,
		"tcp and vxlan 5":             `"vxlan" is not supported`,
		"ip protochain 6":             `"protochain" is not supported`,
		"gateway 10.0.0.1":            `"gateway" is not supported`,
		"ifname eth0":                 `"ifname" is not supported`,
		"wlan host 1:2:3:4:5:6":       `"wlan" is not supported`,
		"ip broadcast":                `"ip broadcast" is not supported`,
		"inbound":                     "do not hold the direction",
		"host mail.example":           "names are not resolved",
		"port nonsense-service":       "neither a port nor a known service",
		"port 70000":                  "greater than 65535",
		"10.0.0.1":                    "needs a word in front",
		"tcp port 25 or":              "unexpected end of expression",
		"(tcp":                        "a parenthesis is open",
		"tcp)":                        `unexpected ")"`,
		"tcp[13":                      "unexpected end",
		"tcp[13:3] = 1":               "size must be 1, 2 or 4",
		"len / 0 = 1":                 "division by zero",
		"net 10.1.2.3/8":              "bits set outside of its mask",
		"host 10.0.0.0/8":             "mask is for networks only",
		"net 10.0.0.0/33":             "greater than 32",
		"vlan 5000":                   "greater than 4095",
		"tcp host 10.0.0.1":           `"tcp" cannot stand in front of an IPv4 address`,
		"host 1.2.3.4.5":              "no IPv4 address",
		"host 300.1.1.1":              "no IPv4 address",
		"tcp $ udp":                   "unexpected character '$'",
		"tcp[13] & 2":                 "a comparison was expected",
		"ether proto 5":               "needs LLC",
		"99999999999 > len":           "does not fit into 32 bits",
		strings.Repeat("(", 500):      "nested too deep",
		strings.Repeat("not ", 500):   "nested too deep",
		strings.Repeat("tcp ", 20000): "too long",
	} {
		expr, err := filter.Parse(text)
		if err == nil {
			_, err = expr.Compile(uint32(layers.LinkTypeEthernet))
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %v, want %q", text, err, want)
		}
	}
	expr, err := filter.Parse("tcp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := expr.Compile(147); err == nil || !strings.Contains(err.Error(), "link type 147") {
		t.Errorf("link type 147: %v", err)
	}
}

func TestEmptyTakesAll(t *testing.T) {
	if !compile(t, "  ", layers.LinkTypeEthernet).Match(nil, 0) {
		t.Error("the empty expression rejects")
	}
}

// TestLongJumps compiles more hosts than a conditional jump reaches over.
func TestLongJumps(t *testing.T) {
	var hosts []string
	for i := range 400 {
		hosts = append(hosts, fmt.Sprintf("host 10.9.%d.%d", i/200, i%200))
	}
	for _, last := range []string{"host 10.1.2.3", "host 10.1.2.4"} {
		p := compile(t, "tcp and ("+strings.Join(append(hosts, last), " or ")+")", layers.LinkTypeRaw)
		n := 0
		for _, s := range samples(t, layers.LinkTypeRaw) {
			if p.Match(s.data, s.wire) {
				n++
			}
		}
		if (n > 0) != (last == "host 10.1.2.3") {
			t.Errorf("%s: %d packets", last, n)
		}
	}
}

// TestLikeTheVM runs every program on the machine of x/net/bpf, too; they can
// differ only in the length of packets that were cut.
func TestLikeTheVM(t *testing.T) {
	for _, link := range []layers.LinkType{layers.LinkTypeEthernet, layers.LinkTypeLinuxSLL, layers.LinkTypeNull} {
		packets := samples(t, link)
		for _, text := range expressions {
			expr, err := filter.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			p, err := expr.Compile(uint32(link))
			if err != nil {
				continue
			}
			compareWithVM(t, text, p, packets)
		}
	}
}

func compareWithVM(t *testing.T, text string, p *filter.Program, packets []sample) {
	t.Helper()
	vm, err := bpf.NewVM(p.Instructions())
	if err != nil {
		t.Errorf("%q: %v", text, err)
		return
	}
	for _, s := range packets {
		n, err := vm.Run(s.data)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return
		}
		if got := p.Match(s.data, len(s.data)); got != (n > 0) {
			t.Errorf("%q: the VM says %d, Match %v for % x", text, n, got, s.data)
			return
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range expressions {
		f.Add(text, uint32(1), []byte{})
	}
	f.Fuzz(func(t *testing.T, text string, link uint32, data []byte) {
		expr, err := filter.Parse(text)
		if err != nil {
			return
		}
		p, err := expr.Compile(link % 300)
		if err != nil {
			return
		}
		p.Match(data, len(data)+1)
	})
}

func BenchmarkMatch(b *testing.B) {
	p := compile(b, "tcp port 25 or tcp port 21 or tcp port 22", layers.LinkTypeEthernet)
	s := samples(b, layers.LinkTypeEthernet)[0]
	b.ReportAllocs()
	for b.Loop() {
		p.Match(s.data, s.wire)
	}
}
