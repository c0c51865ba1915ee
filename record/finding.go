package record

import "time"

// Severity grades a finding. Healthy traffic with harmless oddities raises
// nothing above SeverityNotice.
type Severity string

const (
	SeverityInfo     Severity = "info"
	SeverityNotice   Severity = "notice"
	SeverityWarning  Severity = "warning"
	SeverityError    Severity = "error"
	SeverityCritical Severity = "critical"
)

// Level orders severities: info is 1, critical 5, anything unknown 0.
func (s Severity) Level() int {
	switch s {
	case SeverityInfo:
		return 1
	case SeverityNotice:
		return 2
	case SeverityWarning:
		return 3
	case SeverityError:
		return 4
	case SeverityCritical:
		return 5
	}
	return 0
}

// Finding says what went wrong or is unsafe, on what evidence, and what to do.
type Finding struct {
	Header
	Code        string     `json:"code" doc:"stable code, family.token, such as ftp.passive_unreachable"`
	Severity    Severity   `json:"severity" doc:"info, notice, warning, error or critical"`
	Title       string     `json:"title" doc:"what happened, with the names, addresses and codes of this case"`
	Explanation string     `json:"explanation" doc:"what it means"`
	Evidence    []Evidence `json:"evidence,omitempty" doc:"what it rests on"`
	Advice      string     `json:"advice,omitempty" doc:"what to do"`
	Reference   string     `json:"reference,omitempty" doc:"RFC section or page that it rests on"`
	Cause       string     `json:"cause,omitempty" doc:"code of the finding of the same session that explains this one"`
	Count       int        `json:"count,omitempty" doc:"how often it was seen, when more than once"`
}

// Evidence is one place in the traffic that a finding rests on.
type Evidence struct {
	Session string    `json:"session" doc:"session id"`
	Packet  uint64    `json:"packet,omitempty" doc:"packet number"`
	Time    time.Time `json:"time" doc:"capture time"`
	Dir     string    `json:"dir,omitempty" doc:"client or server"`
	Offset  int64     `json:"offset" doc:"offset in the direction's stream"`
	Text    Text      `json:"text" doc:"what was seen there, secrets masked"`

	Number uint64 `json:"-"` // of the session in this run, 0 if it is not known
}

func (*Finding) Kind() Kind        { return KindFinding }
func (f *Finding) Summary() string { return string(f.Severity) + ": " + f.Title }

// Anomaly is a violation of a protocol's rules, or damage in the capture.
// Parsing went on behind it.
type Anomaly struct {
	Header
	Code   string `json:"code" doc:"stable token, such as smtp_bare_lf"`
	Detail string `json:"detail,omitempty" doc:"what was seen, in words"`
	Count  int    `json:"count,omitempty" doc:"how many more of the same code followed in this session and were not listed"`
}

func (*Anomaly) Kind() Kind { return KindAnomaly }
func (a *Anomaly) Summary() string {
	if a.Detail == "" {
		return a.Code
	}
	return a.Code + ": " + a.Detail
}

// Exposure says how open a credential lay on the wire.
type Exposure string

const (
	ExposureClear     Exposure = "clear"     // readable as it stands or after base64
	ExposureCrackable Exposure = "crackable" // a digest that can be guessed offline
	ExposureHidden    Exposure = "hidden"    // seen only because sniff had a key or stood in the middle
)

// Credential is one attempt to log in, of whatever protocol.
type Credential struct {
	Header
	Account   string   `json:"account,omitempty" doc:"user name as sent, decoded"`
	Realm     string   `json:"realm,omitempty" doc:"realm, domain or authorization identity beside the account"`
	Mechanism string   `json:"mechanism" doc:"how it was sent, such as USER/PASS, PLAIN, CRAM-MD5, Basic, UsernameToken"`
	Secret    Secret   `json:"secret,omitzero" doc:"the password, token or digest; masked with a keyed token unless revealed"`
	Exposure  Exposure `json:"exposure" doc:"clear, crackable or hidden"`
	Worked    string   `json:"worked" doc:"yes, no or unknown"`
	Reply     string   `json:"reply,omitempty" doc:"the server's verdict as it stood on the wire"`
	Hash      Secret   `json:"hash,omitzero" doc:"the crackable digest in hashcat's format"`
	HashMode  int      `json:"hash_mode,omitempty" doc:"hashcat's number for that format"`
}

func (*Credential) Kind() Kind { return KindCredential }
func (c *Credential) Summary() string {
	s := c.Mechanism + " " + c.Account + ", " + string(c.Exposure)
	switch c.Worked {
	case "yes":
		s += ", accepted"
	case "no":
		s += ", refused"
	}
	return s
}
