package diagnose

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sniff/record"
)

// ftpFamily judges FTP sessions: why files do not move although the login
// works (ftp_transfer.go), what went wrong with a file, and what is unsafe.
func ftpFamily() Family {
	passive, guessing := newFTPPassive(), &ftpGuessing{}
	return Family{
		Name:    "ftp",
		Codes:   ftpCodes(),
		Session: func() Observer { return &ftpObserver{passive: passive, guessing: guessing} },
		Whole:   func() Observer { return together{guessing, newFTPLine(), &ftpHidden{}} },
	}
}

// ftpObserver sees one control session, or a data session that outlived its
// control session.
type ftpObserver struct {
	loggedIn   bool
	failed     int
	lastFail   *record.FTPExchange
	anonymous  bool
	encrypted  bool
	timeout    *record.FTPExchange
	unreported *record.FTPTransfer // moved, and its last reply was not seen
	announced  *record.FTPExchange // the latest reply to PASV and the like
	passive    *ftpPassive         // of all sessions
	guessing   *ftpGuessing        // likewise
	digests    ftpDigests
}

func (o *ftpObserver) See(r record.Record, rep *Reporter) {
	switch r := r.(type) {
	case *record.FTPExchange:
		o.exchange(r, rep)
	case *record.FTPTransfer:
		o.transfer(r, rep)
	case *record.Credential:
		if r.Exposure == record.ExposureClear && !r.Secret.IsZero() && !isAnonymous(r.Account) {
			rep.Raise("ftp.cleartext_password", fmt.Sprintf("%s sent the password of %q to %s in the clear", r.Client.Addr(), r.Account, r.Server), r)
		}
	case *record.Anomaly:
		switch r.Code {
		case "starttls_injection":
			rep.Raise("ftp.tls_injection", "bytes in the clear stood behind AUTH TLS: "+r.Detail, r)
		case "ftp_data_not_tls":
			rep.Raise("ftp.data_not_tls", r.Detail, r)
		case "ftp_data_unexpected_tls":
			rep.Raise("ftp.data_unexpected_tls", r.Detail, r)
		}
	}
}

func isAnonymous(user string) bool {
	return strings.EqualFold(user, "anonymous") || strings.EqualFold(user, "ftp")
}

// exchange judges one command and its answer.
func (o *ftpObserver) exchange(x *record.FTPExchange, rep *Reporter) {
	o.encrypted = o.encrypted || x.Protection != ""
	f := x.Final()
	switch {
	case x.Result == record.FTPUnasked && f != nil && f.Code == 421:
		o.timeout = x
	case isLogin(x):
		switch x.Result {
		case record.FTPOk:
			o.loggedIn, o.anonymous = true, isAnonymous(x.User)
		case record.FTPFailed:
			o.failed++
			o.lastFail = x
		}
	case f == nil:
	case x.Digest != "":
		o.digests.said(x, rep)
	case x.Result == record.FTPOk && x.Endpoint.IsValid() && isPassive(x.Command):
		o.passive.announced(x, o.announced)
		o.announced = x
	case x.Endpoint.IsValid() && (x.Command == "PORT" || x.Command == "EPRT" || x.Command == "LPRT"):
		o.port(x, f, rep)
	case x.Result == record.FTPFailed && x.Command == "REST":
		rep.Raise("ftp.restart_refused", fmt.Sprintf("%s refused to resume at %s: %s", x.Server, x.Arg, f), x)
	case x.Result == record.FTPFailed && f.Code == 530 && o.loggedIn:
	case x.Result == record.FTPOk && o.anonymous && changes(x.Command):
		rep.Raise("ftp.anonymous_write", fmt.Sprintf("anonymous changed %s on %s with %s", x.Path, x.Server, x.Command), x)
	}
}

func isLogin(x *record.FTPExchange) bool {
	return x.Command == "PASS" || x.Command == "ACCT" || x.Command == "USER"
}

func isPassive(command string) bool {
	switch command {
	case "PASV", "EPSV", "LPSV", "SPSV", "CPSV":
		return true
	}
	return false
}

func changes(command string) bool {
	switch command {
	case "DELE", "MKD", "XMKD", "RMD", "XRMD", "RNTO":
		return true
	}
	return false
}

// port judges an address that the client asks the server to connect to.
func (o *ftpObserver) port(x *record.FTPExchange, f *record.FTPReply, rep *Reporter) {
	to, client := x.Endpoint.Addr().Unmap(), x.Client.Addr().Unmap()
	accepted := x.Result == record.FTPOk
	passive := o.passive.other(x)
	switch {
	case passive != nil && accepted:
		serverToServer(x, passive, rep)
	case to != client && isPrivate(to) && !isPrivate(client):
		rep.Raise("ftp.private_address", fmt.Sprintf("the client at %s told %s to connect to its private address %s", client, x.Server, x.Endpoint), x)
	case to != client || x.Endpoint.Port() < 1024:
		finding := rep.Raise("ftp.bounce", fmt.Sprintf("%s asked %s to connect to %s: %s", client, x.Server, x.Endpoint, f), x)
		if !accepted {
			finding.Severity = record.SeverityWarning
		}
	case !accepted:
		rep.Raise("ftp.active_refused", fmt.Sprintf("%s refused %s %s: %s", x.Server, x.Command, x.Arg, f), x)
	}
}

// End judges the login, and how the control connection ended.
func (o *ftpObserver) End(s *record.Session, rep *Reporter) {
	if o.failed > 0 && !o.loggedIn && !o.guessing.by(s.Client.Addr()) {
		rep.Raise("ftp.login_failed", fmt.Sprintf("%s could not log in to %s as %q: %s", s.Client.Addr(), s.Server, o.lastFail.User, o.lastFail.Final()), o.lastFail)
	}
	if o.timeout != nil {
		rep.Raise("ftp.idle_timeout", fmt.Sprintf("%s ended the session: %s", s.Server, o.timeout.Replies[0].String()), o.timeout)
	}
	o.silence(s, rep)
	o.passive.over(o.announced)
	rep.Explains("ftp.private_address", "ftp.passive_unreachable")
	rep.Explains("ftp.private_address", "ftp.active_unreachable")
	rep.Explains("ftp.session_reuse", "ftp.passive_unreachable")
	rep.Explains("ftp.disk_full", "ftp.short_transfer")
	rep.Explains("ftp.idle_timeout", "ftp.control_lost")
	rep.Explains("ftp.control_lost", "ftp.short_transfer")
	rep.Explains("ftp.data_unexpected_tls", "ftp.data_in_clear")
	explainedByTLS(rep, "ftp.control_lost", "ftp.login_failed")
}

// silentFor is how long nothing must be heard after a transfer until that says
// more than that the capture ended.
const silentFor = time.Second

// silence judges a control connection on which nothing was heard any more after
// a transfer, although it was still there.
func (o *ftpObserver) silence(s *record.Session, rep *Reporter) {
	t := o.unreported
	if t == nil {
		return
	}
	moved, over := t.Time.Add(t.Duration.Duration()), s.Time.Add(s.Duration.Duration())
	if silent := over.Sub(moved); silent >= silentFor {
		rep.Raise("ftp.control_lost", fmt.Sprintf("%s moved %s in %s, but its last reply never came: nothing more was heard from %s in %s", subject(t), record.Bytes(t.Bytes), t.Duration, s.Server, record.Seconds(silent)), t)
	}
}

// ftpGuessing counts failed logins by client over all sessions.
type ftpGuessing struct {
	clients map[string]*ftpGuesser
	order   []string
}

type ftpGuesser struct {
	failures int
	users    map[string]bool
	worked   string
	last     *record.FTPExchange
}

const (
	maxGuessers    = 10_000
	maxGuessed     = 1000 // users counted apart
	guessesEnough  = 10   // failures that are no mistyping any more
	usersAreEnough = 4
)

func (g *ftpGuessing) See(r record.Record, rep *Reporter) {
	x, ok := r.(*record.FTPExchange)
	if !ok || !isLogin(x) || x.Result != record.FTPFailed && x.Result != record.FTPOk {
		return
	}
	client := x.Client.Addr().Unmap().String()
	c := g.clients[client]
	if x.Result == record.FTPOk {
		if c != nil && c.worked == "" {
			c.worked = x.User
		}
		return
	}
	if c == nil {
		if len(g.clients) >= maxGuessers {
			return
		}
		if g.clients == nil {
			g.clients = make(map[string]*ftpGuesser)
		}
		c = &ftpGuesser{users: make(map[string]bool)}
		g.clients[client] = c
		g.order = append(g.order, client)
	}
	c.failures++
	c.last = x
	if len(c.users) < maxGuessed {
		c.users[x.User] = true
	}
}

// by reports whether this client's failures are told as guessing.
func (g *ftpGuessing) by(client netip.Addr) bool {
	c := g.clients[client.Unmap().String()]
	return c != nil && c.enough()
}

func (c *ftpGuesser) enough() bool {
	return c.failures >= guessesEnough || len(c.users) >= usersAreEnough
}

func (g *ftpGuessing) End(_ *record.Session, rep *Reporter) {
	for _, client := range g.order {
		c := g.clients[client]
		if !c.enough() {
			continue
		}
		title := fmt.Sprintf("%s failed to log in to FTP %d times as %d users", client, c.failures, len(c.users))
		if len(c.users) == 1 {
			title = fmt.Sprintf("%s failed to log in to FTP %d times as %q", client, c.failures, c.last.User)
		}
		f := rep.Raise("ftp.guessing", title, c.last)
		if c.worked != "" {
			f.Title += fmt.Sprintf(", and got in as %q", c.worked)
			f.Severity = record.SeverityCritical
		}
	}
}
