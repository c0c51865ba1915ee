package soap

import (
	"runtime"
	"slices"
	"strings"
	"testing"
)

// hostile are documents that mean harm, each small as it stands or made so by
// repetition; code is the problem that must be named.
var hostile = []struct{ name, doc, code string }{
	{"billion laughs", `<!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><l>&c;</l>`, "xml_entity_bomb"},
	{"quadratic", `<!DOCTYPE l [<!ENTITY a "` + strings.Repeat("a", 9000) + `">]><l>` + strings.Repeat("&a;", 2000) + `</l>`, "xml_entities"},
	{"file", `<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>`, "xml_external_entity"},
	{"parameter entity", `<!DOCTYPE l [<!ENTITY % p SYSTEM "http://evil.example/x.dtd"> %p;]><l/>`, "xml_external_entity"},
	{"external subset", `<!DOCTYPE l PUBLIC "-//X//Y" "http://evil.example/x.dtd"><l/>`, "xml_external_entity"},
	{"unclosed DTD", `<!DOCTYPE l [` + strings.Repeat("[", 5000), "xml_malformed"},
	{"depth", strings.Repeat("<a>", 100_000), "xml_too_deep"},
	{"depth with namespaces", strings.Repeat(`<a xmlns="urn:`+strings.Repeat("x", 50)+`">`, 5000), "xml_too_deep"},
	{"attributes", "<a" + strings.Repeat(` b="1"`, 5000) + "/>", "xml_too_many_attributes"},
	{"attribute", `<a b="` + strings.Repeat("x", 200_000) + `"/>`, "xml_too_long"},
	{"name", "<" + strings.Repeat("n", 200_000) + "/>", "xml_too_long"},
	{"comment", "<!--" + strings.Repeat("-", 100_000), "xml_malformed"},
	{"CDATA", "<a><![CDATA[" + strings.Repeat("]", 100_000), "xml_truncated"},
	{"instruction", "<?x " + strings.Repeat("?", 100_000), "xml_malformed"},
	{"bad UTF-8", "<a>\xff\xfe\xc0\x80</a>", "xml_encoding"},
	{"overlong UTF-8", "<a>\xc0\xbc</a>", "xml_encoding"},
	{"surrogate", "<a>\xed\xa0\x80</a>", "xml_encoding"},
	{"NUL", "<a>\x00</a>", "xml_encoding"},
	{"half of UTF-16", "\xff\xfe<\x00a\x00/", "xml_encoding"},
	{"characters", "<a>&#x110000;&#99999999999;&#xD800;&#;&;</a>", "soap_no_envelope"},
	{"end tags", "</a></a></a>", "xml_malformed"},
	{"crossed", "<a><b></a></b>", "xml_malformed"},
	{"prefixes", strings.Repeat("<x:a>", 400), "xml_undefined_prefix"},
	{"references", "<a>" + strings.Repeat(`<b href="cid:x"/>`, 10_000) + "</a>", "soap_no_envelope"},
	{"texts", "<a>" + strings.Repeat("x<!---->", 50_000) + "</a>", "soap_no_envelope"},
	{"headers", `<e:Envelope xmlns:e="` + soap11 + `"><e:Header>` + strings.Repeat(`<h/>`, 20_000) + `</e:Header></e:Envelope>`, "soap_no_body"},
}

// TestHostile reads each document whole, in pieces and, when it is short, cut
// at every byte: the harm is named, nothing grows, nothing falls over.
func TestHostile(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, h := range hostile {
		for _, size := range []int{0, 1, 7, 1000} {
			if size == 1 && len(h.doc) > 20_000 {
				continue
			}
			e := read("text/xml", h.doc, size)
			if got := codes(e); !slices.Contains(got, h.code) {
				t.Errorf("%s in pieces of %d: %v, want %s", h.name, size, got, h.code)
			}
			if len(e.msg.Headers) > maxBlocks || len(e.refs) > maxReferences || len(e.msg.Parameters) > 4*defaults(Config{}).Nodes {
				t.Errorf("%s: %d headers, %d references, %d parameters are kept", h.name, len(e.msg.Headers), len(e.refs), len(e.msg.Parameters))
			}
		}
		if _, err := readTree(defaults(Config{}), "", []byte(h.doc)); err != nil && err.Error() == "" {
			t.Errorf("%s: an error without words", h.name)
		}
		for n := range min(len(h.doc), 300) {
			read("text/xml", h.doc[:n], 0)
			readTree(defaults(Config{}), "", []byte(h.doc[:n]))
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("reading hostile documents leaves %d bytes behind", grown)
	}
}
