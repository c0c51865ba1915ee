package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSOAPStatistics counts the calls of a sample per operation.
func TestSOAPStatistics(t *testing.T) {
	fixedKey(t)
	out, stderr, status := sniff(t, nil, "soap", "../../samples/soap/soap11.pcapng")
	if status != exitDone || stderr != "" {
		t.Fatalf("exit status %d, %s", status, stderr)
	}
	for _, want := range [][]string{{"GetQuote", "3", "2", "0"}, {"History", "1", "0", "0"}} {
		if !slices.ContainsFunc(strings.Split(out, "\n"), func(line string) bool {
			f := strings.Fields(line)
			return len(f) > 4 && slices.Equal(f[:4], want)
		}) {
			t.Errorf("no line begins with %q:\n%s", want, out)
		}
	}
}

// TestCurlMasks prints a call with a password, masked unless it is revealed,
// in words that a shell takes.
func TestCurlMasks(t *testing.T) {
	fixedKey(t)
	const file = "../../samples/soap/username-token.pcapng"
	masked, _, status := sniff(t, nil, "soap", "--curl", "1", file)
	if status != exitDone || strings.Contains(masked, "secret1") || !strings.Contains(masked, ">***</wsse:Password>") {
		t.Errorf("exit status %d:\n%s", status, masked)
	}
	shown, _, _ := sniff(t, nil, "soap", "--curl", "1", "--reveal", file)
	if !strings.Contains(shown, ">secret1</wsse:Password>") {
		t.Errorf("--reveal does not show the password:\n%s", shown)
	}
	if err := exec.Command("sh", "-n", "-c", shown).Run(); err != nil {
		t.Errorf("a shell does not take it: %v\n%s", err, shown)
	}
	if _, stderr, status := sniff(t, nil, "soap", "--curl", "9", file); status != exitUsage || !strings.Contains(stderr, "there is no call 9: 1 were seen") {
		t.Errorf("exit status %d, %s", status, stderr)
	}
}

// TestHistogram holds the quantiles against those of the sorted list.
func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, spread := range []time.Duration{50 * time.Microsecond, time.Second, 1000 * time.Hour} {
		var h histogram
		var all []time.Duration
		for range 5000 {
			d := time.Duration(rng.Int64N(int64(spread))) + 1
			h.add(d)
			all = append(all, d)
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			want := all[max(int(q*float64(len(all)))-1, 0)]
			if off := (h.quantile(q) - want).Abs(); float64(off) > 0.035*float64(want)+1000 {
				t.Errorf("spread %v: quantile %v is %v, want %v", spread, q, h.quantile(q), want)
			}
		}
	}
}

// TestContractInTraffic: a call that departs from the WSDL that was fetched
// before it is found, with the place in the message.
func TestContractInTraffic(t *testing.T) {
	fixedKey(t)
	out, _, status := sniff(t, nil, "findings", "../../samples/soap/contract.pcapng")
	for _, want := range []string{
		`departs from its WSDL: the action is "Histories", the contract wants "History"`,
		`days: "three" is no integer`, "/s:Envelope/s:Body/t:History/t:days",
	} {
		if status != exitDone || !strings.Contains(out, want) {
			t.Errorf("exit status %d, %q is missing in\n%s", status, want, out)
		}
	}
}

// TestContractGiven: --wsdl names a file that does for captures without one.
func TestContractGiven(t *testing.T) {
	fixedKey(t)
	dir := t.TempDir()
	const doc = `<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:stock.example" targetNamespace="urn:stock.example">
<types><x:schema xmlns:x="http://www.w3.org/2001/XMLSchema"><x:import namespace="urn:stock.example" schemaLocation="sub/stock.xsd"/></x:schema></types>
<message name="q"><part name="p" element="t:GetQuote"/></message><portType name="t"><operation name="Quote"><input message="t:q"/></operation></portType>
<binding name="b" type="t:t"><s:binding/><operation name="Quote"><s:operation soapAction="urn:stock.example#GetQuote"/><input><s:body use="literal"/></input></operation></binding>
<service name="s"><port name="p" binding="t:b"><s:address location="http://elsewhere.example/quotes"/></port></service></definitions>`
	const doc20 = `<w:description xmlns:w="http://www.w3.org/ns/wsdl" xmlns:ws="http://www.w3.org/ns/wsdl/soap" xmlns:t="urn:stock.example" targetNamespace="urn:stock.example">
<w:types><x:import xmlns:x="http://www.w3.org/2001/XMLSchema" namespace="urn:stock.example" schemaLocation="sub/stock.xsd"/></w:types>
<w:interface name="Stock"><w:operation name="Quote" pattern="http://www.w3.org/ns/wsdl/in-out"><w:input element="t:GetQuote"/></w:operation></w:interface>
<w:binding name="b" interface="t:Stock" type="http://www.w3.org/ns/wsdl/soap" ws:version="1.1" ws:protocol="http://www.w3.org/2006/01/soap11/bindings/HTTP/"><w:operation ref="t:Quote" ws:action="urn:stock.example#GetQuote"/></w:binding>
<w:service name="s" interface="t:Stock"><w:endpoint name="e" binding="t:b" address="http://elsewhere.example/quotes"/></w:service></w:description>`
	const schema = `<x:schema xmlns:x="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:stock.example" elementFormDefault="qualified">
<x:element name="GetQuote"><x:complexType><x:sequence><x:element name="market" type="x:string"/><x:element name="symbol" type="x:string"/></x:sequence></x:complexType></x:element></x:schema>`
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"stock.wsdl": doc, "stock20.wsdl": doc20, "sub/stock.xsd": schema} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, given := range []string{"stock.wsdl", "stock20.wsdl"} {
		out, stderr, status := sniff(t, nil, "findings", "--wsdl", filepath.Join(dir, given), "../../samples/soap/chunked.pcapng")
		if status != exitDone || stderr != "" || !strings.Contains(out, "the request of Quote departs from its WSDL: market is missing in front of symbol") {
			t.Errorf("%s: exit status %d, %s\n%s", given, status, stderr, out)
		}
	}
	if _, stderr, status := sniff(t, nil, "findings", "--wsdl", filepath.Join(dir, "none.wsdl"), "../../samples/soap/chunked.pcapng"); status != exitDamaged || !strings.Contains(stderr, "none.wsdl") {
		t.Errorf("exit status %d, %s", status, stderr)
	}
}
