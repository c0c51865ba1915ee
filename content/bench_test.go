package content

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// segments writes a body as a capture delivers it.
func segments(b Body, data []byte) {
	for len(data) > 0 {
		n := min(1460, len(data))
		b.Write(data[:n])
		data = data[n:]
	}
}

// random is data that does not compress.
func random(n int) []byte {
	rng := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	rng.Read(b)
	return b
}

// attachmentMail is a mail of about n bytes: a text, and one attachment in
// base64.
func attachmentMail(n int) []byte {
	var b strings.Builder
	b.WriteString(crlf(`Received: from a.example by b.example with ESMTPS id 1; Mon, 2 Jan 2006 15:04:05 +0000
From: Alice <alice@example.org>
To: bob@example.net
Subject: =?utf-8?q?report?=
Date: Mon, 2 Jan 2006 15:04:05 +0000
Message-ID: <1@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_boundary"

--=_boundary
Content-Type: text/plain; charset=utf-8

See the attachment.
--=_boundary
Content-Type: application/octet-stream; name="data.bin"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="data.bin"

`))
	b.WriteString(mimeLines(random(n / 78 * 57)))
	b.WriteString("--=_boundary--\r\n")
	return []byte(b.String())
}

func BenchmarkFile(b *testing.B) {
	data := random(64 << 20)
	for _, workers := range []int{0, -1} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			r := New(Config{Workers: workers})
			defer r.Close()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				body := r.Open(Info{Carrier: "ftp-data", Name: "file.bin"})
				segments(body, data)
				if body.Close(true).Wait().Size != int64(len(data)) {
					b.Fatal("size")
				}
			}
		})
	}
}

func BenchmarkMail(b *testing.B) {
	data := attachmentMail(100_000)
	for _, workers := range []int{0, 2, -1} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			r := New(Config{Workers: workers})
			defer r.Close()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			// Results are waited for behind the engine, as the output does.
			var open []Result
			for b.Loop() {
				body := r.Open(mailInfo)
				segments(body, data)
				if open = append(open, body.Close(true)); len(open) == 64 {
					for _, x := range open {
						x.Wait()
					}
					open = open[:0]
				}
			}
		})
	}
}

func BenchmarkSmallBody(b *testing.B) {
	data := bytes.Repeat([]byte(`<item name="x">value</item>`), 150)
	data = append([]byte(`<?xml version="1.0"?><list>`), data...)
	for _, workers := range []int{0, -1} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			r := New(Config{Workers: workers})
			defer r.Close()
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			var open []Result
			for b.Loop() {
				body := r.Open(Info{Carrier: "http", Role: Response, ContentType: "text/xml; charset=utf-8"})
				segments(body, data)
				if open = append(open, body.Close(true)); len(open) == 64 {
					for _, x := range open {
						x.Wait()
					}
					open = open[:0]
				}
			}
		})
	}
}

func BenchmarkBase64(b *testing.B) {
	src := []byte(strings.ReplaceAll(mimeLines(random(6<<10)), "\r\n", ""))[:8<<10]
	dst := make([]byte, 6<<10)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, ok := decodeQuads(dst, src); !ok {
			b.Fatal("damaged")
		}
	}
}
