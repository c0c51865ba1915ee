package render

import (
	"bufio"
	"encoding/json"
	"io"

	"sniff/record"
)

// JSONLines writes one JSON object per record and line, as docs/schema.json
// describes them.
type JSONLines struct {
	w     *bufio.Writer
	enc   *json.Encoder
	style Style
	// Flush writes every record out at once, for a live view.
	Flush bool
}

// NewJSONLines returns a sink that writes to w; it does not close w.
func NewJSONLines(w io.Writer, style Style) *JSONLines {
	b := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	return &JSONLines{w: b, enc: enc, style: style}
}

func (j *JSONLines) Write(r record.Record) error {
	if j.style.Reveal {
		record.Reveal(r)
	}
	if err := j.enc.Encode(r); err != nil {
		return err
	}
	if j.Flush {
		return j.w.Flush()
	}
	return nil
}

func (j *JSONLines) Close() error { return j.w.Flush() }
