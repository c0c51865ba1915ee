package ssh

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"sniff/dissect"
	"sniff/record"
)

// Messages of the authentication protocol (RFC 4252, section 6; RFC 4256,
// section 5). 60 and up mean something else for each method.
const (
	msgServiceRequest = 5
	msgServiceAccept  = 6
	msgExtInfo        = 7

	msgAuthRequest  = 50
	msgAuthFailure  = 51
	msgAuthSuccess  = 52
	msgAuthBanner   = 53
	msgAuthAsk      = 60 // PK_OK, PASSWD_CHANGEREQ, INFO_REQUEST
	msgAuthResponse = 61 // INFO_RESPONSE
)

// login reads a decrypted authentication.
type login struct {
	rec     *record.SSHAuth
	waiting []*loginAttempt // requests without their answer, oldest first
	done    bool            // accepted
	holed   [2]bool         // packets of a side are missing
	emitted bool
	note    string // what could not be checked
	last    record.Stamp
}

type loginAttempt struct {
	record.SSHAuthAttempt
	at       record.Stamp
	user     string
	question bool // a key without a signature
	secrets  []credential
}

type credential struct {
	mechanism string
	secret    record.Secret
}

// Limits of what is kept of a login.
const (
	maxWaiting  = 16
	maxAnswers  = 16
	maxUserText = 256
)

func (l *login) begin(dir dissect.Dir, at record.Stamp) {
	if l.rec == nil {
		l.rec = &record.SSHAuth{Result: "none", Confidence: record.ConfidenceCertain, Reason: "decrypted"}
		if l.note != "" {
			l.rec.Reason += "; " + l.note
		}
		l.rec.Stamp(at, dir)
	}
	l.last = at
}

// transport reads the messages that open the service.
func (l *login) transport(d *dissector, dir dissect.Dir, p []byte, at record.Stamp) {
	if p[0] == msgServiceRequest && !l.emitted {
		l.begin(dir, at)
	}
}

func (l *login) message(d *dissector, dir dissect.Dir, p []byte, at record.Stamp) {
	if l.emitted {
		return
	}
	l.begin(dir, at)
	r := reader{b: p[1:]}
	switch t := p[0]; {
	case t == msgAuthRequest && dir == dissect.ClientToServer:
		l.request(d, &r, at)
	case t == msgAuthResponse && dir == dissect.ClientToServer:
		l.responses(d, &r)
	case dir == dissect.ClientToServer:
	case t == msgAuthFailure:
		methods, partial := r.names(), r.bool()
		if partial {
			l.answer(d, "partial", methods, at)
		} else {
			l.answer(d, "refused", methods, at)
		}
	case t == msgAuthSuccess:
		l.answer(d, "accepted", "", at)
		l.done = true
		d.dec.authenticated()
		l.finish(d)
	case t == msgAuthBanner:
		l.rec.Banner = clip(r.string(), keptLine)
	case t == msgAuthAsk && len(l.waiting) > 0 && l.waiting[0].question:
		l.answer(d, "wanted", "", at)
	}
	if r.bad {
		d.violate("ssh_message_cut", dir, at, "an authentication message ends before its fields do")
	}
}

// request reads USERAUTH_REQUEST (RFC 4252, sections 5, 7, 8 and 9).
func (l *login) request(d *dissector, r *reader, at record.Stamp) {
	a := &loginAttempt{at: at, user: clip(r.string(), maxUserText)}
	r.string() // the service
	method := clip(r.string(), 64)
	a.Time, a.Method, a.Confidence = at.Time, method, record.ConfidenceCertain
	l.rec.User = a.user
	switch {
	case method == "password":
		r.bool()
		a.secrets = append(a.secrets, credential{"password", d.env.Secret(clip(r.string(), 4096))})
	case method == "publickey" || strings.HasPrefix(method, "publickey-hostbound-"):
		// OpenSSH's PROTOCOL, section 3.4: the same, bound to the host's key.
		a.Method = "publickey"
		a.question = !r.bool()
		r.string()
		a.Key = describeKey(r.string())
	case method == "hostbased":
		r.string()
		a.Key = describeKey(r.string())
	}
	if len(l.waiting) < maxWaiting {
		l.waiting = append(l.waiting, a)
	}
}

// describeKey names a user's key by kind and fingerprint.
func describeKey(blob []byte) string {
	inner := reader{b: blob}
	kind := keyType(clip(inner.string(), 64))
	sum := sha256.Sum256(blob)
	return kind + " SHA256:" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// responses reads the answers to prompts (RFC 4256, section 3.4).
func (l *login) responses(d *dissector, r *reader) {
	if len(l.waiting) == 0 || l.waiting[0].Method != "keyboard-interactive" {
		return
	}
	a := l.waiting[0]
	for n := r.uint32(); n > 0 && !r.bad && len(a.secrets) < maxAnswers; n-- {
		if text := clip(r.string(), 4096); text != "" {
			a.secrets = append(a.secrets, credential{"keyboard-interactive", d.env.Secret(text)})
		}
	}
}

// answer closes the oldest request.
func (l *login) answer(d *dissector, result, methods string, at record.Stamp) {
	if l.holed[0] || l.holed[1] {
		l.skip(d, at)
	}
	if len(l.waiting) == 0 {
		if result == "accepted" {
			l.rec.Result, l.rec.Method = "accepted", ""
			l.rec.Reason += "; the request that was granted was not captured"
		}
		return
	}
	a := l.waiting[0]
	l.waiting = l.waiting[1:]
	a.Result, a.Answer = result, record.Between(a.at.Time, at.Time)
	if methods != "" {
		a.Reason = "can go on with " + methods[:min(len(methods), 256)]
	}
	l.rec.Pause = max(l.rec.Pause, a.Answer)
	l.close(d, a)
}

// close counts a request that has its result, and tells the secrets that came
// with it.
func (l *login) close(d *dissector, a *loginAttempt) {
	switch {
	case a.Result == "accepted":
		l.rec.Result, l.rec.Method = "accepted", a.Method
	case a.Method == "none":
	case a.Result == "refused" && a.question:
		l.rec.Offered++
		l.rec.Result, l.rec.Method = "refused", a.Method
	case a.Result == "refused":
		l.rec.Failures++
		l.rec.Result, l.rec.Method = "refused", a.Method
	default:
		l.rec.Result, l.rec.Method = "refused", a.Method
	}
	if len(l.rec.Attempts) < maxAttempts {
		l.rec.Attempts = append(l.rec.Attempts, a.SSHAuthAttempt)
	}
	worked := map[string]string{"accepted": "yes", "partial": "yes", "refused": "no"}[a.Result]
	if worked == "" {
		worked = "unknown"
	}
	for _, s := range a.secrets {
		c := &record.Credential{
			Account: a.user, Mechanism: s.mechanism, Secret: s.secret, Exposure: record.ExposureHidden, Worked: worked, Reply: a.Result,
		}
		c.Stamp(a.at, dissect.ClientToServer)
		d.env.Emit(c)
	}
}

// passed learns from what follows the login that there was one, when its end is
// missing. Only a client that was let in speaks the connection protocol.
func (l *login) passed(d *dissector, dir dissect.Dir, at record.Stamp) {
	if l.emitted || !l.holed[0] && !l.holed[1] {
		return
	}
	l.begin(dir, at)
	l.rec.Reason += "; the end of the login was not captured, but a session followed"
	l.done = true
	var granted *loginAttempt
	if n := len(l.waiting); n > 0 && !l.holed[dissect.ClientToServer] {
		l.waiting, granted = l.waiting[:n-1], l.waiting[n-1] // none followed
	}
	l.unanswered(d)
	l.rec.Result, l.rec.Method = "accepted", ""
	if granted != nil {
		granted.Result = "accepted"
		l.close(d, granted)
	}
	l.finish(d)
}

// skip closes requests whose answers may be among what is missing: all but the
// last before an answer, as clients ask one at a time, and that one too when
// requests are missing.
func (l *login) skip(d *dissector, answer record.Stamp) {
	before := 0
	for before < len(l.waiting) && !l.waiting[before].at.Time.After(answer.Time) {
		before++
	}
	if !l.holed[dissect.ClientToServer] && before > 0 {
		before--
	}
	later := l.waiting[before:]
	l.waiting = l.waiting[:before]
	l.unanswered(d)
	l.waiting = later
}

// unanswered closes the requests that are open.
func (l *login) unanswered(d *dissector) {
	for _, a := range l.waiting {
		a.Result = "unanswered"
		l.close(d, a)
	}
	l.waiting = nil
}

// finish writes the record: after the login, or when the connection ended
// without one.
func (l *login) finish(d *dissector) {
	if l.rec == nil || l.emitted {
		return
	}
	l.unanswered(d)
	l.emitted = true
	l.rec.Took = record.Between(l.rec.Time, l.last.Time)
	d.env.Emit(l.rec)
}
