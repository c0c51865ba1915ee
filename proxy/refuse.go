package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// What the proxy will not carry on it refuses in the words of the dialogue, so
// that the user of the client reads the reason where it looks for one; the
// records and the log have it too.

const (
	// askTime is how long a client's next word is waited for, to answer it.
	askTime = 10 * time.Second
	// lingerTime is how long a client that was refused may take to hang up.
	lingerTime = time.Second
)

// explain tells a client inside TLS why there is no way to the server. It has
// shown the client a certificate, and will show it nothing else.
func (r *relay) explain(inner *tls.Conn, hs *record.TLSHandshake, why string) {
	cp, sp := r.pumps[dissect.ClientToServer], r.pumps[dissect.ServerToClient]
	r.mu.Lock()
	r.sess.Intercepted(hs)
	r.sess.Emit(hs)
	if r.tap != nil {
		r.tap.Comment(hs.Version + " to the client only: " + why)
	}
	cp.restart(inner, sp.source(), r.sess.Consumed(cp.dir))
	sp.restart(sp.source(), inner, r.sess.Consumed(sp.dir))
	r.upgrading = false
	r.mu.Unlock()
	r.refuse(nil, why, false)
}

// refuse answers the client's next word, or word if it was read already, with
// the reason and ends the connection. Both pumps stand. demand: the client is
// asked for TLS; otherwise the service is not available to it.
func (r *relay) refuse(word []byte, why string, demand bool) {
	cp := r.pumps[dissect.ClientToServer]
	client := cp.source()
	_ = client.SetDeadline(time.Now().Add(askTime))
	reply := ""
	if len(word) == 0 {
		reply = refusalUnasked(r.sess.Protocol(), r.conn.Server.Port(), why)
	}
	for buf := make([]byte, firstBuffer); reply == ""; {
		r.heard(cp, word)
		var more bool
		if reply, more = refusalOf(r.sess.Protocol(), word, why, demand); !more || len(word) > maxHead {
			break
		}
		n, err := client.Read(buf)
		if err != nil {
			break
		}
		word = append(word, buf[:n]...)
	}
	if reply != "" {
		r.heard(r.pumps[dissect.ServerToClient], []byte(reply))
		_, _ = io.WriteString(client, reply)
		r.ended(record.EndClosed, dissect.ServerToClient.String())
		r.eof(r.pumps[dissect.ServerToClient])
	}
	hangUp(client)
}

// alerted records that a peer ended TLS with an alert behind the handshake, as
// servers do in TLS 1.3 that miss a client's certificate. A client whose server
// did, before it said anything, is told in the server's place; then done is true.
func (r *relay) alerted(p *pump, err error) (done bool) {
	alert, ok := alertOf(err)
	if !ok || r.tls == nil || r.control != nil {
		return false
	}
	if p.dir == dissect.ClientToServer {
		if distrusts(alert) {
			r.anomaly(codeClientDistrust, p.dir, whyDistrust(alert))
		}
		return false
	}
	why := "the server ended TLS with the alert \"" + alert + "\""
	if p.given == r.tls.fromServer {
		why += r.tls.aboutCertificate()
	}
	r.anomaly(codeUpstreamTLS, p.dir, why)
	// The client's first words may still be on their way.
	for end := time.Now().Add(lingerTime); r.sess.Protocol() == "" && time.Now().Before(end) && r.srv.ctx.Err() == nil; {
		time.Sleep(10 * time.Millisecond)
	}
	reply := ""
	switch protocol := r.sess.Protocol(); {
	case p.given != r.tls.fromServer:
	case protocol == "smtp" || protocol == "ftp":
		reply = replyRefusal("421", why)
	case protocol == "http" && (len(r.tls.server.NextProtos) == 0 || r.tls.server.NextProtos[0] != "h2"):
		reply = httpRefusal("502 Bad Gateway", "", why)
	}
	if reply == "" {
		return false
	}
	p.heard = 0
	r.heard(p, []byte(reply))
	_ = p.write([]byte(reply))
	r.ended(record.EndClosed, p.dir.String())
	r.eof(p)
	closeWrite(p.sink())
	time.AfterFunc(lingerTime, r.closeLegs)
	return true
}

// answersEnd reports whether an error is an alert about the end of the other
// direction: OpenSSL 3 answers with one when a peer closes the connection
// without its close_notify, as many do.
func (r *relay) answersEnd(p *pump, err error) bool {
	if !strings.Contains(err.Error(), "remote error: tls: ") {
		return false
	}
	r.endMu.Lock()
	defer r.endMu.Unlock()
	return r.closedFirst == p.dir.Other().String() && r.end == ""
}

// heard gives session and tap what was not given to them yet of the bytes that
// a direction brought since the pumps stood still.
func (r *relay) heard(p *pump, whole []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := whole[min(p.heard, len(whole)):]
	p.heard = len(whole)
	if len(b) == 0 {
		return
	}
	r.sess.Data(p.dir, b, p.now())
	p.given += int64(len(b))
	r.record(p, b, p.now())
}

// hangUp closes a connection so that what was written last arrives: a client
// that still sends would be answered with a reset otherwise.
func hangUp(c net.Conn) {
	closeWrite(c)
	_ = c.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.Copy(io.Discard, io.LimitReader(c, 1<<20))
}

// refusalUnasked is the refusal where the server speaks first: in TLS from the
// first byte, of which the port is the only sign.
func refusalUnasked(protocol string, port uint16, why string) string {
	switch {
	case protocol != "":
	case port == 465:
		return replyRefusal("421 4.7.0", why)
	case port == 990:
		return replyRefusal("421", why)
	}
	return ""
}

// refusalOf is the refusal in answer to what a client said: "" where nothing is
// known to say, or while more must come to know.
func refusalOf(protocol string, said []byte, why string, demand bool) (reply string, more bool) {
	line, _, whole := bytes.Cut(said, []byte("\n"))
	verb, rest, _ := strings.Cut(strings.TrimRight(string(line), "\r"), " ")
	switch {
	case !whole:
		return "", true
	case strings.HasSuffix(rest, " HTTP/1.1"), strings.HasSuffix(rest, " HTTP/1.0"):
		switch {
		case !bytes.Contains(said, []byte("\r\n\r\n")):
			return "", true
		case demand: // RFC 9110, section 15.5.22
			return httpRefusal("426 Upgrade Required", "Upgrade: TLS/1.2, HTTP/1.1\r\n", why), false
		}
		return httpRefusal("502 Bad Gateway", "", why), false
	case protocol == "ftp" || isFTP(verb, rest):
		code := "421"
		switch {
		case demand && (verb == "PROT" || verb == "CCC"): // RFC 2228, section 3
			code = "534"
		case demand && hasData(verb): // RFC 4217, section 8
			code = "521"
		case demand:
			code = "530"
		}
		return replyRefusal(code, why), false
	case protocol == "smtp" || isSMTP(verb):
		code := "421 4.7.0"
		if demand { // RFC 3207, section 4
			code = "530 5.7.0"
		}
		return replyRefusal(code, why), false
	}
	return "", false
}

// isFTP reports whether a command is one of those with which FTP clients begin
// and others do not.
func isFTP(verb, rest string) bool {
	switch strings.ToUpper(verb) {
	case "USER", "PASS", "FEAT", "SYST", "PBSZ", "PROT", "HOST", "CLNT", "OPTS", "PWD", "CWD", "ACCT", "PASV", "EPSV", "PORT", "EPRT", "TYPE":
		return true
	case "AUTH":
		mechanism := strings.ToUpper(strings.TrimSpace(rest))
		return mechanism == "SSL" || mechanism == "TLS" || strings.HasPrefix(mechanism, "TLS-")
	}
	return false
}

func isSMTP(verb string) bool {
	switch strings.ToUpper(verb) {
	case "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "AUTH", "STARTTLS", "VRFY":
		return true
	}
	return false
}

// replyRefusal is one line of reply, of SMTP or FTP.
func replyRefusal(code, why string) string { return code + " " + ours(why) + "\r\n" }

// httpRefusal is a whole answer, behind which the connection ends.
func httpRefusal(status, fields, why string) string {
	why = ours(why) + "\n"
	return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, fields, len(why), why)
}

// ours says that it is not the server who speaks.
func ours(why string) string { return "sniff proxy: " + printable(why) }

// printable makes a reason fit for one line of a reply (RFC 5321, section
// 4.5.3.1.5: 512 bytes with everything).
func printable(s string) string {
	s = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s)
	return s[:min(len(s), 400)]
}

// certificateProblem says in a few words why a certificate does not verify.
func certificateProblem(err error, name string, now time.Time) string {
	var invalid x509.CertificateInvalidError
	var host x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		if now.Before(invalid.Cert.NotBefore) {
			return "certificate is not valid before " + invalid.Cert.NotBefore.UTC().Format(time.DateOnly)
		}
		return "certificate expired on " + invalid.Cert.NotAfter.UTC().Format(time.DateOnly)
	case errors.As(err, &host) && host.Certificate != nil:
		names := append([]string(nil), host.Certificate.DNSNames...)
		for _, ip := range host.Certificate.IPAddresses {
			names = append(names, ip.String())
		}
		if len(names) == 0 {
			names = append(names, host.Certificate.Subject.CommonName)
		}
		return "certificate is for " + strings.Join(names[:min(len(names), 5)], ", ") + ", not for " + name
	case errors.As(err, &unknown) && unknown.Cert != nil:
		if bytes.Equal(unknown.Cert.RawIssuer, unknown.Cert.RawSubject) {
			return "certificate is self-signed, or signed by an unknown authority: " + unknown.Cert.Issuer.String()
		}
		return "certificate is signed by an unknown authority: " + unknown.Cert.Issuer.String()
	}
	return "certificate does not verify: " + err.Error()
}
