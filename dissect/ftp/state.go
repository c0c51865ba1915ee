package ftp

import (
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// state is what the two sides have agreed on so far.
type state struct {
	user       string
	loggedIn   bool
	cwd        string // "" in a session whose beginning was not seen, until it is said
	kind       string // representation type: A, I, E, L 8
	mode       string
	structure  string
	restart    int64
	allo       int64
	private    bool // PROT P
	clearAgain bool // CCC
}

// reset gives the state in which a session begins (RFC 959, section 5.1).
// Without the beginning nothing is known.
func (st *state) reset(midstream bool) {
	*st = state{}
	if !midstream {
		st.cwd, st.kind, st.mode = "~", "A", "S"
	}
}

// path gives the absolute path of a name. Without a known folder a relative
// name stays as it is.
func (st *state) path(name string) string {
	if st.cwd == "" {
		if strings.HasPrefix(name, "/") {
			return join("/", name)
		}
		return name
	}
	return join(st.cwd, name)
}

// begin looks up, when the first reply to x comes, what x means in the state
// that the commands in front of it have left behind.
func (s *session) begin(x *exchange) {
	if x.verb&access != 0 && x.rec.Command != "USER" {
		x.rec.User = record.Lossless(s.state.user)
	}
	if x.verb&named != 0 {
		name := x.arg
		if x.verb&listing != 0 {
			name = listingName(name)
		}
		if x.rec.Command == "MFMT" || x.rec.Command == "MFCT" {
			_, name, _ = strings.Cut(name, " ")
		}
		if name != "" || x.verb&listing != 0 {
			x.rec.Path = record.Lossless(s.state.path(name))
		}
	}
	if x.transfer != nil {
		x.transfer.begin()
	}
}

// listingName takes the options of ls, which many clients send, off a LIST.
func listingName(arg string) string {
	for strings.HasPrefix(arg, "-") {
		_, arg, _ = strings.Cut(arg, " ")
		arg = strings.TrimLeft(arg, " ")
	}
	return arg
}

// apply follows the state when a command's last reply has come, and says what
// that asks of the session.
func (s *session) apply(x *exchange, r *reply) dissect.Action {
	code := r.rec.Code
	ok := code/100 == 2
	st := &s.state
	switch c := x.rec.Command; {
	case c == "AUTH":
		return s.answeredAuth(x, code)
	case c == "CCC" && ok && s.protection() != "":
		st.clearAgain = true
		return dissect.Downgrade
	case x.verb&access != 0:
		s.login(x, code, r)
	case x.verb&sets != 0:
		s.answeredChannel(x, r)
	case x.verb&transfers != 0:
		if x.transfer != nil {
			x.transfer.completed(r)
		}
	case c == "REST":
		if code == 350 || ok {
			st.restart = max(leadingNumber(x.arg), 0)
		}
	case !ok:
	case c == "REIN" || c == "HOST":
		keep := *st
		st.reset(false)
		st.private, st.clearAgain = keep.private, keep.clearAgain
	case c == "CWD" || c == "XCWD":
		st.cwd = s.said(r, st.path(x.arg))
	case c == "CDUP" || c == "XCUP":
		st.cwd = s.said(r, st.path(".."))
	case c == "PWD" || c == "XPWD":
		st.cwd = s.said(r, st.cwd)
	case c == "TYPE":
		st.kind = strings.ToUpper(strings.TrimSuffix(strings.TrimSpace(x.arg), " N"))
	case c == "MODE":
		st.mode = firstUpper(x.arg, st.mode)
	case c == "STRU":
		st.structure = firstUpper(x.arg, st.structure)
	case c == "PROT":
		st.private = firstUpper(x.arg, "C") == "P" && s.protection() != ""
	case c == "ALLO":
		st.allo = leadingNumber(x.arg)
	case c == "SIZE":
		s.remember(x.rec.Path, announcement{leadingNumber(strings.TrimSpace(lastLine(r))), "SIZE"}, code == 213)
	case c == "HASH" || strings.HasPrefix(c, "X") || c == "MD5":
		x.rec.Algorithm, x.rec.Digest, x.rec.DigestTo = digestSaid(c, &r.rec)
	case c == "MLST":
		s.rememberFacts(x.rec.Path, r)
	}
	return dissect.Continue
}

func firstUpper(arg, otherwise string) string {
	if arg = strings.ToUpper(strings.TrimSpace(arg)); arg != "" {
		return arg[:1]
	}
	return otherwise
}

// said returns the folder that a reply names: in quotes after 257 (RFC 959,
// appendix II), or behind "directory is" as pure-ftpd and others say; else
// the one that was asked for.
func (s *session) said(r *reply, asked string) string {
	for _, l := range r.rec.Lines {
		if name, ok := unquote(l); ok && strings.HasPrefix(name, "/") {
			return join("/", name)
		}
		if i := strings.Index(l, "directory is "); i >= 0 {
			if name := strings.TrimRight(l[i+len("directory is "):], ". "); strings.HasPrefix(name, "/") {
				return join("/", name)
			}
		}
	}
	return asked
}

// isTLS reports whether the argument of AUTH asks for TLS (RFC 4217, section
// 4; TLS-C, TLS-P and SSL come from its drafts).
func isTLS(arg string) bool {
	switch strings.ToUpper(strings.TrimSpace(arg)) {
	case "TLS", "SSL", "TLS-C", "TLS-P":
		return true
	}
	return false
}

// answeredAuth ends the hold behind AUTH TLS (RFC 4217, section 12.3).
func (s *session) answeredAuth(x *exchange, code int) dissect.Action {
	if !s.awaitTLS || !isTLS(x.arg) {
		return dissect.Continue
	}
	s.awaitTLS = false
	// 334 is from the drafts; the session goes on with TLS just the same.
	if code == 234 || code == 334 {
		if arg := strings.ToUpper(strings.TrimSpace(x.arg)); arg == "SSL" || arg == "TLS-P" {
			s.state.private = true // both imply PROT P
		}
		for d := range s.input {
			s.input[d].lines.Reset()
		}
		return dissect.Upgrade
	}
	return dissect.ReleaseClient
}

// unanswered follows from a command that will not be answered.
func (s *session) unanswered(x *exchange) {
	if x.rec.Command == "AUTH" {
		s.awaitTLS = false
	}
	if x.channel != nil && x.verb&passive != 0 {
		x.channel.failed = true
	}
	if !x.started {
		s.begin(x)
	}
}

// login follows USER, PASS and ACCT (RFC 959, section 5.4).
func (s *session) login(x *exchange, code int, r *reply) {
	st := &s.state
	if x.rec.Command == "USER" {
		st.user, st.loggedIn = x.arg, false
	}
	x.rec.User = record.Lossless(st.user)
	if code == 230 || code == 232 || code == 202 && x.rec.Command != "ACCT" {
		st.loggedIn = true
		st.cwd = s.said(r, st.cwd)
	}
}

// emitCredential reports an attempt to log in: a password with its verdict,
// or a user name that was enough or was refused.
func (s *session) emitCredential(x *exchange) {
	if x.rec.Command == "PASS" {
		s.userOnly = nil // some servers say 230 to any USER, and want a password yet
	} else {
		s.emitUserOnly()
	}
	switch x.rec.Command {
	case "USER":
		if x.rec.Result == record.FTPMore || x.rec.Result == record.FTPUnanswered {
			return
		}
	case "PASS":
	default:
		return
	}
	c := &record.Credential{
		Account:   x.rec.User,
		Mechanism: "USER/PASS",
		Exposure:  record.ExposureClear,
		Worked:    "unknown",
	}
	c.Header = record.Header{Time: x.rec.Time, Dir: x.rec.Dir, Offset: x.rec.Offset, StreamOffset: x.rec.StreamOffset, Packet: x.rec.Packet}
	if x.rec.Command == "PASS" {
		c.Secret = s.env.Secret(record.Lossless(x.arg))
	}
	if x.rec.Protection != "" {
		c.Exposure = record.ExposureHidden
	}
	switch x.rec.Result {
	case record.FTPOk:
		c.Worked = "yes"
	case record.FTPFailed:
		c.Worked = "no"
	}
	if f := x.rec.Final(); f != nil {
		c.Reply = f.String()
	}
	if x.rec.Command == "USER" && x.rec.Result == record.FTPOk {
		s.userOnly = c
		return
	}
	s.env.Emit(c)
}

func (s *session) emitUserOnly() {
	if s.userOnly != nil {
		s.env.Emit(s.userOnly)
		s.userOnly = nil
	}
}
