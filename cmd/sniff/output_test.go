package main

import (
	"encoding/csv"
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
		{"sort and limit", "verb,wait\r\nQUIT,0.203102\r\n.,0.017396\r\n",
			[]string{"read", "-o", "csv", "--kind", "smtp.exchange", "--fields", "verb,wait", "--sort", "-wait", "--limit", "2"}},
		{"limit alone", "verb\r\n\"\"\r\nEHLO\r\n",
			[]string{"read", "-o", "csv", "--kind", "smtp.exchange", "--fields", "verb", "--limit", "2"}},
		{"columns without a kind", "kind,size\r\nsmtp.message,6621\r\n",
			[]string{"read", "-o", "csv", "-Y", `size > 1`, "--fields", "kind,size"}},
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
			if strings.TrimSuffix(got, "\n") != strings.TrimSuffix(c.want, "\n") {
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
