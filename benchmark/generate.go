// Command generate writes the capture that `make bench` measures with: a mix
// of mail with attachments, file transfers, SOAP calls and SSH, many sessions
// interleaved, in packets of 1,500 bytes. The same seed gives the same capture.
//
//	go run ./benchmark -size 700 -o mix.pcapng
//	go run ./benchmark -size 1000 -kinds k -o mail.pcapng
//	go run ./benchmark -calls 100000 -o calls.pcapng
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"

	"sniff/record"
	"sniff/render"
)

func main() {
	out := flag.String("o", "mix.pcapng", "capture to write; it must not exist")
	size := flag.Int("size", 700, "payload in MB")
	seed := flag.Uint64("seed", 1, "seed of the random choices")
	kinds := flag.String("kinds", "mfps", "what to mix: m mail, f files, p SOAP, s SSH, k mail of 100 KB a message, h SSH handshakes")
	calls := flag.Int("calls", 0, "write this many SOAP calls with envelopes of 4 KB instead")
	flag.Parse()
	if strings.Trim(*kinds, "mfpskh") != "" || *kinds == "" {
		log.Fatalf("kinds are some of the letters m, f, p, s, k, h; not %q", *kinds)
	}
	w, err := render.CreatePcapNG(*out, render.Rotation{})
	if err != nil {
		log.Fatal(err)
	}
	g := &generator{w: w, rng: rand.New(rand.NewPCG(*seed, 0)), now: time.Unix(1_700_000_000, 0).UTC(), left: int64(*size) * 1_000_000, calls: *calls}
	g.noise = make([]byte, 8<<20)
	for i := 0; i+8 <= len(g.noise); i += 8 {
		binary.LittleEndian.PutUint64(g.noise[i:], g.rng.Uint64())
	}
	if *calls > 0 {
		*kinds, g.left = "c", 1
	}
	g.run(*kinds)
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	info, err := os.Stat(*out)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d sessions, %d MB\n", *out, g.sessions, info.Size()/1_000_000)
}

type generator struct {
	w        *render.PcapNG
	rng      *rand.Rand
	now      time.Time
	left     int64
	calls    int // still to be begun; when they are what is asked for
	noise    []byte
	sessions int
	port     uint16
}

// talk is a session that is being written: what is still to be said.
type talk struct {
	conn record.TapConn
	say  []saying
}

type saying struct {
	dir  record.Dir
	data []byte
	do   func() // instead of data
}

const atATime = 24

// run keeps some sessions going until enough was written, then ends them.
func (g *generator) run(kinds string) {
	var live []*talk
	for g.left > 0 || len(live) > 0 {
		for len(live) < atATime && g.left > 0 {
			live = append(live, g.begin(kinds[g.rng.IntN(len(kinds))]))
		}
		i := g.rng.IntN(len(live))
		if !g.step(live[i]) {
			live[i] = live[len(live)-1]
			live = live[:len(live)-1]
		}
	}
}

// step says the next thing, up to 32 KiB of it.
func (g *generator) step(t *talk) bool {
	g.now = g.now.Add(time.Duration(20+g.rng.IntN(80)) * time.Microsecond)
	if len(t.say) == 0 {
		t.conn.Close(record.EndClosed, "client", g.now)
		return false
	}
	s := &t.say[0]
	if s.do != nil {
		s.do()
		t.say = t.say[1:]
		return true
	}
	n := min(len(s.data), 32<<10)
	t.conn.Data(s.dir, s.data[:n], g.now)
	if g.calls == 0 {
		g.left -= int64(n)
	}
	if s.data = s.data[n:]; len(s.data) == 0 {
		t.say = t.say[1:]
	}
	return true
}

func (g *generator) open(server string, port uint16) record.TapConn {
	g.sessions++
	g.port++
	from := [4]byte{192, 0, 2, byte(g.sessions%200 + 1)}
	if round := g.sessions / 40000; round > 0 { // no pair of ports comes twice
		from[0], from[1], from[2] = 198, 18, byte(round)
	}
	client := netip.AddrPortFrom(netip.AddrFrom4(from), 20000+g.port%40000)
	return g.w.Open(client, netip.AddrPortFrom(netip.MustParseAddr(server), port), g.now, "")
}

func c(text string) saying { return saying{dir: record.ClientToServer, data: []byte(text)} }
func s(text string) saying { return saying{dir: record.ServerToClient, data: []byte(text)} }

func (g *generator) begin(kind byte) *talk {
	switch kind {
	case 'm':
		return g.mail()
	case 'f':
		return g.files()
	case 'p':
		return g.soap()
	case 'c':
		return g.orders()
	case 'k':
		return g.mailOf(10, func() int { return 72_600 }) // 100 KB in base64
	case 'h':
		return g.handshake()
	}
	return g.ssh()
}

func (g *generator) bytes(n int) []byte {
	from := g.rng.IntN(len(g.noise) - n)
	return g.noise[from : from+n]
}

// mail is a session with one to three messages, each with an attachment of up
// to 1 MB.
func (g *generator) mail() *talk {
	return g.mailOf(1+g.rng.IntN(3), func() int { return 10_000 + g.rng.IntN(700_000) })
}

// mailOf is a session with so many messages; size is that of an attachment.
func (g *generator) mailOf(messages int, size func() int) *talk {
	t := &talk{conn: g.open("198.51.100.25", 25)}
	t.say = append(t.say, s("220 mx.example ESMTP Postfix\r\n"), c("EHLO client.example\r\n"),
		s("250-mx.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"))
	for range messages {
		id := g.rng.Uint32()
		var m bytes.Buffer
		fmt.Fprintf(&m, "From: Sender %d <s%d@client.example>\r\nTo: r%d@mx.example\r\nSubject: =?utf-8?q?Message_%d?=\r\nMessage-ID: <%x@client.example>\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b%x\"\r\n\r\n--b%x\r\nContent-Type: text/plain\r\n\r\nPlease find the file attached.\r\n--b%x\r\nContent-Type: application/octet-stream; name=\"data.bin\"\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"data.bin\"\r\n\r\n", id, id, id, id, id, id, id, id)
		m.Write(base64Lines(g.bytes(size())))
		fmt.Fprintf(&m, "--b%x--\r\n.\r\n", id)
		t.say = append(t.say, c(fmt.Sprintf("MAIL FROM:<s%d@client.example> SIZE=%d\r\nRCPT TO:<r%d@mx.example>\r\nDATA\r\n", id, m.Len(), id)),
			s("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"),
			saying{dir: record.ClientToServer, data: m.Bytes()}, s(fmt.Sprintf("250 2.0.0 Ok: queued as %08X\r\n", id)))
	}
	t.say = append(t.say, c("QUIT\r\n"), s("221 2.0.0 Bye\r\n"))
	return t
}

func base64Lines(b []byte) []byte {
	enc := base64.StdEncoding.EncodeToString(b)
	out := make([]byte, 0, len(enc)+len(enc)/38)
	for len(enc) > 76 {
		out = append(append(out, enc[:76]...), "\r\n"...)
		enc = enc[76:]
	}
	return append(append(out, enc...), "\r\n"...)
}

// files is an FTP session with one to four downloads of up to 6 MB.
func (g *generator) files() *talk {
	t := &talk{conn: g.open("198.51.100.21", 21)}
	t.say = append(t.say, s("220 ftp.example ready\r\n"), c("USER bob\r\n"), s("331 Password required\r\n"), c("PASS secret\r\n"), s("230 Logged in\r\n"), c("TYPE I\r\n"), s("200 Type set to I\r\n"))
	for range 1 + g.rng.IntN(4) {
		g.port++
		port := 30000 + g.port%30000
		data := g.bytes(1000 + g.rng.IntN(6_000_000))
		var d record.TapConn
		t.say = append(t.say, c("PASV\r\n"), s(fmt.Sprintf("227 Entering Passive Mode (198,51,100,21,%d,%d)\r\n", port>>8, port&255)),
			c(fmt.Sprintf("RETR /pub/file%d.bin\r\n", port)),
			saying{do: func() { d = g.open("198.51.100.21", port) }},
			s(fmt.Sprintf("150 Opening BINARY mode data connection for /pub/file%d.bin (%d bytes)\r\n", port, len(data))))
		for at := 0; at < len(data); at += 64 << 10 {
			piece := data[at:min(at+64<<10, len(data))]
			t.say = append(t.say, saying{do: func() { d.Data(record.ServerToClient, piece, g.now); g.left -= int64(len(piece)) }})
		}
		t.say = append(t.say, saying{do: func() { d.Close(record.EndClosed, "server", g.now) }}, s("226 Transfer complete\r\n"))
	}
	t.say = append(t.say, c("QUIT\r\n"), s("221 Goodbye\r\n"))
	return t
}

// soap is a kept connection with some dozens of calls of a few KB.
func (g *generator) soap() *talk {
	t := &talk{conn: g.open("198.51.100.80", 8080)}
	for i := range 20 + g.rng.IntN(60) {
		var items bytes.Buffer
		for k := range 20 {
			fmt.Fprintf(&items, "<item><id>%d</id><name>Part %d &amp; more</name><price currency=\"EUR\">%d.99</price></item>", k, g.rng.IntN(1000), g.rng.IntN(500))
		}
		req := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:o="urn:example:orders"><soap:Header><o:Trace>%x</o:Trace></soap:Header><soap:Body><o:PlaceOrder><o:customer>C%d</o:customer>%s</o:PlaceOrder></soap:Body></soap:Envelope>`, g.rng.Uint64(), i, items.String())
		resp := fmt.Sprintf(`<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><o:PlaceOrderResponse xmlns:o="urn:example:orders"><o:orderId>%d</o:orderId>%s</o:PlaceOrderResponse></soap:Body></soap:Envelope>`, g.rng.Uint32(), items.String())
		t.say = append(t.say,
			c(fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: ws.example:8080\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"urn:example:orders/PlaceOrder\"\r\nContent-Length: %d\r\n\r\n%s", len(req), req)),
			s(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", len(resp), resp)))
	}
	return t
}

// envelopeSize is the length of each envelope of orders.
const envelopeSize = 4096

// orders is a kept connection with up to a hundred calls whose requests and
// answers are of 4 KB each.
func (g *generator) orders() *talk {
	t := &talk{conn: g.open("198.51.100.80", 8080)}
	n := min(100, g.calls)
	if g.calls -= n; g.calls == 0 {
		g.left = 0
	}
	for i := range n {
		req := g.envelope(fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" xmlns:o="urn:example:orders"><soap:Header><o:Trace>%016x</o:Trace></soap:Header><soap:Body><o:PlaceOrder><o:customer>C%d</o:customer>`, g.rng.Uint64(), i), `</o:PlaceOrder></soap:Body></soap:Envelope>`)
		resp := g.envelope(fmt.Sprintf(`<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><o:PlaceOrderResponse xmlns:o="urn:example:orders"><o:orderId>%d</o:orderId>`, g.rng.Uint32()), `</o:PlaceOrderResponse></soap:Body></soap:Envelope>`)
		t.say = append(t.say,
			c(fmt.Sprintf("POST /orders HTTP/1.1\r\nHost: ws.example:8080\r\nUser-Agent: orders/1.4\r\nAccept: text/xml\r\nContent-Type: text/xml; charset=utf-8\r\nSOAPAction: \"urn:example:orders/PlaceOrder\"\r\nContent-Length: %d\r\n\r\n%s", len(req), req)),
			s(fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: %s\r\nServer: ws/2.2\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", g.now.Format("Mon, 02 Jan 2006 15:04:05 GMT"), len(resp), resp)))
	}
	return t
}

// envelope fills what stands between head and tail with items.
func (g *generator) envelope(head, tail string) string {
	var b bytes.Buffer
	b.WriteString(head)
	const note, end = "<o:note>", "</o:note>"
	for k := 0; ; k++ {
		item := fmt.Sprintf(`<o:item><o:id>%d</o:id><o:name>Part %d &amp; more</o:name><o:price currency="EUR">%d.99</o:price></o:item>`, k, g.rng.IntN(1000), g.rng.IntN(500))
		room := envelopeSize - b.Len() - len(tail) - len(note) - len(end)
		if len(item) > room {
			b.WriteString(note + strings.Repeat("x", room) + end)
			break
		}
		b.WriteString(item)
	}
	b.WriteString(tail)
	return b.String()
}

// ssh is a handshake and up to 2 MB of sealed packets.
func (g *generator) ssh() *talk {
	t := g.agree([10]string{"curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none"})
	for range 1 + g.rng.IntN(20) {
		t.say = append(t.say, saying{dir: record.ClientToServer, data: g.bytes(48 + 16*g.rng.IntN(20))}, saying{dir: record.ServerToClient, data: g.bytes(48 + 16*g.rng.IntN(6000))})
	}
	return t
}

// handshake is a whole handshake with all that OpenSSH offers, and a login
// that is refused.
func (g *generator) handshake() *talk {
	ciphers := "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com"
	macs := "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1"
	t := g.agree([10]string{
		"sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256,ext-info-c,kex-strict-c-v00@openssh.com",
		"ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256",
		ciphers, ciphers, macs, macs, "none,zlib@openssh.com", "none,zlib@openssh.com",
	})
	for _, n := range []int{44, 68, 84, 148} { // service, none, password, disconnect
		t.say = append(t.say, saying{dir: record.ClientToServer, data: g.bytes(n)}, saying{dir: record.ServerToClient, data: g.bytes(52)})
	}
	return t
}

// agree is a handshake in which both sides offer the same.
func (g *generator) agree(offer [10]string) *talk {
	t := &talk{conn: g.open("198.51.100.22", 22)}
	kexinit := func() []byte {
		p := append([]byte{20}, g.bytes(16)...)
		for _, l := range offer {
			p = append(binary.BigEndian.AppendUint32(p, uint32(len(l))), l...)
		}
		return packet(append(p, 0, 0, 0, 0, 0))
	}
	str := func(p, b []byte) []byte { return append(binary.BigEndian.AppendUint32(p, uint32(len(b))), b...) }
	public, answer := 32, 32 // of curve25519
	if strings.HasPrefix(offer[0], "sntrup761") {
		public, answer = 1190, 1071
	}
	hostKey := str(str(nil, []byte("ssh-ed25519")), g.noise[:32])
	reply := str(str(str([]byte{31}, hostKey), g.bytes(answer)), str(str(nil, []byte("ssh-ed25519")), g.bytes(64)))
	t.say = append(t.say, s("SSH-2.0-OpenSSH_9.6\r\n"), c("SSH-2.0-OpenSSH_9.6\r\n"),
		saying{dir: record.ClientToServer, data: kexinit()}, saying{dir: record.ServerToClient, data: kexinit()},
		saying{dir: record.ClientToServer, data: packet(str([]byte{30}, g.bytes(public)))},
		saying{dir: record.ServerToClient, data: append(packet(reply), packet([]byte{21})...)},
		saying{dir: record.ClientToServer, data: packet([]byte{21})})
	return t
}

// packet is an SSH binary packet before encryption (RFC 4253, section 6).
func packet(payload []byte) []byte {
	pad := 8 - (5+len(payload))%8
	if pad < 4 {
		pad += 8
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+pad))
	b = append(append(b, byte(pad)), payload...)
	return append(b, make([]byte, pad)...)
}
