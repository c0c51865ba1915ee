package anonymise

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"sniff/record"
)

// words is the dictionary of what must be replaced.
type words struct {
	set map[string]bool // in lower case; true: a secret, replaced wherever it stands
	// byFirst lists what is searched for by its first byte in lower case, the
	// longest first.
	byFirst [256][]entry
	ready   bool
}

// entry is one form of a word and what stands for it.
type entry struct {
	text, stand []byte
	exact       bool // case counts
	anywhere    bool // also within other words
}

// namingFields are the fields of records whose values name somebody or
// something.
var namingFields = map[string]bool{
	"account": true, "realm": true, "user": true, "from": true, "to": true, "cc": true, "bcc": true, "reply_to": true,
	"return_path": true, "sender": true, "recipient": true, "original": true, "host": true, "server_name": true, "hello": true,
	"subject": true, "path": true, "common_name": true, "names": true, "message_id": true, "domain": true, "identity": true,
	"principals": true, "owner": true, "envid": true, "address": true, "file name": true, "issuer": true, "orcpt": true, "arg": true,
}

// namingHeaders are the header fields whose values do.
var namingHeaders = map[string]bool{
	"from": true, "to": true, "cc": true, "bcc": true, "reply-to": true, "sender": true, "subject": true, "return-path": true,
	"message-id": true, "host": true, "organization": true, "delivered-to": true, "disposition-notification-to": true,
}

// Write takes the names and secrets of a record into the dictionary. It makes
// an Anonymiser a record.Sink.
func (a *Anonymiser) Write(r record.Record) error {
	if a.words.set == nil {
		a.words.set = map[string]bool{}
	}
	switch r.(type) {
	case *record.Finding, *record.Anomaly, *record.Session:
		return nil // they only repeat what others say
	}
	a.harvest(reflect.ValueOf(r), "")
	return nil
}

func (a *Anonymiser) Close() error { return nil }

// harvest walks a record.
func (a *Anonymiser) harvest(v reflect.Value, field string) {
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case record.Secret:
			// The line for hashcat repeats what is in the credential, encoded.
			if field != "hash" {
				a.secret(x.Clear())
			}
			return
		case record.Text:
			if namingFields[field] {
				a.names(x.Clear())
			}
			return
		case record.Field:
			if namingHeaders[strings.ToLower(x.Name)] {
				a.names(x.Value.Clear())
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			a.harvest(v.Elem(), field)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "name" && namesFiles(v.Type()) {
				name = "file name"
			}
			a.harvest(v.Field(i), name)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		for i := range v.Len() {
			a.harvest(v.Index(i), field)
		}
	case reflect.String:
		if namingFields[field] {
			a.names(v.String())
		}
	}
}

// namesFiles reports whether the field "name" of a type is that of a file; in
// others it is a word of a protocol.
func namesFiles(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[record.Content](), reflect.TypeFor[record.FileEntry]():
		return true
	}
	return false
}

// Limits of the dictionary.
const (
	shortestWord = 3
	longestWord  = 256
	mostWords    = 200_000
)

func (a *Anonymiser) secret(s string) {
	if len(s) >= shortestWord && len(s) <= longestWord && len(a.words.set) < mostWords {
		a.words.set[strings.ToLower(s)] = true
	}
	a.names(s)
}

// names takes the words of a text apart from those that name nobody.
func (a *Anonymiser) names(s string) {
	// Addresses have stand-ins of their own.
	s = colonGroups.ReplaceAllStringFunc(s, func(g string) string {
		if _, err := netip.ParseAddr(g); err == nil {
			return " "
		}
		return g
	})
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		w = strings.ToLower(w)
		if len(w) < shortestWord || len(w) > longestWord || vocabulary[w] || !strings.ContainsFunc(w, unicode.IsLetter) || len(a.words.set) >= mostWords {
			continue
		}
		if _, known := a.words.set[w]; !known {
			a.words.set[w] = false
		}
	}
}

// prepare lays the dictionary out for searching.
func (a *Anonymiser) prepare() {
	w := &a.words
	if w.ready {
		return
	}
	w.ready = true
	for text, secret := range w.set {
		stand := a.standIn(text)
		w.add(entry{text: []byte(text), stand: []byte(stand), anywhere: secret})
		if len(text) > shortestWord {
			for _, upper := range []bool{false, true} {
				h, s := hex.EncodeToString([]byte(text)), hex.EncodeToString([]byte(stand))
				if upper {
					h, s = strings.ToUpper(h), strings.ToUpper(s)
				}
				w.add(entry{text: []byte(h), stand: []byte(s), exact: true, anywhere: true})
			}
		}
		w.add(entry{text: utf16LE(text), stand: utf16LE(stand), anywhere: true})
	}
	for i := range w.byFirst {
		slices.SortFunc(w.byFirst[i], func(a, b entry) int {
			if d := len(b.text) - len(a.text); d != 0 {
				return d
			}
			return strings.Compare(string(a.text), string(b.text))
		})
	}
}

func (w *words) add(e entry) {
	if len(e.text) == len(e.stand) {
		w.byFirst[e.text[0]] = append(w.byFirst[e.text[0]], e)
	}
}

func utf16LE(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

// standIn returns what stands for a word in lower case: letters for letters,
// digits for digits, and hexadecimal digits where it has no others.
func (a *Anonymiser) standIn(text string) string {
	isHex := len(text) >= 16 && strings.Trim(text, "0123456789abcdef") == ""
	for try := byte(0); ; try++ {
		r := a.random("word "+string(try)+text, utf8.RuneCountInString(text))
		var b strings.Builder
		i := 0
		for _, c := range text {
			k := r[i]
			i++
			switch {
			case isHex:
				b.WriteByte("0123456789abcdef"[k%16])
			case c >= 'a' && c <= 'z':
				b.WriteByte('a' + k%26)
			case c >= '0' && c <= '9':
				b.WriteByte('0' + k%10)
			case c >= 0x80 && utf8.RuneLen(c) == 2 && unicode.IsLetter(c):
				b.WriteRune(0xe0 + rune(k%23))
			case c >= 0x80 && utf8.RuneLen(c) == 3 && unicode.IsLetter(c):
				b.WriteRune(0x4e00 + rune(k))
			default:
				b.WriteRune(c)
			}
		}
		s := b.String()
		// A stand-in must not be a name itself, nor a word of the protocols.
		if _, name := a.words.set[s]; !name && !vocabulary[s] || try == 100 {
			return s
		}
	}
}

// replace puts stand-ins for all words in b.
func (a *Anonymiser) replace(b []byte) (changed bool) {
	for i := 0; i < len(b); i++ {
		for _, e := range a.words.byFirst[lower(b[i])] {
			if n := len(e.text); i+n <= len(b) && e.at(b, i) {
				for k := range n {
					b[i+k] = inCase(e.stand[k], b[i+k])
				}
				changed = true
				i += n - 1
				break
			}
		}
	}
	return changed
}

// at reports whether the word stands at b[i:].
func (e *entry) at(b []byte, i int) bool {
	for k, c := range e.text {
		have := b[i+k]
		if !e.exact {
			have = lower(have)
		}
		if have != c {
			return false
		}
	}
	if e.anywhere {
		return true
	}
	end := i + len(e.text)
	return (i == 0 || !letter(b[i-1])) && (end == len(b) || !letter(b[end]))
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// inCase gives a stand-in's letter the case of the one that it replaces.
func inCase(stand, had byte) byte {
	if had >= 'A' && had <= 'Z' && stand >= 'a' && stand <= 'z' {
		return stand - 'a' + 'A'
	}
	return stand
}
