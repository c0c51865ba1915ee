package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"sniff/dissect"
)

// With SSH.Agent the client's own agent signs for the upstream. It can be asked
// only when the client is logged in and has forwarded it, so here, and only
// here, the client is let in before the upstream has said its last word: it has
// proved a key that the upstream wants. Nothing of what it sends is passed on
// before the upstream has let it in, too.

var errNoAgent = errors.New("the upstream wants a signature by the client's key: forward the agent that has it (ssh -A)")

// agentRequest asks for the forwarding of an agent.
const agentRequest = "auth-agent-req@openssh.com"

// loginByAgent finishes the upstream's login with the client's agent. It
// returns the client's channels, the first of which is accepted already.
func (s *sshRelay) loginByAgent(conn ssh.Conn, channels <-chan ssh.NewChannel) (<-chan ssh.NewChannel, error) {
	l := s.login
	began := l.now()
	p := l.deferred
	limit := time.AfterFunc(s.r.srv.cfg.Limits.Handshake, func() { conn.Close() })
	first, err := awaitAgent(channels)
	limit.Stop()
	if err == nil {
		var key ssh.Signer
		var hangUp func() error
		if key, hangUp, err = agentKey(conn, p.key); err == nil {
			p.by <- key
			v := l.verdict()
			// OpenSSH's client does not end while a channel is open.
			_ = hangUp()
			l.noteKey(began, p.key, v.result(), "signed by the client's agent")
			switch {
			case v.err != nil:
				err = v.err
			case v.partial:
				err = errors.New("the upstream wants another proof behind the public key, which cannot be asked for any more")
			case !v.accepted:
				err = errRefusedUpstream
			}
		}
	}
	if err != nil {
		if first != nil && first.channel != nil {
			first.end(err)
		}
		return nil, err
	}
	all := make(chan ssh.NewChannel, 1)
	all <- first
	go func() {
		defer close(all)
		for c := range channels {
			all <- c
		}
	}()
	return all, nil
}

// acceptedChannel is a channel that was accepted before it is passed on.
type acceptedChannel struct {
	ssh.NewChannel
	channel  ssh.Channel
	requests <-chan *ssh.Request
	before   []*ssh.Request // came before the agent was asked
}

// Accept returns the channel with its requests from the first on.
func (a *acceptedChannel) Accept() (ssh.Channel, <-chan *ssh.Request, error) {
	all := make(chan *ssh.Request, len(a.before))
	for _, q := range a.before {
		all <- q
	}
	go func() {
		defer close(all)
		for q := range a.requests {
			all <- q
		}
	}()
	return a.channel, all, nil
}

// Reject closes the channel: it is too late for a no.
func (a *acceptedChannel) Reject(_ ssh.RejectionReason, message string) error {
	go ssh.DiscardRequests(a.requests)
	a.end(fmt.Errorf("the channel was refused: %s", message))
	return nil
}

// end tells the user why nothing comes of the session, and closes it as ssh
// ends after an error of its own.
func (a *acceptedChannel) end(why error) {
	fmt.Fprintf(a.channel.Stderr(), "sniff: %v\r\n", why)
	_, _ = a.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{255}))
	a.channel.Close()
}

// maxBeforeAgent is how many requests may come before the agent is forwarded.
const maxBeforeAgent = 64

// awaitAgent accepts the client's first session and waits for its agent.
func awaitAgent(channels <-chan ssh.NewChannel) (*acceptedChannel, error) {
	asked, ok := <-channels
	if !ok {
		return nil, errLoginEnded
	}
	if asked.ChannelType() != "session" {
		_ = asked.Reject(ssh.Prohibited, "sniff: "+errNoAgent.Error())
		return nil, errNoAgent
	}
	c, requests, err := asked.Accept()
	if err != nil {
		return nil, err
	}
	a := &acceptedChannel{NewChannel: asked, channel: c, requests: requests}
	for q := range requests {
		switch {
		case q.Type == agentRequest:
			_ = q.Reply(true, nil)
			// The upstream gets it as well, and has nothing to answer any more.
			a.before = append(a.before, &ssh.Request{Type: q.Type, Payload: q.Payload})
			return a, nil
		case q.WantReply || starts(q.Type) || len(a.before) >= maxBeforeAgent:
			go ssh.DiscardRequests(requests)
			// A no would end OpenSSH's client before it has read why.
			_ = q.Reply(true, nil)
			return a, errNoAgent
		default:
			a.before = append(a.before, q)
		}
	}
	return a, errNoAgent
}

// starts reports whether a request begins what a session is for, before which
// the agent would have been forwarded.
func starts(request string) bool {
	return request == "shell" || request == "exec" || request == "subsystem"
}

// agentKey finds a key in the client's agent, which is asked until hangUp.
func agentKey(conn ssh.Conn, key ssh.PublicKey) (signer ssh.Signer, hangUp func() error, err error) {
	c, requests, err := conn.OpenChannel("auth-agent@openssh.com", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("the client's agent cannot be reached: %w", err)
	}
	go ssh.DiscardRequests(requests)
	signers, err := agent.NewClient(c).Signers()
	if err != nil {
		c.Close()
		return nil, nil, fmt.Errorf("the client's agent does not list its keys: %w", err)
	}
	for _, s := range signers {
		if bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
			return s, c.Close, nil
		}
	}
	c.Close()
	return nil, nil, fmt.Errorf("the client's agent does not have the key %s", ssh.FingerprintSHA256(key))
}

// agentFailed notes why the client's agent was of no use.
func (s *sshRelay) agentFailed(err error) {
	if errors.Is(err, errLoginEnded) || isClosed(err) {
		return
	}
	s.fail("proxy_ssh_agent", dissect.ClientToServer, fmt.Sprintf("no login at %s with the client's agent: %v", s.address, err))
}
