package diagnose

import (
	"fmt"

	"sniff/record"
)

// maxSlow bounds the slow calls of one session that are reported.
const maxSlow = 16

// slowTitle says where the time of a call went, and whose fault it was: the
// session tells whether segments were lost or a receiver did not take them.
func slowTitle(c *record.SOAPCall, s *record.Session) string {
	who, part := "the service", c.Waiting
	if c.Sending > part {
		who, part = "the client's sending", c.Sending
		who += blame(&s.ClientSide, &s.ServerSide, "the service did not take it (full window)", "the client was slow to write")
	}
	if c.Receiving > part {
		who, part = "the sending of the answer", c.Receiving
		who += blame(&s.ServerSide, &s.ClientSide, "the client did not take it (full window)", "the service was slow to write")
	}
	return fmt.Sprintf("%s took %s, %s of it in %s", c.Name(), c.Latency, part, who)
}

// blame says why a sending took long. The counts are the whole session's.
func blame(sender, receiver *record.SideStats, full, slow string) string {
	switch {
	case receiver.ZeroWindows > 0:
		return ": " + full
	case sender.Retransmitted > 0:
		return fmt.Sprintf(": the network lost segments (%s sent again)", record.Bytes(sender.Retransmitted))
	}
	return ": " + slow
}
