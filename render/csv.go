package render

import (
	"bufio"
	"encoding/csv"
	"io"

	"sniff/record"
)

// CSV writes records of one kind as comma-separated values (RFC 4180): a head
// with the names of the columns, then one line per record. Numbers, times and
// strings stand as they are, lists and objects as JSON; what a record does not
// have is empty.
type CSV struct {
	out     *bufio.Writer
	w       *csv.Writer
	style   Style
	columns []Column
	enc     record.Encoder
	row     []string
	headed  bool
	// Flush writes every record out at once, for a live view.
	Flush bool
}

// NewCSV returns a sink that writes to w; it does not close w.
func NewCSV(w io.Writer, style Style, columns []Column) *CSV {
	out := bufio.NewWriterSize(w, 1<<16)
	rows := csv.NewWriter(out) // writes to out itself, as that is buffered
	rows.UseCRLF = true
	return &CSV{out: out, w: rows, style: style, columns: columns, row: make([]string, len(columns))}
}

func (c *CSV) head() error {
	if c.headed {
		return nil
	}
	c.headed = true
	for i := range c.columns {
		c.row[i] = c.columns[i].Name
	}
	return c.w.Write(c.row)
}

func (c *CSV) Write(r record.Record) error {
	if err := c.head(); err != nil {
		return err
	}
	if c.style.Reveal {
		record.Reveal(r)
	}
	for i := range c.columns {
		text, err := c.columns[i].text(&c.enc, r)
		if err != nil {
			return err
		}
		c.row[i] = text
	}
	if err := c.line(); err != nil {
		return err
	}
	if c.Flush {
		c.w.Flush()
	}
	return c.w.Error()
}

// line writes the row. A single empty cell is quoted, as readers take an empty
// line for none.
func (c *CSV) line() error {
	if len(c.row) == 1 && c.row[0] == "" {
		c.w.Flush()
		_, err := c.out.WriteString("\"\"\r\n")
		return err
	}
	return c.w.Write(c.row)
}

// Close writes the head if there were no records.
func (c *CSV) Close() error {
	if err := c.head(); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}
