package smtp

import (
	"time"

	"sniff/content"
	"sniff/dissect"
	"sniff/record"
)

// transaction is one attempt to hand over a message (RFC 5321, section 3.3).
type transaction struct {
	rec *record.SMTPMessage
	// open counts its commands that wait for their reply. It is reported when
	// it is closed and none is left.
	open     int
	closed   bool
	emitted  bool
	gaveUp   string // what the client did instead of sending the data
	mailSeen bool
	doubt    bool // part of its dialogue is missing
	// outer is the transaction that a nested MAIL came into; when that MAIL
	// is refused, its commands belong to the outer one.
	outer *transaction
	moved *transaction

	body   content.Body
	result content.Result

	rcptSent, dataSent time.Time
	first, last        time.Time // of the data
	seen               time.Time // the last thing seen of it
	lastChunk          bool      // the chunk being read is the last
	inside             []insideLine
}

// insideLine is a command that lies inside the data of a message, behind a
// sequence that some servers take for its end.
type insideLine struct {
	text string
	at   record.Stamp
}

// resolve follows a nested transaction that was refused to its outer one.
func (t *transaction) resolve() *transaction {
	for t.moved != nil {
		t = t.moved
	}
	return t
}

// begin makes a new current transaction.
func (d *dissector) begin(at record.Stamp) *transaction {
	d.sequence++
	t := &transaction{rec: &record.SMTPMessage{
		Sequence: d.sequence, LMTP: d.lmtp, Hello: d.hello, TLS: d.tls, User: d.user,
	}, seen: at.Time, doubt: d.unsure}
	t.rec.Stamp(at, d.client())
	if hs := d.env.TLS(); hs != nil && d.tls {
		t.rec.TLSVersion, t.rec.TLSCipher = hs.Version, hs.Cipher
	}
	d.cur = t
	return t
}

// current returns the transaction in progress. Where there is none (RCPT or
// DATA without MAIL, a capture that starts in the middle) it makes one.
func (d *dissector) current() *transaction {
	if d.cur == nil {
		d.begin(d.env.At(0))
	}
	return d.cur
}

// mail takes MAIL (RFC 5321, section 4.1.1.2).
func (d *dissector) mail(x *exchange, args string) {
	outer := d.cur
	if outer != nil && (outer.rec.MailReply.Positive() || outer.rec.MailReply == nil && outer.open > 0) {
		// The server may say 503 and keep the transaction that is open. It
		// stays until the reply is in.
	} else {
		d.closeCurrent("the client began another message")
		outer = nil
	}
	t := d.begin(stampOf(&x.rec.Header))
	t.outer, t.mailSeen = outer, true
	d.address(x, args, "FROM")
	t.rec.From, t.rec.Options = x.rec.Address, x.rec.Options
	x.txn = t
}

// recipient takes RCPT (RFC 5321, section 4.1.1.3).
func (d *dissector) recipient(x *exchange, args string) {
	d.address(x, args, "TO")
	t := d.current()
	x.txn = t
	if t.rcptSent.IsZero() {
		t.rcptSent = x.rec.Time
	}
	if len(t.rec.To) >= maxRecipients {
		t.rec.MoreTo++
		return
	}
	x.rcpt = len(t.rec.To)
	t.rec.To = append(t.rec.To, record.SMTPRecipient{Address: x.rec.Address, Options: x.rec.Options})
}

// accepted lists the recipients that the server has accepted so far.
func (t *transaction) accepted() []int {
	var ok []int
	for i := range t.rec.To {
		if t.rec.To[i].Reply.Positive() {
			ok = append(ok, i)
		}
	}
	return ok
}

// closeCurrent ends the transaction in progress: the client went on to
// something else.
func (d *dissector) closeCurrent(why string) {
	t := d.cur
	d.cur = nil
	for t != nil {
		if t.gaveUp == "" {
			t.gaveUp = why
		}
		t.closed = true
		d.settle(t)
		t = t.outer
	}
}

// doubtCurrent notes that part of the message's dialogue is missing: what the
// client then seems to have left out may have been there.
func (d *dissector) doubtCurrent() {
	for t := d.cur; t != nil; t = t.outer {
		t.doubt = true
	}
}

// settleReply books a command's reply, nil when there was none, to its
// transaction.
func (d *dissector) settleReply(x *exchange, r *record.SMTPReply) {
	if x.txn == nil {
		return
	}
	own := x.txn
	own.open--
	t := own.resolve()
	if r != nil && r.Time.After(t.seen) {
		t.seen = r.Time
	}
	switch x.rec.Verb {
	case "MAIL", "SEND", "SOML", "SAML":
		t.rec.MailReply = r
		if r != nil {
			t.rec.Times.Mail = record.Between(x.end, r.Time)
		}
		d.nested(t, r)
	case "RCPT":
		if x.rcpt >= 0 && r != nil {
			t.book(own, x, r)
			t.rec.Times.Recipients = record.Between(t.rcptSent, r.Time)
		}
	case "DATA":
		t.rec.DataReply = r
		if r != nil {
			t.rec.Times.Data = record.Between(x.end, r.Time)
		}
	case ".":
		t.final(x, r)
		if r != nil {
			t.rec.Times.Final = record.Between(x.end, r.Time)
		}
	case "BDAT", "BURL":
		if r != nil && (!r.Positive() || x.rec.Last) {
			t.final(x, r)
			t.rec.Times.Final = record.Between(x.end, r.Time)
		}
	}
	d.settle(own)
	if t != own {
		d.settle(t)
	}
}

// book gives a reply to its recipient, which a refused nested MAIL may have
// moved to the outer transaction.
func (t *transaction) book(own *transaction, x *exchange, r *record.SMTPReply) {
	if t == own {
		t.rec.To[x.rcpt].Reply = r
		return
	}
	moved := own.rec.To[x.rcpt]
	moved.Reply = r
	if len(t.rec.To) < maxRecipients {
		t.rec.To = append(t.rec.To, moved)
	} else {
		t.rec.MoreTo++
	}
	if t.rcptSent.IsZero() {
		t.rcptSent = x.rec.Time
	}
}

// nested decides, by the reply to a MAIL inside an open transaction, which of
// the two goes on.
func (d *dissector) nested(t *transaction, r *record.SMTPReply) {
	outer := t.outer
	if outer == nil {
		return
	}
	t.outer = nil
	if r != nil && r.Code >= 500 && r.Code <= 504 && !outer.closed {
		t.moved = outer
		t.closed = true
		if d.cur == t {
			d.cur = outer
		}
		return
	}
	outer.closed = true
	if outer.gaveUp == "" {
		outer.gaveUp = "the client began another message"
	}
	d.settle(outer)
}

// final keeps the reply that decides over the whole message: the first that
// refused it, else the last.
func (t *transaction) final(x *exchange, r *record.SMTPReply) {
	if r == nil {
		return
	}
	deciding := r
	if x.rec.Reply != nil && x.rec.Reply.Code != 353 {
		for _, f := range append([]*record.SMTPReply{x.rec.Reply}, x.rec.Further...) {
			if f.Code >= 400 {
				deciding = f
				break
			}
		}
	}
	if t.rec.FinalReply != nil && !t.rec.FinalReply.Positive() {
		return
	}
	t.rec.FinalReply = deciding
	all := append([]*record.SMTPReply{x.rec.Reply}, x.rec.Further...)
	for _, f := range all {
		if f.Positive() && t.rec.QueueID == "" {
			t.rec.QueueID = queueID(f)
		}
	}
}

// settle reports a transaction that is closed and has all its replies.
func (d *dissector) settle(t *transaction) {
	if !t.closed || t.open > 0 || t.emitted {
		return
	}
	t.emitted = true
	m := t.rec
	if t.moved != nil {
		m.To = nil
	}
	if t.body != nil && t.result == nil {
		t.result = t.body.Close(false)
	}
	m.Times.Transfer = record.Between(t.first, t.last)
	if d := m.Times.Transfer.Duration(); d > 0 {
		m.Rate = int64(float64(m.Size) / d.Seconds())
	}
	m.Times.Total = record.Between(m.Time, t.seen)
	t.judge(d.closing, d.env.Conn().OneSided)
	result := t.result
	if result == nil {
		d.env.Emit(m)
		return
	}
	d.env.Defer(m, func(emit func(record.Record)) {
		m.Content = result.Wait()
		if m.Content != nil && m.Content.Partial && m.Complete && m.Content.Missing != 0 {
			m.Partial = true
		}
		emit(m)
		content.Pair(&content.Exchange{Carrier: m, Request: result}, emit)
	})
}

// finish reports all that is still open when the connection ends.
func (d *dissector) finish() {
	if d.part != nil {
		// A multi-line reply that was cut off still says something.
		r := d.part.rep
		r.Partial = true
		d.part = nil
		if len(d.queue) > 0 && d.queue[0].rec.Reply == nil {
			x := d.shift()
			r.Meaning = meaning(x.rec.Verb, r)
			x.rec.Reply = r
			x.rec.Wait = record.Between(x.end, r.Time)
			d.env.Emit(x.rec)
			d.settleReply(x, r)
		}
	}
	if d.mode == inData && d.cur != nil {
		d.dataCut()
	}
	why := d.closing + " before a reply"
	if d.env.Conn().OneSided {
		why = "only one side of the connection is in the capture"
	}
	for len(d.queue) > 0 {
		d.unanswered(d.shift(), why)
	}
	d.closeCurrent("")
}

// gap books bytes of the data that are missing.
func (t *transaction) gap(n int64) {
	t.rec.Partial = true
	if n < 0 || t.rec.Missing < 0 {
		t.rec.Missing = -1
	} else {
		t.rec.Missing += n
	}
	if t.body != nil {
		t.body.Gap(n)
	}
}

// open opens the body of the message at its first byte.
func (d *dissector) open(t *transaction, at record.Stamp) {
	if t.body != nil {
		return
	}
	t.body = d.env.Body(content.Info{
		Carrier:     "smtp",
		Session:     d.env.Conn().Session,
		Role:        content.Message,
		ContentType: "message/rfc822",
		Stamp:       at,
		Dir:         d.client(),
	})
	t.first, t.last = at.Time, at.Time
	t.rec.DataAt = at.Time
	if t.rec.Partial {
		t.body.Gap(t.rec.Missing)
	}
}

// onData acts on the reply to DATA.
func (d *dissector) onData(x *exchange, r *record.SMTPReply) dissect.Action {
	t := x.txn.resolve()
	if d.held != x {
		// The client went on without this answer being seen in time.
		if d.mode == inData && r.Code/100 != 3 && d.cur == t && t.body == nil {
			d.mode = inCommands
		}
		return dissect.Continue
	}
	d.held, d.mode = nil, inCommands
	if r.Code/100 == 3 {
		holes := d.in != nil && d.in.holes && t.rec.Partial
		d.mode, d.lost = inData, false
		d.in = &dataState{bol: !holes, fresh: true, holes: holes, resumed: holes}
		if d.cur == nil {
			d.cur = t
		}
	} else {
		t.rec.Transfer = ""
		t.rec.Partial, t.rec.Missing = false, 0
	}
	return dissect.Release(d.client())
}

// beginOrphanData: a 354 says that a DATA that was not seen was accepted.
func (d *dissector) beginOrphanData(r *record.SMTPReply) {
	t := d.cur
	if t == nil {
		t = d.begin(record.Stamp{Time: r.Time, Offset: 0})
	}
	t.rec.Transfer = "DATA"
	t.rec.DataReply = r
	t.gap(-1)
	d.mode, d.lost = inData, false
	d.in = &dataState{holes: true, resumed: true}
}

// orphanDot: the end of a message whose beginning was not seen.
func (d *dissector) orphanDot(at, end record.Stamp) dissect.Action {
	t := d.cur
	if t == nil {
		t = d.begin(at)
	}
	t.rec.Transfer = "DATA"
	t.gap(-1)
	d.lost = false
	d.dot(t, at, end)
	return dissect.Continue
}

// dot puts the end of the data into the queue.
func (d *dissector) dot(t *transaction, at, end record.Stamp) {
	t.rec.Complete, t.rec.DataEnd = true, end.Time
	x := &exchange{rec: &record.SMTPExchange{Verb: "."}, txn: t, rcpt: -1, end: end.Time}
	if !end.Time.IsZero() {
		x.rec.Command = record.Plain(".")
	}
	x.rec.Stamp(at, d.client())
	t.closed = true
	if d.cur == t {
		d.cur = nil
	}
	d.sent = t
	d.push(x)
	if t.outer != nil {
		t.outer.closed = true
		d.settle(t.outer)
		t.outer = nil
	}
}
