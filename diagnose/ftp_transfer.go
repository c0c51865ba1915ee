package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"sniff/record"
)

// transfer judges one transfer: whether its data connection came about, who
// was on it, and whether the file arrived.
func (o *ftpObserver) transfer(t *record.FTPTransfer, rep *Reporter) {
	if t.Control != "" && t.Bytes > 0 && t.Inferred == "" {
		rep.Raise("ftp.control_lost", fmt.Sprintf("the control connection to %s was gone while %s still moved", ftpServer(t), subject(t)), t)
	}
	o.addresses(t, rep)
	reply := fmt.Sprintf("%d %s", t.Completion, t.Reply)
	switch moved := t.Bytes > 0 && t.DataEnd == record.EndClosed; {
	case t.Completion == 421 && t.Bytes > 0:
		rep.Raise("ftp.control_lost", fmt.Sprintf("%s ended the control connection while %s moved: %s", t.Server, subject(t), reply), t)
	case t.Completion == 0 && t.Opening != 0 && t.Control == "" && moved:
		o.unreported = t
	}
	switch {
	case wantsReuse(t):
		rep.Raise("ftp.session_reuse", fmt.Sprintf("%s wants the TLS session of the control connection on data connections: %s", t.Server, reply), t)
	case t.Completion == 521 || t.Completion == 522 || t.Completion >= 400 && replySays(t, "prot p"):
		rep.Raise("ftp.data_protection", fmt.Sprintf("%s refused a data connection for its protection: %s", t.Server, reply), t)
	case t.Outcome == record.TransferUnopened && t.Active:
		rep.Raise("ftp.active_unreachable", fmt.Sprintf("%s could not connect back to %s%s: %s", ftpServer(t), t.Endpoint, purpose(t), t.Reason), t)
	case t.Outcome == record.TransferUnopened, t.Outcome == record.TransferUnknown && t.DataSession == "" && t.Completion >= 400:
		rep.Raise("ftp.passive_unreachable", fmt.Sprintf("%s could not reach %s%s: %s", ftpClient(t), dataPort(t), purpose(t), t.Reason), t)
	case noRoom(t):
		rep.Raise("ftp.disk_full", fmt.Sprintf("%s has no room for %s: %s", t.Server, subject(t), reply), t)
	case t.Direction == "upload" && t.Completion == 451 && t.DataSession != "":
		rep.Raise("ftp.store_failed", fmt.Sprintf("%s took %s of %s and could not write them: %s", t.Server, record.Bytes(t.Bytes), subject(t), reply), t)
	case t.Outcome == record.TransferRefused && t.Restart > 0 && replySays(t, "resum", "restart"):
		rep.Raise("ftp.restart_refused", fmt.Sprintf("%s refused to resume %s at %d: %s", t.Server, subject(t), t.Restart, reply), t)
	case t.Outcome == record.TransferRefused && (t.Completion == 550 || t.Completion == 553):
		rep.Raise("ftp.file_refused", fmt.Sprintf("%s was refused: %s", subject(t), reply), t)
	case t.Outcome == record.TransferAborted:
		rep.Raise("ftp.aborted", fmt.Sprintf("%s was given up after %s: %s", subject(t), record.Bytes(t.Bytes), t.Reason), t)
	case t.Outcome == record.TransferShort:
		o.short(t, rep)
	}
	o.safety(t, rep)
	o.digests.moved(t, rep)
}

// replySays reports whether the last reply has one of the words, in lower case.
func replySays(t *record.FTPTransfer, words ...string) bool {
	text := strings.ToLower(t.Reply)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// wantsReuse reports whether the server took offence at a data connection's new
// TLS session. vsftpd says so; proftpd shuts the connection right behind the
// handshake and gives the reason of the system (EPERM).
func wantsReuse(t *record.FTPTransfer) bool {
	if t.Completion < 400 {
		return false
	}
	return replySays(t, "reuse") || t.TLSVersion != "" && t.TLSResumed == "" && replySays(t, "operation not permitted")
}

// noRoom reports whether the server says that its disk or a quota is full.
func noRoom(t *record.FTPTransfer) bool {
	return t.Completion == 452 || t.Completion == 552 ||
		t.Completion >= 400 && t.Direction == "upload" && replySays(t, "no space", "disk full", "quota")
}

// subject names what was moved, as far as it is known.
func subject(t *record.FTPTransfer) string {
	switch {
	case t.Command != "" && t.Path != "":
		return t.Command + " " + t.Path
	case t.Command != "":
		return t.Command
	case t.Direction != "":
		return "a " + t.Direction
	}
	return "data"
}

// purpose is the command that the data connection was for, when it was sent.
func purpose(t *record.FTPTransfer) string {
	if t.Command == "" {
		return ""
	}
	return " for " + t.Command
}

// ftpClient and ftpServer are the ends of the control connection, also when
// the record stands in the data session, in which the server may be who calls.
func ftpClient(t *record.FTPTransfer) netip.Addr {
	if t.Control != "" && t.Active {
		return t.Server.Addr()
	}
	return t.Client.Addr()
}

func ftpServer(t *record.FTPTransfer) netip.Addr {
	if t.Control != "" && t.Active {
		return t.Client.Addr()
	}
	return t.Server.Addr()
}

// dataPort is where the client tried to connect.
func dataPort(t *record.FTPTransfer) netip.AddrPort {
	if t.DataTo.IsValid() {
		return t.DataTo
	}
	return t.Endpoint
}

// short tells a transfer that stopped from one that never carried anything.
func (o *ftpObserver) short(t *record.FTPTransfer, rep *Reporter) {
	if t.Bytes == 0 && t.Expected() > 0 && t.DataEnd == record.EndClosed {
		title := fmt.Sprintf("%s opened a data connection and moved nothing of %d bytes", subject(t), t.Expected())
		if t.Completion >= 400 {
			title += fmt.Sprintf(": %d %s", t.Completion, t.Reply)
		}
		rep.Raise("ftp.data_empty", title, t)
		return
	}
	title := fmt.Sprintf("%s ended early after %s: %s", subject(t), record.Bytes(t.Bytes), t.Reason)
	f := rep.Raise("ftp.short_transfer", title, t)
	if t.DataEnd == record.EndReset && t.EndedBy != "" {
		f.Evidence = append(f.Evidence, Seen(t, record.Plain("the "+t.EndedBy+" reset the data connection")))
	}
}

// addresses compares what was announced with the ends of the connections.
func (o *ftpObserver) addresses(t *record.FTPTransfer, rep *Reporter) {
	at := t.Endpoint.Addr().Unmap()
	client, server := t.Client.Addr().Unmap(), t.Server.Addr().Unmap()
	if t.Control != "" || t.Setup == "" && t.Command == "" {
		return // the record bears the addresses of the data connection
	}
	if !t.Active && at.IsValid() && at != server {
		if isPrivate(at) && !isPrivate(server) || t.Outcome == record.TransferUnopened || t.DataSession != "" && t.DataTo.Addr().Unmap() != at {
			f := rep.Raise("ftp.private_address", fmt.Sprintf("the server at %s announced %s for its data connection", server, t.Endpoint), t)
			if t.Outcome == record.TransferComplete {
				f.Severity = record.SeverityNotice // the client knew better
			}
		} else {
			rep.Raise("ftp.foreign_address", fmt.Sprintf("%s announced a data connection on another machine, %s", server, t.Endpoint), t)
		}
	}
	if !t.DataFrom.IsValid() {
		return
	}
	from := t.DataFrom.Addr().Unmap()
	switch {
	case !t.Active && from != client:
		rep.Raise("ftp.hijack", fmt.Sprintf("%s, not the client %s, took the data connection of %s", t.DataFrom, client, subject(t)), t)
	case t.Active && from != server:
		rep.Raise("ftp.foreign_address", fmt.Sprintf("the data connection of %s came from %s, not from the server %s", subject(t), t.DataFrom, server), t)
	case t.Active && t.DataFrom.Port() != t.Server.Port()-1 && t.DataFrom.Port() != 20:
		rep.Raise("ftp.data_port", fmt.Sprintf("%s opened its data connections from port %d", server, t.DataFrom.Port()), t)
	}
}

// safety judges what a transfer that worked says about the setup.
func (o *ftpObserver) safety(t *record.FTPTransfer, rep *Reporter) {
	if t.Direction == "upload" && t.Outcome == record.TransferComplete && isAnonymous(t.User) {
		rep.Raise("ftp.anonymous_write", fmt.Sprintf("anonymous stored %s on %s", t.Path, t.Server), t)
	}
	if (o.encrypted || t.Inferred != "") && !t.Protected && t.DataSession != "" && t.Bytes > 0 {
		rep.Raise("ftp.data_in_clear", fmt.Sprintf("%s moved in the clear although the session is in TLS", subject(t)), t)
	}
	if damaged(t) {
		rep.Raise("ftp.ascii_damage", fmt.Sprintf("%s is %s and was moved as text (TYPE A): %[3]d of %[3]d LF have a CR in front", subject(t), t.Content.Detected, t.LineEnds.CRLF), t,
			record.Plain(fmt.Sprintf("%d CR LF, %d LF alone, %d CR alone, %d NUL", t.LineEnds.CRLF, t.LineEnds.LF, t.LineEnds.CR, t.LineEnds.NUL)))
	}
}

// damaged reports whether a file that is no text went over the wire with its
// line ends changed: its bytes say what it is, and every LF in it has become
// CR LF, which does not happen in a binary file of some size.
func damaged(t *record.FTPTransfer) bool {
	if t.LineEnds == nil || t.Content == nil || !isBinary(t.Content.Detected, t.LineEnds) {
		return false
	}
	return t.LineEnds.CRLF > 0 && t.LineEnds.LF == 0
}

func isBinary(media string, ends *record.LineEnds) bool {
	switch {
	case media == "", strings.HasPrefix(media, "text/"), strings.HasSuffix(media, "xml"), strings.HasSuffix(media, "json"):
		return false
	case media == "application/octet-stream":
		return ends.NUL > 0
	}
	for _, family := range []string{"image/", "audio/", "video/", "application/", "font/"} {
		if strings.HasPrefix(media, family) {
			return ends.NUL > 0
		}
	}
	return false
}

// isPrivate reports whether an address means nothing outside of its own
// network.
func isPrivate(a netip.Addr) bool {
	// 100.64.0.0/10 is what carriers use behind their own translation (RFC 6598).
	shared := a.Is4() && a.As4()[0] == 100 && a.As4()[1]&0xc0 == 64
	return shared || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified()
}
