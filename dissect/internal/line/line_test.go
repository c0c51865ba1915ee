package line

import (
	"fmt"
	"strings"
	"testing"
)

// split feeds stream in chunks of the given size and lists the lines.
func split(t *testing.T, s *Splitter, stream string, chunk int) []string {
	t.Helper()
	var got []string
	var unread []byte
	for at := 0; at < len(stream); at += chunk {
		unread = append(unread, stream[at:min(at+chunk, len(stream))]...)
		for {
			text, end, n := s.Next(unread)
			if n == 0 {
				if end != None || text != nil {
					t.Fatalf("need more came with text %q, end %d", text, end)
				}
				break
			}
			got = append(got, fmt.Sprintf("%d %q", end, text))
			unread = unread[n:]
		}
	}
	return got
}

func TestNextDoesNotDependOnCuts(t *testing.T) {
	tests := []struct {
		name, stream string
		max          int
		want         []string
	}{
		{"crlf", "EHLO a\r\nQUIT\r\n", 0, []string{`1 "EHLO a"`, `1 "QUIT"`}},
		{"bare lf", "one\ntwo\r\n", 0, []string{`2 "one"`, `1 "two"`}},
		{"bare cr stays", "a\rb\r\r\n\r", 0, []string{`1 "a\rb\r"`}},
		{"empty lines", "\r\n\n", 0, []string{`1 ""`, `2 ""`}},
		{"exactly max", "abcdef\r\nx\r\n", 8, []string{`1 "abcdef"`, `1 "x"`}},
		{"too long", "abcdefgh\r\nx\r\n", 8, []string{`3 "abcdefgh"`, `1 ""`, `1 "x"`}},
		{"cut between cr and lf by max", "abcdefg\r\nx\r\n", 8, []string{`3 "abcdefg\r"`, `2 ""`, `1 "x"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for chunk := 1; chunk <= len(tt.stream); chunk++ {
				got := split(t, &Splitter{Max: tt.max}, tt.stream, chunk)
				if strings.Join(got, "|") != strings.Join(tt.want, "|") {
					t.Fatalf("chunks of %d: got %v, want %v", chunk, got, tt.want)
				}
			}
		})
	}
}

func TestResetSearchesAgain(t *testing.T) {
	var s Splitter
	if _, _, n := s.Next([]byte("no end yet")); n != 0 {
		t.Fatal("found a line without an end")
	}
	s.Reset()
	if text, end, _ := s.Next([]byte("new\r\nother bytes")); string(text) != "new" || end != CRLF {
		t.Fatalf("after Reset: got %q, end %d", text, end)
	}
}

func BenchmarkByteByByte(b *testing.B) {
	line := []byte(strings.Repeat("x", 16<<10))
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		var s Splitter
		for i := range line {
			s.Next(line[:i+1])
		}
	}
}
