package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"sniff/record"
)

// Asciicasts records terminals as asciicast v2, one file each in a folder,
// which asciinema and its players show again with their timing
// (docs.asciinema.org/manual/asciicast/v2). Only output is recorded: what is
// typed without an echo, such as a password, is in none of the files. Each
// event is written as it happens, so a kill loses none.
type Asciicasts struct {
	root *os.Root

	mu  sync.Mutex
	err error
}

// OpenAsciicasts makes the folder if need be.
func OpenAsciicasts(folder string) (*Asciicasts, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	return &Asciicasts{root: root}, nil
}

// Close reports the first error that a recording met.
func (a *Asciicasts) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.err, a.root.Close())
}

func (a *Asciicasts) failed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("recording a terminal: %w", err)
	}
}

// Open begins a recording; its file is made when something is shown.
func (a *Asciicasts) Open(s record.Screen) record.ScreenConn {
	return &asciicast{all: a, screen: s}
}

// asciicast is one recording.
type asciicast struct {
	all    *Asciicasts
	screen record.Screen

	mu     sync.Mutex
	file   *os.File
	rest   []byte // the beginning of a character whose end is still to come
	closed bool
}

// A terminal that says no size has the one of most.
const defaultColumns, defaultRows = 80, 24

// castHeader is the first line of a file.
type castHeader struct {
	Version   int               `json:"version"`
	Width     uint32            `json:"width"`
	Height    uint32            `json:"height"`
	Timestamp int64             `json:"timestamp"`
	Command   string            `json:"command,omitempty"`
	Title     string            `json:"title,omitempty"`
	Env       map[string]string `json:"env,omitempty"`
}

func (c *asciicast) Output(b []byte, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := append(c.rest, b...)
	whole := wholeRunes(text)
	c.event(at, "o", string(text[:whole]))
	c.rest = append([]byte(nil), text[whole:]...)
}

func (c *asciicast) Resize(columns, rows uint32, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		c.screen.Columns, c.screen.Rows = columns, rows
		return
	}
	c.event(at, "r", fmt.Sprintf("%dx%d", columns, rows))
}

// event adds a line; bytes that are no UTF-8 become replacement characters.
func (c *asciicast) event(at time.Time, code, data string) {
	if c.closed || data == "" {
		return
	}
	if c.file == nil && !c.begin() {
		return
	}
	since := max(0, at.Sub(c.screen.Start)).Round(time.Microsecond)
	line, err := json.Marshal([3]any{since.Seconds(), code, data})
	if err == nil {
		_, err = c.file.Write(append(line, '\n'))
	}
	c.all.failed(err)
}

// begin makes the file and writes its head.
func (c *asciicast) begin() bool {
	s := &c.screen
	f, err := c.all.root.OpenFile(fmt.Sprintf("%s-%d.cast", s.Session, s.Channel), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		c.all.failed(err)
		c.closed = true
		return false
	}
	h := castHeader{Version: 2, Width: s.Columns, Height: s.Rows, Timestamp: s.Start.Unix(), Command: s.Command, Title: s.Title}
	if h.Width == 0 || h.Height == 0 {
		h.Width, h.Height = defaultColumns, defaultRows
	}
	if s.Terminal != "" {
		h.Env = map[string]string{"TERM": s.Terminal}
	}
	line, err := json.Marshal(h)
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	c.all.failed(err)
	c.file = f
	return true
}

func (c *asciicast) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.file == nil {
		c.closed = true
		return nil
	}
	c.closed = true
	return c.file.Close()
}

// wholeRunes returns how much of b does not end within a character.
func wholeRunes(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				break
			}
			return len(b) - n
		}
	}
	return len(b)
}
