package record

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// Confidence grades what was inferred from sizes, directions and times. It is
// "certain" only for what was decrypted.
type Confidence string

const (
	ConfidenceLow     Confidence = "low"
	ConfidenceMedium  Confidence = "medium"
	ConfidenceHigh    Confidence = "high"
	ConfidenceCertain Confidence = "certain"
)

// SSHAuth is the authentication of one SSH connection: inferred from what
// shows through the encryption, or read when the keys were at hand.
type SSHAuth struct {
	Header
	Inferred   bool             `json:"inferred" doc:"concluded from sizes, directions and times, not read"`
	Result     string           `json:"result" doc:"accepted, refused (tried and never accepted), none (nothing was tried), unknown"`
	Method     string           `json:"method,omitempty" doc:"method that was accepted, or the last one tried: none, password, publickey, keyboard-interactive, hostbased, gssapi-with-mic"`
	User       string           `json:"user,omitempty" doc:"user name, when it was read"`
	UserLength string           `json:"user_length,omitempty" doc:"length of the user name as the sizes show it, such as 4-7 bytes"`
	Banner     string           `json:"banner,omitempty" doc:"text that the server sent before the login, when it was read"`
	Failures   int              `json:"failures" doc:"attempts that were refused, without the customary question for the methods (none) and without keys that were only offered"`
	Offered    int              `json:"offered,omitempty" doc:"keys that were offered and not wanted"`
	Attempts   []SSHAuthAttempt `json:"attempts,omitempty" doc:"the attempts in order, the first 32"`
	Confidence Confidence       `json:"confidence" doc:"how sure the result is: low, medium, high, certain"`
	Reason     string           `json:"reason" doc:"what the conclusion rests on"`
	Took       Seconds          `json:"took,omitempty" doc:"time from the request for the service to the result, seconds"`
	Pause      Seconds          `json:"pause,omitempty" doc:"longest time the server took to answer a request, seconds"`
}

// SSHAuthAttempt is one request of the client and its answer.
type SSHAuthAttempt struct {
	Time       time.Time  `json:"time" doc:"when the client asked"`
	Method     string     `json:"method" doc:"none, password, publickey, keyboard-interactive or unknown"`
	Result     string     `json:"result" doc:"accepted, refused, wanted (the server wants a signature by this key, or asks back), partial, unanswered, unknown"`
	Answer     Seconds    `json:"answer,omitempty" doc:"time until the answer, seconds"`
	Confidence Confidence `json:"confidence" doc:"how sure it is"`
	Reason     string     `json:"reason,omitempty" doc:"what it rests on"`
	Key        string     `json:"key,omitempty" doc:"fingerprint of the user's key when it was read, or the kind of key that the sizes suggest"`
}

func (*SSHAuth) Kind() Kind { return KindSSHAuth }

func (a *SSHAuth) Summary() string {
	var b strings.Builder
	switch a.Result {
	case "accepted":
		b.WriteString("login")
		if a.User != "" {
			b.WriteString(" " + a.User)
		}
		if a.Method != "" && a.Method != "unknown" {
			b.WriteString(" by " + sshMethodWords(a.Method))
		}
		b.WriteString(" accepted")
		if a.Failures > 0 {
			fmt.Fprintf(&b, " after %s", Count(a.Failures, "failure"))
		}
	case "refused":
		b.WriteString("login")
		if a.User != "" {
			b.WriteString(" " + a.User)
		}
		if a.Method != "" && a.Method != "unknown" {
			b.WriteString(" by " + sshMethodWords(a.Method))
		}
		b.WriteString(" failed")
		if a.Failures > 1 {
			fmt.Fprintf(&b, " %d times", a.Failures)
		}
	case "none":
		b.WriteString("no login was tried")
	default:
		b.WriteString("login not visible")
	}
	if a.Inferred && a.Result != "unknown" {
		fmt.Fprintf(&b, " (inferred, %s)", a.Confidence)
	}
	return b.String()
}

func sshMethodWords(m string) string {
	if m == "publickey" {
		return "public key"
	}
	return m
}

// Tell adds how the login went.
func (a *SSHAuth) Tell(o *Outline) {
	f := o.Fact("ssh.auth")
	f.Rank, f.Text = 4, a.Summary()
}

// Lines gives the attempts.
func (a *SSHAuth) Lines() []Line {
	if len(a.Attempts) == 0 {
		return []Line{{Time: a.Time, Note: true, Text: Plain("authentication: " + a.Summary())}}
	}
	var lines []Line
	for _, t := range a.Attempts {
		text := "authentication: " + sshMethodWords(t.Method)
		if t.Key != "" {
			text += " (" + t.Key + ")"
		}
		text += ", " + t.Result
		if t.Answer > 0 {
			text += " after " + t.Answer.String()
		}
		if a.Inferred {
			text += " [" + string(t.Confidence) + ": " + t.Reason + "]"
		}
		lines = append(lines, Line{Time: t.Time, Note: a.Inferred, Text: Plain(text)})
	}
	return lines
}

// SSHChannel is what happened after the login: one channel when the keys were
// at hand, else the whole encrypted rest of the connection.
type SSHChannel struct {
	Header
	Inferred   bool       `json:"inferred" doc:"concluded from sizes, directions and times, not read"`
	What       string     `json:"what" doc:"interactive, exec, sftp, file_transfer, tunnel, idle, unknown"`
	Confidence Confidence `json:"confidence" doc:"how sure that is"`
	Reason     string     `json:"reason" doc:"what it rests on"`

	Type       string   `json:"type,omitempty" doc:"channel type, when it was read: session, direct-tcpip, forwarded-tcpip, x11"`
	Number     uint32   `json:"channel,omitempty" doc:"channel number of the side that opened it, when it was read"`
	Command    Text     `json:"command,omitzero" doc:"command of an exec request, when it was read"`
	Subsystem  string   `json:"subsystem,omitempty" doc:"subsystem that was started, when it was read"`
	Target     string   `json:"target,omitempty" doc:"address that was forwarded to, when it was read"`
	Terminal   string   `json:"terminal,omitempty" doc:"terminal type and size, when it was read"`
	Env        []string `json:"env,omitempty" doc:"environment variables sent, name=value, when they were read"`
	ExitStatus *uint32  `json:"exit_status,omitempty" doc:"exit status of the command, when it was read"`
	ExitSignal string   `json:"exit_signal,omitempty" doc:"signal that ended the command, when it was read"`

	Input  *Content `json:"input,omitempty" doc:"what the program was sent, when it was read: size, digest"`
	Output *Content `json:"output,omitempty" doc:"its standard output, when it was read"`
	Errors *Content `json:"errors,omitempty" doc:"its standard error, when it was read"`

	ClientBytes   int64   `json:"client_bytes" doc:"bytes from the client: data of the channel when it was read, else all that was encrypted since the login (or since the keys were in use, when no login was recognised)"`
	ServerBytes   int64   `json:"server_bytes" doc:"the same from the server"`
	ClientPackets int64   `json:"client_packets,omitempty" doc:"SSH packets from the client, where their lengths show; else TCP segments with data"`
	ServerPackets int64   `json:"server_packets,omitempty" doc:"the same from the server"`
	Exact         bool    `json:"exact,omitempty" doc:"packet lengths are in the clear (GCM or an encrypt-then-MAC cipher suite), so packets are SSH packets"`
	Keystrokes    int64   `json:"keystrokes,omitempty" doc:"client packets of the size of a keystroke"`
	Obscured      bool    `json:"obscured,omitempty" doc:"keystroke timing is hidden by packets at a fixed beat, so keystrokes cannot be counted"`
	Bursts        int64   `json:"bursts,omitempty" doc:"runs of client packets with pauses of over a second between them"`
	Idle          Seconds `json:"idle,omitempty" doc:"longest silence of both sides, seconds"`
	Reverse       string  `json:"reverse,omitempty" doc:"the server seems to drive the session: why it looks like a reverse connection"`
	Rekeys        int     `json:"rekeys,omitempty" doc:"renewed key exchanges, as far as their pattern shows"`
	RekeyReason   string  `json:"rekey_reason,omitempty" doc:"what those rest on"`
	MissingBytes  int64   `json:"missing_bytes,omitempty" doc:"encrypted bytes that the capture lacks; counted only inside of packets whose length is known"`
	ClosedBy      string  `json:"closed_by,omitempty" doc:"who ended the connection: client or server"`
	ClosedHow     string  `json:"closed_how,omitempty" doc:"how the connection ended: closed, reset, timeout and so on"`
	Duration      Seconds `json:"duration" doc:"from the first to the last of these bytes, seconds"`
}

// SSHCommand tells what the command of an exec request (RFC 4254, section 6.5)
// is about, as in SSHChannel.What, and the protocol inside the channel: sftp,
// scp, or "" for none that is read.
func SSHCommand(command string) (what, inside string) {
	words := strings.Fields(command)
	if len(words) == 0 {
		return "exec", ""
	}
	switch path.Base(words[0]) {
	case "sftp-server", "internal-sftp":
		return "sftp", "sftp"
	case "scp":
		// Its server side: -t takes files, -f sends them.
		for _, w := range words[1:] {
			if strings.HasPrefix(w, "-") && !strings.HasPrefix(w, "--") && strings.ContainsAny(w, "tf") {
				return "file_transfer", "scp"
			}
		}
	case "rsync":
		if strings.Contains(command, "--server") {
			return "file_transfer", ""
		}
	}
	return "exec", ""
}

func (*SSHChannel) Kind() Kind { return KindSSHChannel }

func (c *SSHChannel) Summary() string {
	var b strings.Builder
	switch c.What {
	case "interactive":
		b.WriteString("interactive session")
		if c.Keystrokes > 0 && !c.Obscured {
			fmt.Fprintf(&b, ", %s", Count(int(c.Keystrokes), "keystroke"))
		}
	case "exec":
		b.WriteString("command")
	case "sftp":
		b.WriteString("SFTP")
	case "file_transfer":
		b.WriteString("file transfer")
	case "tunnel":
		b.WriteString("tunnel")
	case "idle":
		b.WriteString("no session")
	default:
		b.WriteString("encrypted data")
	}
	if s := c.Command.String(); s != "" {
		b.WriteString(" " + s)
	}
	if c.Target != "" {
		b.WriteString(" to " + c.Target)
	}
	if c.ExitStatus != nil {
		fmt.Fprintf(&b, ", exit %d", *c.ExitStatus)
	}
	if c.ExitSignal != "" {
		b.WriteString(", ended by signal " + c.ExitSignal)
	}
	fmt.Fprintf(&b, ", %s sent, %s received", Bytes(c.ClientBytes), Bytes(c.ServerBytes))
	if c.Inferred && c.What != "unknown" {
		fmt.Fprintf(&b, " (inferred, %s)", c.Confidence)
	}
	return b.String()
}

// Tell adds what kind of session it was.
func (c *SSHChannel) Tell(o *Outline) {
	f := o.Fact("ssh.channel")
	f.N++
	f.Rank, f.Text = 3, c.Summary()
	if f.N > 1 {
		f.Text = fmt.Sprintf("%d channels, last: %s", f.N, c.Summary())
	}
}

// Lines gives the session and its end.
func (c *SSHChannel) Lines() []Line {
	lines := []Line{{Time: c.Time, Note: true, Text: Plain("session: " + c.Summary())}}
	for _, s := range []struct {
		what string
		dir  Dir
		c    *Content
	}{{"input", ClientToServer, c.Input}, {"output", ServerToClient, c.Output}, {"errors", ServerToClient, c.Errors}} {
		if s.c != nil {
			lines = append(lines, Line{Time: c.Time, Dir: s.dir, Text: Plain(s.what + ", " + Bytes(s.c.Size)), Fold: sshOutput(s.c)})
		}
	}
	if c.Inferred && c.Reason != "" {
		lines = append(lines, Line{Time: c.Time, Note: true, Text: Plain("because " + c.Reason)})
	}
	if c.Rekeys > 0 {
		lines = append(lines, Line{Time: c.Time, Note: true, Text: Plain(fmt.Sprintf("keys renewed %s: %s", Count(c.Rekeys, "time"), c.RekeyReason))})
	}
	if c.ClosedHow != "" {
		text := "end: " + c.ClosedHow
		if c.ClosedBy != "" {
			text += " by the " + c.ClosedBy
		}
		lines = append(lines, Line{Time: c.Time.Add(c.Duration.Duration()), Note: true, Text: Plain(text)})
	}
	return lines
}

// sshOutput is the kept part of what a program wrote, line by line.
func sshOutput(c *Content) []string {
	if len(c.Kept) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimRight(strings.ToValidUTF8(string(c.Kept), "\uFFFD"), "\r\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, "\r")
	}
	return lines
}
