package render

import (
	"fmt"
	"strings"
	"time"

	"sniff/record"
)

// eveFlowInfo is the flow object. Bytes are those of IP packets; Suricata
// counts the link layer too, which sniff does not keep.
type eveFlowInfo struct {
	PktsToServer  uint64  `json:"pkts_toserver"`
	PktsToClient  uint64  `json:"pkts_toclient"`
	BytesToServer uint64  `json:"bytes_toserver"`
	BytesToClient uint64  `json:"bytes_toclient"`
	Start         eveTime `json:"start"`
	End           eveTime `json:"end"`
	Age           int     `json:"age"`
	State         string  `json:"state"`
	Reason        string  `json:"reason"`
	Alerted       bool    `json:"alerted"`
	TxCnt         int     `json:"tx_cnt,omitempty"`
}

// eveTCP is the tcp object of a flow.
type eveTCP struct {
	Flags         string `json:"tcp_flags"`
	FlagsToServer string `json:"tcp_flags_ts"`
	FlagsToClient string `json:"tcp_flags_tc"`
	SYN           bool   `json:"syn,omitempty"`
	FIN           bool   `json:"fin,omitempty"`
	RST           bool   `json:"rst,omitempty"`
	PSH           bool   `json:"psh,omitempty"`
	ACK           bool   `json:"ack,omitempty"`
	URG           bool   `json:"urg,omitempty"`
	ECN           bool   `json:"ecn,omitempty"`
	CWR           bool   `json:"cwr,omitempty"`
	State         string `json:"state"`
	ToServerGap   bool   `json:"ts_gap,omitempty"`
	ToClientGap   bool   `json:"tc_gap,omitempty"`
}

// session writes the flow event.
func (e *EVE) session(f *eveFlow, s *record.Session) error {
	end := s.Time.Add(s.Duration.Duration())
	v := e.event("flow", &s.Header, end)
	v.PcapCnt, v.PktSrc, v.InIface = 0, "", s.Via // there is no packet that it is about
	v.AppProto = eveProto(s.Protocol)
	if s.Protocol == "" && s.ClientSide.Bytes+s.ServerSide.Bytes == 0 {
		v.AppProto = ""
	}
	if s.TLS == "opaque" && s.Protocol != "tls" && s.Protocol != "" {
		v.AppProto, v.Orig = "tls", v.AppProto
	}
	established := s.Handshake > 0 || s.ClientSide.Bytes+s.ServerSide.Bytes > 0
	state, tcp := "new", "syn_sent"
	if established {
		state, tcp = "established", "established"
	}
	reason := "shutdown"
	switch s.End {
	case record.EndClosed, record.EndReset, record.EndRefused:
		state, tcp, reason = "closed", "closed", "timeout"
	case record.EndHalfClosed:
		tcp = "fin_wait1"
	case record.EndTimeout, record.EndUnanswered, record.EndUnreached:
		reason = "timeout"
	case record.EndEvicted:
		reason = "forced"
	}
	v.Flow = &eveFlowInfo{
		PktsToServer: s.ClientSide.Packets, PktsToClient: s.ServerSide.Packets,
		BytesToServer: s.ClientSide.IPBytes, BytesToClient: s.ServerSide.IPBytes,
		Start: eveTime(s.Time), End: eveTime(end), Age: int(s.Duration.Duration() / time.Second),
		State: state, Reason: reason, TxCnt: f.events,
	}
	ts, tc := flagBits(s.ClientSide.Flags), flagBits(s.ServerSide.Flags)
	all := ts | tc
	v.TCP = &eveTCP{
		Flags: fmt.Sprintf("%02x", all), FlagsToServer: fmt.Sprintf("%02x", ts), FlagsToClient: fmt.Sprintf("%02x", tc),
		FIN: all&1 != 0, SYN: all&2 != 0, RST: all&4 != 0, PSH: all&8 != 0, ACK: all&16 != 0, URG: all&32 != 0, ECN: all&64 != 0, CWR: all&128 != 0,
		State: tcp, ToServerGap: s.ClientSide.Missing > 0, ToClientGap: s.ServerSide.Missing > 0,
	}
	return e.put(v, s)
}

// flagBits turns the letters of a session's flags into the bits of the TCP
// header.
func flagBits(letters string) uint8 {
	var bits uint8
	for i, l := range "FSRPAUEC" {
		if strings.ContainsRune(letters, l) {
			bits |= 1 << i
		}
	}
	return bits
}
