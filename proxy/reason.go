package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Why something failed, in the words of who reads it: what the libraries say is
// meant for who wrote the program.

// whyUnreached says why there is no connection to an upstream.
func whyUnreached(err error) string {
	var name *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "its name is not known (" + name.Err + ")"
	case errors.As(err, &name):
		return "its name could not be looked up (" + name.Err + ")"
	case errors.Is(err, errSelf), errors.Is(err, errLoop):
		return strings.TrimPrefix(err.Error(), "proxy: ")
	case !errors.As(err, &op) || op.Op != "dial":
		return err.Error() // the further proxy's words
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in the time of --dial-timeout"
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return op.Err.Error()
}

// whyNoTLS says why the handshake with an upstream failed.
func whyNoTLS(err error) string {
	var other tls.RecordHeaderError
	switch {
	case errors.As(err, &other):
		return fmt.Sprintf("it does not speak TLS there: its answer begins with %q", other.RecordHeader[:])
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "it did not answer in the time of --handshake-timeout"
	case errors.Is(err, io.EOF):
		return "it closed the connection instead of an answer"
	case errors.Is(err, syscall.ECONNRESET):
		return "it reset the connection instead of an answer"
	}
	if alert, ok := alertOf(err); ok {
		return "it refused with the alert \"" + alert + "\""
	}
	return err.Error()
}

// alertOf returns the name of the alert with which a peer ended TLS.
func alertOf(err error) (name string, ok bool) {
	_, name, ok = strings.Cut(err.Error(), "remote error: tls: ")
	return name, ok
}

// whyDistrust says what a client that refuses the certificate has against it.
func whyDistrust(alert string) string {
	why := "the client does not trust the proxy's CA"
	if alert != "unknown certificate authority" {
		why += ", or has the server's certificate pinned"
	}
	return why + ": it refused the certificate with the alert \"" + alert + "\""
}

// distrusts reports whether an alert is that of a client that does not like the
// certificate (RFC 8446, section 6.2).
func distrusts(alert string) bool {
	switch alert {
	case "unknown certificate", "bad certificate", "unknown certificate authority", "revoked certificate", "expired certificate", "unsupported certificate":
		return true
	}
	return false
}

// aboutCertificate is what is to be said of the client certificate when a server
// ends TLS that has asked for one; "" if it has not.
func (l *legs) aboutCertificate() string {
	switch {
	case !l.asked.Load():
		return ""
	case l.shown == nil:
		return "; it asked for a client's certificate, and the proxy was given none (--client-cert)"
	}
	who := "without a name"
	if leaf := l.shown.Leaf; leaf != nil {
		who = leaf.Subject.String()
	}
	return "; it asked for a client's certificate, and was shown that of " + who
}

// logHints are what to do about what is logged under a code. Findings have
// advice of their own.
var logHints = map[string]string{
	codeClientDistrust:      "sniff ca export prints the authority that the client must be given",
	codeUpstreamCertificate: "--upstream-ca names its authority, --upstream-verify report goes on all the same",
}
