package flow

import "testing"

// TestSSLv2Hello: the front of such a hello is told from other bytes as soon as
// its lengths are known.
func TestSSLv2Hello(t *testing.T) {
	hello := []byte{0x80, 0x2f, 1, 3, 1, 0, 6, 0, 0, 0, 0x20, 0, 0, 0x2f, 0, 0, 0xff}
	for n := range hello {
		yes, more := isSSLv2Hello(hello[:n])
		if yes != (n >= 11) || more != (n > 2 && n < 11) {
			t.Errorf("of %d bytes: yes %v, more %v", n, yes, more)
		}
	}
	for name, change := range map[string]func(b []byte){
		"another length":  func(b []byte) { b[1]++ },
		"another message": func(b []byte) { b[2] = 4 },
		"another version": func(b []byte) { b[3] = 7 },
		"no suites":       func(b []byte) { b[6], b[1] = 0, b[1]-6 },
		"a short nonce":   func(b []byte) { b[10], b[1] = 8, b[1]-24 },
	} {
		b := append([]byte(nil), hello...)
		change(b)
		if yes, more := isSSLv2Hello(b); yes || more {
			t.Errorf("%s: yes %v, more %v", name, yes, more)
		}
	}
}
