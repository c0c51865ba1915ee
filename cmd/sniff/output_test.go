package main

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const attachment = "../../samples/smtp/attachment.pcapng"

// TestChoice asks for records in many ways and looks at what comes.
func TestChoice(t *testing.T) {
	fixedKey(t)
	cases := []struct {
		name, want string
		args       []string
	}{
		{"fields of jsonl", `{"from":"alice@client.example","content.message.subject":"Hello"}`,
			[]string{"read", "-o", "jsonl", "--kind", "smtp.message", "--fields", "from,content.message.subject"}},
		{"csv of one kind by --where", "verb,reply.code\r\nMAIL,250\r\nRCPT,250\r\n",
			[]string{"read", "-o", "csv", "-Y", `kind == "smtp.exchange" && verb in ["MAIL", "RCPT"]`, "--fields", "verb,reply.code"}},
		{"sort and limit", "verb,offset\r\nQUIT,",
			[]string{"read", "-o", "csv", "--kind", "smtp.exchange", "--fields", "verb,offset", "--sort", "-offset", "--limit", "1"}},
		{"limit alone", "verb\r\n\"\"\r\nEHLO\r\n",
			[]string{"read", "-o", "csv", "--kind", "smtp.exchange", "--fields", "verb", "--limit", "2"}},
		{"columns without a kind", "kind,from\r\nsmtp.message,alice@client.example\r\n",
			[]string{"read", "-o", "csv", "-Y", `size > 1`, "--fields", "kind,from"}},
		{"nothing matches", "code\r\n", []string{"read", "-o", "csv", "--kind", "finding", "-Y", `severity >= "error"`, "--fields", "code"}},
		{"findings", "code,severity\r\nsmtp.not_encrypted,notice\r\n", []string{"findings", "-o", "csv", "--fields", "code,severity"}},
		{"findings that do not match", "no findings\n", []string{"findings", "-Y", `severity > "notice"`}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, stderr, status := sniff(t, nil, append(c.args, attachment)...)
			if status != exitDone || stderr != "" {
				t.Errorf("exit status %d, standard error %q", status, stderr)
			}
			if !strings.HasPrefix(got, c.want) || strings.Count(got, "\n") > max(strings.Count(c.want, "\n"), 1)+1 {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestChoiceErrors: what was mistyped is named, with what was meant.
func TestChoiceErrors(t *testing.T) {
	fixedKey(t)
	cases := []struct {
		want string
		args []string
	}{
		{`--where: unknown field "sevrity"; did you mean severity?`, []string{"read", "-Y", `sevrity == "error"`}},
		{`--where: unknown field "sevrity"; did you mean severity?`, []string{"findings", "-Y", `sevrity == "error"`}},
		{`--where: unknown field "acount"; did you mean account?`, []string{"creds", "--where", `acount == "bob"`}},
		{`--fields: unknown field "form"; did you mean from?`, []string{"read", "-o", "csv", "--kind", "smtp.message", "--fields", "form"}},
		{`--sort: unknown field "siz"; did you mean size?`, []string{"read", "-o", "jsonl", "--sort", "-siz"}},
		{`--kind: unknown kind "smtp.mesage"; did you mean smtp.message?`, []string{"read", "--kind", "smtp.mesage"}},
		{"csv wants records of one kind", []string{"read", "-o", "csv"}},
		{"ssh.handshake", []string{"read", "-o", "csv"}},
		{"--fields has no meaning for -o table", []string{"read", "--fields", "time"}},
		{"--limit -1 is less than nothing", []string{"read", "--limit", "-1"}},
		{`--where: unexpected token EOF at column 6`, []string{"read", "-Y", "size >"}},
	}
	for _, c := range cases {
		stdout, stderr, status := sniff(t, nil, append(c.args, attachment)...)
		if status != exitUsage {
			t.Errorf("%q: exit status %d, want %d", c.args, status, exitUsage)
		}
		if stdout != "" {
			t.Errorf("%q: wrote %q", c.args, stdout)
		}
		if !strings.Contains(stderr, c.want) {
			t.Errorf("%q: the error is %q, want it to say %q", c.args, stderr, c.want)
		}
	}
}

// TestCompletion: the shell offers kinds, and the fields of the chosen kind.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"read", "--kind", "smtp."}, "smtp.message"},
		{[]string{"read", "--kind", "smtp.message", "--fields", "time,"}, "time,outcome"},
		{[]string{"findings", "--sort", ""}, "severity"},
	} {
		got, _, _ := sniff(t, nil, append([]string{"__complete"}, c.args...)...)
		if !strings.Contains(got, "\n"+c.want+"\n") && !strings.HasPrefix(got, c.want+"\n") {
			t.Errorf("%q: offered %q, want %s among them", c.args, got, c.want)
		}
	}
}

// TestCSVKeepsWhatItGets: quotes, commas and line ends in values survive.
func TestCSVKeepsWhatItGets(t *testing.T) {
	fixedKey(t)
	got, _, _ := sniff(t, nil, "read", "-o", "csv", "--kind", "smtp.exchange", attachment)
	rows, err := csv.NewReader(strings.NewReader(got)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) < 7 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, name := range rows[0] {
		if name == "reply" && !strings.Contains(rows[5][i], `Enter message, ending with \".\" on a line by itself`) {
			t.Errorf("the reply is %q", rows[5][i])
		}
	}
}

// TestFormats compares what other tools read with the goldens.
func TestFormats(t *testing.T) {
	fixedKey(t)
	cases := []struct {
		golden string
		args   []string
	}{
		{"smtp-attachment.eve", []string{"-o", "eve", attachment}},
		{"smtp-attachment.extended.eve", []string{"-o", "eve", "--eve-extended", "-Y", `kind == "finding"`, attachment}},
		{"ftp-passive.eve", []string{"-o", "eve", "../../samples/ftp/passive-download.pcapng"}},
		{"ftps-explicit.eve", []string{"-o", "eve", "../../samples/ftp/ftps-explicit.pcapng"}},
		{"soap-plain.eve", []string{"-o", "eve", "../../samples/soap/soap11.pcapng"}},
		{"ssh-paramiko.eve", []string{"-o", "eve", "../../samples/ssh/paramiko.pcapng"}},
		{"smtp-refused.csv", []string{"-o", "csv", "--kind", "smtp.message", "--fields", "time,client,from,to,outcome,phase,final_reply.code,times.total", "../../samples/smtp/refused-recipients.pcapng"}},
		{"ftp-passive.txt", []string{"-o", "text", "../../samples/ftp/passive-download.pcapng"}},
	}
	for _, c := range cases {
		t.Run(c.golden, func(t *testing.T) {
			got, stderr, status := sniff(t, nil, append([]string{"read"}, c.args...)...)
			if status != exitDone || stderr != "" {
				t.Errorf("exit status %d, standard error %q", status, stderr)
			}
			compare(t, filepath.Join("testdata", c.golden), got)
		})
	}
}

// TestEVEShape: on every sample each event has what Suricata's events have in
// common, an object under its own name, and nothing under sniff.
func TestEVEShape(t *testing.T) {
	fixedKey(t)
	stamp := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+0000$`)
	flows := map[float64]string{}
	for _, path := range samples(t) {
		got, _, _ := sniff(t, nil, "read", "-o", "eve", path)
		for line := range strings.Lines(got) {
			var v map[string]any
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			kind, _ := v["event_type"].(string)
			if _, ok := v[kind].(map[string]any); !ok {
				t.Errorf("%s: the %q event has no object of that name: %s", path, kind, line)
			}
			if at, _ := v["timestamp"].(string); !stamp.MatchString(at) {
				t.Errorf("%s: the time of an event is %q", path, at)
			}
			id, _ := v["flow_id"].(float64)
			if id <= 0 || id >= 1<<51 || id != math.Trunc(id) {
				t.Errorf("%s: the flow_id is %v", path, v["flow_id"])
			}
			// A flow and its protocol's events are the two sides of one id.
			community, _ := v["community_id"].(string)
			if flows[id] == "" {
				flows[id] = community
			} else if flows[id] != community {
				t.Errorf("%s: flow %v is %s and %s", path, id, flows[id], community)
			}
			if v["sniff"] != nil {
				t.Errorf("%s: an event has the key sniff unasked", path)
			}
		}
	}
}
