package soap

import (
	"strings"
	"testing"
	"time"

	"sniff/content"
	"sniff/record"
)

// body is a finished content.Result.
type body struct {
	content *record.Content
	loaded  []content.Loaded
}

func (b *body) Wait() *record.Content    { return b.content }
func (b *body) Loaded() []content.Loaded { return b.loaded }

// bodyOf reads a document with l as a body of the given content.
func bodyOf(l content.Load, c *record.Content, doc string) *body {
	p := l.Parse(&content.Info{ContentType: "text/xml"}, "text/xml")
	p.Write([]byte(doc))
	return &body{content: c, loaded: []content.Loaded{{Load: l, Value: p.Close(true), Content: c}}}
}

func envelopeOf(header, body string) string {
	return `<s:Envelope xmlns:s="` + soap11 + `"><s:Header>` + header + `</s:Header><s:Body>` + body + `</s:Body></s:Envelope>`
}

const wsa = ` xmlns="http://www.w3.org/2005/08/addressing"`

// pair hands an exchange to l and returns its call and the rest.
func pair(t *testing.T, l content.Load, x *content.Exchange) (*record.SOAPCall, []record.Record) {
	t.Helper()
	var call *record.SOAPCall
	var rest []record.Record
	content.Pair(x, func(r record.Record) {
		if c, ok := r.(*record.SOAPCall); ok && call == nil {
			call = c
			return
		}
		rest = append(rest, r)
	})
	if call == nil {
		t.Fatal("no call came out of the exchange")
	}
	return call, rest
}

func exchange(at time.Time, session string) *record.HTTPExchange {
	x := &record.HTTPExchange{Method: "POST", URL: "http://ws.example/s?x=1", Status: 202, State: record.HTTPComplete}
	x.Time, x.Session = at, session
	return x
}

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestAnswerOverAnotherConnection(t *testing.T) {
	l := NewLoad(Config{})
	first, _ := pair(t, l, &content.Exchange{
		Carrier: exchange(noon, "a"),
		Request: bodyOf(l, &record.Content{}, envelopeOf(`<MessageID`+wsa+`>urn:1</MessageID><ReplyTo`+wsa+`><Address>http://me.example/</Address></ReplyTo>`, `<Order/>`)),
	})
	if !first.OneWay || first.Request.Addressing.ReplyTo != "http://me.example/" || first.Endpoint != "http://ws.example/s" {
		t.Errorf("first call: %+v", first)
	}
	second, _ := pair(t, l, &content.Exchange{
		Carrier: exchange(noon.Add(3*time.Second), "b"),
		Request: bodyOf(l, &record.Content{}, envelopeOf(`<MessageID`+wsa+`>urn:2</MessageID><RelatesTo`+wsa+`>urn:1</RelatesTo>`, `<OrderDone/>`)),
	})
	a := second.Answers
	if a == nil || a.Session != "a" || a.Operation != "Order" || a.By != "RelatesTo" || a.After.Duration() != 3*time.Second {
		t.Errorf("answer: %+v", a)
	}
}

func TestAnswerByMail(t *testing.T) {
	l := NewLoad(Config{})
	mail := func(id, answers, doc string, at time.Time) *content.Exchange {
		r := &record.SMTPMessage{}
		r.Time = at
		root := &record.Content{Message: &record.Message{MessageID: id, InReplyTo: answers, To: []string{"ws@b.example"}}}
		return &content.Exchange{Carrier: r, Request: bodyOf(l, root, doc)}
	}
	call, _ := pair(t, l, mail("<1@a.example>", "", envelopeOf("", "<Order/>"), noon))
	if call.Carrier != "smtp" || call.Endpoint != "ws@b.example" {
		t.Errorf("call by mail: carrier %s, endpoint %s", call.Carrier, call.Endpoint)
	}
	answer, _ := pair(t, l, mail("<2@b.example>", "<1@a.example>", envelopeOf("", "<OrderDone/>"), noon.Add(time.Minute)))
	if a := answer.Answers; a == nil || a.Operation != "Order" || a.By != "In-Reply-To" {
		t.Errorf("answer by mail: %+v", a)
	}
}

func TestReplayedNonce(t *testing.T) {
	l := NewLoad(Config{Secret: record.NewKeyer([]byte("key")).Secret})
	header := `<w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"><w:UsernameToken><w:Username>bob</w:Username><w:Password>hunter2</w:Password><w:Nonce>abc=</w:Nonce></w:UsernameToken></w:Security>`
	send := func(at time.Time) (*record.SOAPCall, []record.Record) {
		return pair(t, l, &content.Exchange{Carrier: exchange(at, "a"), Request: bodyOf(l, &record.Content{}, envelopeOf(header, "<Pay/>"))})
	}
	first, rest := send(noon)
	if first.Replayed != nil {
		t.Errorf("the first use counts as a replay: %+v", first.Replayed)
	}
	cr, ok := rest[0].(*record.Credential)
	if !ok || cr.Account != "bob" || cr.Secret.Clear() != "hunter2" || strings.Contains(cr.Secret.String(), "hunter2") {
		t.Errorf("credential: %+v", rest[0])
	}
	second, _ := send(noon.Add(time.Hour))
	if r := second.Replayed; r == nil || r.By != "nonce" || r.After.Duration() != time.Hour {
		t.Errorf("second use: %+v", r)
	}
}

// TestLinksBounded: the memory for answers does not grow, the oldest goes.
func TestLinksBounded(t *testing.T) {
	links := newLinks(3)
	c := &record.SOAPCall{Operation: "Op"}
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		links.remember("wsa", id, c)
	}
	if n := len(links.calls); n != 3 {
		t.Errorf("%d calls are remembered, 3 at most were asked for", n)
	}
	if links.find("wsa", "1", "", noon) != nil || links.find("wsa", "5", "", noon) == nil {
		t.Error("not the oldest calls were forgotten")
	}
}

// TestStatusMisfit: what an HTTP status says against the envelope.
func TestStatusMisfit(t *testing.T) {
	l := NewLoad(Config{})
	fault := envelopeOf("", `<s:Fault><faultcode>s:Server</faultcode><faultstring>no</faultstring></s:Fault>`)
	for _, c := range []struct {
		status    int
		typ, resp string
		want      string
	}{
		{200, "text/xml", envelopeOf("", "<PayResponse/>"), ""},
		{500, "text/xml", fault, ""},
		{200, "text/xml", fault, "fault with status 200"},
		{500, "text/xml", envelopeOf("", "<PayResponse/>"), "result with error status"},
		{200, "text/html", "", "HTML instead of SOAP"},
		{503, "", "", "empty answer"},
	} {
		x := exchange(noon, "a")
		x.Status, x.ResponseType = c.status, c.typ
		e := &content.Exchange{Carrier: x, Request: bodyOf(l, &record.Content{}, envelopeOf("", "<Pay/>"))}
		if c.resp != "" {
			x.ResponseSize = int64(len(c.resp))
			e.Response = bodyOf(l, &record.Content{}, c.resp)
		}
		call, _ := pair(t, l, e)
		if call.StatusMisfit != c.want {
			t.Errorf("%d %s: misfit %q, want %q", c.status, c.typ, call.StatusMisfit, c.want)
		}
	}
}
