package smtp

import (
	"strconv"
	"strings"
	"time"

	"sniff/record"
)

// command is one parsed command line.
type command struct {
	verb string // upper case
	args string // behind the verb, outer spaces removed
}

// parseCommand splits a line into verb and arguments (RFC 5321, section
// 2.4: verbs are not case sensitive). Space in front is taken as it comes.
func parseCommand(s string) command {
	s = strings.TrimLeft(s, " \t")
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		// "MAIL FROM:" is sometimes sent without its space.
		return command{verb: strings.ToUpper(strings.TrimRight(s, " \t"))}
	}
	return command{verb: strings.ToUpper(s[:i]), args: strings.Trim(s[i:], " \t")}
}

// known reports whether SMTP, LMTP or an extension has the verb.
func known(verb string) bool {
	switch verb {
	case "HELO", "EHLO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "VRFY", "EXPN", "HELP", "NOOP", "QUIT",
		"STARTTLS", "AUTH", "ETRN", "ATRN", "TURN", "SEND", "SOML", "SAML", "BURL", "XCLIENT", "XFORWARD":
		return true
	}
	return false
}

// sure reports whether a line of unknown context is surely a command and no
// line of a message.
func (c command) sure() bool {
	switch c.verb {
	case "EHLO", "HELO", "LHLO", "ETRN":
		return c.args != "" && !strings.ContainsAny(c.args, " \t")
	case "MAIL":
		return hasFold(c.args, "FROM:")
	case "RCPT":
		return hasFold(c.args, "TO:")
	case "DATA", "RSET", "QUIT", "STARTTLS", "NOOP":
		return c.args == ""
	case "AUTH":
		mechanism, _, _ := strings.Cut(c.args, " ")
		return knownMechanism(strings.ToUpper(mechanism))
	case "BDAT":
		_, _, ok := parseChunk(c.args)
		return ok
	case "XCLIENT", "XFORWARD":
		return strings.Contains(c.args, "=")
	}
	return false
}

func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// parsePath reads the argument of MAIL or RCPT behind the given keyword (RFC
// 5321, section 4.1.2): an address in brackets and the parameters behind it.
// proper is false where the grammar is broken: no brackets (many clients), no
// keyword.
func parsePath(args, keyword string) (address, params string, proper bool) {
	proper = true
	rest := args
	if hasFold(rest, keyword) {
		rest = strings.TrimLeft(rest[len(keyword):], " \t")
		if k := strings.TrimLeft(rest, " \t"); strings.HasPrefix(k, ":") {
			rest = strings.TrimLeft(k[1:], " \t")
		} else {
			proper = false
		}
	} else {
		proper = false
	}
	if !strings.HasPrefix(rest, "<") {
		address, params, _ = strings.Cut(rest, " ")
		return address, strings.TrimSpace(params), false
	}
	end, quoted := -1, false
	for i := 1; i < len(rest) && end < 0; i++ {
		switch c := rest[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			end = i
		}
	}
	if end < 0 {
		address, params, _ = strings.Cut(rest[1:], " ")
		return address, strings.TrimSpace(params), false
	}
	address, params = rest[1:end], strings.TrimSpace(rest[end+1:])
	// A source route is to be ignored (RFC 5321, appendix C).
	if strings.HasPrefix(address, "@") {
		if _, mailbox, ok := strings.Cut(address, ":"); ok {
			address = mailbox
		}
	}
	if address == "" {
		address = "<>"
	}
	return address, params, proper
}

// parseOptions reads the parameters of MAIL or RCPT. broken names the ones
// whose value breaks their grammar; used lists the extensions they belong to.
func parseOptions(s string) (o *record.SMTPOptions, used, broken []string) {
	fields := strings.Fields(s)
	if len(fields) == 0 {
		return nil, nil, nil
	}
	o = &record.SMTPOptions{}
	for i, f := range fields {
		if i >= 64 {
			break
		}
		name, value, _ := strings.Cut(f, "=")
		extension, ok := setOption(o, strings.ToUpper(name), value)
		if extension != "" {
			used = append(used, extension)
		}
		if !ok {
			o.Other = append(o.Other, record.SMTPParam{Name: name, Value: value})
			if extension != "" {
				broken = append(broken, f)
			}
		}
	}
	return o, used, broken
}

// setOption stores one parameter. It returns the keyword under which EHLO
// offers it ("" when it is not known) and whether its value was understood.
func setOption(o *record.SMTPOptions, name, value string) (extension string, ok bool) {
	switch name {
	case "SIZE": // RFC 1870, section 4
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return "SIZE", false
		}
		o.Size = n
		return "SIZE", true
	case "BODY": // RFC 6152, section 3; RFC 3030, section 3
		o.Body = strings.ToUpper(value)
		switch o.Body {
		case "7BIT", "8BITMIME":
			return "8BITMIME", true
		case "BINARYMIME":
			return "BINARYMIME", true
		}
		o.Body = ""
		return "8BITMIME", false
	case "SMTPUTF8":
		o.SMTPUTF8 = true
		return "SMTPUTF8", value == ""
	case "RET":
		o.Return = strings.ToUpper(value)
		return "DSN", o.Return == "FULL" || o.Return == "HDRS"
	case "ENVID":
		o.EnvelopeID = xtext(value)
		return "DSN", value != ""
	case "NOTIFY":
		o.Notify = strings.Split(strings.ToUpper(value), ",")
		return "DSN", value != ""
	case "ORCPT":
		o.Original = xtext(value)
		return "DSN", strings.Contains(value, ";")
	case "AUTH":
		o.Auth = xtext(value)
		return "AUTH", value != ""
	case "MT-PRIORITY":
		n, err := strconv.Atoi(value)
		if err != nil || n < -9 || n > 9 {
			return "MT-PRIORITY", false
		}
		o.Priority = &n
		return "MT-PRIORITY", true
	case "REQUIRETLS":
		o.RequireTLS = true
		return "REQUIRETLS", value == ""
	case "HOLDFOR":
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 || n > 999999999 {
			return "FUTURERELEASE", false
		}
		o.HoldFor = record.Seconds(time.Duration(n) * time.Second)
		return "FUTURERELEASE", true
	case "HOLDUNTIL":
		o.HoldUntil = value
		return "FUTURERELEASE", value != ""
	case "BY":
		o.By = value
		return "DELIVERBY", strings.Contains(value, ";")
	case "PRDR":
		o.PRDR = true
		return "PRDR", value == ""
	}
	return "", false
}

// xtext undoes "+3D" (RFC 3461, section 4).
func xtext(s string) string {
	if !strings.Contains(s, "+") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '+' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// parseChunk reads the argument of BDAT (RFC 3030, section 2): a size and
// perhaps LAST.
func parseChunk(args string) (size int64, last, ok bool) {
	f := strings.Fields(args)
	if len(f) == 0 || len(f) > 2 {
		return 0, false, false
	}
	for i := range len(f[0]) {
		if f[0][i] < '0' || f[0][i] > '9' {
			return 0, false, false
		}
	}
	size, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return 0, false, false
	}
	if len(f) == 2 {
		if !strings.EqualFold(f[1], "LAST") {
			return 0, false, false
		}
		last = true
	}
	return size, last, true
}
