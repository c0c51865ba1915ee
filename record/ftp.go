package record

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// FTPExchange is one FTP command with everything that the server said to it,
// or a reply that nobody asked for (the greeting, a timeout).
type FTPExchange struct {
	Header
	Command    string         `json:"command,omitempty" doc:"command in upper case; empty for a reply that nobody asked for, such as the greeting"`
	Arg        Text           `json:"arg,omitzero" doc:"argument as sent, passwords masked, bytes that are no UTF-8 as \\xNN"`
	Path       string         `json:"path,omitempty" doc:"absolute path that the argument means; ~ stands for a login directory whose name was never said"`
	User       string         `json:"user,omitempty" doc:"who is logged in, or logging in"`
	Replies    []FTPReply     `json:"replies,omitempty" doc:"replies in order, preliminary ones first; none when it was never answered"`
	Result     string         `json:"result" doc:"ok, more (3xx), failed, unanswered, or unasked for a reply without a command"`
	Wait       Seconds        `json:"wait,omitempty" doc:"time from command to first reply, seconds"`
	Duration   Seconds        `json:"duration,omitempty" doc:"time from command to the reply that ended it, seconds"`
	Pipelined  bool           `json:"pipelined,omitempty" doc:"sent before the command in front of it was answered"`
	Telnet     string         `json:"telnet,omitempty" doc:"Telnet commands in front of it, such as IP DM before ABOR"`
	Unknown    bool           `json:"unknown,omitempty" doc:"a command that no RFC and no well-known extension names"`
	Endpoint   netip.AddrPort `json:"endpoint,omitzero" doc:"address that a PORT, EPRT or LPRT, or the reply to PASV, EPSV or LPSV, announces as written"`
	Algorithm  string         `json:"algorithm,omitempty" doc:"what the reply to HASH, XMD5, XSHA and the like was computed with: MD5, SHA-1, SHA-256, ..."`
	Digest     string         `json:"digest,omitempty" doc:"the digest in that reply, hexadecimal, lower case"`
	DigestTo   int64          `json:"digest_to,omitempty" doc:"bytes that it is over, from the first, where the reply says so"`
	Protection string         `json:"protection,omitempty" doc:"how it went over the wire when not in the clear: tls"`
}

// FTPReply is one reply, of one line or several.
type FTPReply struct {
	Code         int       `json:"code" doc:"reply code; 0 when the line bears none"`
	Lines        []string  `json:"lines" doc:"text of its lines without code and line end, bytes that are no UTF-8 as \\xNN; bounded"`
	More         int       `json:"more,omitempty" doc:"lines that were not kept"`
	Incomplete   bool      `json:"incomplete,omitempty" doc:"its last line was never seen"`
	Time         time.Time `json:"time" doc:"capture time of its first byte"`
	Offset       int64     `json:"offset" doc:"offset of its first byte in the server's stream"`
	StreamOffset int64     `json:"stream_offset,omitempty" doc:"where that byte came out of TLS: offset of the TLS record that carried it, as in the header"`
}

// Results of an FTPExchange.
const (
	FTPOk         = "ok"
	FTPMore       = "more"
	FTPFailed     = "failed"
	FTPUnanswered = "unanswered"
	FTPUnasked    = "unasked"
)

func (*FTPExchange) Kind() Kind { return KindFTPExchange }

// Final returns the reply that ended the exchange, nil when there is none.
func (x *FTPExchange) Final() *FTPReply {
	if n := len(x.Replies); n > 0 && x.Replies[n-1].Code/100 != 1 {
		return &x.Replies[n-1]
	}
	return nil
}

// Text returns the reply's first line that says something.
func (r *FTPReply) Text() string {
	for _, l := range r.Lines {
		if l = strings.TrimSpace(l); l != "" {
			return l
		}
	}
	return ""
}

func (r *FTPReply) String() string {
	if r.Code == 0 {
		return r.Text()
	}
	return fmt.Sprintf("%03d %s", r.Code, r.Text())
}

func (x *FTPExchange) Summary() string {
	var b strings.Builder
	b.WriteString(x.Command)
	if !x.Arg.IsZero() {
		b.WriteString(" " + x.Arg.String())
	}
	for i := range x.Replies {
		if b.Len() > 0 {
			b.WriteString(" -> ")
		}
		b.WriteString(x.Replies[i].String())
	}
	if len(x.Replies) == 0 {
		b.WriteString(", unanswered")
	}
	return b.String()
}

// Lines returns the command and its replies as they were said.
func (x *FTPExchange) Lines() []Line {
	var lines []Line
	if x.Command != "" {
		text := x.Arg
		if text.IsZero() {
			text = Plain(x.Command)
		} else {
			text = text.after(x.Command + " ")
		}
		lines = append(lines, Line{Time: x.Time, Dir: ClientToServer, Text: text})
	}
	for i := range x.Replies {
		lines = append(lines, x.Replies[i].dialogue()...)
	}
	return lines
}

func (r *FTPReply) dialogue() []Line {
	lines := make([]Line, 0, len(r.Lines))
	for i, l := range r.Lines {
		switch {
		case r.Code == 0:
		case i == len(r.Lines)-1 && !r.Incomplete && r.More == 0:
			l = fmt.Sprintf("%03d %s", r.Code, l)
		case i == 0:
			l = fmt.Sprintf("%03d-%s", r.Code, l)
		default:
			l = "    " + l
		}
		lines = append(lines, Line{Time: r.Time, Dir: ServerToClient, Text: Plain(l)})
	}
	switch {
	case r.More > 0:
		lines = append(lines, Line{Time: r.Time, Note: true, Text: Plain(fmt.Sprintf("%d more lines of this reply", r.More))})
	case r.Incomplete:
		lines = append(lines, Line{Time: r.Time, Note: true, Text: Plain("the end of this reply was not seen")})
	}
	return lines
}

// after puts a plain prefix in front of t.
func (t Text) after(prefix string) Text {
	out := Text{text: prefix + t.text, shown: t.shown}
	for _, s := range t.secrets {
		out.secrets = append(out.secrets, span{s.from + len(prefix), s.to + len(prefix)})
	}
	return out
}

// Tell says who logged in and what was changed on the server.
func (x *FTPExchange) Tell(o *Outline) {
	switch {
	case x.Command == "PASS" || x.Command == "USER" || x.Command == "ACCT":
		x.tellLogin(o)
	case x.Result == FTPOk && x.Command == "DELE":
		tellCounted(o, "ftp.deleted", "deleted "+shortPath(x.Path), "deleted %d files")
	case x.Result == FTPOk && x.Command == "RNTO":
		tellCounted(o, "ftp.renamed", "renamed a file to "+shortPath(x.Path), "renamed %d files")
	case x.Result == FTPOk && (x.Command == "RMD" || x.Command == "XRMD"):
		tellCounted(o, "ftp.removed", "removed folder "+shortPath(x.Path), "removed %d folders")
	case x.Result == FTPOk && (x.Command == "MKD" || x.Command == "XMKD"):
		tellCounted(o, "ftp.made", "made folder "+shortPath(x.Path), "made %d folders")
	case x.Result == FTPUnasked && x.Replies[0].Code >= 400:
		f := o.Fact("ftp.unasked")
		f.Text, f.Rank = "server said "+x.Replies[0].String(), 1
	}
}

func (x *FTPExchange) tellLogin(o *Outline) {
	switch x.Result {
	case FTPOk:
		f := o.Fact("ftp.login")
		f.N++
		if login := "login " + x.User; f.N == 1 || f.Text == login {
			f.Text = login
		} else {
			f.Text = fmt.Sprintf("%d logins, the last as %s", f.N, x.User)
		}
		f.Rank = 5
	case FTPFailed:
		f := o.Fact("ftp.login.failed")
		f.N++
		one := "login " + x.User + " failed"
		switch {
		case f.N == 1:
			f.Text = one
		case strings.HasPrefix(f.Text, one):
			f.Text = fmt.Sprintf("%s %d times", one, f.N)
		default:
			f.Text = fmt.Sprintf("logins of several users failed %d times", f.N)
		}
		f.Rank = 5
	}
}

// tellCounted keeps one clause for one thing, and a count for several.
func tellCounted(o *Outline, key, one, many string) {
	f := o.Fact(key)
	f.N++
	f.Text = one
	if f.N > 1 {
		f.Text = fmt.Sprintf(many, f.N)
	}
}

// How a transfer ended.
const (
	TransferComplete = "complete" // both sides and the sizes agree that it is whole
	TransferShort    = "short"    // it ended before its end
	TransferAborted  = "aborted"  // one side gave it up
	TransferRefused  = "refused"  // the server would not begin it
	TransferUnopened = "never opened"
	TransferUnknown  = "unknown" // the traffic seen does not tell
)

// FTPTransfer is one file or listing that was moved, or was to be moved, over
// a data connection.
type FTPTransfer struct {
	Header
	Direction  string `json:"direction,omitempty" doc:"download, upload or listing; empty when the data connection failed before a command was sent"`
	Command    string `json:"command,omitempty" doc:"RETR, STOR, STOU, APPE, LIST, NLST, MLSD"`
	Path       string `json:"path,omitempty" doc:"absolute path on the server; ~ stands for a login directory whose name was never said"`
	User       string `json:"user,omitempty" doc:"who was logged in"`
	Mode       string `json:"mode,omitempty" doc:"transfer mode: S stream, B block, C compressed, Z deflate"`
	Type       string `json:"type,omitempty" doc:"representation type: A, I, E or L with its byte size"`
	Structure  string `json:"structure,omitempty" doc:"file structure when it is not F: R or P"`
	Restart    int64  `json:"restart,omitempty" doc:"restart point in bytes (REST)"`
	AppendTo   int64  `json:"append_to,omitempty" doc:"size of the file that APPE adds to, where the session had asked for it (SIZE)"`
	Outcome    string `json:"outcome" doc:"complete, short, aborted, refused, never opened or unknown"`
	Reason     string `json:"reason,omitempty" doc:"why it is not complete, in words"`
	Bytes      int64  `json:"bytes" doc:"bytes of the file seen, after the transfer mode was undone; ASCII line ends as they came"`
	WireBytes  int64  `json:"wire_bytes,omitempty" doc:"bytes on the data connection where they differ from bytes"`
	Announced  int64  `json:"announced,omitempty" doc:"size of the whole file as announced"`
	Source     string `json:"announced_by,omitempty" doc:"what announced the size: SIZE, ALLO, MLST or reply (the 150 text)"`
	Opening    int    `json:"opening,omitempty" doc:"code of the preliminary reply, 125 or 150"`
	Completion int    `json:"completion,omitempty" doc:"code of the reply that ended it"`
	Reply      string `json:"reply,omitempty" doc:"text of the reply that ended it"`

	FirstByte Seconds `json:"first_byte,omitempty" doc:"time from command to first byte of data, seconds"`
	Duration  Seconds `json:"duration,omitempty" doc:"time from command to the end of data or the last reply, whichever is later, seconds"`
	Rate      int64   `json:"rate,omitempty" doc:"bytes a second on the data connection, first to last byte"`

	Setup       string         `json:"setup,omitempty" doc:"command that set up the data connection: PORT, EPRT, LPRT, PASV, EPSV, LPSV, SPSV, CPSV, or default (none was sent)"`
	Active      bool           `json:"active,omitempty" doc:"the server opens the data connection"`
	Endpoint    netip.AddrPort `json:"endpoint,omitzero" doc:"where the data connection was announced, as written; EPSV gives the control connection's address"`
	Control     string         `json:"control,omitempty" doc:"id of the control session, where that had ended before the data and this record stands in the data session"`
	DataSession string         `json:"data_session,omitempty" doc:"id of the data connection's session; empty when none was seen"`
	DataFrom    netip.AddrPort `json:"data_from,omitzero" doc:"who opened the data connection, by its packets"`
	DataTo      netip.AddrPort `json:"data_to,omitzero" doc:"who was called, by its packets"`
	DataEnd     string         `json:"data_end,omitempty" doc:"how the data connection ended: closed, half-closed, reset, refused, unanswered, unreachable, timeout, open, evicted"`
	EndedBy     string         `json:"data_ended_by,omitempty" doc:"who ended it: client or server of the control connection"`
	Protected   bool           `json:"protected,omitempty" doc:"the data connection is in TLS (PROT P)"`
	TLSVersion  string         `json:"tls_version,omitempty" doc:"version of TLS on the data connection"`
	TLSResumed  string         `json:"tls_resumed,omitempty" doc:"the data connection resumed an earlier TLS session, by: session_id, ticket, psk"`
	Hidden      bool           `json:"hidden,omitempty" doc:"it is in TLS that could not be read: bytes counts what went by"`
	Inferred    string         `json:"inferred,omitempty" doc:"the command could not be read either: by what the data connection was matched with its control connection, hosts and time or TLS resumption"`

	LineEnds *LineEnds   `json:"line_ends,omitempty" doc:"line ends and NULs seen in an ASCII transfer"`
	Listing  []FileEntry `json:"listing,omitempty" doc:"entries of a listing, the first 256"`
	Entries  int         `json:"entries,omitempty" doc:"how many entries the listing has"`
	Content  *Content    `json:"content,omitempty" doc:"the file: media type, digests, gaps"`
}

// LineEnds counts what an ASCII transfer would change or break.
type LineEnds struct {
	CRLF int64 `json:"crlf,omitempty" doc:"CR LF pairs"`
	LF   int64 `json:"lf,omitempty" doc:"LF without CR"`
	CR   int64 `json:"cr,omitempty" doc:"CR without LF"`
	NUL  int64 `json:"nul,omitempty" doc:"NUL bytes; text has none"`
}

// FileEntry is one line of a directory listing.
type FileEntry struct {
	Name     string `json:"name" doc:"name, bytes that are no UTF-8 as \\xNN"`
	Type     string `json:"type" doc:"file, dir, link or other"`
	Size     int64  `json:"size" doc:"size in bytes, -1 when not given"`
	Modified string `json:"modified,omitempty" doc:"time of change as it stands, or UTC in RFC 3339 where the format gives one"`
	Perm     string `json:"perm,omitempty" doc:"permissions as they stand"`
	Owner    string `json:"owner,omitempty" doc:"owner"`
	Group    string `json:"group,omitempty" doc:"group"`
	Target   string `json:"target,omitempty" doc:"what a link points to"`
}

func (*FTPTransfer) Kind() Kind { return KindFTPTransfer }

// Expected returns how many bytes the announced size and the restart point
// leave to be moved, -1 when no size was announced.
func (t *FTPTransfer) Expected() int64 {
	if t.Source == "" {
		return -1
	}
	return max(t.Announced-t.Restart, 0)
}

func (t *FTPTransfer) Summary() string {
	var b strings.Builder
	if t.Command == "" && t.Setup == "" {
		b.WriteString(t.way())
		if t.Entries > 0 {
			fmt.Fprintf(&b, " of %d entries", t.Entries)
		}
		b.WriteString(", " + Bytes(t.Bytes) + ", ")
		if t.Inferred != "" {
			b.WriteString("most likely, by " + t.Inferred + ": ")
		}
		b.WriteString(t.Reason)
		return b.String()
	}
	b.WriteString(t.what())
	if t.DataSession != "" && t.Outcome != TransferRefused && t.Outcome != TransferUnopened {
		b.WriteString(" " + Bytes(t.Bytes))
	}
	if t.Restart > 0 {
		b.WriteString(" from " + strconv.FormatInt(t.Restart, 10))
	}
	b.WriteString(" " + t.Outcome)
	if t.Reason != "" {
		b.WriteString(": " + t.Reason)
	}
	return b.String()
}

func article(noun string) string {
	if strings.IndexByte("aeiou", noun[0]) >= 0 {
		return "an " + noun
	}
	return "a " + noun
}

// way names what was moved where no command says it.
func (t *FTPTransfer) way() string {
	if t.Direction == "" {
		return "data connection"
	}
	return t.Direction
}

// what names the command and its file.
func (t *FTPTransfer) what() string {
	what := t.Command
	switch {
	case what != "":
	case t.Direction != "":
		what = t.Direction
	default:
		what = "data connection to " + t.Endpoint.String()
	}
	if t.Path != "" {
		what += " " + shortPath(t.Path)
	}
	return what
}

// shortPath keeps both ends of a path that is too long for a line.
func shortPath(p string) string {
	const longest = 100
	r := []rune(p)
	if len(r) <= longest {
		return p
	}
	return string(r[:longest/3]) + "..." + string(r[len(r)-longest/2:])
}

// Tell adds up what was moved.
func (t *FTPTransfer) Tell(o *Outline) {
	if t.Inferred != "" {
		f := o.Fact("ftp.inferred")
		f.N++
		f.Sum += t.Bytes
		f.Rank = 3
		f.Text = fmt.Sprintf("most likely %s of %s, by %s", article(t.way()), Bytes(f.Sum), t.Inferred)
		if f.N > 1 {
			f.Text = fmt.Sprintf("most likely %d data connections, %s", f.N, Bytes(f.Sum))
		}
		return
	}
	if t.Outcome != TransferComplete {
		f := o.Fact("ftp.transfer." + t.Outcome)
		f.N++
		f.Rank = 2
		f.Text = t.Summary()
		if f.N > 1 {
			f.Text = fmt.Sprintf("%d transfers %s, the last %s", f.N, t.Outcome, t.what())
		}
		return
	}
	switch t.Direction {
	case "listing":
		tellCounted(o, "ftp.listing", "listed "+shortPath(t.Path), "%d listings")
	case "upload":
		tellMoved(o, "ftp.up", t.what(), "up", t.Bytes)
	default:
		tellMoved(o, "ftp.down", t.what(), "down", t.Bytes)
	}
}

func tellMoved(o *Outline, key, one, way string, n int64) {
	f := o.Fact(key)
	f.N++
	f.Sum += n
	f.Rank = 3
	f.Text = one + " " + Bytes(n) + " complete"
	if f.N > 1 {
		f.Text = fmt.Sprintf("%d files %s, %s", f.N, way, Bytes(f.Sum))
	}
}

// tellingRate reports whether a rate says something about the line. Bytes that
// came within 10 ms came in one burst out of a buffer.
func tellingRate(bytes, rate int64) bool { return rate > 0 && bytes >= rate/100 }

// Lines notes the transfer in the dialogue, with the listing that was seen.
func (t *FTPTransfer) Lines() []Line {
	note := t.Summary()
	if tellingRate(t.Bytes, t.Rate) {
		note += ", " + Bytes(t.Rate) + "/s"
	}
	if t.TLSVersion != "" {
		note += ", " + t.TLSVersion
		if t.TLSResumed != "" {
			note += " resumed"
		}
	}
	if t.DataSession != "" {
		note += ", data " + t.DataFrom.String() + " to " + t.DataTo.String()
	}
	line := Line{Time: t.Time.Add(t.Duration.Duration()), Note: true, Text: Plain(note)}
	for i := range t.Listing {
		line.Fold = append(line.Fold, t.Listing[i].String())
	}
	if n := t.Entries - len(t.Listing); n > 0 && len(t.Listing) > 0 {
		line.Fold = append(line.Fold, fmt.Sprintf("and %d more", n))
	}
	return []Line{line}
}

func (e *FileEntry) String() string {
	size := ""
	if e.Size >= 0 && e.Type == "file" {
		size = Bytes(e.Size)
	}
	name := e.Name
	switch {
	case e.Type == "dir":
		name += "/"
	case e.Target != "":
		name += " -> " + e.Target
	}
	return fmt.Sprintf("%9s  %-20s  %s", size, e.Modified, name)
}
