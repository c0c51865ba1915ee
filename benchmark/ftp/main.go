// Command ftp writes what `make bench-ftp` measures with: files of 1 KB to
// 100 MB in a folder, and a capture in which an FTP client downloads them all,
// four at a time. The same seed gives the same files.
//
//	go run ./benchmark/ftp -size 2000 -files files -o ftp.pcapng
package main

import (
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"sniff/record"
	"sniff/render"
)

const (
	smallest, largest = 1_000, 100_000_000
	// smallShare of the bytes is in files of up to smallFile: by number they are
	// nearly all.
	smallShare = 0.05
	smallFile  = 10_000
	atATime    = 4
)

func main() {
	out := flag.String("o", "ftp.pcapng", "capture to write; it must not exist")
	dir := flag.String("files", "files", "folder to write the files to; it must not exist")
	size := flag.Int64("size", 2000, "bytes in all files together, MB")
	seed := flag.Uint64("seed", 1, "seed of the random choices")
	flag.Parse()
	if err := run(*out, *dir, *size*1_000_000, *seed); err != nil {
		log.Fatal(err)
	}
}

func run(out, dir string, size int64, seed uint64) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	w, err := render.CreatePcapNG(out, render.Rotation{})
	if err != nil {
		return err
	}
	g := &generator{w: w, rng: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(1_700_000_000, 0).UTC(), port: 20_000}
	g.noise = make([]byte, 1<<20)
	for i := 0; i < len(g.noise); i += 8 {
		binary.LittleEndian.PutUint64(g.noise[i:], g.rng.Uint64())
	}
	sizes := g.sizes(size)
	for i := range min(atATime, len(sizes)) {
		share := []file{}
		for n := i; n < len(sizes); n += atATime {
			share = append(share, file{name: fmt.Sprintf("file%06d.bin", n), size: sizes[n], seed: g.rng.Uint64()})
		}
		g.clients = append(g.clients, &client{files: share, addr: netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)})})
	}
	for len(g.clients) > 0 {
		i := g.rng.IntN(len(g.clients))
		more, err := g.step(g.clients[i], dir)
		if err != nil {
			return err
		}
		if !more {
			g.clients = append(g.clients[:i], g.clients[i+1:]...)
		}
	}
	fmt.Printf("%s: %d files, %d MB\n", out, len(sizes), size/1_000_000)
	return w.Close()
}

type generator struct {
	w       *render.PcapNG
	rng     *rand.Rand
	now     time.Time
	noise   []byte
	port    uint16
	clients []*client
}

// client is one control session, in which files are downloaded one by one.
type client struct {
	addr    netip.Addr
	port    uint16
	files   []file
	control record.TapConn
	data    record.TapConn
	copy    *os.File // the file on disk
	left    int64
	at      int // in the noise
}

type file struct {
	name string
	size int64
	seed uint64
}

// sizes cuts the whole into files. Beside the small ones every order of
// magnitude has as many.
func (g *generator) sizes(whole int64) []int64 {
	var sizes []int64
	add := func(low, high float64, until int64) {
		for until > 0 {
			n := min(int64(low*math.Pow(high/low, g.rng.Float64())), max(until, smallest))
			sizes = append(sizes, n)
			until -= n
		}
	}
	small := int64(float64(whole) * smallShare)
	add(smallest, smallFile, small)
	add(smallFile, largest, whole-small)
	g.rng.Shuffle(len(sizes), func(i, j int) { sizes[i], sizes[j] = sizes[j], sizes[i] })
	return sizes
}

// step lets a client go on for up to 64 KiB, on a line of about 1 Gbit/s.
func (g *generator) step(c *client, dir string) (more bool, err error) {
	g.now = g.now.Add(time.Duration(400+g.rng.IntN(200)) * time.Microsecond)
	switch {
	case c.control == nil:
		c.control = g.open(c, 21)
		c.server("220 ftp.example ready", g.now)
		c.say("USER bob", "331 Password required", g.now)
		c.say("PASS secret", "230 Logged in", g.now)
		c.say("TYPE I", "200 Type set to I", g.now)
	case c.left > 0:
		n := min(c.left, 64<<10, int64(len(g.noise)-c.at))
		b := g.noise[c.at : c.at+int(n)]
		c.data.Data(record.ServerToClient, b, g.now)
		if _, err := c.copy.Write(b); err != nil {
			return false, err
		}
		c.left -= n
		c.at = (c.at + int(n)) % len(g.noise)
	case c.data != nil:
		c.data.Close(record.EndClosed, "server", g.now)
		c.server("226 Transfer complete", g.now)
		c.data = nil
		return true, c.copy.Close()
	case len(c.files) > 0:
		f := c.files[0]
		c.files = c.files[1:]
		if c.copy, err = os.OpenFile(filepath.Join(dir, f.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			return false, err
		}
		g.port = 20_000 + (g.port+1)%10_000
		c.say("PASV", fmt.Sprintf("227 Entering Passive Mode (198,51,100,21,%d,%d)", g.port>>8, g.port&255), g.now)
		c.client("RETR /pub/"+f.name, g.now)
		c.data = g.open(c, g.port)
		c.server(fmt.Sprintf("150 Opening BINARY mode data connection for /pub/%s (%d bytes)", f.name, f.size), g.now)
		// A file begins with what no other one has.
		var head [8]byte
		binary.LittleEndian.PutUint64(head[:], f.seed)
		c.data.Data(record.ServerToClient, head[:], g.now)
		if _, err := c.copy.Write(head[:]); err != nil {
			return false, err
		}
		c.left, c.at = f.size-int64(len(head)), int(f.seed%uint64(len(g.noise)))
	default:
		c.say("QUIT", "221 Goodbye", g.now)
		c.control.Close(record.EndClosed, "client", g.now)
		return false, nil
	}
	return true, nil
}

// open begins a connection from the next port of a client.
func (g *generator) open(c *client, port uint16) record.TapConn {
	c.port = 32_768 + (c.port+1)%28_000
	server := netip.AddrFrom4([4]byte{198, 51, 100, 21})
	return g.w.Open(netip.AddrPortFrom(c.addr, c.port), netip.AddrPortFrom(server, port), g.now, "")
}

func (c *client) client(line string, at time.Time) {
	c.control.Data(record.ClientToServer, []byte(line+"\r\n"), at)
}

func (c *client) server(line string, at time.Time) {
	c.control.Data(record.ServerToClient, []byte(line+"\r\n"), at)
}

func (c *client) say(command, reply string, at time.Time) {
	c.client(command, at)
	c.server(reply, at)
}
