package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
	"sniff/record"
)

// sshLogin makes the client's attempts to log in at the upstream, one by one.
// The upstream's leg runs in a goroutine of its own; it begins when the first
// attempt tells the user's name, and stands in attempt while the client thinks.
// The client's leg stands in a callback while the upstream does.
type sshLogin struct {
	s     *sshRelay
	began bool
	user  string

	next     chan ssh.AuthMethod // the attempt to make
	verdicts chan sshVerdict     // what came of the one before
	over     chan struct{}       // closed when the upstream's leg is up or has failed
	stop     chan struct{}       // closed when the client's leg has ended
	stopOnce sync.Once

	// Valid behind over.
	end sshEnd
	err error

	// Only the client's callbacks touch what follows.
	methods  []string // what the upstream takes
	accepted bool
	proof    *sshProof // a public key that waits for its signature
	deferred *sshProof // a key that the client's agent is to sign with
	rec      *record.SSHAuth
	partials int // only the upstream's leg touches it
}

// sshVerdict is the upstream's answer to an attempt.
type sshVerdict struct {
	accepted, partial bool
	methods           []string
	err               error // the connection is lost
}

var (
	errRefusedUpstream = errors.New("proxy: refused by the upstream")
	errLoginEnded      = errors.New("proxy: the client's leg has ended")
)

func newSSHLogin(s *sshRelay) *sshLogin {
	return &sshLogin{
		s: s, next: make(chan ssh.AuthMethod), verdicts: make(chan sshVerdict),
		over: make(chan struct{}), stop: make(chan struct{}),
		rec: &record.SSHAuth{Result: "none", Confidence: record.ConfidenceCertain, Reason: "the proxy made the attempts at the upstream"},
	}
}

// begin starts the upstream's leg for a user and waits for its answer to
// "none", which says what it takes.
func (l *sshLogin) begin(user string) error {
	if l.began {
		if user != l.user {
			l.s.fail("proxy_ssh_user_changed", dissect.ClientToServer, fmt.Sprintf("the client changed the user from %q to %q; the upstream's connection is %[1]q's", l.user, user))
			return errRefusedUpstream
		}
		return nil
	}
	l.began, l.user = true, user
	l.rec.User = user
	l.rec.Stamp(record.Stamp{Time: l.s.r.srv.cfg.Now()}, dissect.ClientToServer)
	go l.connect()
	v := l.verdict()
	l.methods = v.methods
	l.accepted = v.accepted
	return v.err
}

// connect runs the upstream's leg up to the end of the login.
func (l *sshLogin) connect() {
	defer close(l.over)
	s := l.s
	cfg := &s.r.srv.cfg
	_ = s.upstream.SetDeadline(time.Now().Add(cfg.Limits.Handshake))
	keys := knownKeys{files: cfg.SSH.KnownHosts, append: cfg.SSH.AcceptNew, mu: &s.r.srv.knownHosts}
	known, err := keys.load()
	if err != nil {
		l.err = err
		return
	}
	cc := &ssh.ClientConfig{
		User:              l.user,
		ClientVersion:     s.ids[dissect.ClientToServer].version(),
		HostKeyAlgorithms: keys.algorithms(known, s.address, s.upstream.RemoteAddr()),
		HostKeyCallback: func(address string, remote net.Addr, key ssh.PublicKey) error {
			added, err := keys.check(known, address, remote, key)
			if err != nil {
				l.err = err
				return err
			}
			if added {
				cfg.Log.Warn("new host key taken", "upstream", address, "key", ssh.FingerprintSHA256(key), "file", keys.files[0])
			}
			_ = s.upstream.SetDeadline(time.Time{})
			return nil
		},
		BannerCallback: func(text string) error { return s.preAuth.SendAuthBanner(text) },
		AuthCallback:   l.attempt,
	}
	conn, channels, requests, err := ssh.NewClientConn(s.upstream, s.address, cc)
	if err != nil {
		if l.err == nil {
			l.err = err
		}
		return
	}
	l.end = sshEnd{conn, channels, requests}
}

// attempt is called by the upstream's leg when the attempt before was answered;
// it returns the next.
func (l *sshLogin) attempt(ctx *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	v := sshVerdict{methods: ctx.AllowedMethods, partial: len(ctx.PartialSuccessMethods) > l.partials}
	l.partials = len(ctx.PartialSuccessMethods)
	select {
	case <-l.s.upstream.died:
		return nil, io.EOF // the attempt was not answered
	default:
	}
	select {
	case l.verdicts <- v:
	case <-l.stop:
		return nil, errLoginEnded
	}
	select {
	case m := <-l.next:
		return m, nil
	case <-l.stop:
		return nil, errLoginEnded
	case <-l.s.upstream.died:
		return nil, io.EOF
	}
}

// try makes an attempt and waits for what comes of it.
func (l *sshLogin) try(m ssh.AuthMethod) sshVerdict {
	select {
	case l.next <- m:
	case <-l.over:
	}
	return l.verdict()
}

// verdict waits for the answer to the attempt that is being made.
func (l *sshLogin) verdict() sshVerdict {
	select {
	case v := <-l.verdicts:
		return v
	case <-l.over:
	}
	if l.err != nil {
		return sshVerdict{err: l.err}
	}
	return sshVerdict{accepted: true}
}

// failure returns why the upstream's leg has failed, nil while it has not.
func (l *sshLogin) failure() error {
	select {
	case <-l.over:
		return l.err
	default:
		return nil
	}
}

// answer turns a verdict into what the client's leg makes of it: a yes, a
// partial one with the methods that the upstream wants next, or a no.
func (l *sshLogin) answer(v sshVerdict) (*ssh.Permissions, error) {
	if v.err != nil {
		l.s.upstreamFailed(v.err)
		return nil, errRefusedUpstream
	}
	if v.accepted {
		l.accepted = true
		return &ssh.Permissions{}, nil
	}
	l.methods = v.methods
	if !v.partial {
		return nil, errRefusedUpstream
	}
	var next ssh.ServerAuthCallbacks
	if l.takes("password") {
		next.PasswordCallback = l.password
	}
	if l.takes("keyboard-interactive") {
		next.KeyboardInteractiveCallback = l.interactive
	}
	if l.takes("publickey") {
		next.PublicKeyCallback = l.offered
	}
	return nil, &ssh.PartialSuccessError{Next: next}
}

// takes reports whether the upstream takes a method. The client is told the
// methods before its user is known, so it may try others: these are refused
// without asking.
func (l *sshLogin) takes(method string) bool { return slices.Contains(l.methods, method) }

// none is the attempt without any proof (RFC 4252, section 5.2).
func (l *sshLogin) none(c ssh.ConnMetadata) (*ssh.Permissions, error) {
	first := !l.began
	began := l.now()
	err := l.begin(c.User())
	if err != nil {
		return l.answer(sshVerdict{err: err})
	}
	v := sshVerdict{accepted: l.accepted, methods: l.methods}
	if first {
		l.note(began, "none", v, "")
	}
	return l.answer(v)
}

// password is RFC 4252, section 8.
func (l *sshLogin) password(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	began := l.now()
	if err := l.ready(c.User(), "password"); err != nil {
		return nil, err
	}
	v := sshVerdict{accepted: l.accepted}
	if !l.accepted {
		v = l.try(ssh.Password(string(password)))
	}
	l.note(began, "password", v, "")
	l.credential(began, "password", string(password), v)
	return l.answer(v)
}

// interactive is RFC 4256: the upstream's questions are put to the client, its
// answers to the upstream, for as many rounds as the upstream wants.
func (l *sshLogin) interactive(c ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	began := l.now()
	if err := l.ready(c.User(), "keyboard-interactive"); err != nil {
		return nil, err
	}
	var prompts, secrets []string
	v := sshVerdict{accepted: l.accepted}
	if !l.accepted {
		v = l.try(ssh.KeyboardInteractive(func(name, instruction string, questions []string, echos []bool) ([]string, error) {
			answers, err := ask(name, instruction, questions, echos)
			for i := range answers {
				if i < len(questions) && len(prompts) < maxNotedPrompts {
					prompts = append(prompts, strings.TrimSpace(questions[i]))
				}
				if i < len(echos) && !echos[i] && len(secrets) < maxNotedPrompts {
					secrets = append(secrets, answers[i])
				}
			}
			return answers, err
		}))
	}
	l.note(began, "keyboard-interactive", v, strings.Join(prompts, ", "))
	for _, secret := range secrets {
		l.credential(began, "keyboard-interactive", secret, v)
	}
	return l.answer(v)
}

// maxNotedPrompts is how many prompts and answers of one attempt are recorded.
const maxNotedPrompts = 16

// ready begins the upstream's leg if that is still to do, gives up a public key
// that the client was asked to prove and did not, and refuses methods that the
// upstream does not take.
func (l *sshLogin) ready(user, method string) error {
	l.abandonProof()
	if err := l.begin(user); err != nil {
		_, err = l.answer(sshVerdict{err: err})
		return err
	}
	if !l.accepted && !l.takes(method) {
		return errRefusedUpstream
	}
	return nil
}

// finish ends the login when the client's leg has come up or has failed.
func (l *sshLogin) finish(err error) {
	if err != nil {
		l.stopOnce.Do(func() { close(l.stop) })
	}
	l.emit(err)
}

// wait waits for the upstream's leg, which was told to stop.
func (l *sshLogin) wait() {
	if !l.began {
		return
	}
	<-l.over
	if l.end.conn != nil {
		l.end.discard()
	}
}

// isEnd reports whether an error is the end of a connection.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
