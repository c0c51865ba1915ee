package record

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"strings"
)

// Mask is what stands in a dialogue where a secret stood.
const Mask = "***"

// Secret is a password, token or crackable digest. It prints and marshals
// masked, as "***" and a keyed token by which the reuse of one secret can be
// seen; Reveal makes the ones inside a record show their text. Use
// dissect.Env.Secret to make one: the engine holds the key of the token.
type Secret struct {
	text  string
	token string
	shown bool
}

// NewSecret returns a secret that shows the given token in place of its text.
func NewSecret(text, token string) Secret { return Secret{text: text, token: token} }

// IsZero reports whether there is no secret at all.
func (s Secret) IsZero() bool { return s.text == "" && s.token == "" }

// Token returns the keyed token that stands in for the text.
func (s Secret) Token() string { return s.token }

// Clear returns the text itself. Only a renderer that was told --reveal, and
// an export that was asked for by name (hashcat), may call it.
func (s Secret) Clear() string { return s.text }

// String returns the masked form, or the text after Reveal.
func (s Secret) String() string {
	switch {
	case s.shown:
		return s.text
	case s.IsZero():
		return ""
	case s.token == "":
		return Mask
	}
	return Mask + s.token
}

func (s Secret) MarshalJSON() ([]byte, error) { return appendString(nil, s.String()), nil }

func (s *Secret) reveal() { s.shown = true }

// Text is a piece of dialogue in which some spans may be secret.
type Text struct {
	text    string
	secrets []span
	shown   bool
}

type span struct{ from, to int }

// Plain returns a text without secrets.
func Plain(s string) Text { return Text{text: s} }

// Masked returns text whose bytes from..to (to < 0: to the end) are secret.
func Masked(s string, from, to int) Text { return Plain(s).Mask(from, to) }

// Mask returns the text with one more secret span. Spans are given in order
// and do not overlap; a span outside of the text is cut to it.
func (t Text) Mask(from, to int) Text {
	if to < 0 || to > len(t.text) {
		to = len(t.text)
	}
	if from < 0 {
		from = 0
	}
	if from < to {
		t.secrets = append(t.secrets[:len(t.secrets):len(t.secrets)], span{from, to})
	}
	return t
}

// Clear returns the text with its secrets. See Secret.Clear.
func (t Text) Clear() string { return t.text }

// HasSecret reports whether part of the text is masked.
func (t Text) HasSecret() bool { return len(t.secrets) > 0 }

// IsZero reports whether the text is empty.
func (t Text) IsZero() bool { return t.text == "" }

func (t Text) String() string {
	if t.shown || len(t.secrets) == 0 {
		return t.text
	}
	var b strings.Builder
	at := 0
	for _, s := range t.secrets {
		b.WriteString(t.text[at:s.from])
		b.WriteString(Mask)
		at = s.to
	}
	b.WriteString(t.text[at:])
	return b.String()
}

func (t Text) MarshalJSON() ([]byte, error) { return appendString(nil, t.String()), nil }

func (t *Text) reveal() { t.shown = true }

type revealer interface{ reveal() }

// Reveal makes every secret inside r show its text. Only a renderer that was
// told --reveal calls it, on records that no one else reads afterwards.
func Reveal(r Record) { revealAll(reflect.ValueOf(r)) }

func revealAll(v reflect.Value) {
	if v.CanAddr() {
		if s, ok := v.Addr().Interface().(revealer); ok {
			s.reveal()
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			revealAll(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				revealAll(v.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			revealAll(v.Index(i))
		}
	}
}

// Keyer makes secrets whose tokens are keyed: the same text gives the same
// token under one key, and the token tells nothing to those without it.
type Keyer struct{ key []byte }

// NewKeyer returns a Keyer with this key; a nil key is replaced by a random
// one.
func NewKeyer(key []byte) Keyer {
	if key == nil {
		key = make([]byte, 32)
		rand.Read(key) // never fails: it ends the program instead
	}
	return Keyer{key}
}

// IsZero reports whether there is no key yet.
func (k Keyer) IsZero() bool { return k.key == nil }

// Secret returns the masked secret; the zero Secret for an empty text.
func (k Keyer) Secret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	mac := hmac.New(sha256.New, k.key)
	mac.Write([]byte(text))
	return NewSecret(text, hex.EncodeToString(mac.Sum(nil)[:4]))
}
