package render

import (
	"strings"
	"time"

	"sniff/record"
)

// session writes the line of a connection.
func (z *Zeek) session(c *zeekConn, s *record.Session) error {
	r := z.row(&s.Header, c.uid, s.Time)
	r.set("proto", "tcp")
	r.set("service", zeekService(s))
	active := s.Active
	if active == 0 {
		active = s.Duration
	}
	if active > 0 {
		r.set("duration", active.Duration().Round(time.Microsecond))
		r.set("orig_bytes", s.ClientSide.Bytes+s.ClientSide.Missing)
		r.set("resp_bytes", s.ServerSide.Bytes+s.ServerSide.Missing)
	}
	r.set("conn_state", connState(s.History))
	r.set("local_orig", local(s.Client.Addr()))
	r.set("local_resp", local(s.Server.Addr()))
	r.set("missed_bytes", s.ClientSide.Missing+s.ServerSide.Missing)
	r.set("history", s.History)
	r.set("orig_pkts", int64(s.ClientSide.Packets))
	r.set("orig_ip_bytes", int64(s.ClientSide.IPBytes))
	r.set("resp_pkts", int64(s.ServerSide.Packets))
	r.set("resp_ip_bytes", int64(s.ServerSide.IPBytes))
	r.set("ip_proto", int64(6))
	return z.put("conn", r)
}

// zeekService names what was recognised in the bytes, not what was concluded
// about hidden ones: Zeek's readers take the column for a fact.
func zeekService(s *record.Session) string {
	name := zeekProtocol(s.Protocol)
	if s.Inferred != "" {
		name = ""
	}
	if s.TLS != "" && name != "ssl" {
		if name == "" {
			return "ssl"
		}
		return name + ",ssl"
	}
	return name
}

func zeekProtocol(p string) string {
	switch p {
	case "tls":
		return "ssl"
	case "lmtp":
		return "smtp"
	}
	return p
}

// connState is the summary that Zeek's conn script makes of the states of both
// endpoints, which follow from the kinds of packets that were seen.
func connState(history string) string {
	has := func(letters string) bool { return strings.ContainsAny(history, letters) }
	shook := has("S") && has("h")
	// A handshake of which only one packet was seen leaves the other side
	// without a state.
	origIdle, respIdle := !has("SADFR"), !has("hadfr")
	switch {
	case has("r"):
		switch {
		case has("S") && !has("h"):
			return "REJ"
		case origIdle:
			return "RSTRH"
		}
		return "RSTR"
	case has("R"):
		switch {
		case respIdle && has("S"):
			return "RSTOS0"
		case respIdle:
			return "OTH"
		}
		return "RSTO"
	case has("F") && has("f"):
		return "SF"
	case has("F"):
		if !has("h") && !has("d") {
			return "SH"
		}
		return "S2"
	case has("f"):
		if !has("S") && !has("D") {
			return "SHR"
		}
		return "S3"
	case shook:
		return "S1"
	case has("S") && respIdle:
		return "S0"
	}
	return "OTH"
}
