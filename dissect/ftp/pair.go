package ftp

import (
	"slices"

	"sniff/dissect"
	"sniff/record"
)

// exchange is a command that waits for its replies.
type exchange struct {
	verb      verb
	arg       string
	argOffset int64 // of the argument in the client's stream
	at        record.Stamp
	rec       *record.FTPExchange
	started   bool // a reply to it was seen
	lost      bool // a reply may have been lost in a gap since it was sent
	transfer  *transfer
	channel   *channel
}

// sent takes a new command into the queue.
func (s *session) sent(x *exchange) dissect.Action {
	s.settle(x)
	s.settleData()
	x.rec.Pipelined = len(s.queue) > 0
	if len(s.queue) >= maxPending {
		s.giveUp(0)
	}
	s.queue = append(s.queue, x)
	s.prepare(x)
	if x.rec.Command == "AUTH" && s.protection() == "" && !s.serverGone && isTLS(x.arg) {
		s.awaitTLS = true
		return dissect.HoldClient
	}
	return dissect.Continue
}

// settle gives up commands whose answer will not come any more, when the
// client goes on: its reply was lost in a gap, or it was a line without a
// code, which the client took for one.
func (s *session) settle(next *exchange) {
	for len(s.queue) > 0 {
		x := s.queue[0]
		if codeless := x.started && x.rec.Replies[len(x.rec.Replies)-1].Code == 0; !x.lost && !codeless {
			return
		}
		if x.started && x.verb&transfers != 0 && next.verb&(transfers|sets) == 0 {
			return // it may well be under way still
		}
		s.giveUp(0)
	}
}

// giveUp reports the command at i, which will not be answered.
func (s *session) giveUp(i int) {
	x := s.queue[i]
	s.queue = slices.Delete(s.queue, i, i+1)
	x.rec.Result = record.FTPUnanswered
	s.unanswered(x)
	s.finish(x)
}

// replied gives a reply to the command it belongs to.
func (s *session) replied(r *reply) dissect.Action {
	i := s.match(r.rec.Code)
	greeting := !s.greeted
	s.greeted = true
	if i < 0 || greeting && (r.rec.Code == 220 || r.rec.Code == 120 || r.rec.Code == 421) {
		return s.unasked(r)
	}
	x := s.queue[i]
	if !x.started {
		x.started = true
		x.rec.Wait = record.Between(x.at.Time, r.at.Time)
		s.begin(x)
	}
	if len(x.rec.Replies) < maxReplyLines {
		x.rec.Replies = append(x.rec.Replies, r.rec)
	}
	code := r.rec.Code
	if code < 200 {
		s.opening(x, r)
		return dissect.Continue
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	x.lost = false
	x.rec.Duration = record.Between(x.at.Time, r.at.Time)
	x.rec.Result = result(code)
	act := s.apply(x, r)
	s.finish(x)
	return act
}

func result(code int) string {
	switch code / 100 {
	case 2, 6:
		return record.FTPOk
	case 3:
		return record.FTPMore
	}
	return record.FTPFailed
}

// finish emits a command's record and what followed from it.
func (s *session) finish(x *exchange) {
	s.env.Emit(x.rec)
	s.emitCredential(x)
	if t := x.transfer; t != nil {
		t.replied = true
		s.settleData()
		t.tryEmit()
	}
}

// unasked reports a reply without a command: the greeting, a timeout.
func (s *session) unasked(r *reply) dissect.Action {
	x := &record.FTPExchange{
		Replies:    []record.FTPReply{r.rec},
		Result:     record.FTPUnasked,
		User:       record.Lossless(s.state.user),
		Protection: s.protection(),
	}
	x.Stamp(r.at, dissect.ServerToClient)
	s.env.Emit(x)
	return dissect.Continue
}

// match finds the command that a reply with this code answers: the first in
// the queue, unless the code cannot be an answer to it and can be one to a
// later command. Then the ones in between were never answered, except for a
// transfer that is under way: a server may answer STAT and NOOP before it is
// done. A transfer begins once: a second 150 is the next one's. It returns -1
// when nothing waits.
func (s *session) match(code int) int {
	if len(s.queue) == 0 {
		return -1
	}
	again := code < 200 && code > 0 && s.queue[0].transfer != nil && s.queue[0].transfer.rec.Opening != 0
	if fits(s.queue[0], code) && !again {
		return 0
	}
	for i := 1; i < len(s.queue); i++ {
		if !fits(s.queue[i], code) {
			continue
		}
		if head := s.queue[0]; head.started && head.verb&transfers != 0 && !again {
			return i
		}
		for range i {
			s.giveUp(0)
		}
		return 0
	}
	return 0
}

// fits reports whether a reply code can be an answer to a command (RFC 959,
// section 5.4, and what servers send beside).
func fits(x *exchange, code int) bool {
	if code == 0 || code >= 400 && code != 426 {
		return true
	}
	c := x.rec.Command
	if code == 426 {
		return x.verb&transfers != 0 || c == "ABOR"
	}
	if code < 200 {
		return x.verb&transfers != 0 || c == "REIN" || c == "STAT" || c == "SITE" || code == 110
	}
	switch code {
	case 211, 212, 214:
		return x.verb&transfers == 0 && x.verb&(access|sets) == 0
	case 213:
		return x.verb&(transfers|access|sets) == 0
	case 215:
		return c == "SYST"
	case 220:
		return c == "REIN" || c == "HOST"
	case 221:
		return c == "QUIT" || c == "LOGOUT"
	case 225, 226:
		return x.verb&transfers != 0 && code == 226 || c == "ABOR" || c == "ALLO"
	case 227:
		return x.verb&passive != 0 && c != "EPSV"
	case 228:
		return c == "LPSV"
	case 229:
		return c == "EPSV"
	case 230, 232, 331, 332:
		return x.verb&access != 0 || c == "AUTH" || c == "ADAT" || c == "REIN"
	case 234, 334, 335, 235:
		return c == "AUTH" || c == "ADAT"
	case 257:
		return c == "PWD" || c == "XPWD" || c == "MKD" || c == "XMKD" || c == "HASH"
	case 350:
		return c == "REST" || c == "RNFR" || c == "RANG"
	case 200:
		return x.verb&transfers == 0 && c != "ABOR"
	}
	return x.verb&transfers == 0 || code == 250
}
