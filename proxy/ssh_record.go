package proxy

import (
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
	"sniff/record"
)

// maxNotedAttempts is how many attempts an SSHAuth lists.
const maxNotedAttempts = 32

func (l *sshLogin) now() time.Time { return l.s.r.srv.cfg.Now() }

// result is the verdict as records say it.
func (v sshVerdict) result() string {
	switch {
	case v.err != nil:
		return "unanswered"
	case v.accepted:
		return "accepted"
	case v.partial:
		return "partial"
	}
	return "refused"
}

// note adds an attempt to the record of the login.
func (l *sshLogin) note(began time.Time, method string, v sshVerdict, reason string) {
	if method != "none" && !v.accepted && !v.partial && v.err == nil {
		l.rec.Failures++
	}
	l.attempted(record.SSHAuthAttempt{Time: began, Method: method, Result: v.result(), Reason: reason})
}

// noteKey adds an attempt with a public key.
func (l *sshLogin) noteKey(began time.Time, key ssh.PublicKey, result, reason string) {
	l.attempted(record.SSHAuthAttempt{Time: began, Method: "publickey", Result: result, Reason: reason, Key: key.Type() + " " + ssh.FingerprintSHA256(key)})
}

func (l *sshLogin) attempted(a record.SSHAuthAttempt) {
	answer := record.Between(a.Time, l.now())
	a.Answer, a.Confidence = answer, record.ConfidenceCertain
	l.rec.Pause = max(l.rec.Pause, answer)
	if a.Method != "none" || a.Result == "accepted" {
		l.rec.Method = a.Method
		l.rec.Result = "refused"
	}
	if a.Result == "accepted" {
		l.rec.Result = "accepted"
	}
	if len(l.rec.Attempts) < maxNotedAttempts {
		l.rec.Attempts = append(l.rec.Attempts, a)
	}
}

// credential records a secret that the client sent.
func (l *sshLogin) credential(began time.Time, mechanism, secret string, v sshVerdict) {
	r := l.s.r
	c := &record.Credential{
		Account: l.user, Mechanism: mechanism, Secret: r.sess.Secret(secret), Exposure: record.ExposureHidden,
		Worked: "no", Reply: v.result(),
	}
	switch {
	case v.accepted, v.partial:
		c.Worked = "yes"
	case v.err != nil:
		c.Worked = "unknown"
	}
	c.Stamp(record.Stamp{Time: began}, dissect.ClientToServer)
	r.sess.Emit(c)
}

// emit writes the record of the login; err is why the client's leg came to
// nothing.
func (l *sshLogin) emit(err error) {
	if !l.began {
		return // the client left before it said a name
	}
	if err != nil && l.rec.Result == "accepted" {
		l.rec.Reason += "; the client left before it heard the result"
	}
	l.rec.Took = record.Between(l.rec.Time, l.now())
	l.s.r.sess.Emit(l.rec)
}
