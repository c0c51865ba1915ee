package render

import (
	"io"

	"sniff/record"
)

// lineWriter gathers lines of JSON and hands them on in big pieces.
type lineWriter struct {
	w   io.Writer
	buf []byte
	enc record.Encoder
}

// gathered is how much is gathered.
const gathered = 64 << 10

// write adds v as one line; flush writes it out at once.
func (l *lineWriter) write(v any, flush bool) error {
	b, err := l.enc.Append(l.buf, v)
	if err != nil {
		return err
	}
	l.buf = append(b, '\n')
	if flush || len(l.buf) >= gathered {
		return l.flush()
	}
	return nil
}

func (l *lineWriter) flush() error {
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// JSONLines writes one JSON object per record and line, as docs/schema.json
// describes them.
type JSONLines struct {
	lines lineWriter
	style Style
	// Flush writes every record out at once, for a live view.
	Flush bool
}

// NewJSONLines returns a sink that writes to w; it does not close w.
func NewJSONLines(w io.Writer, style Style) *JSONLines {
	return &JSONLines{lines: lineWriter{w: w}, style: style}
}

func (j *JSONLines) Write(r record.Record) error {
	if j.style.Reveal {
		record.Reveal(r)
	}
	return j.lines.write(r, j.Flush)
}

func (j *JSONLines) Close() error { return j.lines.flush() }
