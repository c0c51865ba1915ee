package diagnose

import (
	"fmt"

	"sniff/record"
)

// tcpFamily judges the connection itself: what kept any protocol from
// beginning, and what the capture lacks.
func tcpFamily() Family {
	return Family{
		Name: "tcp",
		Codes: []Info{
			{
				Code: "tcp.refused", Severity: record.SeverityError,
				Explanation: "The server's machine answered the connection request with a reset: nothing listens on that port, or a firewall rejects with a reset.",
				Advice:      "Check that the service runs and listens on this address and port (ss -ltn), and that the client was given the right port.",
				Reference:   "RFC 9293, section 3.10.7.1",
			},
			{
				Code: "tcp.unanswered", Severity: record.SeverityError,
				Explanation: "The client asked for a connection and no answer was captured: the server is down or unreachable, a firewall drops the packets, or the capture point does not see the way back.",
				Advice:      "Capture on the server too: if the request arrives there, the way back is filtered; if not, the way there is. Check firewall rules that drop silently.",
				Reference:   "RFC 9293, section 3.8.3",
			},
			{
				Code: "tcp.unreachable", Severity: record.SeverityError,
				Explanation: "A router or host answered with an ICMP error: there is no route, the host is down, or a filter prohibits the connection.",
				Advice:      "Look at who sent the ICMP error: the fault lies with or behind that machine.",
				Reference:   "RFC 792; RFC 4443, section 3.1",
			},
			{
				Code: "tcp.proxy_unreached", Severity: record.SeverityError,
				Explanation: "The proxy could not connect to the server on behalf of the client, which was cut off, or told so in the words of SOCKS or HTTP.",
				Advice:      "Check name and port: those of --to, or those that the client asked for. Try the server from the proxy's host, without the proxy.",
				Reference:   "",
			},
			{
				Code: "tcp.incomplete_capture", Severity: record.SeverityNotice,
				Explanation: "Bytes of this connection were acknowledged by the receiver but are not in the capture: the capture lost them, or they were cut by the snap length. What stood there cannot be shown, and digests over it are marked partial.",
				Advice:      "Capture with a larger buffer (tcpdump -B) and the whole packet (-s 0), or nearer to one of the hosts.",
				Reference:   "",
			},
		},
		Session: func() Observer { return &tcpObserver{} },
	}
}

type tcpObserver struct{}

func (*tcpObserver) See(r record.Record, rep *Reporter) {
	if a, ok := r.(*record.Anomaly); ok && a.Code == "proxy_unreached" {
		rep.Raise("tcp.proxy_unreached", a.Detail, a)
	}
}

func (*tcpObserver) End(s *record.Session, rep *Reporter) {
	switch s.End {
	case record.EndRefused:
		rep.Raise("tcp.refused", fmt.Sprintf("%s refused the connection from %s", s.Server, s.Client.Addr()), s)
	case record.EndUnanswered:
		if rep.Has("tcp.proxy_unreached") {
			break
		}
		rep.Raise("tcp.unanswered", fmt.Sprintf("%s did not answer %s: %d attempts in %s", s.Server, s.Client.Addr(), s.ClientSide.Packets, s.Duration), s)
	case record.EndUnreached:
		rep.Raise("tcp.unreachable", fmt.Sprintf("%s cannot be reached from %s", s.Server, s.Client.Addr()), s)
	}
	if missing := s.ClientSide.Missing + s.ServerSide.Missing; missing > 0 && s.Protocol != "" {
		rep.Raise("tcp.incomplete_capture", fmt.Sprintf("%s of this session are missing from the capture", record.Bytes(missing)), s)
	}
}
