package diagnose

import (
	"fmt"
	"net/netip"

	"sniff/record"
)

// maxPassive is how many announced data ports are remembered over all
// sessions: of each the latest.
const maxPassive = 4096

// ftpPassive remembers, over all sessions of a run, who announced which data
// port to whom: a client that passes such a port on to another server has the
// two exchange a file without it (FXP), which looks like a bounce from that
// server's side alone.
type ftpPassive struct {
	ports map[netip.AddrPort]*record.FTPExchange
}

func newFTPPassive() *ftpPassive {
	return &ftpPassive{ports: map[netip.AddrPort]*record.FTPExchange{}}
}

// announced notes the reply to PASV and the like, which replaces the one before
// in its session.
func (p *ftpPassive) announced(x, before *record.FTPExchange) {
	p.over(before)
	if len(p.ports) >= maxPassive {
		clear(p.ports)
	}
	p.ports[x.Endpoint] = x
}

// over forgets an announcement.
func (p *ftpPassive) over(x *record.FTPExchange) {
	if x != nil && p.ports[x.Endpoint] == x {
		delete(p.ports, x.Endpoint)
	}
}

// other returns the announcement of another server to the same client that a
// PORT passes on, nil when there was none.
func (p *ftpPassive) other(port *record.FTPExchange) *record.FTPExchange {
	x := p.ports[port.Endpoint]
	if x == nil || x.Session == port.Session || x.Client.Addr() != port.Client.Addr() {
		return nil
	}
	return x
}

// serverToServer raises the finding for a PORT that names a port of another
// server.
func serverToServer(port, passive *record.FTPExchange, rep *Reporter) {
	f := rep.Raise("ftp.server_to_server", fmt.Sprintf("%s had %s connect to %s, which %s had announced to it: the two servers exchange files without the client (FXP): %s",
		port.Client.Addr(), port.Server, port.Endpoint, passive.Server, port.Final()), port)
	f.Evidence = append(f.Evidence, Seen(passive, record.Plain(passive.Summary())))
}
