package record

import "net/netip"

// How a connection began and ended, as seen.
const (
	EndOpen       = "open"        // still open when the input ended
	EndClosed     = "closed"      // FIN from both sides
	EndHalfClosed = "half-closed" // FIN from one side only
	EndReset      = "reset"       // RST after data or handshake
	EndRefused    = "refused"     // RST in answer to the SYN
	EndUnanswered = "unanswered"  // SYN without any answer
	EndUnreached  = "unreachable" // ICMP said so
	EndTimeout    = "timeout"     // nothing more was seen for the idle limit
	EndEvicted    = "evicted"     // given up to stay within the memory limit
)

// By what the protocol of a session was concluded of which nothing could be
// read.
const (
	InferredByPort       = "port"
	InferredByHosts      = "hosts and time"
	InferredByResumption = "TLS resumption"
)

// Session is one TCP connection (or one relayed by the proxy), written when
// it ended.
type Session struct {
	Header
	End         string           `json:"end" doc:"how it ended: open, closed, half-closed, reset, refused, unanswered, unreachable, timeout, evicted"`
	EndedBy     string           `json:"ended_by,omitempty" doc:"who ended it: client or server"`
	Duration    Seconds          `json:"duration" doc:"from first to last packet, seconds"`
	Active      Seconds          `json:"active,omitempty" doc:"from the first packet to the one that ended it (the second FIN, an RST), or to the last, seconds"`
	What        string           `json:"what,omitempty" doc:"what happened, in words"`
	Handshake   Seconds          `json:"handshake,omitempty" doc:"time from SYN to SYN-ACK, seconds"`
	Midstream   bool             `json:"midstream,omitempty" doc:"the capture does not hold its beginning"`
	OneSided    bool             `json:"one_sided,omitempty" doc:"only one direction was captured"`
	Orientation string           `json:"orientation" doc:"how the client was told from the server: handshake, content, port, first"`
	Parent      string           `json:"parent,omitempty" doc:"id of the session that announced this one"`
	Inferred    string           `json:"inferred,omitempty" doc:"by what the protocol was concluded where nothing of it could be read: port (the one of FTP in implicit TLS), hosts and time (a connection between the hosts of an FTP session in TLS while it lasted: most likely its data), TLS resumption (the same, and it resumes the TLS session of the control connection)"`
	Layers      []string         `json:"layers,omitempty" doc:"what the stream was wrapped in, outermost first: proxy, tls"`
	TLS         string           `json:"tls,omitempty" doc:"read (decrypted), opaque, or clear (agreed on, and decrypted before it was captured), when the session is or becomes TLS"`
	Proxied     *ProxyHeader     `json:"proxied,omitempty" doc:"PROXY protocol header in front of the stream"`
	ClientSide  SideStats        `json:"client_side" doc:"what the client sent"`
	ServerSide  SideStats        `json:"server_side" doc:"what the server sent"`
	OpaqueFrom  map[string]int64 `json:"opaque_from,omitempty" doc:"offset from which a direction could not be read any more, by direction"`
	History     string           `json:"history,omitempty" doc:"course of the connection in letters, each kind of packet once, upper case for the client: S SYN, H SYN-ACK, A bare ACK, D data, F FIN, R RST, T repeated data, G gap, W full receive buffer; ^ in front: the server's packet came first"`
	Via         string           `json:"via,omitempty" doc:"proxy listener or capture interface"`
}

// SideStats counts one direction of a session.
type SideStats struct {
	Packets       uint64  `json:"packets" doc:"TCP segments"`
	Bytes         int64   `json:"bytes" doc:"payload bytes delivered, without retransmissions"`
	Missing       int64   `json:"missing,omitempty" doc:"payload bytes known to be missing from the capture"`
	Gaps          []Range `json:"gaps,omitempty" doc:"where they are missing, the first 16"`
	Retransmitted int64   `json:"retransmitted,omitempty" doc:"payload bytes that were sent again"`
	OutOfOrder    uint64  `json:"out_of_order,omitempty" doc:"segments that arrived early"`
	ZeroWindows   uint64  `json:"zero_windows,omitempty" doc:"segments that announced a full receive buffer"`
	IPBytes       uint64  `json:"ip_bytes,omitempty" doc:"bytes of its IP packets, without options and extension headers of IP"`
	Flags         string  `json:"flags,omitempty" doc:"TCP flags seen: letters of FIN, SYN, RST, PSH, ACK, URG, ECE (E), CWR (C)"`
	KeepAlives    uint64  `json:"keep_alives,omitempty" doc:"keep-alive probes"`
}

// Range is a stretch of a stream: from From up to but without To.
type Range struct {
	From int64 `json:"from" doc:"first offset"`
	To   int64 `json:"to" doc:"offset behind the last"`
}

// ProxyHeader is a PROXY protocol header (haproxy's proxy-protocol.txt).
type ProxyHeader struct {
	Version     int            `json:"version" doc:"1 or 2"`
	Source      netip.AddrPort `json:"source,omitzero" doc:"original client"`
	Destination netip.AddrPort `json:"destination,omitzero" doc:"original destination"`
}

func (*Session) Kind() Kind { return KindSession }

// Tell says by what the session was taken for what it is, where nothing of it
// could be read.
func (s *Session) Tell(o *Outline) {
	if s.Inferred == InferredByPort {
		f := o.Fact("inferred")
		f.Text, f.Rank = "hidden, taken for "+s.Protocol+" by its port", 4
	}
}

func (s *Session) Summary() string {
	if s.What != "" {
		return s.What
	}
	return s.End
}
