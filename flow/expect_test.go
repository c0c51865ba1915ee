package flow

import (
	"net/netip"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/record"
)

var dataConn = Conn{Oriented: true, Client: netip.MustParseAddrPort("192.0.2.1:40001"), Server: netip.MustParseAddrPort("198.51.100.1:50000")}

const announce = "EXPECT 198.51.100.1:50000\n"

func TestAnnouncedConnectionIsBound(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c(announce)
	d := b.open(dataConn)
	d.Data(s2c, []byte("anything\n"), b.at())
	b.want("C EXPECT 198.51.100.1:50000", "C made", "S anything")
	h := b.records[2].Head()
	if h.Protocol != "toy-data" || h.Session == b.s.ID() || h.Session != d.ID() {
		t.Errorf("header %+v", h)
	}
	d.Close(record.EndClosed, "server", b.at())
	rec := b.records[len(b.records)-1].(*record.Session)
	if rec.Parent != b.s.ID() || rec.Protocol != "toy-data" {
		t.Errorf("parent %q, protocol %q", rec.Parent, rec.Protocol)
	}
	// It was for one connection only.
	if next := b.open(dataConn); next.Protocol() != "" {
		t.Error("a second connection was bound too")
	}
}

func TestConnectionOfUncertainSidesIsBound(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c(announce)
	d := b.open(Conn{Client: dataConn.Server, Server: dataConn.Client, Midstream: true})
	d.Data(c2s, []byte("from the server\n"), b.at())
	b.want("C EXPECT 198.51.100.1:50000", "C made", "S from the server")
	if h := b.records[2].Head(); h.Server != dataConn.Server {
		t.Errorf("server is %v, want %v", h.Server, dataConn.Server)
	}
}

func TestConnectionThatCameEarlyIsBound(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	d := b.open(dataConn)
	d.Data(s2c, []byte("early\n"), b.at())
	b.want()
	b.c(announce + "next\n")
	b.want("C EXPECT 198.51.100.1:50000", "C next", "C made", "S early")
	d.Data(s2c, []byte("late\n"), b.at())
	if n := len(b.records); b.records[n-1].Summary() != "late" {
		t.Errorf("the last is %q", b.records[n-1].Summary())
	}
}

func TestAnnouncementExpires(t *testing.T) {
	tests := []struct {
		name string
		then func(b *bench)
	}{
		{"by what the session hears", func(b *bench) { b.now = b.now.Add(time.Minute); b.c("x") }},
		{"by the clock of the capture", func(b *bench) { b.e.Advance(b.now.Add(time.Minute)) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, Config{}, toyConn)
			b.c(announce)
			tt.then(b)
			b.want("C EXPECT 198.51.100.1:50000", "C expired")
			if d := b.open(dataConn); d.Protocol() != "" {
				t.Error("bound although it had expired")
			}
		})
	}
}

func TestAnnouncementEndsWithItsSession(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c(announce).close()
	b.want("C EXPECT 198.51.100.1:50000", "C [eof]", "S [eof]", "C [closed closed]", "C expired")
}

func TestAnnouncementIsWithdrawn(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	b.c(announce + "CANCEL\n")
	if d := b.open(dataConn); d.Protocol() != "" {
		t.Error("bound although it was withdrawn")
	}
	b.now = b.now.Add(time.Minute)
	b.c("x\n")
	b.want("C EXPECT 198.51.100.1:50000", "C CANCEL", "C x")
}

func TestAnnouncementsAreBounded(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	for range 3 * maxExpected {
		b.c(announce)
	}
	if n := len(b.s.expects); n > maxExpected {
		t.Errorf("%d are kept, want at most %d", n, maxExpected)
	}
}

func TestProxyHearsOfAnnouncements(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	var got []netip.AddrPort
	b.s.OnExpect(func(x *dissect.Expectation) { got = append(got, x.Server) })
	b.c(announce)
	if len(got) != 1 || got[0] != dataConn.Server {
		t.Errorf("heard of %v", got)
	}
}

func TestParentsAnnouncementComesFirst(t *testing.T) {
	b := newBench(t, Config{}, toyConn)
	other := b.open(Conn{Protocol: "toy", Oriented: true, Client: netip.MustParseAddrPort("192.0.2.9:9")})
	b.c(announce)
	other.Data(c2s, []byte(announce), b.at())
	conn := dataConn
	conn.Parent = other
	d := b.open(conn)
	d.Close(record.EndClosed, "", b.at())
	if rec := b.records[len(b.records)-1].(*record.Session); rec.Parent != other.ID() {
		t.Errorf("bound to %s, want %s", rec.Parent, other.ID())
	}
}
