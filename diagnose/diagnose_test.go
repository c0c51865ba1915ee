package diagnose

import (
	"net/netip"
	"strings"
	"testing"

	"sniff/record"
)

// TestCatalogue holds what every entry must have: a code of its family that
// stands once, a severity, and words on what it means.
func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	families := map[string]bool{}
	for _, f := range Families() {
		if families[f.Name] {
			t.Errorf("family %s is listed twice: its findings would count double", f.Name)
		}
		families[f.Name] = true
		for _, i := range f.Codes {
			switch {
			case seen[i.Code]:
				t.Errorf("%s stands twice", i.Code)
			case !strings.HasPrefix(i.Code, f.Name+"."):
				t.Errorf("%s is no code of the family %s", i.Code, f.Name)
			case i.Severity.Level() == 0:
				t.Errorf("%s has the severity %q", i.Code, i.Severity)
			case i.Explanation == "":
				t.Errorf("%s has no explanation", i.Code)
			}
			seen[i.Code] = true
		}
	}
}

// TestWatcher holds the order: findings of a session stand before its record,
// causes before symptoms.
func TestWatcher(t *testing.T) {
	var got []string
	sink := record.SinkFunc(func(r record.Record) error {
		if f, ok := r.(*record.Finding); ok {
			got = append(got, f.Code+" because of "+f.Cause)
		} else {
			got = append(got, string(r.Kind()))
		}
		return nil
	})
	w := NewWatcher(sink, []Family{{
		Name: "toy",
		Codes: []Info{
			{Code: "toy.symptom", Severity: record.SeverityError},
			{Code: "toy.cause", Severity: record.SeverityWarning},
		},
		Session: func() Observer { return toy{} },
	}})
	for _, r := range []record.Record{&record.Anomaly{Code: "early"}, &toyRecord{}, &record.Session{}} {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	want := "anomaly, toy.thing, toy.cause because of , toy.symptom because of toy.cause, session"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

type toyRecord struct{ record.Header }

func (*toyRecord) Kind() record.Kind { return "toy.thing" }
func (*toyRecord) Summary() string   { return "a toy" }

type toy struct{}

func (toy) See(r record.Record, rep *Reporter) {
	if r.Kind() == "toy.thing" {
		rep.Raise("toy.symptom", "it broke", r)
	}
}

func (toy) End(s *record.Session, rep *Reporter) {
	rep.Raise("toy.cause", "it was dropped", s)
	rep.Explains("toy.cause", "toy.symptom")
}

// TestUnreachedByTheProxy: what the proxy could not reach is told in its words,
// not as a capture's connection that nobody answered.
func TestUnreachedByTheProxy(t *testing.T) {
	head := record.Header{Session: "s", Client: netip.MustParseAddrPort("192.0.2.10:4000"), Server: netip.MustParseAddrPort("0.0.0.0:25")}
	a := &record.Anomaly{Header: head, Code: "proxy_unreached", Detail: "mail.example:25 was not reached: its name is not known"}
	found := run([]Family{tcpFamily()}, a, &record.Session{Header: head, End: record.EndUnanswered})
	if f := found["tcp.proxy_unreached"]; len(found) != 1 || f == nil || f.Title != a.Detail {
		t.Errorf("found %v", found)
	}
	found = run([]Family{tcpFamily()}, &record.Session{Header: head, End: record.EndUnanswered})
	if len(found) != 1 || found["tcp.unanswered"] == nil {
		t.Errorf("in a capture: %v", found)
	}
}
