package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// TestAgainstTshark compares what both make of the samples: commands, reply
// codes, methods, statuses, identifications, HASSH values and SOAP operations,
// session by session. What tshark sees must be what we see; where it is known
// to be wrong the case says so.
func TestAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	fixedKey(t)
	// Starting tshark takes most of the time: two at once.
	paths := slices.DeleteFunc(samples(t), func(path string) bool { return filepath.Base(filepath.Dir(path)) == "tls" })
	facts := make([]map[factKey][]string, len(paths))
	errs := make([]error, len(paths))
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := worker; i < len(paths); i += 2 {
				facts[i], errs[i] = tsharkFacts(paths[i])
			}
		}()
	}
	wg.Wait()
	compared := 0
	for i, path := range paths {
		name := filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		t.Run(name, func(t *testing.T) {
			if errs[i] != nil {
				t.Fatalf("tshark: %v", errs[i])
			}
			theirs := facts[i]
			ours := ourFacts(t, path)
			for key, want := range theirs {
				have := ours[key]
				if why := tsharkIsWrong[name+" "+key.what]; why != "" {
					continue
				}
				switch key.what {
				case "smtp.req.command", "smtp.response.code", "ftp.response.code":
					// tshark lists the replies of one segment once for each
					// command in it, and the first line of a long reply twice.
					if missing := notWithin(have, want); missing != "" {
						t.Errorf("session %d %s: tshark does not see %q\ntshark %v\nours   %v", key.session, key.what, missing, want, have)
					}
				default:
					if !slices.Equal(have, want) {
						t.Errorf("session %d %s\ntshark %v\nours   %v", key.session, key.what, want, have)
					}
				}
				compared += len(have)
			}
		})
	}
	if compared < 500 {
		t.Errorf("only %d values were compared: the samples or tshark's fields have changed", compared)
	}
}

// tsharkIsWrong names what is left out, and why.
var tsharkIsWrong = map[string]string{
	"smtp/pipelined smtp.req.command":          "it takes lines of a message behind a pipelined DATA for commands",
	"smtp/postfix-pipelined smtp.req.command":  "the same",
	"smtp/snaplen-96 smtp.req.command":         "it reads on behind the cut within one packet",
	"smtp/postfix-eager-data smtp.req.command": "it takes a segment that goes on with the message for nothing but the message",
	"capture/missing-packets smtp.req.command": "behind missing packets it does not find the end of the message",
	"ftp/pipelined ftp.request.command":        "it sees the first command of a segment only",
	"soap/pipelined soap.operation":            "it sees the first request of a segment only",
	"soap/mtom soap.operation":                 "it does not look for XML in the request's multipart/related",
}

type factKey struct {
	session int
	what    string
}

// notWithin returns the first of part that does not follow in whole.
func notWithin(part, whole []string) string {
	i := 0
	for _, p := range part {
		for i < len(whole) && whole[i] != p {
			i++
		}
		if i == len(whole) {
			return p
		}
	}
	return ""
}

// tsharkFacts reads tshark's fields, by TCP stream.
func tsharkFacts(path string) (map[factKey][]string, error) {
	fields := []string{"tcp.stream", "smtp.req.command", "smtp.response.code", "ftp.request.command", "ftp.response.code",
		"http.request.method", "http.response.code", "ssh.protocol", "ssh.kex.hassh", "ssh.kex.hasshserver", "xml.tag"}
	args := []string{"-r", path, "-n", "-o", "tcp.reassemble_out_of_order:TRUE", "-Y", "smtp or ftp or http or ssh", "-T", "fields", "-E", "separator=\x1f", "-E", "aggregator=\x1e"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		return nil, err
	}
	facts := map[factKey][]string{}
	for line := range strings.Lines(string(out)) {
		cols := strings.Split(strings.TrimRight(line, "\n"), "\x1f")
		if len(cols) != len(fields) || strings.Contains(cols[0], "\x1e") {
			continue
		}
		stream, err := strconv.Atoi(cols[0])
		if err != nil {
			continue
		}
		for i, col := range cols[1:] {
			if col == "" {
				continue
			}
			what := fields[i+1]
			values := strings.Split(col, "\x1e")
			switch what {
			case "smtp.req.command":
				for i, v := range values {
					values[i] = strings.ToUpper(v)
				}
			case "xml.tag":
				what = "soap.operation"
				if values = operationOf(values); values == nil {
					continue
				}
			}
			key := factKey{stream + 1, what}
			facts[key] = append(facts[key], values...)
		}
	}
	return facts, nil
}

// operationOf finds the element behind the Body in tshark's list of tags.
func operationOf(tags []string) []string {
	for i, tag := range tags[:len(tags)-1] {
		if local(tag) == "Body" && i > 0 {
			return []string{local(tags[i+1])}
		}
	}
	return nil
}

func local(tag string) string {
	name, _, _ := strings.Cut(strings.Trim(tag, "<>/"), " ")
	if _, after, found := strings.Cut(name, ":"); found {
		return after
	}
	return name
}

// ourFacts reads the same from our records.
func ourFacts(t *testing.T, path string) map[factKey][]string {
	out, stderr, status := sniff(t, nil, "read", "-o", "jsonl", path)
	if status != exitDone {
		t.Fatalf("exit status %d: %s", status, stderr)
	}
	type reply struct{ Code int }
	type record struct {
		Kind     string
		Number   int
		Verb     string
		Command  string
		Reply    *reply
		Continue []struct{ Reply *reply }
		Replies  []reply
		Method   string
		Status   int
		Client   struct{ Text string } `json:"client_id"`
		Server   struct{ Text string } `json:"server_id"`
		HASSH    string                `json:"hassh"`
		HASSHS   string                `json:"hassh_server"`
		Form     string
		Request  *struct{ Element string }
		Response *struct{ Element string }
	}
	facts := map[factKey][]string{}
	for line := range strings.Lines(out) {
		var r record
		// Fields of other kinds share names with other types: what does not
		// fit stays zero.
		_ = json.Unmarshal([]byte(line), &r)
		add := func(what, value string) {
			if value != "" && value != "0" {
				key := factKey{r.Number, what}
				facts[key] = append(facts[key], value)
			}
		}
		switch r.Kind {
		case "smtp.exchange":
			// tshark knows neither the final dot nor BDAT as commands, and
			// four letters of those that have no argument.
			if r.Verb != "." && r.Verb != "BDAT" {
				add("smtp.req.command", r.Verb[:min(4, len(r.Verb))])
			}
			if r.Reply != nil {
				add("smtp.response.code", fmt.Sprint(r.Reply.Code))
			}
		case "ftp.exchange":
			add("ftp.request.command", r.Command)
			for _, p := range r.Replies {
				add("ftp.response.code", fmt.Sprint(p.Code))
			}
		case "http.exchange":
			add("http.request.method", r.Method)
			add("http.response.code", fmt.Sprint(r.Status))
		case "ssh.handshake":
			add("ssh.protocol", r.Client.Text)
			add("ssh.protocol", r.Server.Text)
			add("ssh.kex.hassh", r.HASSH)
			add("ssh.kex.hasshserver", r.HASSHS)
		case "soap.call":
			if r.Form == "soap" && r.Request != nil {
				add("soap.operation", r.Request.Element)
			}
			if r.Form == "soap" && r.Response != nil {
				add("soap.operation", r.Response.Element)
			}
		}
	}
	return facts
}
