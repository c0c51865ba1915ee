package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"

	"sniff/record"
)

var errMaskBinary = errors.New("the body is not UTF-8 text, in which secrets could be masked")

// curlCommand writes a request as a command for a POSIX shell that repeats
// it. The body comes from a here-document, as it stands or in base64.
func curlCommand(x *record.HTTPExchange, reveal bool) (string, error) {
	if !strings.HasPrefix(x.URL, "http") {
		return "", errors.New("the request does not say which host it went to")
	}
	body, err := requestBody(x, reveal)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	// curl takes a leading @ for a file's name, a terminal obeys control
	// characters, and the system bounds one argument.
	text := utf8.ValidString(body) && !hasControl(body) && !strings.HasPrefix(body, "@") && len(body) < 100_000
	if body != "" && !text {
		b.WriteString("base64 -d <<'END_OF_BODY' | ")
	}
	url := x.URL
	if reveal {
		url = clearURL(x)
	}
	b.WriteString("curl -sS -i -X " + shellQuote(x.Method))
	if x.Version == "2" && strings.HasPrefix(url, "http:") {
		b.WriteString(" --http2-prior-knowledge")
	}
	for _, f := range x.RequestHeaders {
		if hopHeader(f.Name) {
			continue
		}
		value := f.Value.String()
		if reveal {
			value = f.Value.Clear()
		}
		if hasControl(f.Name + value) {
			continue // no server means it, and a terminal would obey it
		}
		if value == "" {
			b.WriteString(" \\\n  -H " + shellQuote(f.Name+";"))
			continue
		}
		b.WriteString(" \\\n  -H " + shellQuote(f.Name+": "+value))
	}
	switch {
	case body == "":
		b.WriteString(" \\\n  " + shellQuote(url) + "\n")
	case text:
		b.WriteString(" \\\n  --data-binary " + shellQuote(body) + " \\\n  " + shellQuote(url) + "\n")
	default:
		b.WriteString(" \\\n  --data-binary @- " + shellQuote(url) + "\n")
		encoded := base64.StdEncoding.EncodeToString([]byte(body))
		for len(encoded) > 0 {
			n := min(len(encoded), 76)
			b.WriteString(encoded[:n] + "\n")
			encoded = encoded[n:]
		}
		b.WriteString("END_OF_BODY\n")
	}
	return b.String(), nil
}

// hasControl reports whether s holds control characters but tab and line feed.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\t' && r != '\n' })
}

// clearURL puts the target with its secrets back into the URL.
func clearURL(x *record.HTTPExchange) string {
	masked, target := x.Target.String(), x.Target.Clear()
	if front, ok := strings.CutSuffix(x.URL, masked); ok {
		return front + target
	}
	return x.URL
}

// hopHeader reports whether a field is curl's own business.
func hopHeader(name string) bool {
	switch strings.ToLower(name) {
	case "host", "content-length", "connection", "transfer-encoding", "expect", "accept-encoding", "content-encoding", "keep-alive", "upgrade", "http2-settings", "te", "trailer":
		return true
	}
	return strings.HasPrefix(name, ":")
}

// requestBody returns what was sent, codings undone; a MIME package is put
// together again from its parts.
func requestBody(x *record.HTTPExchange, reveal bool) (string, error) {
	c := x.Request
	if c == nil {
		return "", nil
	}
	if len(c.Parts) == 0 {
		return partBody(c, reveal)
	}
	_, params, err := mime.ParseMediaType(headerOf(x, "Content-Type"))
	if err != nil || params["boundary"] == "" {
		return "", errors.New("the boundary of its MIME package is not known")
	}
	var b strings.Builder
	for _, p := range c.Parts {
		if len(p.Parts) > 0 {
			return "", errors.New("its MIME package holds another one")
		}
		text, err := partBody(p, reveal)
		if err != nil {
			return "", err
		}
		b.WriteString("--" + params["boundary"] + "\r\n")
		if p.MediaType != "" {
			value := p.MediaType
			if p.Charset != "" {
				value += "; charset=" + p.Charset
			}
			if t := params["type"]; t != "" && p.MediaType == "application/xop+xml" {
				value += `; type="` + t + `"`
			}
			b.WriteString("Content-Type: " + value + "\r\n")
		}
		if p.ID != "" {
			b.WriteString("Content-ID: <" + p.ID + ">\r\n")
		}
		b.WriteString("Content-Transfer-Encoding: binary\r\n\r\n" + text + "\r\n")
	}
	b.WriteString("--" + params["boundary"] + "--\r\n")
	return b.String(), nil
}

// partBody returns the bytes of a body or part, secrets masked in XML.
func partBody(c *record.Content, reveal bool) (string, error) {
	switch {
	case c.Partial:
		return "", errors.New("its body was not captured whole")
	case int64(len(c.Kept)) < c.Size:
		return "", fmt.Errorf("its body of %s is longer than the %s that can be repeated", record.Bytes(c.Size), record.Bytes(keepForCurl))
	}
	body := string(c.Kept)
	if reveal {
		return body, nil
	}
	if !utf8.ValidString(body) || strings.Contains(body, "\x00") {
		if strings.Contains(c.MediaType, "xml") || c.MediaType == "" {
			return "", errMaskBinary
		}
		return body, nil
	}
	return record.BodyText(body, c.MediaType).String(), nil
}

func headerOf(x *record.HTTPExchange, name string) string {
	for _, f := range x.RequestHeaders {
		if strings.EqualFold(f.Name, name) {
			return f.Value.Clear()
		}
	}
	return ""
}

// shellQuote quotes a word for a POSIX shell.
func shellQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
