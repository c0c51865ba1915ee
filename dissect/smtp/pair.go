package smtp

import (
	"fmt"
	"strings"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// exchange is a command that waits for its reply.
type exchange struct {
	rec  *record.SMTPExchange
	txn  *transaction
	rcpt int       // index into the transaction's recipients, -1 for none
	end  time.Time // of the last byte of the command
	// more is how many further replies belong to it (LMTP, PRDR).
	more  int
	each  int // index of the next accepted recipient that gets one
	login *login
	// unoffered: it was pipelined although PIPELINING was not offered.
	unoffered bool
	// doubtful: its reply may have been in a gap.
	doubtful bool
}

// push puts a command into the queue.
func (d *dissector) push(x *exchange) {
	if d.unsure {
		d.dropDoubtful(len(d.queue))
	}
	if len(d.queue) > 0 {
		x.rec.Pipelined = true
		ahead := d.queue[len(d.queue)-1]
		x.unoffered = d.offers.lacks("PIPELINING") && !ahead.rec.Greeting && !d.unsure
	} else if !d.lastReply.IsZero() {
		x.rec.Idle = record.Between(d.lastReply, x.rec.Time)
	}
	if len(d.queue) >= maxQueue {
		d.unanswered(d.shift(), "more commands than replies; it was given up")
	}
	d.queue = append(d.queue, x)
	if x.txn != nil {
		x.txn.open++
		x.rec.Message = x.txn.rec.Sequence
	}
	x.rec.TLS = d.tls
}

func (d *dissector) shift() *exchange {
	x := d.queue[0]
	d.queue[0] = nil
	d.queue = d.queue[1:]
	return x
}

// dropDoubtful reports the first n exchanges, as far as their replies may be
// missing, as not answered.
func (d *dissector) dropDoubtful(n int) {
	for ; n > 0 && len(d.queue) > 0 && d.queue[0].doubtful; n-- {
		d.unanswered(d.shift(), "its reply is not in the capture")
	}
}

// answer pairs a reply with the command at the front of the queue.
func (d *dissector) answer(r *record.SMTPReply) dissect.Action {
	d.lastReply = r.Time
	if d.unsure {
		d.resync(r)
	}
	if len(d.queue) == 0 {
		return d.unasked(r)
	}
	x := d.queue[0]
	if x.login != nil && r.Code/100 == 3 {
		return d.challenge(x, r)
	}
	verb := x.rec.Verb
	switch {
	case x.rec.Greeting:
		verb = "greeting"
		x.rec.Stamp(stampOfReply(r), d.client().Other())
	case verb == "BDAT" && !x.rec.Last:
		verb = "chunk"
	}
	r.Meaning = meaning(verb, r)
	if x.rec.Reply == nil {
		x.rec.Reply = r
		x.rec.Wait = record.Between(x.end, r.Time)
		x.more = d.replies(x, r) - 1
	} else {
		x.rec.Further = append(x.rec.Further, r)
		x.more--
	}
	if x.txn != nil && (verb == "." || verb == "BDAT") {
		d.recipientReply(x, r)
	}
	if x.more > 0 && r.Code != 421 {
		return dissect.Continue
	}
	d.shift()
	return d.answered(x, r)
}

// replies is how many replies the command gets when r is the first: LMTP
// answers behind the data once for each accepted recipient (RFC 2033, section
// 4.2), Exim's PRDR does so after a 353 and closes with one for all.
func (d *dissector) replies(x *exchange, r *record.SMTPReply) int {
	if x.txn == nil || x.rec.Verb != "." && !(x.rec.Verb == "BDAT" && x.rec.Last) {
		return 1
	}
	n := len(x.txn.accepted())
	switch {
	case r.Code == 353 && x.rec.Verb == ".":
		return n + 2
	case x.txn.rec.LMTP && n > 1:
		return n
	}
	return 1
}

// recipientReply gives a reply behind the data to its recipient.
func (d *dissector) recipientReply(x *exchange, r *record.SMTPReply) {
	t := x.txn
	if r.Code == 353 || !t.rec.LMTP && (x.rec.Reply == nil || x.rec.Reply.Code != 353) {
		return
	}
	if x.rec.Verb == "BDAT" && !x.rec.Last {
		return
	}
	if ok := t.accepted(); x.each < len(ok) {
		t.rec.To[ok[x.each]].Final = r
		x.each++
	}
}

// answered acts on a command that has got its last reply.
func (d *dissector) answered(x *exchange, r *record.SMTPReply) dissect.Action {
	if x.unoffered {
		d.violation(d.client(), stampOf(&x.rec.Header), "smtp_pipelining_not_offered", fmt.Sprintf("%s was sent before the reply to the command before it, but the server did not offer PIPELINING", x.rec.Verb))
	}
	act := dissect.Continue
	switch x.rec.Verb {
	case "":
		if x.rec.Greeting {
			d.onGreeting(r)
		}
	case "EHLO", "LHLO", "HELO":
		d.onHello(x, r)
	case "STARTTLS":
		if d.held == x {
			d.held, d.mode = nil, inCommands
			act = dissect.Release(d.client())
			if r.Positive() {
				act = dissect.Upgrade
				d.onTLS()
			}
		}
	case "XCLIENT":
		if r.Positive() {
			// The server begins anew, as behind a greeting.
			d.offers, d.hello, d.user = offers{}, "", ""
		}
	case "TURN", "ATRN":
		if r.Positive() {
			d.turn()
		}
	case "AUTH":
		d.onAuth(x, r)
		if d.held == x {
			d.held, d.mode = nil, inCommands
			act = dissect.Release(d.client())
		}
	case "DATA":
		act = d.onData(x, r)
	}
	d.env.Emit(x.rec)
	d.settleReply(x, r)
	return act
}

func (d *dissector) onGreeting(r *record.SMTPReply) {
	d.greeted = true
	if len(d.queue) > 0 && d.queue[0].rec.Time.Before(r.Time.Add(r.Took.Duration())) {
		d.violation(d.client(), stampOf(&d.queue[0].rec.Header), "smtp_early_talker", "the client talked before the server's greeting")
	}
}

func (d *dissector) onHello(x *exchange, r *record.SMTPReply) {
	if !r.Positive() {
		return
	}
	if x.rec.Verb == "HELO" || r.Partial {
		d.offers = offers{known: !r.Partial}
		return
	}
	if len(r.Text) > 0 {
		d.offers, x.rec.Capabilities = readOffers(r.Text[1:])
	}
	at := stampOfReply(r)
	if word := overwritten(x.rec.Capabilities); word != "" {
		d.violation(d.client().Other(), at, "smtp_capability_overwritten", "something between client and server painted over a capability: "+word)
	}
	switch {
	case d.offers.has("STARTTLS"):
		d.hadTLSOffer = true
	case d.hadTLSOffer && !d.tls:
		d.violation(d.client().Other(), at, "smtp_starttls_vanished", "STARTTLS was offered before in this connection and is missing now")
	}
}

// onTLS: knowledge from before TLS is discarded (RFC 3207, section 4.2).
func (d *dissector) onTLS() {
	d.tls = true
	d.offers, d.hello, d.user = offers{}, "", ""
	d.closeCurrent("the client changed to TLS before it sent the data")
}

// turn swaps the roles of the sides (RFC 2645, section 5; RFC 821's TURN):
// the former client now greets.
func (d *dissector) turn() {
	d.turned ^= 1
	d.offers, d.hello, d.user, d.greeted = offers{}, "", "", false
	d.mode = inCommands
	d.queue = append(d.queue, &exchange{rec: &record.SMTPExchange{Greeting: true, TLS: d.tls}, rcpt: -1, end: d.lastReply})
}

// resync looks, where commands or replies may be missing, for the command
// that the reply can belong to. Commands ahead of it that cannot have got
// this reply are given up.
func (d *dissector) resync(r *record.SMTPReply) {
	for i, x := range d.queue {
		if fits(x, r) {
			for range i {
				d.unanswered(d.shift(), "its reply is not in the capture")
			}
			if len(d.queue) == 1 {
				// One command, one reply: in step again.
				d.unsure = d.lost
			}
			return
		}
	}
	if only := r.Code == 354 || r.Code == 334 || r.Code == 235; only {
		d.dropDoubtful(len(d.queue))
	}
}

// fits reports whether the reply can be one to the command.
func fits(x *exchange, r *record.SMTPReply) bool {
	switch x.rec.Verb {
	case "DATA":
		return r.Code/100 != 2
	case "AUTH":
		return r.Code == 334 || r.Code == 235 || r.Code >= 400
	case "QUIT":
		return r.Code == 221 || r.Code >= 400
	case "STARTTLS":
		return r.Code == 220 || r.Code >= 400
	case "MAIL":
		return r.Code >= 400 || r.Code == 250 && !strings.HasPrefix(r.Enhanced, "2.1.5")
	case "RCPT":
		return r.Code >= 400 || r.Code/10 == 25 && !strings.HasPrefix(r.Enhanced, "2.1.0")
	case "":
		return r.Code == 220 || r.Code == 421 || r.Code == 554
	case ".":
		return r.Code == 250 || r.Code == 353 || r.Code >= 400
	case "EHLO", "HELO", "LHLO", "RSET", "NOOP", "BDAT", "BURL":
		return r.Code == 250 || r.Code >= 400
	}
	return true
}

// unasked takes a reply for which no command waits.
func (d *dissector) unasked(r *record.SMTPReply) dissect.Action {
	dir := d.client().Other()
	x := &exchange{rec: &record.SMTPExchange{Reply: r, TLS: d.tls}, rcpt: -1}
	x.rec.Stamp(stampOfReply(r), dir)
	if d.mode == inData && d.cur != nil {
		// The server answers in the middle of a message: its end lies in a
		// gap, or the server took something else for the end, or it gave up.
		if d.in.holes && r.Code != 421 {
			t := d.cur
			d.endOfData(t, record.Stamp{}, record.Stamp{}, false)
			d.mode, d.lost = inCommands, true
			return d.answer(r)
		}
		if len(d.early) < maxQueue {
			d.early = append(d.early, r)
			return dissect.Continue
		}
	}
	if d.sent != nil && len(d.sent.inside) > 0 && !d.unsure {
		return d.insideReply(x, r)
	}
	r.Meaning = meaning("", r)
	switch {
	case r.Code == 220 && !d.greeted && d.env.Conn().Midstream:
		x.rec.Greeting, d.greeted = true, true
	case r.Code == 354 && (d.unsure || d.lost || !d.heard):
		// DATA was in a gap: what the client sends now is a message.
		d.env.Emit(x.rec)
		d.beginOrphanData(r)
		return dissect.Continue
	case r.Code == 334 && (d.unsure || d.lost):
		return d.orphanAuth(r)
	case d.heard && !d.unsure && r.Code != 421:
		d.violation(dir, stampOf(&x.rec.Header), "smtp_unsolicited_reply", fmt.Sprintf("a reply that no command asked for: %.80s", r.String()))
	}
	d.env.Emit(x.rec)
	return dissect.Continue
}

// insideReply pairs a reply that no command asked for with a command that
// lies inside the message sent before: the server has ended that message
// earlier than the strict reading does.
func (d *dissector) insideReply(x *exchange, r *record.SMTPReply) dissect.Action {
	c := d.sent.inside[0]
	d.sent.inside = d.sent.inside[1:]
	x.rec.Verb, x.rec.Command, x.rec.Inside = parseCommand(c.text).verb, record.Plain(c.text), true
	x.rec.Message = d.sent.rec.Sequence
	x.rec.Stamp(c.at, d.client())
	r.Meaning = meaning(x.rec.Verb, r)
	d.violation(d.client(), c.at, "smtp_smuggling_accepted", fmt.Sprintf("the server answered %q, which lies inside the data of message %d: it took an earlier sequence for the end of the data", c.text, d.sent.rec.Sequence))
	d.env.Emit(x.rec)
	return dissect.Continue
}

// unanswered reports a command without a reply.
func (d *dissector) unanswered(x *exchange, why string) {
	if d.held == x {
		d.held = nil
		if d.mode == inAnswer || d.mode == inAuth {
			d.mode = inCommands
		}
	}
	if x.rec.Reply == nil {
		if x.doubtful {
			why = "its reply is not in the capture"
		}
		x.rec.Unanswered = why
	}
	if x.login != nil {
		d.credential(x, nil)
	}
	if x.rec.Greeting && x.rec.Reply == nil {
		x.rec.Stamp(record.Stamp{Time: x.end}, d.client().Other())
	}
	d.env.Emit(x.rec)
	d.settleReply(x, nil)
}

func stampOf(h *record.Header) record.Stamp {
	return record.Stamp{Time: h.Time, Packet: h.Packet, Offset: h.Offset, Carrier: h.StreamOffset}
}

func stampOfReply(r *record.SMTPReply) record.Stamp {
	return record.Stamp{Time: r.Time, Packet: r.Packet, Offset: r.Offset, Carrier: r.StreamOffset}
}
