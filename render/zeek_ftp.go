package render

import (
	"slices"
	"strings"

	"sniff/record"
)

// zeekFTPCommands are the commands that Zeek logs (FTP::logged_commands).
const zeekFTPCommands = " APPE DELE RETR STOR STOU ACCT PORT PASV EPRT EPSV "

// ftp writes the line of a command. One that moves a file waits for the
// record of its transfer.
func (z *Zeek) ftp(c *zeekConn, x *record.FTPExchange) error {
	if err := z.flushFTP(c); err != nil {
		return err
	}
	switch x.Command {
	case "USER":
		c.login, c.password = x.Arg.String(), ""
	case "PASS":
		c.password = "<hidden>"
		if z.style.Reveal {
			c.password = x.Arg.String()
		}
	}
	if x.Command == "" || !strings.Contains(zeekFTPCommands, " "+x.Command+" ") {
		return nil
	}
	r := z.row(&x.Header, c.uid, x.Time)
	r.set("user", c.login)
	r.set("password", c.password)
	r.set("command", x.Command)
	arg := x.Arg.String()
	if x.Path != "" {
		arg = "ftp://" + zeekHost(x) + absolute(x.Path, arg)
	}
	r.set("arg", arg)
	if n := len(x.Replies); n > 0 {
		last := &x.Replies[n-1]
		r.set("reply_code", int64(last.Code))
		r.set("reply_msg", strings.TrimSpace(strings.Join(last.Lines, " ")))
	}
	if x.Endpoint.IsValid() {
		passive := x.Command == "PASV" || x.Command == "EPSV"
		r.set("data_channel.passive", passive)
		if passive {
			r.set("data_channel.orig_h", x.Client.Addr().Unmap())
		} else {
			r.set("data_channel.orig_h", x.Server.Addr().Unmap())
		}
		r.set("data_channel.resp_h", x.Endpoint.Addr().Unmap())
		r.set("data_channel.resp_p", int64(x.Endpoint.Port()))
	}
	if slices.Contains([]string{"RETR", "STOR", "STOU", "APPE"}, x.Command) {
		c.pending, c.waitsFor = r, x.Command
		return nil
	}
	return z.put("ftp", r)
}

func zeekHost(x *record.FTPExchange) string {
	a := x.Server.Addr().Unmap()
	if a.Is4() {
		return a.String()
	}
	return "[" + a.String() + "]"
}

// absolute writes a path below the login directory, whose name was never said,
// as Zeek does: with a dot in its place.
func absolute(path, arg string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok {
		return "/." + rest
	}
	if !strings.HasPrefix(path, "/") {
		return "/" + arg
	}
	return path
}

func (z *Zeek) flushFTP(c *zeekConn) error {
	r := c.pending
	if r == nil {
		return nil
	}
	c.pending = nil
	return z.put("ftp", r)
}

// ftpTransfer completes the line of the command and writes that of the file. A
// listing is a file of its connection too.
func (z *Zeek) ftpTransfer(c *zeekConn, t *record.FTPTransfer) error {
	fuid := ""
	if t.DataSession != "" && t.Content != nil {
		fuid = zeekID('F', t.DataSession)
	}
	if r := c.pending; r != nil && c.waitsFor == t.Command {
		r.set("fuid", fuid)
		if t.Content != nil {
			r.set("mime_type", t.Content.Detected)
		}
		if t.Source != "" {
			r.set("file_size", t.Announced)
		}
		if err := z.flushFTP(c); err != nil {
			return err
		}
	}
	if fuid == "" {
		return nil
	}
	h := t.Header
	h.Client, h.Server = t.DataFrom, t.DataTo
	sentByOpener := (t.Direction == "upload") == (t.DataFrom.Addr() == t.Client.Addr())
	return z.file(zeekID('C', t.DataSession), &h, fuid, "FTP_DATA", t.Time.Add(t.FirstByte.Duration()), t.Content, 0, sentByOpener)
}
