package export

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"sniff/record"
)

// Written is one artefact on disk.
type Written struct {
	Path     string         `json:"path"`
	SHA256   string         `json:"sha256"`
	Received string         `json:"sha256_received,omitempty"` // before line ends were converted
	Size     int64          `json:"size"`
	Partial  bool           `json:"partial,omitempty"`
	Missing  int64          `json:"missing,omitempty"`
	Gaps     []record.Range `json:"gaps,omitempty"`
	From     int64          `json:"from,omitempty"` // where its bytes lie in the file
	Name     string         `json:"name,omitempty"`
	ID       string         `json:"id,omitempty"` // Content-ID of a part
	Type     string         `json:"media_type,omitempty"`
	Carrier  string         `json:"carrier"`
	Session  string         `json:"session"`
	Packet   uint64         `json:"packet,omitempty"`
	Times    int            `json:"times"`

	// Of a file that a transfer moved, the first one of several.
	Time      time.Time      `json:"time,omitzero"`
	Server    netip.AddrPort `json:"server,omitzero"`
	User      string         `json:"user,omitempty"`
	Direction string         `json:"direction,omitempty"`
	Command   string         `json:"command,omitempty"`
	Outcome   string         `json:"outcome,omitempty"`

	// Parts are the transfers that the file was put together from. Parts that
	// did not fit together stand apart: Differs is where the file that they are
	// of has other bytes in them.
	Parts       []Part        `json:"parts,omitempty"`
	Differs     *record.Range `json:"differs,omitempty"`
	DiffersFrom []string      `json:"differs_from,omitempty"`

	// Of certificates: who showed it, and the fingerprints of the chain that
	// it came first in, in the order sent. SHA256 is the certificate's
	// fingerprint, not that of the PEM file.
	By    string   `json:"by,omitempty"`
	Chain []string `json:"chain,omitempty"`

	holes []record.Range // all of them, in what was carried
	vague bool           // its bytes cannot be placed in a file
}

// Note says in words what is not plain about the artefact; "" if nothing is.
func (w *Written) Note() string {
	var notes []string
	if w.Partial {
		note := "partial"
		if w.Missing > 0 {
			note += ", " + record.Bytes(w.Missing) + " missing"
		}
		notes = append(notes, note)
	}
	if n := len(w.Parts); n > 1 {
		notes = append(notes, fmt.Sprintf("joined from %d transfers", n))
	}
	if w.Differs != nil {
		notes = append(notes, fmt.Sprintf("from byte %d of the file, not joined: differs from other parts at byte %d", w.From, w.Differs.From))
	}
	return strings.Join(notes, "; ")
}

// line is the artefact's line of the index.
func (w *Written) line() ([]byte, error) {
	b, err := json.Marshal(w)
	return append(b, '\n'), err
}
