package proxy

import (
	"fmt"
	"io"
	"testing"

	"sniff/record"
)

// TestTinyFiles: a file that is there and done with at once is told with its
// bytes, also when the server's last word on it overtakes the data connection.
func TestTinyFiles(t *testing.T) {
	const files = 100
	l := startLab(t, Config{}, listen(t, dataServer(t, "", nil)))
	c := l.dial()
	expect(t, c, "220")
	fmt.Fprint(c, "USER me\r\n")
	expect(t, c, "230")
	for range files {
		data := passiveAgain(t, c)
		fmt.Fprint(c, "RETR f\r\n")
		expect(t, c, "150")
		peer := callFrom(t, "127.0.0.1", data)
		if got, err := io.ReadAll(peer); string(got) != "the file" {
			t.Fatalf("the client got %q, %v", got, err)
		}
		peer.Close()
		expect(t, c, "226")
	}
	c.Close()
	wait(l, func(s *record.Session) bool { return s.Protocol == "ftp" })
	whole := 0
	for _, r := range l.all() {
		if x, ok := r.(*record.FTPTransfer); ok && x.Bytes == 8 && x.Outcome == record.TransferComplete {
			whole++
		} else if ok {
			t.Errorf("transfer of %d B: %s", x.Bytes, x.Summary())
		}
	}
	if whole != files {
		t.Errorf("%d transfers are told whole, want %d", whole, files)
	}
}
