package ssh

import (
	"fmt"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// authReader infers the authentication (RFC 4252) from the sizes of messages.
// What it rests on:
//
//   - SERVICE_REQUEST and SERVICE_ACCEPT for ssh-userauth have 17 bytes of
//     payload; the accept marks the beginning.
//   - USERAUTH_SUCCESS has one byte of payload. No other message of the server
//     is as small, so it shows with every cipher.
//   - The first request of most clients is "none" (31 bytes and the user's
//     name); the answer to it has the size of all failures that follow.
//   - A key that is asked about and wanted is answered with PK_OK, which is
//     36 bytes and the user's name shorter than the question.
//   - OpenSSH pads passwords and answers to prompts so that the padded packet
//     is a multiple of 64 bytes.
type authReader struct {
	log            []event
	client, server framing
	ids            [2]*record.SSHIdentification
	hostKey        int // length of the host key's blob
	closedBy       string
	holed          bool
	ssh1           bool

	// end is how many events of the log belong to the authentication.
	end  int
	user [2]int // shortest and longest user name, when it shows
	fail int    // size of a failure, when it is known
}

// Payload sizes of messages that tell something.
const (
	serviceSize  = 17 // SERVICE_REQUEST, SERVICE_ACCEPT for ssh-userauth
	successSize  = 1  // USERAUTH_SUCCESS
	noneSize     = 31 // USERAUTH_REQUEST none, without the user name
	sessionSize  = 24 // CHANNEL_OPEN session
	kbdintSize   = 55 // USERAUTH_REQUEST keyboard-interactive, without the user name
	keySize      = 45 // USERAUTH_REQUEST publickey, without user, algorithm and key
	smallestKey  = keySize + 11 + 51
	leastFailure = 14
	mostFailure  = 110
	maxUserName  = 32
)

const maxAttempts = 32

func (a *authReader) read() *record.SSHAuth {
	r := &record.SSHAuth{Inferred: true, Result: "unknown", Confidence: record.ConfidenceLow}
	a.end = 0
	if len(a.log) > 0 {
		r.Stamp(a.log[0].at, a.log[0].dir)
	}
	switch {
	case a.ssh1:
		r.Reason = "SSH-1 is not followed behind its key exchange"
		return r
	case !a.client.known || !a.server.known:
		r.Reason = "the negotiated ciphers were not captured, so sizes cannot be read"
		return r
	case a.client.packed || a.server.packed:
		r.Reason = "everything is compressed, so sizes say little"
		return r
	case a.holed:
		r.Reason = "part of the encrypted data was not captured"
		return r
	}
	at := a.accept()
	if at < 0 {
		r.Reason = "no answer of the size of SERVICE_ACCEPT was seen"
		return r
	}
	a.dialogue(r, at+1)
	return r
}

// accept finds SERVICE_ACCEPT: the server's first message of its size behind
// one of the client's of the same.
func (a *authReader) accept() int {
	asked := false
	for i, e := range a.log[:min(len(a.log), 12)] {
		switch {
		case e.dir == dissect.ClientToServer:
			asked = true
		case asked && e.size == a.server.wire(serviceSize):
			return i
		}
	}
	return -1
}

// turn is what one side sent until the other one spoke.
type turn struct {
	from, to int // in the log
	first    event
	total    int
	end      time.Time
}

func (a *authReader) turn(i int, dir dissect.Dir) (turn, bool) {
	for i < len(a.log) && a.log[i].dir != dir {
		i++
	}
	if i == len(a.log) {
		return turn{}, false
	}
	t := turn{from: i, first: a.log[i]}
	// AsyncSSH sends an IGNORE of five bytes ahead of each message.
	if a.is(dir, "AsyncSSH") && i+1 < len(a.log) && a.log[i+1].dir == dir && t.first.size == a.framing(dir).wire(5) {
		t.first = a.log[i+1]
	}
	for ; i < len(a.log) && a.log[i].dir == dir; i++ {
		t.total += a.log[i].size
		t.end = a.log[i].at.Time
	}
	t.to = i
	return t, true
}

// question is one request of the client in the making.
type question struct {
	method     string
	lo, hi     int // payload
	confidence record.Confidence
	reason     string
	key        string
}

func (a *authReader) dialogue(r *record.SSHAuth, i int) {
	began := a.log[0].at.Time
	var last question
	var lastResult string
	var lastAnswer time.Time
	answered := true
	closed := a.closedBy != ""
	n := 0
	// A client that does not wait for SERVICE_ACCEPT has its request before
	// it and the answer right behind it.
	pipelined := i < len(a.log) && a.log[i].dir == dissect.ServerToClient
	for i < len(a.log) {
		var req turn
		var ok bool
		if pipelined {
			req, ok = a.turn(0, dissect.ClientToServer)
			if ok {
				req.first = a.log[req.to-1]
				if both := req.first.size - a.client.wire(serviceSize); req.to-req.from == 1 && both > 0 {
					req.first.size = both
				}
				req.to = i
			}
			pipelined = false
		} else {
			req, ok = a.turn(i, dissect.ClientToServer)
		}
		if !ok {
			break
		}
		q := a.classify(req, n, last, lastResult, lastAnswer)
		att := record.SSHAuthAttempt{Time: req.first.at.Time, Method: q.method, Confidence: q.confidence, Reason: q.reason, Key: q.key}
		ans, ok := a.turn(req.to, dissect.ServerToClient)
		if !ok {
			answered = false
			att.Result = "unanswered"
			if closed && q.method != "none" {
				att.Result = "refused"
				att.Reason += "; the connection ended instead of an answer"
				r.Failures++
			}
			a.list(r, att)
			break
		}
		att.Answer = record.Between(req.first.at.Time, a.log[ans.from].at.Time)
		r.Pause = max(r.Pause, att.Answer)
		result, why, upto := a.answer(q, ans, n)
		if result == "refused" && q.method == "publickey" && q.key == "" && q.confidence == record.ConfidenceMedium && a.isOpenSSH() && a.padded64(req.first.size) {
			q.confidence = record.ConfidenceLow
			q.reason += ", but also as OpenSSH pads a password"
			att.Confidence, att.Reason = q.confidence, q.reason
		}
		if result == "accepted" && q.method == "publickey" && lastResult != "wanted" && !a.signsAtOnce() {
			// This client asks before it signs, so a large request that was
			// granted at once is a password with padding.
			q.method, q.key, q.confidence = "password", "", record.ConfidenceMedium
			q.reason = "a large request that was granted at once, which this client's keys never are"
			if a.isOpenSSH() && a.padded64(req.first.size) {
				q.confidence = record.ConfidenceHigh
				q.reason = "padded to a multiple of 64 bytes, as OpenSSH pads passwords, and granted at once"
			}
			att.Method, att.Key, att.Confidence, att.Reason = q.method, q.key, q.confidence, q.reason
		}
		att.Result = result
		if why != "" {
			att.Reason += "; " + why
		}
		switch {
		case result == "refused" && q.method == "publickey" && q.key == "":
			r.Offered++
		case result == "refused" && q.method != "none":
			r.Failures++
		}
		a.list(r, att)
		n++
		i = ans.to
		if result == "accepted" {
			a.end = upto
			r.Result, r.Method, r.Confidence = "accepted", q.method, q.confidence
			r.Reason = "the server sent a message of the size of USERAUTH_SUCCESS; the method because " + q.reason
			r.Took = record.Between(began, a.log[upto-1].at.Time)
			a.name(r)
			return
		}
		last, lastResult, lastAnswer = q, result, ans.end
	}
	a.end = len(a.log)
	a.name(r)
	r.Took = record.Between(began, a.log[len(a.log)-1].at.Time)
	switch {
	case n == 0 && answered || r.Failures == 0 && r.Offered == 0 && last.method == "none":
		r.Result, r.Confidence = "none", record.ConfidenceMedium
		r.Reason = "the service was granted and no attempt but the question for the methods followed"
	case n == 0:
	case r.Failures+r.Offered > 0 && len(a.log) < maxLog:
		r.Result, r.Confidence = "refused", record.ConfidenceMedium
		if lastResult == "refused" {
			r.Confidence = record.ConfidenceHigh
		}
		if last.confidence != record.ConfidenceLow {
			r.Method = last.method
		}
		r.Reason = "answers of the size of USERAUTH_FAILURE and none of the size of USERAUTH_SUCCESS"
	default:
		r.Reason = "no message of the size of USERAUTH_SUCCESS was seen"
	}
}

func (a *authReader) list(r *record.SSHAuth, att record.SSHAuthAttempt) {
	if len(r.Attempts) < maxAttempts {
		r.Attempts = append(r.Attempts, att)
	}
}

func (a *authReader) name(r *record.SSHAuth) {
	if lo, hi := a.user[0], a.user[1]; hi > 0 {
		r.UserLength = fmt.Sprintf("%d-%d bytes", max(lo, 1), hi)
	}
}

// classify says what the client probably asked.
func (a *authReader) classify(t turn, n int, last question, lastResult string, lastAnswer time.Time) question {
	size := t.first.size
	lo, hi := a.client.payload(size)
	q := question{lo: lo, hi: hi, method: "unknown", confidence: record.ConfidenceLow, reason: fmt.Sprintf("a request of %d to %d bytes", lo, hi)}
	padded := a.padded64(size)
	thinking := time.Duration(0)
	if !lastAnswer.IsZero() {
		thinking = t.first.at.Time.Sub(lastAnswer)
	}
	switch {
	case n == 0 && hi >= noneSize+1 && lo <= noneSize+maxUserName && !a.skipsNone() && !(padded && a.isOpenSSH() && hi > noneSize+20):
		q.method, q.confidence = "none", record.ConfidenceHigh
		q.reason = "the first request has the size of the customary question for the methods"
		a.user = [2]int{lo - noneSize, min(hi-noneSize, maxUserName)}
	case lastResult == "wanted" && last.method == "publickey":
		q.method, q.confidence = "publickey", record.ConfidenceHigh
		q.key = a.keyBySignature(lo-last.lo, hi-last.hi)
		if q.key == "" {
			q.key = "unknown kind of key"
		}
		q.reason = "the key that the server wanted comes again with a signature"
	case lastResult == "wanted" && last.method == "keyboard-interactive":
		q.method, q.confidence = "keyboard-interactive", record.ConfidenceHigh
		if !padded {
			q.confidence = record.ConfidenceMedium
		}
		q.reason = "an answer to the server's prompt"
	case padded && a.isOpenSSH() && (lo < smallestKey-8 || thinking > 400*time.Millisecond || last.method == "password"):
		q.method, q.confidence = "password", record.ConfidenceHigh
		q.reason = "padded to a multiple of 64 bytes, as OpenSSH pads passwords"
		if thinking > time.Second {
			q.reason += fmt.Sprintf(", %s after the last answer, as long as typing takes", record.Seconds(thinking))
		}
	case a.user[1] > 0 && hi >= kbdintSize+a.user[0] && lo <= kbdintSize+a.user[1] && lo < smallestKey-8:
		q.method, q.confidence = "keyboard-interactive", record.ConfidenceMedium
		q.reason = "the size of a request for keyboard-interactive by the same user"
	case lo >= smallestKey-16:
		q.method, q.confidence = "publickey", record.ConfidenceMedium
		q.reason = "a request as large as a public key makes it"
		if key := a.signedKey(lo, hi); key != "" {
			q.key = key
			q.reason = "a request of the size of a public key with a signature"
		} else if last.method == "publickey" && lastResult == "refused" && padded && thinking < 50*time.Millisecond {
			q.reason += ", right behind another one"
		}
	case hi >= 41:
		q.method, q.confidence = "password", record.ConfidenceMedium
		q.reason = "too small for a public key, too large for anything but a password"
	}
	return q
}

// answer says what the server probably answered, and up to where in the log
// it goes.
func (a *authReader) answer(q question, t turn, n int) (result, why string, upto int) {
	for i := t.from; i < t.to; i++ {
		if a.log[i].size == a.server.wire(successSize) {
			return "accepted", "answered with the size of USERAUTH_SUCCESS", i + 1
		}
	}
	// Banners and EXT_INFO come before the answer itself.
	last := a.log[t.to-1]
	lo, hi := a.server.payload(last.size)
	if n == 0 && q.method == "none" {
		a.fail = last.size
		if hi < leastFailure || lo > mostFailure {
			return "unknown", "", t.to
		}
		return "refused", "", t.to
	}
	if last.size == a.fail {
		return "refused", "answered with the size of USERAUTH_FAILURE", t.to
	}
	if q.method == "publickey" && q.key == "" {
		// PK_OK repeats algorithm and key: 36 bytes and the user name less.
		userLo, userHi := a.user[0], a.user[1]
		if userHi == 0 {
			userLo, userHi = 1, maxUserName
		}
		if hi >= q.lo-36-userHi && lo <= q.hi-36-userLo && hi > leastFailure {
			return "wanted", "answered with the size of PK_OK", t.to
		}
	}
	if q.method == "keyboard-interactive" && hi >= 17 {
		if a.fail != 0 {
			return "wanted", "answered with a prompt", t.to
		}
	}
	if hi >= leastFailure && lo <= mostFailure {
		if a.fail == 0 {
			a.fail = last.size
			return "refused", "answered with a size that USERAUTH_FAILURE can have", t.to
		}
		return "partial", "answered with a failure of another size, as after a method that was accepted and is not enough", t.to
	}
	return "unknown", "", t.to
}

// padded64 reports whether OpenSSH's padding for secrets may be at work.
func (a *authReader) padded64(size int) bool {
	n := size - a.client.tag
	if a.client.apart {
		n -= 4
	}
	return n > 0 && n%64 == 0
}

func (a *authReader) is(dir dissect.Dir, software string) bool {
	return a.ids[dir] != nil && a.ids[dir].Software == software
}

func (a *authReader) isOpenSSH() bool { return a.is(dissect.ClientToServer, "OpenSSH") }

func (a *authReader) framing(dir dissect.Dir) framing {
	if dir == dissect.ClientToServer {
		return a.client
	}
	return a.server
}

// skipsNone: clients that do not ask for the methods first.
func (a *authReader) skipsNone() bool { return a.is(dissect.ClientToServer, "Paramiko") }

// signsAtOnce: clients that may sign without asking whether the key is wanted.
// What is not known to ask may too.
func (a *authReader) signsAtOnce() bool {
	for _, asks := range []string{"OpenSSH", "PuTTY", "Dropbear", "libssh", "Go x/crypto/ssh"} {
		if a.is(dissect.ClientToServer, asks) {
			return false
		}
	}
	return true
}

// keyBySignature tells the kind of key by what a signature adds to a request:
// its length field, the algorithm's name and the signature itself; between two
// OpenSSH also the longer name of a method that is bound to the host, and the
// host's key.
func (a *authReader) keyBySignature(lo, hi int) string {
	if a.isOpenSSH() && a.is(dissect.ServerToClient, "OpenSSH") && a.hostKey > 0 {
		bound := len("-hostbound-v00@openssh.com") - 1 + 4 + a.hostKey
		if k := keyOf(lo-bound, hi-bound, a.client.block); k != "" {
			return k
		}
	}
	return keyOf(lo, hi, a.client.block)
}

func keyOf(lo, hi, block int) string {
	added := (lo + hi) / 2
	for _, k := range [...]struct {
		name string
		size int
	}{
		{"ED25519", 4 + 4 + 11 + 4 + 64},
		{"ECDSA 256", 4 + 4 + 19 + 4 + 4 + 33 + 4 + 33},
		{"ECDSA 384", 4 + 4 + 19 + 4 + 4 + 49 + 4 + 49},
		{"ECDSA 521", 4 + 4 + 19 + 4 + 4 + 66 + 4 + 66},
		{"RSA 2048", 4 + 4 + 12 + 4 + 256},
		{"RSA 3072", 4 + 4 + 12 + 4 + 384},
		{"RSA 4096", 4 + 4 + 12 + 4 + 512},
	} {
		if added > k.size-block && added < k.size+block {
			return k.name
		}
	}
	return ""
}

// signedKey tells the kind of key of a request that comes signed at once, as
// Paramiko sends it.
func (a *authReader) signedKey(lo, hi int) string {
	userLo, userHi := a.user[0], a.user[1]
	if userHi == 0 {
		userLo, userHi = 1, 16
	}
	for _, k := range [...]struct {
		name string
		size int
	}{
		{"ED25519", keySize + 11 + 51 + 87},
		{"ECDSA 256", keySize + 19 + 104 + 104},
		{"RSA 2048", keySize + 12 + 279 + 280},
		{"RSA 3072", keySize + 12 + 407 + 408},
		{"RSA 4096", keySize + 12 + 535 + 536},
	} {
		if hi >= k.size+userLo && lo <= k.size+userHi {
			return k.name
		}
	}
	return ""
}
