package ftp_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"sniff/dissect"
	"sniff/flow"
	"sniff/record"
)

func TestPassiveDownload(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: CWD pub", "S: 250 OK", "C: PWD", `S: 257 "/home/bob/pub" is the current directory`,
			"C: TYPE I", "S: 200 Binary", "C: SIZE a.iso", "S: 213 12",
			"C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137).")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		c.talk("C: RETR a.iso", "S: 150 Opening BINARY mode data connection for a.iso (12 bytes).")
		d.send(dissect.ServerToClient, "hello ")
		d.send(dissect.ServerToClient, "world\n")
		d.done()
		c.talk("S: 226 Transfer complete.", "C: QUIT", "S: 221 Bye")
		c.done()

		x := p.transfer()
		want(t, "summary", x.Summary(), "RETR /home/bob/pub/a.iso 12 B complete")
		want(t, "sha256", x.Content.SHA256, "a948904f2f0f479b8f8197694b30184b0d2ed1c1cd2a1ec0fb85d299a192a447")
		want(t, "size", x.Content.Size, 12)
		want(t, "announced by", x.Source, "SIZE")
		want(t, "setup", x.Setup, "PASV")
		want(t, "data session", x.DataSession, d.ID())
		want(t, "session", x.Header.Session, c.ID())
		want(t, "first byte", x.FirstByte.Duration(), 2*time.Second)
		want(t, "duration", x.Duration.Duration(), 5*time.Second)
		want(t, "rate", x.Rate, 12)
		want(t, "what", p.what(c.ID()), "login bob; RETR /home/bob/pub/a.iso 12 B complete")
		cs := all[*record.Credential](p)
		want(t, "credentials", len(cs), 1)
		want(t, "account", cs[0].Account+" "+cs[0].Worked+" "+cs[0].Secret.Clear(), "bob yes secret")
		want(t, "anomalies", len(all[*record.Anomaly](p)), 0)
	})
}

func TestActiveUpload(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: TYPE I", "S: 200 Binary", "C: PORT 192,0,2,10,156,66", "S: 200 PORT OK", "C: STOR new.bin", "S: 150 Go")
		d := p.open("192.0.2.20:20", "192.0.2.10:40002")
		d.send(dissect.ClientToServer, "") // nothing yet
		d.send(dissect.ServerToClient, "0123456789")
		d.done()
		c.talk("S: 226 Stored")
		c.done()

		x := p.transfer()
		want(t, "summary", x.Summary(), "STOR ~/new.bin 10 B complete")
		want(t, "active", x.Active, true)
		want(t, "direction", x.Direction, "upload")
		want(t, "ended by, in terms of the control connection", x.EndedBy, "server")
	})
}

// Both commands are on the wire before the server has said where it listens.
func TestPipelinedTransfersFindTheirConnections(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: PASV", "C: RETR one", "C: PASV", "C: RETR two")
		c.talk("S: 227 =192,0,2,20,19,137")
		d1 := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		c.talk("S: 150 Here it comes")
		d1.send(dissect.ServerToClient, "1")
		d1.done()
		c.talk("S: 226 Done", "S: 227 Entering Passive Mode 192,0,2,20,19,138")
		d2 := p.open("192.0.2.10:40002", "192.0.2.20:5002")
		d2.send(dissect.ServerToClient, "22")
		c.talk("S: 150 Here it comes", "S: 226 Done")
		d2.done()
		c.done()

		ts := all[*record.FTPTransfer](p)
		want(t, "transfers", len(ts), 2)
		want(t, "first", ts[0].Summary(), "RETR ~/one 1 B complete")
		want(t, "second", ts[1].Summary(), "RETR ~/two 2 B complete")
		want(t, "what", p.what(c.ID()), "login bob; 2 files down, 3 B")
	})
}

func TestPassivePortUnanswered(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: EPSV", "S: 229 Entering Extended Passive Mode (|||5001|)", "C: RETR a")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		c.talk("S: 425 Failed to establish connection.")
		d.end(record.EndUnanswered, "")
		c.done()

		x := p.transfer()
		want(t, "outcome", x.Outcome, record.TransferUnopened)
		want(t, "data end", x.DataEnd, record.EndUnanswered)
		want(t, "endpoint", x.Endpoint.String(), "192.0.2.20:5001")
		want(t, "reason", x.Reason, "the data connection was unanswered")
	})
}

func TestRefusedFileLeavesTheConnectionToTheNext(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		c.talk("C: RETR nothere", "S: 550 No such file", "C: RETR here", "S: 150 OK")
		d.send(dissect.ServerToClient, "x")
		d.done()
		c.talk("S: 226 Done")
		c.done()

		ts := all[*record.FTPTransfer](p)
		want(t, "transfers", len(ts), 2)
		want(t, "first", ts[0].Summary(), "RETR ~/nothere refused: 550 No such file")
		want(t, "second", ts[1].Summary(), "RETR ~/here 1 B complete")
	})
}

// The server says its private address, the packets bear the public one.
func TestAddressTranslation(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: PASV", "S: 227 Entering Passive Mode (10,0,0,5,19,137)", "C: RETR a")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		c.talk("S: 150 OK")
		d.send(dissect.ServerToClient, "x")
		d.done()
		c.talk("S: 226 Done")
		c.done()

		x := p.transfer()
		want(t, "outcome", x.Outcome, record.TransferComplete)
		want(t, "announced", x.Endpoint.String(), "10.0.0.5:5001")
		want(t, "real", x.DataTo.String(), "192.0.2.20:5001")
	})
}

func TestAbortWithTelnetSignals(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: TYPE I", "S: 200 OK", "C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)", "C: RETR big")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		c.talk("S: 150 Opening BINARY mode data connection for big (1000000 bytes).")
		d.send(dissect.ServerToClient, strings.Repeat("x", 1000))
		c.send(dissect.ClientToServer, "\xff\xf4\xff\xf2ABOR\r\n")
		c.talk("S: 426 Failure writing network stream.", "S: 226 ABOR successful", "C: NOOP", "S: 200 OK")
		d.end(record.EndReset, "client")
		c.done()

		x := p.transfer()
		want(t, "outcome", x.Outcome, record.TransferAborted)
		want(t, "reason", x.Reason, "426 Failure writing network stream.")
		want(t, "bytes", x.Bytes, 1000)
		want(t, "partial", x.Content.Partial, true)
		for _, e := range all[*record.FTPExchange](p) {
			if e.Command == "ABOR" {
				want(t, "telnet", e.Telnet, "IP DM")
				want(t, "reply to ABOR", e.Final().Code, 226)
			}
			if e.Command == "NOOP" {
				want(t, "reply to NOOP", e.Final().Code, 200)
			}
		}
	})
}

func TestResumedDownload(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: TYPE I", "S: 200 OK", "C: SIZE a", "S: 213 10", "C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)",
			"C: REST 4", "S: 350 Restarting", "C: RETR a", "S: 150 OK")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		d.send(dissect.ServerToClient, "456789")
		d.done()
		c.talk("S: 226 Done", "C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,138)", "C: RETR a", "S: 150 OK")
		d = p.open("192.0.2.10:40002", "192.0.2.20:5002")
		d.send(dissect.ServerToClient, "0123")
		d.done()
		c.talk("S: 226 Done")
		c.done()

		ts := all[*record.FTPTransfer](p)
		want(t, "transfers", len(ts), 2)
		want(t, "resumed", ts[0].Summary(), "RETR ~/a 6 B from 4 complete")
		want(t, "short", ts[1].Summary(), "RETR ~/a 4 B short: 4 of 10 bytes")
	})
}

func TestDataOutlivesControl(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)", "C: RETR a", "S: 150 OK")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		d.send(dissect.ServerToClient, "abc")
		c.end(record.EndReset, "client")
		d.send(dissect.ServerToClient, "def")
		d.done()

		x := p.transfer()
		want(t, "summary", x.Summary(), "RETR ~/a 6 B unknown: the server's last reply was not seen")
		want(t, "control", x.Control, c.ID())
	})
}

func TestListings(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)", "C: LIST -la pub", "S: 150 OK")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		d.send(dissect.ServerToClient, "total 8\r\n"+
			"drwxr-xr-x    2 bob  staff  4096 Jan 02 03:04 sub dir\r\n"+
			"-rw-r--r--    1 bob  staff  12 Jan 02  2020  leading\r\n"+
			"lrwxrwxrwx 1 bob staff 7 Jan  2  2020 l -> sub dir\r\n"+
			"01-23-20  03:45PM                1,234 dos file.txt\r\n"+
			"01-23-20  03:45PM       <DIR>          dos\r\n"+
			"+i8388621.48594,m825718503,r,s280,\tdjb.html\r\n"+
			"-rw-r--r-- 1 1000 1000 5 2024-05-06 07:08 iso\xe9")
		d.done()
		c.talk("S: 226 Done", "C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,138)", "C: MLSD", "S: 150 OK")
		d = p.open("192.0.2.10:40002", "192.0.2.20:5002")
		d.send(dissect.ServerToClient, "type=cdir;modify=20260101000000; .\r\nsize=3;type=file;modify=20260102030405.123;UNIX.mode=0644; a b\r\n")
		d.done()
		c.talk("S: 226 Done")
		c.done()

		ts := all[*record.FTPTransfer](p)
		want(t, "transfers", len(ts), 2)
		got := ""
		for _, e := range append(ts[0].Listing, ts[1].Listing...) {
			got += e.Type + "|" + e.Name + "|" + e.Modified + "|" + e.Owner + "|" + e.Target + "|" + e.String()[:9] + "\n"
		}
		want(t, "entries", got, `dir|sub dir|Jan 02 03:04|bob||         
file| leading|Jan 02 2020|bob||     12 B
link|l|Jan 2 2020|bob|sub dir|         
file|dos file.txt|01-23-20 03:45PM|||   1.2 KB
dir|dos|01-23-20 03:45PM|||         
file|djb.html|1996-03-01T22:15:03Z|||    280 B
file|iso\xe9|2024-05-06 07:08|1000||      5 B
dir|.|2026-01-01T00:00:00Z|||         
file|a b|2026-01-02T03:04:05Z|||      3 B
`)
		want(t, "path", ts[0].Path, "~/pub")
	})
}

func TestBlockModeKeepsItsConnection(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: MODE B", "S: 200 OK", "C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)", "C: RETR a", "S: 150 OK")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		d.send(dissect.ServerToClient, "\x00\x00\x03abc\x10\x00\x02mk\x40\x00\x02de")
		c.talk("S: 250 Done", "C: RETR b", "S: 125 Still open")
		d.send(dissect.ServerToClient, "\x00\x00\x01x\x40\x00\x00")
		d.done()
		c.talk("S: 226 Done", "C: MODE C", "S: 200 OK", "C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,138)", "C: RETR c", "S: 150 OK")
		d = p.open("192.0.2.10:40002", "192.0.2.20:5002")
		d.send(dissect.ServerToClient, "\x02hi\x85z\xc2\x00\x40")
		d.done()
		c.talk("S: 226 Done")
		c.done()

		ts := all[*record.FTPTransfer](p)
		want(t, "transfers", len(ts), 3)
		want(t, "first", ts[0].Summary(), "RETR ~/a 5 B complete")
		want(t, "second", ts[1].Summary(), "RETR ~/b 1 B complete")
		want(t, "compressed", ts[2].Summary(), "RETR ~/c 9 B complete")
		want(t, "wire bytes", ts[0].WireBytes, 16)
	})
}

func TestHoleInData(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: TYPE I", "S: 200 OK", "C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)", "C: RETR a", "S: 150 a (9 bytes)")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		d.send(dissect.ServerToClient, "abc")
		d.Gap(dissect.ServerToClient, 3, p.stamp())
		d.send(dissect.ServerToClient, "ghi")
		d.done()
		c.talk("S: 226 Done")
		c.done()

		x := p.transfer()
		want(t, "outcome", x.Outcome, record.TransferComplete)
		want(t, "partial", x.Content.Partial, true)
		want(t, "missing", x.Content.Missing, 3)
	})
}

func TestStartTLS(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk("S: 220 FTP Server ready", "C: AUTH TLS", "S: 500 No")
		c.talk("C: AUTH SSL", "S: 234 Go")
		c.send(dissect.ClientToServer, "\x16\x03\x01\x00\x02xx")
		c.done()
		var got []string
		for _, e := range all[*record.FTPExchange](p) {
			got = append(got, e.Summary())
		}
		want(t, "exchanges", strings.Join(got, "; "), "220 FTP Server ready; AUTH TLS -> 500 No; AUTH SSL -> 234 Go")
		want(t, "layers", strings.Join(all[*record.Session](p)[0].Layers, " "), "tls")
	})
}

func TestProtectedDataWithoutKeys(t *testing.T) {
	p := newPlay(t, 0)
	at := p.stamp()
	s := p.engine.Open(flow.Conn{Client: netip.MustParseAddrPort(client), Server: netip.MustParseAddrPort(server), Start: at.Time, Oriented: true, TLS: true})
	c := &conn{p, s}
	c.talk(login...)
	c.talk("C: PBSZ 0", "S: 200 OK", "C: PROT P", "S: 200 OK", "C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)", "C: RETR a")
	d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
	c.talk("S: 150 OK")
	d.send(dissect.ClientToServer, "\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03")
	d.send(dissect.ServerToClient, "\x16\x03\x03\x00\x02xx\x17\x03\x03\x00\x03abc")
	d.done()
	c.talk("S: 226 Done")
	c.done()

	x := p.transfer()
	want(t, "hidden", x.Hidden, true)
	want(t, "bytes that went by", x.Bytes, 3)
	want(t, "protected", x.Protected, true)
	want(t, "outcome", x.Outcome, record.TransferComplete)
	want(t, "exposure", all[*record.Credential](p)[0].Exposure, record.ExposureHidden)
}

// curl connects first and sends RETR only when that has worked.
func TestDataConnectionFailsBeforeTheCommand(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: PASV", "S: 227 Entering Passive Mode (192,0,2,20,19,137)")
		d := p.open("192.0.2.10:40001", "192.0.2.20:5001")
		d.end(record.EndRefused, "server")
		c.talk("C: QUIT", "S: 221 Bye")
		c.done()

		x := p.transfer()
		want(t, "summary", x.Summary(), "data connection to 192.0.2.20:5001 never opened: the data connection was refused")
		want(t, "session", x.Header.Session, c.ID())
	})
}

func TestSilentDataConnectionIsToldWithTheSession(t *testing.T) {
	scenes(t, func(p *play) {
		c := p.open(client, server)
		c.talk(login...)
		c.talk("C: PORT 192,0,2,10,156,66", "S: 200 OK", "C: RETR a")
		d := p.open("192.0.2.20:20", "192.0.2.10:40002")
		c.done()
		d.end(record.EndUnanswered, "")

		x := p.transfer()
		want(t, "outcome", x.Outcome, record.TransferUnopened)
		want(t, "session", x.Header.Session, c.ID())
	})
}
