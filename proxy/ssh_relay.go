package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"sniff/dissect"
	"sniff/record"
)

// sshRelay is an SSH connection through the proxy behind the identifications:
// a server to the client, a client to the upstream.
type sshRelay struct {
	r                *relay
	client, upstream *sshLeg
	ids              [2]identified
	address          string // of the upstream, as it stands in known_hosts
	login            *sshLogin
	preAuth          ssh.ServerPreAuthConn // to send banners by
	welcomed         atomic.Bool           // the client is logged in: no banners any more

	failOnce sync.Once
	failed   chan struct{} // closed when the connection was given up
}

func newSSHRelay(r *relay, client, server identified) *sshRelay {
	s := &sshRelay{r: r, ids: [2]identified{client, server}, failed: make(chan struct{})}
	host := r.host
	if host == "" {
		host = r.conn.Server.Addr().String()
	}
	s.address = net.JoinHostPort(host, strconv.Itoa(int(r.conn.Server.Port())))
	// The implementation says the other side's identification with CR LF; it
	// went out as it came.
	s.client = newSSHLeg(r, r.pumps[dissect.ClientToServer].source(), client, len(server.version())+2)
	s.upstream = newSSHLeg(r, r.pumps[dissect.ServerToClient].source(), server, len(client.version())+2)
	s.client.observeClient(client, server)
	s.upstream.observeUpstream(client, server)
	s.login = newSSHLogin(s)
	if r.tap != nil {
		r.mu.Lock()
		r.tap.Comment("SSH, terminated by the proxy: the client's connection as it is on the wire")
		r.mu.Unlock()
	}
	return s
}

// run carries the connection to its end.
func (s *sshRelay) run() {
	defer s.client.Close()
	defer s.upstream.Close()
	offer := s.client.offer(len(s.ids[dissect.ClientToServer].line))
	limit := time.Now().Add(s.r.srv.cfg.Limits.Handshake)
	_ = s.client.SetDeadline(limit)
	authenticated := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { s.watchLogin(authenticated) })
	conn, channels, requests, err := ssh.NewServerConn(s.client, s.serverConfig(offer))
	s.welcomed.Store(true)
	var agentErr error
	if err == nil && s.login.deferred != nil {
		if channels, agentErr = s.loginByAgent(conn, channels); agentErr != nil {
			err = agentErr
		}
	}
	close(authenticated)
	s.login.finish(err)
	if agentErr != nil {
		go ssh.DiscardRequests(requests)
		s.agentFailed(agentErr)
		s.client.Close()
	}
	if err != nil {
		s.clientFailed(err)
		s.upstream.Close()
		s.login.wait()
		return
	}
	mux := &sshMux{s: s, ends: [2]sshEnd{{conn, channels, requests}, s.login.end}}
	mux.run()
}

// leg returns the leg of a side.
func (s *sshRelay) leg(side dissect.Dir) *sshLeg {
	if side == dissect.ClientToServer {
		return s.client
	}
	return s.upstream
}

// serverConfig is what the proxy is to the client.
func (s *sshRelay) serverConfig(offer *kexInit) *ssh.ServerConfig {
	l := s.login
	cfg := &ssh.ServerConfig{
		ServerVersion:               s.ids[dissect.ServerToClient].version(),
		MaxAuthTries:                -1, // the upstream counts
		NoClientAuth:                true,
		NoClientAuthCallback:        l.none,
		PasswordCallback:            l.password,
		KeyboardInteractiveCallback: l.interactive,
		PublicKeyCallback:           l.offered,
		VerifiedPublicKeyCallback:   l.proved,
		PreAuthConnCallback: func(c ssh.ServerPreAuthConn) {
			// The key exchange is done; how long a person takes to log in is
			// the upstream's to limit.
			_ = s.client.SetDeadline(time.Time{})
			s.preAuth = c
		},
	}
	// The implementation's defaults for servers hold algorithms that count as
	// weak; the proxy must not be the reason for them.
	good := ssh.SupportedAlgorithms()
	cfg.KeyExchanges, cfg.Ciphers, cfg.MACs = good.KeyExchanges, offer.ciphers(good.Ciphers), good.MACs
	cfg.AddHostKey(s.r.srv.cfg.SSH.HostKey)
	return cfg
}

// tellTime is how long the client's leg has to tell the client that the
// upstream's has ended, before it is cut.
const tellTime = 500 * time.Millisecond

// watchLogin ends one leg when the other one dies before the login is done:
// who waits for a password or a verdict does not read.
func (s *sshRelay) watchLogin(done <-chan struct{}) {
	select {
	case <-done:
	case <-s.client.died:
		s.upstream.Close()
	case <-s.login.over:
		if s.login.err == nil {
			return
		}
		select {
		case <-done: // an attempt was waiting for that verdict and gave it
		case <-time.After(tellTime):
			s.upstreamFailed(s.login.err)
			s.client.Close()
		}
	}
}

// fail gives the connection up: the client is told why, and it becomes an
// anomaly. The first reason counts.
func (s *sshRelay) fail(code string, dir dissect.Dir, detail string) {
	s.failOnce.Do(func() {
		s.r.anomaly(code, dir, detail)
		s.r.ended(record.EndReset, "")
		if s.preAuth != nil && !s.welcomed.Load() {
			_ = s.preAuth.SendAuthBanner("sniff: " + detail + "\r\n")
		}
		close(s.failed)
		s.client.Close()
		s.upstream.Close()
	})
}

// hasFailed reports whether the connection was given up.
func (s *sshRelay) hasFailed() bool {
	select {
	case <-s.failed:
		return true
	default:
		return false
	}
}

// clientFailed notes why the client's leg came to nothing.
func (s *sshRelay) clientFailed(err error) {
	if s.hasFailed() {
		return
	}
	var none *ssh.AlgorithmNegotiationError
	var auth *ssh.ServerAuthError
	switch {
	case errors.As(err, &none):
		s.fail("proxy_ssh_client", dissect.ClientToServer, "no common algorithm with the client: "+none.Error())
	case s.login.failure() != nil:
		s.upstreamFailed(s.login.failure())
	case s.client.reset.Load():
		s.r.ended(record.EndReset, dissect.ClientToServer.String())
	case errors.As(err, &auth), isClosed(err):
		s.r.ended(record.EndClosed, dissect.ClientToServer.String())
	case isTimeout(err):
		s.fail("proxy_ssh_client", dissect.ClientToServer, fmt.Sprintf("the client did not finish its key exchange within %s", s.r.srv.cfg.Limits.Handshake))
	case strings.Contains(err.Error(), "ssh: disconnect"):
		s.r.anomaly("proxy_ssh_client_left", dissect.ClientToServer, "the client left: "+leaving(err)+"; it may not trust the proxy's host key "+ssh.FingerprintSHA256(s.r.srv.cfg.SSH.HostKey.PublicKey()))
		s.r.ended(record.EndClosed, dissect.ClientToServer.String())
	default:
		s.fail("proxy_ssh_client", dissect.ClientToServer, "SSH with the client failed: "+leaving(err))
	}
}

// upstreamFailed notes why the upstream's leg came to nothing.
func (s *sshRelay) upstreamFailed(err error) {
	var key *hostKeyError
	var none *ssh.AlgorithmNegotiationError
	switch {
	case errors.Is(err, errLoginEnded):
	case errors.As(err, &key):
		s.fail(key.code, dissect.ServerToClient, key.detail)
	case errors.As(err, &none):
		s.fail("proxy_ssh_upstream", dissect.ServerToClient, "no common algorithm with the upstream: "+none.Error())
	case isClosed(err):
		if !s.hasFailed() {
			s.r.ended(record.EndClosed, dissect.ServerToClient.String())
		}
	case isTimeout(err):
		s.fail("proxy_ssh_upstream", dissect.ServerToClient, fmt.Sprintf("the upstream did not finish its key exchange within %s", s.r.srv.cfg.Limits.Handshake))
	default:
		s.fail("proxy_ssh_upstream", dissect.ServerToClient, "the upstream ended the connection: "+leaving(err))
	}
}

// leaving is an error without the implementation's prefixes.
func leaving(err error) string {
	text := strings.TrimPrefix(err.Error(), "ssh: handshake failed: ")
	return strings.TrimPrefix(text, "ssh: ")
}

func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) || isEnd(err)
}
