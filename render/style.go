// Package render writes records: as a table, as a dialogue, as JSON lines, as
// CSV, and in the formats of other tools. Renderers are sinks; none of them
// knows a protocol, records describe themselves.
package render

import (
	"strings"
	"unicode/utf8"
)

// Style says how text may look. The zero value is plain text of any width.
type Style struct {
	// Width is the width of the terminal in columns; 0 when the output is no
	// terminal: one line per row then, however long.
	Width int
	// Color allows ANSI colours.
	Color bool
	// Reveal shows secrets.
	Reveal bool
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	cyan   = "36"
	bold   = "1"
	dim    = "2"
)

// paint wraps s in a colour when colours are allowed.
func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Escape makes text from the traffic safe for a terminal: control characters,
// also C1 and those that reorder text, and bytes that are not UTF-8 are shown
// as Go escapes. Tabs become a space.
func Escape(s string) string {
	clean := true
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n <= 1:
			b.WriteString(`\x`)
			b.WriteByte(hex[s[i]>>4])
			b.WriteByte(hex[s[i]&15])
		case r == '\t':
			b.WriteByte(' ')
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\n':
			b.WriteString(`\n`)
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			b.WriteString(`\x`)
			b.WriteByte(hex[byte(r)>>4])
			b.WriteByte(hex[byte(r)&15])
		case r == 0x61c, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r >= 0xe0000 && r <= 0xe007f:
			b.WriteString(`\u{`)
			for shift := 20; shift >= 0; shift -= 4 {
				if r>>shift != 0 {
					b.WriteByte(hex[r>>shift&15])
				}
			}
			b.WriteByte('}')
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

const hex = "0123456789abcdef"

// wrap breaks text into lines of at most width columns, at spaces where it can.
func wrap(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	for displayWidth(text) > width {
		cut, col, space := 0, 0, -1
		for i, r := range text {
			w := runeWidth(r)
			if col+w > width {
				cut = i
				break
			}
			if r == ' ' {
				space = i
			}
			col += w
		}
		// The character that would overflow may itself be the space.
		if text[cut] == ' ' {
			space = cut
		}
		if space > 0 {
			lines = append(lines, text[:space])
			text = strings.TrimLeft(text[space:], " ")
			continue
		}
		if cut == 0 {
			_, cut = utf8.DecodeRuneInString(text)
		}
		lines = append(lines, text[:cut])
		text = text[cut:]
	}
	return append(lines, text)
}
