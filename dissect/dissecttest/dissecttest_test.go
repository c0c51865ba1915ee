package dissecttest

import (
	"slices"
	"strings"
	"testing"

	"sniff/dissect"
	"sniff/record"
)

func TestRunToy(t *testing.T)  { Run(t, toyProtocol(newToy)) }
func TestGapsToy(t *testing.T) { Gaps(t, toyProtocol(newToy), CheckGap(recovers)) }
func FuzzToy(f *testing.F)     { Fuzz(f, toyProtocol(newToy)) }

// recovers wants each line asked at least once or missing, never twice.
func recovers(t *testing.T, g Gap) {
	if len(g.Records) > len(g.Whole)+1 {
		t.Errorf("%v: %d records, %d with nothing missing", g, len(g.Records), len(g.Whole))
	}
}

func playWith(t *testing.T, make func(dissect.Env) dissect.Dissector, text string, cuts []int) []string {
	t.Helper()
	tr, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	o := gather(toyProtocol(make), nil)
	return o.lines(o.play(tr, cuts).records)
}

const dialogue = "C: ask one\nS: one\nC: ask two\nS: two"

func TestFindsDependenceOnCuts(t *testing.T) {
	make := func(env dissect.Env) dissect.Dissector { return &greedy{toy{env: env}} }
	if slices.Equal(playWith(t, make, dialogue, nil), playWith(t, make, dialogue, []int{5})) {
		t.Error("the records of a dissector that counts cuts came out equal")
	}
}

func TestFindsKeptSlices(t *testing.T) {
	make := func(env dissect.Env) dissect.Dissector { return &keeper{toy: toy{env: env}} }
	for _, l := range playWith(t, make, dialogue, nil) {
		if strings.Contains(l, "ask two") { // the first line is the prober's copy
			t.Errorf("a slice that was lent still holds its bytes: %s", l)
		}
	}
}

func TestFindsPanics(t *testing.T) {
	make := func(env dissect.Env) dissect.Dissector { return &faulty{toy{env: env}} }
	lines := strings.Join(playWith(t, make, "C: ask\nC: boom\nC: more", nil), "\n")
	if !strings.Contains(lines, `"code":"internal_error"`) || !strings.Contains(lines, "(*faulty).Consume") {
		t.Errorf("no word of the panic and its place in:\n%s", lines)
	}
}

func TestParse(t *testing.T) {
	tr, err := parse(strings.Join([]string{
		"# a comment",
		"@port 2525",
		`C: a\tb\x00\\ `,
		"S| x\\r\\n",
		"@ 1.5",
		"C<< 16 0301",
		"C*3| ab",
		"S:",
		"C! gap -1",
		"@open data 198.51.100.1:50000",
		"data S! eof",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"a\tb\x00\\ \r\n", "x\r\n", "\x16\x03\x01", "ababab", "\r\n"}
	for i, w := range want {
		if got := string(tr.steps[i].b); got != w {
			t.Errorf("step %d: %q, want %q", i, got, w)
		}
	}
	if tr.port != 2525 {
		t.Errorf("port %d", tr.port)
	}
	if at := tr.steps[2].at.Milliseconds(); at != 1502 {
		t.Errorf("the third line comes at %d ms, want 1502", at)
	}
	if st := tr.steps[5]; st.kind != gap || st.n != -1 {
		t.Errorf("gap: %+v", st)
	}
	if st := tr.steps[7]; st.kind != eof || st.conn != 1 || st.dir != dissect.ServerToClient {
		t.Errorf("eof of the data connection: %+v", st)
	}
	for _, bad := range []string{"X: a", "C", "C<< 1", `C: \q`, "C! gap", "@open x", "@nonsense"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
}

func TestFuzzInputHoldsTranscript(t *testing.T) {
	tr, err := parse("C: ask\nS: yes\nC! gap 7\nS! eof")
	if err != nil {
		t.Fatal(err)
	}
	back := decode(encode(tr))
	if len(back.steps) != len(tr.steps) {
		t.Fatalf("%d steps of %d came back", len(back.steps), len(tr.steps))
	}
	for i, st := range back.steps {
		w := tr.steps[i]
		if st.kind != w.kind || st.dir != w.dir || st.n != w.n || string(st.b) != string(w.b) {
			t.Errorf("step %d: %+v, want %+v", i, st, w)
		}
	}
}

func TestDifferenceNamesFields(t *testing.T) {
	got := difference(
		[]string{`{"kind":"a","x":1}`, `{"kind":"b","y":"old","z":0}`, `{"kind":"c"}`},
		[]string{`{"kind":"a","x":1}`, `{"kind":"b","y":"new","z":0}`, `{"kind":"d"}`})
	for _, w := range []string{"  {\"kind\":\"a\"", "~ b\n", `- y: "old"`, `+ y: "new"`, `- {"kind":"c"}`, `+ {"kind":"d"}`} {
		if !strings.Contains(got, w) {
			t.Errorf("no %q in\n%s", w, got)
		}
	}
	if strings.Contains(got, `"z"`) {
		t.Errorf("an equal field is shown:\n%s", got)
	}
}

func TestKinds(t *testing.T) {
	o := gather(toyProtocol(newToy), []Option{Kinds("toy.echo")})
	lines := o.lines([]record.Record{&record.Anomaly{Code: "x"}, &echoed{Asked: "<&>"}})
	if len(lines) != 1 || !strings.Contains(lines[0], `"asked":"<&>"`) {
		t.Errorf("got %q", lines)
	}
}
