package smtp

import (
	"bytes"
	"fmt"
	"strings"

	"sniff/dissect"
	"sniff/dissect/internal/line"
	"sniff/record"
)

// consumeClient reads what the client's mode says comes next.
func (d *dissector) consumeClient(b []byte) (int, dissect.Action, error) {
	if d.mode == inAnswer {
		if !d.decide(b) {
			return 0, dissect.Continue, nil
		}
		if d.mode == inAnswer {
			return 0, dissect.Continue, errTLS
		}
	}
	switch d.mode {
	case inData:
		return d.consumeData(b)
	case inChunk:
		return d.consumeChunk(b)
	}
	dir := d.client()
	text, end, n := d.split[dir].Next(b)
	if n == 0 {
		return 0, dissect.Continue, nil
	}
	if d.skip[dir] {
		d.skip[dir] = end == line.Long
		return n, dissect.Continue, nil
	}
	if end == line.Long {
		d.skip[dir] = true
		d.violation(dir, d.env.At(0), "smtp_command_too_long", fmt.Sprintf("a command line of more than %d bytes; the rest of it is left out", len(text)))
	}
	if end == line.LF && !d.lost {
		d.violation(dir, d.env.At(n-1), "smtp_bare_lf", "a command line ends with LF alone")
	}
	return n, d.clientLine(string(text), d.env.At(0), d.env.At(n-1)), nil
}

// clientTail reads a last line that has no end.
func (d *dissector) clientTail(b []byte) {
	dir := d.client()
	at := d.env.At(0)
	at.Offset -= int64(len(b))
	switch {
	case d.mode == inData:
		d.in.flush(d, b)
	case d.mode == inChunk || d.mode == inAnswer || d.skip[dir] || d.lost:
	default:
		d.violation(dir, at, "smtp_unfinished_line", fmt.Sprintf("the client's last line has no end and is no command (%d bytes)", len(b)))
	}
}

// clientLine takes one line of the client, a command or a response of AUTH.
func (d *dissector) clientLine(s string, at, end record.Stamp) dissect.Action {
	if d.mode == inAuth {
		return d.authLine(s, at, end)
	}
	if i := strings.IndexByte(s, '\r'); i >= 0 && !d.lost {
		at := at
		at.Offset += int64(i)
		d.violation(d.client(), at, "smtp_bare_cr", "a command line holds CR without LF")
	}
	c := parseCommand(s)
	if d.lost {
		switch {
		case s == ".":
			// The data of a message of which the beginning is missing ends.
			return d.orphanDot(at, end)
		case !c.sure():
			return dissect.Continue
		}
		d.lost = false
	}
	return d.command(c, s, at, end)
}

// command acts on a command and puts it into the queue.
func (d *dissector) command(c command, s string, at, end record.Stamp) dissect.Action {
	x := &exchange{rec: &record.SMTPExchange{Verb: c.verb, Command: record.Plain(s)}, rcpt: -1, end: end.Time}
	x.rec.Stamp(at, d.client())
	act := dissect.Continue
	switch c.verb {
	case "HELO", "EHLO", "LHLO":
		x.rec.Domain, d.hello = c.args, c.args
		d.lmtp = c.verb == "LHLO"
		d.closeCurrent("the client began anew with " + c.verb)
	case "MAIL", "SEND", "SOML", "SAML":
		d.mail(x, c.args)
	case "RCPT":
		d.recipient(x, c.args)
	case "DATA":
		x.txn = d.current()
		x.txn.rec.Transfer = "DATA"
		x.txn.dataSent = at.Time
		d.push(x)
		return d.hold(x, inAnswer)
	case "BDAT":
		d.bdat(x, c.args)
	case "BURL":
		d.needs(x, "BURL")
		x.txn = d.current()
		if f := strings.Fields(c.args); len(f) > 1 && strings.EqualFold(f[len(f)-1], "LAST") {
			x.rec.Last = true
			x.txn.rec.Transfer = "BURL"
			d.push(x)
			x.txn.closed = true
			d.cur = nil
			return act
		}
	case "RSET":
		d.closeCurrent("the client gave it up with RSET")
	case "QUIT":
		d.closeCurrent("the client left with QUIT before it sent the data")
	case "STARTTLS":
		d.needs(x, "STARTTLS")
		d.push(x)
		return d.hold(x, inAnswer)
	case "AUTH":
		d.needs(x, "AUTH")
		return d.beginAuth(x, c.args, s)
	case "ETRN", "ATRN", "XCLIENT", "XFORWARD":
		d.needs(x, c.verb)
	default:
		if !known(c.verb) {
			x.rec.Unknown = true
			if len(c.verb) > 32 {
				x.rec.Verb = c.verb[:32]
			}
		}
	}
	d.push(x)
	return act
}

// hold stops the client behind x.
func (d *dissector) hold(x *exchange, m mode) dissect.Action {
	d.held, d.mode = x, m
	return dissect.Hold(d.client())
}

// needs reports an extension that is used though it was not offered.
func (d *dissector) needs(x *exchange, keyword string) {
	if d.offers.lacks(keyword) && !d.unsure {
		d.violation(d.client(), stampOf(&x.rec.Header), "smtp_extension_not_offered", fmt.Sprintf("%s uses %s, which the server did not offer", x.rec.Verb, keyword))
	}
}

// address reads the path of MAIL or RCPT and its parameters.
func (d *dissector) address(x *exchange, args, keyword string) {
	address, params, proper := parsePath(args, keyword)
	x.rec.Address = address
	at := stampOf(&x.rec.Header)
	if !proper {
		d.violation(d.client(), at, "smtp_address_syntax", fmt.Sprintf("%s %.80s: the address is not in brackets", x.rec.Verb, args))
	}
	var used, broken []string
	x.rec.Options, used, broken = parseOptions(params)
	for _, k := range used {
		d.needs(x, k)
	}
	if len(broken) > 0 {
		d.violation(d.client(), at, "smtp_parameter_malformed", "a parameter that breaks its grammar: "+strings.Join(broken, " "))
	}
}

// decide finds out, without the answer that the client was held for, what the
// client's next bytes are. It reports false when more of them are needed.
func (d *dissector) decide(b []byte) bool {
	x := d.held
	if x == nil {
		d.mode = inCommands
		return true
	}
	if looksTLS(b) {
		return true
	}
	text, _, ok := bytes.Cut(b[:min(len(b), 512)], []byte("\n"))
	if !ok && len(b) < 512 && len(b) > 0 && b[0] != 0x16 {
		return false
	}
	c := parseCommand(string(bytes.TrimRight(text, "\r")))
	d.held, d.unsure = nil, true
	x.doubtful = true
	switch {
	case x.rec.Verb == "DATA" && !c.sure():
		d.mode = inData
		d.in = &dataState{bol: true, fresh: true}
	case x.rec.Verb == "AUTH" && !c.sure():
		d.held, d.mode = x, inAuth
	default:
		d.mode = inCommands
	}
	return true
}

// clientGap: bytes of the client are missing.
func (d *dissector) clientGap(n int64) {
	d.unsure = true
	d.doubtCurrent()
	if d.held != nil && d.held.login != nil {
		d.held.login.blind = true
	}
	switch d.mode {
	case inData:
		d.dataGap(n)
	case inChunk:
		d.chunkGap(n)
	default:
		if d.held != nil {
			// DATA, STARTTLS or AUTH still waits for its answer, which will
			// say what the missing bytes began.
			if d.held.rec.Verb == "DATA" && d.held.rec.Reply == nil {
				d.in = &dataState{holes: true}
				d.current().gap(n)
			}
			if d.mode == inAuth {
				d.mode, d.held = inCommands, nil
			}
		}
		d.lost = true
	}
}
