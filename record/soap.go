package record

import (
	"strconv"
	"strings"
	"time"
)

// SOAPCall is one call of a web service: a SOAP request with its response, or
// one of SOAP's ancestors (XML-RPC, WDDX).
type SOAPCall struct {
	Header
	Form           string        `json:"form" doc:"soap, xml-rpc or wddx"`
	Version        string        `json:"version,omitempty" doc:"SOAP version by the envelope's namespace: 1.1 or 1.2"`
	Carrier        string        `json:"carrier" doc:"what carried it: http or smtp"`
	Endpoint       string        `json:"endpoint,omitempty" doc:"URL or mail address that was called"`
	Operation      string        `json:"operation,omitempty" doc:"what was called: the name that a WSDL gives it, else the local name of the body's first element or the method name"`
	Namespace      string        `json:"namespace,omitempty" doc:"namespace of that element"`
	Style          string        `json:"style,omitempty" doc:"rpc, document or wrapped, as far as it shows"`
	Action         string        `json:"action,omitempty" doc:"SOAPAction field, action parameter or wsa:Action, the first that is there"`
	ActionMismatch string        `json:"action_mismatch,omitempty" doc:"the other action, where two of them differ"`
	Latency        Seconds       `json:"latency,omitempty" doc:"from the first byte of the request to the last of the response, seconds"`
	Sending        Seconds       `json:"sending,omitempty" doc:"part of it in which the client sent, seconds"`
	Waiting        Seconds       `json:"waiting,omitempty" doc:"part of it in which nobody sent, seconds"`
	Receiving      Seconds       `json:"receiving,omitempty" doc:"part of it in which the server sent, seconds"`
	Status         int           `json:"status,omitempty" doc:"HTTP status"`
	StatusMisfit   string        `json:"status_misfit,omitempty" doc:"how the HTTP status belies the outcome: fault with 2xx, result with error status, HTML, empty"`
	OneWay         bool          `json:"one_way,omitempty" doc:"the call was taken and no answer is meant to come in this exchange"`
	State          string        `json:"state,omitempty" doc:"how much of the carrier's exchange was seen, as in http.exchange"`
	Unanswered     bool          `json:"unanswered,omitempty" doc:"no response was seen"`
	Fault          *SOAPFault    `json:"fault,omitempty" doc:"the fault that came back"`
	Request        *SOAPMessage  `json:"request,omitempty" doc:"the request, when it was seen"`
	Response       *SOAPMessage  `json:"response,omitempty" doc:"the response, when it was seen"`
	ResponseType   string        `json:"response_type,omitempty" doc:"media type of the response, also when it is no SOAP"`
	Answers        *SOAPLink     `json:"answers,omitempty" doc:"the earlier call that this message answers over another exchange"`
	Contract       *SOAPContract `json:"contract,omitempty" doc:"what a WSDL says about the call, when there is one that covers it"`
	Replayed       *SOAPLink     `json:"replayed,omitempty" doc:"the earlier call whose nonce or MessageID this one repeats"`
}

// SOAPMessage is one envelope (or XML-RPC or WDDX document) and what came
// with it.
type SOAPMessage struct {
	Size          int64            `json:"size" doc:"bytes of the document, codings undone"`
	Root          string           `json:"root,omitempty" doc:"root element as it stands"`
	RootNamespace string           `json:"root_namespace,omitempty" doc:"namespace of the root element"`
	Encoding      string           `json:"encoding,omitempty" doc:"character encoding that it was read with"`
	EncodingStyle string           `json:"encoding_style,omitempty" doc:"encodingStyle attribute"`
	Element       string           `json:"element,omitempty" doc:"local name of the body's first element"`
	Namespace     string           `json:"namespace,omitempty" doc:"namespace of that element"`
	Elements      int              `json:"elements,omitempty" doc:"number of elements in the document"`
	Parameters    []SOAPNode       `json:"parameters,omitempty" doc:"what is in the body's first element, as a tree with short values, bounded"`
	More          int              `json:"more,omitempty" doc:"elements of the body that parameters leaves out"`
	Headers       []SOAPHeader     `json:"headers,omitempty" doc:"header blocks, the first 32"`
	Addressing    *SOAPAddressing  `json:"addressing,omitempty" doc:"WS-Addressing properties"`
	Security      *SOAPSecurity    `json:"security,omitempty" doc:"WS-Security header"`
	Sequence      *SOAPReliable    `json:"sequence,omitempty" doc:"WS-ReliableMessaging sequence"`
	Attachments   []SOAPAttachment `json:"attachments,omitempty" doc:"parts beside the envelope or referred to by it"`
	Problems      []SOAPXMLProblem `json:"problems,omitempty" doc:"what is wrong with the document, the first 8"`
	Partial       bool             `json:"partial,omitempty" doc:"the document was not read to its end: bytes missing, damage or a limit"`
	Content       *Content         `json:"-"`
}

// SOAPNode is one element.
type SOAPNode struct {
	Name     string     `json:"name" doc:"local name"`
	Value    string     `json:"value,omitempty" doc:"text, cut short, secrets masked"`
	Type     string     `json:"type,omitempty" doc:"xsi:type, or the type of an XML-RPC or WDDX value"`
	Nil      bool       `json:"nil,omitempty" doc:"xsi:nil"`
	Children []SOAPNode `json:"children,omitempty" doc:"elements inside"`
}

// SOAPHeader is one header block.
type SOAPHeader struct {
	Name           string `json:"name" doc:"local name"`
	Namespace      string `json:"namespace,omitempty" doc:"namespace"`
	Role           string `json:"role,omitempty" doc:"role or actor"`
	MustUnderstand bool   `json:"must_understand,omitempty" doc:"the receiver has to understand it or to fault"`
	Value          string `json:"value,omitempty" doc:"text, cut short"`
}

// SOAPAddressing holds the message properties of WS-Addressing.
type SOAPAddressing struct {
	Namespace string `json:"namespace,omitempty" doc:"version of WS-Addressing, by its namespace"`
	MessageID string `json:"message_id,omitempty" doc:"MessageID"`
	RelatesTo string `json:"relates_to,omitempty" doc:"RelatesTo"`
	Action    string `json:"action,omitempty" doc:"Action"`
	To        string `json:"to,omitempty" doc:"To"`
	From      string `json:"from,omitempty" doc:"address in From"`
	ReplyTo   string `json:"reply_to,omitempty" doc:"address in ReplyTo"`
	FaultTo   string `json:"fault_to,omitempty" doc:"address in FaultTo"`
}

// SOAPSecurity sums up a WS-Security header.
type SOAPSecurity struct {
	User         string   `json:"user,omitempty" doc:"Username of a UsernameToken"`
	PasswordType string   `json:"password_type,omitempty" doc:"how the password was sent: text or digest"`
	Nonce        string   `json:"nonce,omitempty" doc:"Nonce as it stands"`
	TokenCreated string   `json:"token_created,omitempty" doc:"Created of the UsernameToken"`
	Created      string   `json:"created,omitempty" doc:"Created of the Timestamp"`
	Expires      string   `json:"expires,omitempty" doc:"Expires of the Timestamp"`
	Tokens       []string `json:"tokens,omitempty" doc:"security tokens: binary tokens by their type, SAML assertions by issuer and subject"`
	Signed       []string `json:"signed,omitempty" doc:"references that the signature covers"`
	Signature    string   `json:"signature,omitempty" doc:"signature algorithm"`
	Digests      []string `json:"digests,omitempty" doc:"digest algorithms of the signature"`
	Encrypted    []string `json:"encrypted,omitempty" doc:"encrypted data by reference or place"`
	Encryption   []string `json:"encryption,omitempty" doc:"encryption algorithms"`

	// Password is the secret itself; it shows in credential records.
	Password string `json:"-"`
}

// SOAPReliable is a WS-ReliableMessaging sequence header.
type SOAPReliable struct {
	Identifier string   `json:"identifier,omitempty" doc:"sequence identifier"`
	Number     int64    `json:"number,omitempty" doc:"message number"`
	Last       bool     `json:"last,omitempty" doc:"last message of the sequence"`
	Acked      []string `json:"acked,omitempty" doc:"acknowledged ranges, as lower-upper"`
}

// SOAPAttachment is a part that an envelope refers to, or that came with it.
type SOAPAttachment struct {
	ID         string `json:"id,omitempty" doc:"Content-ID"`
	MediaType  string `json:"media_type,omitempty" doc:"media type of the part"`
	Size       int64  `json:"size" doc:"bytes, codings undone"`
	SHA256     string `json:"sha256,omitempty" doc:"SHA-256 of the part"`
	Referenced bool   `json:"referenced" doc:"the envelope refers to it"`
	Missing    bool   `json:"missing,omitempty" doc:"the envelope refers to it and it did not come"`
}

// SOAPXMLProblem is one thing that is wrong with a document.
type SOAPXMLProblem struct {
	Code   string `json:"code" doc:"stable token, such as xml_malformed, xml_encoding, soap_namespace"`
	Detail string `json:"detail" doc:"what was seen"`
	Line   int    `json:"line,omitempty" doc:"line in the document, from 1"`
	Column int    `json:"column,omitempty" doc:"column in bytes, from 1"`
	Offset int64  `json:"offset" doc:"offset in the decoded document"`
	Near   string `json:"near,omitempty" doc:"the bytes around"`
}

// SOAPFault is a fault of SOAP 1.1 or 1.2, or of XML-RPC.
type SOAPFault struct {
	Code     string       `json:"code" doc:"fault code, local name; XML-RPC: the number"`
	Subcodes []string     `json:"subcodes,omitempty" doc:"subcodes from the outer to the inner one"`
	Reason   string       `json:"reason,omitempty" doc:"reason, in English where there is a choice"`
	Reasons  []SOAPReason `json:"reasons,omitempty" doc:"the reason in each language, when there is more than one"`
	Node     string       `json:"node,omitempty" doc:"node that faulted (1.2)"`
	Role     string       `json:"role,omitempty" doc:"role (1.2) or actor (1.1) of the node"`
	Detail   []SOAPNode   `json:"detail,omitempty" doc:"detail, as a tree with short values"`
}

// SOAPReason is a fault's reason in one language.
type SOAPReason struct {
	Language string `json:"language" doc:"xml:lang"`
	Text     string `json:"text" doc:"reason"`
}

// SOAPContract is what a WSDL says about a call.
type SOAPContract struct {
	Location   string          `json:"location" doc:"where the WSDL was found: its URL or file"`
	Operation  string          `json:"operation,omitempty" doc:"operation that the call means"`
	Binding    string          `json:"binding,omitempty" doc:"how the WSDL binds it, such as SOAP 1.1, document"`
	Deviations []SOAPDeviation `json:"deviations,omitempty" doc:"where the messages depart from it, the first 8 of each"`
}

// SOAPDeviation is one place where a message departs from its WSDL.
type SOAPDeviation struct {
	Code    string `json:"code" doc:"unknown_operation, action, version, element_missing, element_unexpected, element_order, attribute_missing, attribute_unknown, value_invalid, nil_invalid or type_invalid"`
	Message string `json:"message" doc:"request or response"`
	Path    string `json:"path,omitempty" doc:"XPath of the node, in the message's own prefixes"`
	Detail  string `json:"detail" doc:"what is wrong there"`
}

// SOAPLink points to an earlier call.
type SOAPLink struct {
	Session   string    `json:"session" doc:"session of the earlier call"`
	Time      time.Time `json:"time" doc:"when that call began"`
	Offset    int64     `json:"offset" doc:"its offset in the client's stream"`
	Operation string    `json:"operation,omitempty" doc:"its operation"`
	By        string    `json:"by" doc:"what links them: RelatesTo, In-Reply-To, nonce or MessageID"`
	After     Seconds   `json:"after" doc:"time between the two, seconds"`
}

func (*SOAPCall) Kind() Kind { return KindSOAPCall }

// Name is the operation as a user would call it.
func (c *SOAPCall) Name() string {
	switch {
	case c.Operation != "":
		return c.Operation
	case c.Action != "":
		return c.Action
	case c.Form == "soap":
		return "SOAP message"
	}
	return c.Form + " message"
}

func (c *SOAPCall) Summary() string {
	var b strings.Builder
	b.WriteString(c.Name())
	if c.Latency != 0 {
		b.WriteString(" " + c.Latency.String())
	}
	if o := c.Outcome(); o != "answered" {
		b.WriteString(", " + o)
	}
	if c.Answers != nil {
		b.WriteString(", answers " + c.Answers.Operation + " after " + c.Answers.After.String())
	}
	return b.String()
}

// Outcome says in few words what became of the call.
func (c *SOAPCall) Outcome() string {
	switch {
	case c.Fault != nil:
		return "fault " + c.Fault.String()
	case c.StatusMisfit != "":
		return "HTTP " + strconv.Itoa(c.Status) + " (" + c.StatusMisfit + ")"
	case c.OneWay:
		return "one-way"
	case c.Unanswered:
		return "not answered"
	case c.State != "" && c.State != HTTPComplete:
		return c.State
	}
	return "answered"
}

// Failed reports whether the call did not come to a result, by a fault or
// otherwise.
func (c *SOAPCall) Failed() bool {
	return c.Fault != nil || c.Unanswered || c.Status >= 400 || c.StatusMisfit != "" || c.State == HTTPRequestCut || c.State == HTTPResponseCut
}

func (f *SOAPFault) String() string {
	s := strings.Join(append([]string{f.Code}, f.Subcodes...), ".")
	if f.Reason != "" {
		s += ": " + shorten(f.Reason, 80)
	}
	return s
}

// Tell says "GetQuote 41 ms" for each operation, with the mean when it was
// called more than once, and counts faults.
func (c *SOAPCall) Tell(o *Outline) {
	f := o.Named("soap", c.Name())
	f.N++
	f.Sum += int64(c.Latency)
	f.Rank, f.Show = 1, showCalls
	if c.Fault != nil {
		faults := o.Fact("soap faults")
		faults.N++
		faults.Text = "fault " + shorten(c.Fault.String(), 60)
		if faults.N > 1 {
			faults.Text = strconv.Itoa(faults.N) + " faults"
		}
	} else if c.Unanswered {
		lost := o.Fact("soap unanswered")
		lost.N++
		lost.Text = strconv.Itoa(lost.N) + " not answered"
	}
}

// showCalls puts the calls of one operation in words.
func showCalls(f *Fact) string {
	text := shorten(f.name, 40)
	if f.N > 1 {
		text += " " + strconv.Itoa(f.N) + " times"
	}
	if f.Sum != 0 {
		text += " " + Seconds(f.Sum/int64(f.N)).String()
	}
	return text
}

// Lines annotates the dialogue with the call. The envelopes of a call over
// HTTP stand in the exchange's own lines; those of any other carrier stand
// here.
func (c *SOAPCall) Lines() []Line {
	var lines []Line
	at := c.Time.Add(c.Latency.Duration())
	lines = append(lines, Line{Time: at, Note: true, Text: Plain(c.Summary())})
	for _, m := range []*SOAPMessage{c.Request, c.Response} {
		if m == nil {
			continue
		}
		for _, a := range m.Attachments {
			if a.Missing {
				lines = append(lines, Line{Time: at, Note: true, Text: Plain("part " + a.ID + " is referred to and did not come")})
			}
		}
	}
	return lines
}
