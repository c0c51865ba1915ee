package render

import (
	"net/netip"
	"testing"
)

func TestURIsAsZeekWritesThem(t *testing.T) {
	for uri, want := range map[string]string{
		"/a":            "/a",
		"/a%20b%2Fc":    "/a b/c",
		"/100%":         "/100%",
		"/%4":           "/%4",
		"/%zz%41":       "/%zzA",
		"/%+1?q=%C3%A4": "/%+1?q=ä",
	} {
		if got := unescaped(uri); got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
}

func TestLocalAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"192.0.2.1": true, "198.51.100.7": true, "8.8.8.8": false, "224.0.0.251": true,
		"2001:0:4137:9e50::1": true, "2001:4860::68": false, "fe80::1": true,
		"2002:c0a8:101::1": true, "2002:808:808::1": false, "::ffff:10.0.0.1": true,
	} {
		if got := local(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}
