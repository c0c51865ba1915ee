//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// messages reads HTTP messages that give their length, and takes as little of
// the processor for it as it can: what is measured shares it.
type messages struct {
	in     io.Reader
	buf    []byte
	at, to int // what was read and not returned
}

var (
	emptyLine   = []byte("\r\n\r\n")
	lengthField = []byte("\r\ncontent-length:")
)

// next returns the next message. It is valid until the next call.
func (m *messages) next() (head, body []byte, err error) {
	for need := 0; ; {
		have := m.buf[m.at:m.to]
		if end := bytes.Index(have, emptyLine) + len(emptyLine); need == 0 && end >= len(emptyLine) {
			length, err := contentLength(have[:end])
			if err != nil {
				return nil, nil, err
			}
			head, need = have[:end], end+length
		}
		if need > 0 && len(have) >= need {
			m.at += need
			return have[:len(head)], have[len(head):need], nil
		}
		if m.at > 0 {
			m.to, m.at = copy(m.buf, have), 0
		}
		if m.to == len(m.buf) {
			m.buf = append(m.buf, make([]byte, max(4096, len(m.buf)))...)
		}
		n, err := m.in.Read(m.buf[m.to:])
		if m.to += n; err != nil {
			return nil, nil, err
		}
	}
}

func contentLength(head []byte) (int, error) {
	for i := range head[:len(head)-len(lengthField)+1] {
		if head[i] != '\r' || !bytes.EqualFold(head[i:i+len(lengthField)], lengthField) {
			continue
		}
		value, _, _ := bytes.Cut(head[i+len(lengthField):], emptyLine[:2])
		return strconv.Atoi(string(bytes.TrimSpace(value)))
	}
	return 0, fmt.Errorf("no length in %q", head)
}
