package render

import (
	"hash/fnv"
	"io"
	"net/netip"
	"strings"
	"time"

	"sniff/record"
)

// EVE writes records as the events that Suricata writes to eve.json, one JSON
// object per line: flow, smtp, ftp, ftp_data, ssh, http, tls, fileinfo and
// anomaly. Names, types, nesting and granularity are those of Suricata's
// documentation, so that what parses its logs parses these.
//
// As in Suricata a protocol's event stands at the time when its transaction was
// complete, a file's event is sent by the side that sent the file, and a flow's
// event comes when it has ended. What sniff knows beyond that is left out,
// unless the extended form is wanted: then each event has the whole record
// under the key sniff, and records that Suricata has no event for become
// events of the type sniff.
type EVE struct {
	lines    lineWriter
	style    Style
	flows    map[string]*eveFlow
	Extended bool
	// Flush writes every event out at once, for a live view.
	Flush bool
}

// eveFlow counts the transactions of an open session.
type eveFlow struct {
	transactions int // of FTP
	events       int // all, for the flow's tx_cnt
}

// NewEVE returns a sink that writes to w; it does not close w.
func NewEVE(w io.Writer, style Style) *EVE {
	return &EVE{lines: lineWriter{w: w}, style: style, flows: map[string]*eveFlow{}}
}

// eveEvent is one line. The order of the fields is Suricata's.
type eveEvent struct {
	Timestamp   eveTime `json:"timestamp"`
	FlowID      int64   `json:"flow_id"`
	InIface     string  `json:"in_iface,omitempty"`
	PcapCnt     uint64  `json:"pcap_cnt,omitempty"`
	Type        string  `json:"event_type"`
	SrcIP       string  `json:"src_ip"`
	SrcPort     uint16  `json:"src_port"`
	DestIP      string  `json:"dest_ip"`
	DestPort    uint16  `json:"dest_port"`
	Proto       string  `json:"proto"`
	IPVersion   int     `json:"ip_v"`
	PktSrc      string  `json:"pkt_src,omitempty"`
	CommunityID string  `json:"community_id,omitempty"`
	TxID        *int    `json:"tx_id,omitempty"`

	HTTP     *eveHTTP     `json:"http,omitempty"`
	SMTP     *eveSMTP     `json:"smtp,omitempty"`
	Email    *eveEmail    `json:"email,omitempty"`
	FTP      *eveFTP      `json:"ftp,omitempty"`
	FTPData  *eveFTPData  `json:"ftp_data,omitempty"`
	SSH      *eveSSH      `json:"ssh,omitempty"`
	TLS      *eveTLS      `json:"tls,omitempty"`
	AppProto string       `json:"app_proto,omitempty"`
	Orig     string       `json:"app_proto_orig,omitempty"`
	FileInfo *eveFileInfo `json:"fileinfo,omitempty"`
	Anomaly  *eveAnomaly  `json:"anomaly,omitempty"`
	Flow     *eveFlowInfo `json:"flow,omitempty"`
	TCP      *eveTCP      `json:"tcp,omitempty"`

	Sniff record.Record `json:"sniff,omitempty"`
}

// eveTime marshals as Suricata writes times: microseconds and a zone without
// a colon.
type eveTime time.Time

func (t eveTime) String() string {
	return time.Time(t).UTC().Format("2006-01-02T15:04:05.000000-0700")
}

func (t eveTime) AppendJSON(b []byte) []byte {
	return append(append(append(b, '"'), t.String()...), '"')
}

// flowID makes a number of a session's id. Suricata's are of 51 bits, so that
// JavaScript can read them.
func flowID(session string) int64 {
	h := fnv.New64a()
	io.WriteString(h, session)
	return int64(h.Sum64() & (1<<51 - 1))
}

func (e *EVE) Write(r record.Record) error {
	if e.style.Reveal {
		record.Reveal(r)
	}
	h := r.Head()
	switch r := r.(type) {
	case *record.SMTPMessage:
		return e.mail(e.flow(h), r)
	case *record.FTPExchange:
		return e.ftp(e.flow(h), r)
	case *record.FTPTransfer:
		return e.ftpTransfer(r)
	case *record.HTTPExchange:
		return e.http(e.flow(h), r)
	case *record.SSHHandshake:
		e.flow(h).events++
		return e.ssh(r)
	case *record.TLSHandshake:
		e.flow(h).events++
		return e.tls(r)
	case *record.Anomaly:
		return e.anomaly(r)
	case *record.Session:
		defer delete(e.flows, h.Session)
		return e.session(e.flow(h), r)
	default:
		if e.Extended {
			return e.put(e.event("sniff", h, h.Time), r)
		}
	}
	return nil
}

// flow returns the counts of a session that is open.
func (e *EVE) flow(h *record.Header) *eveFlow {
	f := e.flows[h.Session]
	if f == nil {
		f = &eveFlow{}
		e.flows[h.Session] = f
	}
	return f
}

// Close writes what is left.
func (e *EVE) Close() error { return e.lines.flush() }

// event begins an event of a session, sent by the client.
func (e *EVE) event(kind string, h *record.Header, at time.Time) *eveEvent {
	v := &eveEvent{
		Timestamp: eveTime(at), FlowID: flowID(h.Session), PcapCnt: h.Packet, Type: kind,
		Proto: "TCP", PktSrc: "wire/pcap", CommunityID: h.CommunityID,
	}
	v.between(h.Client, h.Server)
	return v
}

// between sets who sent the event's packet to whom.
func (v *eveEvent) between(src, dst netip.AddrPort) {
	v.SrcIP, v.SrcPort = src.Addr().Unmap().String(), src.Port()
	v.DestIP, v.DestPort = dst.Addr().Unmap().String(), dst.Port()
	v.IPVersion = 6
	if src.Addr().Unmap().Is4() {
		v.IPVersion = 4
	}
}

// turn exchanges the two sides: the event is about what the server sent.
func (v *eveEvent) turn() {
	v.SrcIP, v.SrcPort, v.DestIP, v.DestPort = v.DestIP, v.DestPort, v.SrcIP, v.SrcPort
}

// put writes an event.
func (e *EVE) put(v *eveEvent, r record.Record) error {
	if e.Extended {
		v.Sniff = r
	}
	return e.lines.write(v, e.Flush)
}

// eveAnomaly is the anomaly event.
type eveAnomaly struct {
	AppProto string `json:"app_proto,omitempty"`
	Type     string `json:"type"`
	Event    string `json:"event"`
	Layer    string `json:"layer,omitempty"`
}

// anomaly writes a breach of the rules: of TCP as type stream, in Suricata's
// dotted spelling, of a protocol as type applayer, in capitals.
func (e *EVE) anomaly(a *record.Anomaly) error {
	v := e.event("anomaly", &a.Header, a.Time)
	if a.Dir == record.ServerToClient.String() {
		v.turn()
	}
	if code, ok := strings.CutPrefix(a.Code, "tcp_"); ok {
		v.Anomaly = &eveAnomaly{Type: "stream", Event: "stream." + code}
	} else {
		v.Anomaly = &eveAnomaly{AppProto: eveProto(a.Protocol), Type: "applayer", Event: strings.ToUpper(a.Code), Layer: "proto_parser"}
	}
	return e.put(v, a)
}

// eveProto names a protocol as Suricata does.
func eveProto(protocol string) string {
	switch protocol {
	case "":
		return "failed"
	case "lmtp":
		return "smtp"
	}
	return protocol
}
