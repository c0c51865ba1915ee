// Package record is the vocabulary of sniff: what was seen, in plain types.
//
// Dissectors fill records, everything behind them (diagnosis, renderers,
// exports) reads them. There is one file per family: smtp.go, ftp.go, ssh.go
// and so on. A record describes itself: its kind, a one-line summary, typed
// fields with a description each (the `doc` tag), and, where it stands for a
// piece of dialogue, the lines that were said.
//
// A record is immutable once it was emitted; it owns its memory and may be
// kept.
package record

import (
	"net/netip"
	"time"
)

// Kind names a type of record.
type Kind string

// The kinds. The part before the dot is the family.
const (
	KindSession       Kind = "session"
	KindSMTPExchange  Kind = "smtp.exchange"
	KindSMTPMessage   Kind = "smtp.message"
	KindFTPExchange   Kind = "ftp.exchange"
	KindFTPTransfer   Kind = "ftp.transfer"
	KindHTTPExchange  Kind = "http.exchange"
	KindSOAPCall      Kind = "soap.call"
	KindSSHHandshake  Kind = "ssh.handshake"
	KindSSHAuth       Kind = "ssh.auth"
	KindSSHChannel    Kind = "ssh.channel"
	KindSSHTimeline   Kind = "ssh.timeline"
	KindSFTPOperation Kind = "sftp.operation"
	KindSFTPTransfer  Kind = "sftp.transfer"
	KindTLSHandshake  Kind = "tls.handshake"
	KindTLSEnd        Kind = "tls.end"
	KindCredential    Kind = "credential"
	KindAnomaly       Kind = "anomaly"
	KindFinding       Kind = "finding"
)

// Record is one thing that was seen.
type Record interface {
	// Kind returns the record's kind; it is constant for a type.
	Kind() Kind
	// Head returns the record's header.
	Head() *Header
	// Summary says in one line, without a full stop and with secrets masked,
	// what the record says.
	Summary() string
}

// Substreams of the two connections that a proxy makes of one where it
// terminates what is encrypted.
const (
	ClientLeg   = "client"
	UpstreamLeg = "upstream"
)

// Header stands at the front of every record. Dissectors set Time, Dir,
// Offset and Packet by Stamp; the session fills in the rest on emission.
type Header struct {
	RecordKind   Kind           `json:"kind" doc:"kind of record"`
	Time         time.Time      `json:"time" doc:"when it began: capture time of the first byte, UTC"`
	Session      string         `json:"session" doc:"stable id of the session: the same capture gives the same id"`
	Number       uint64         `json:"number,omitempty" doc:"number of the session in this input, from 1 in order of first packet"`
	CommunityID  string         `json:"community_id,omitempty" doc:"Community ID 1.0 of the connection, seed 0"`
	Client       netip.AddrPort `json:"client" doc:"address and port of the side that opened the connection"`
	Server       netip.AddrPort `json:"server" doc:"address and port of the side that was called"`
	Protocol     string         `json:"protocol,omitempty" doc:"protocol recognised by content, such as smtp, ftp, ftp-data, ssh, http"`
	Substream    string         `json:"substream,omitempty" doc:"stream inside the session that the record comes from: client and upstream (the two connections of a proxy that terminates SSH; of TLS, upstream is the one with the server), channel 0 (an SSH channel); offsets count in it"`
	Dir          string         `json:"dir,omitempty" doc:"who sent the bytes that this record begins with: client or server"`
	Offset       int64          `json:"offset" doc:"offset of that byte in its direction of the stream, from 0"`
	StreamOffset int64          `json:"stream_offset,omitempty" doc:"where that byte came out of TLS, so that offset counts in the plaintext: offset in the connection's own stream of the TLS record that carried it"`
	Packet       uint64         `json:"packet,omitempty" doc:"number of the packet that carried it, from 1 over all inputs; 0 in the proxy"`
}

// Head returns the header itself, so that embedding it makes a Record's Head.
func (h *Header) Head() *Header { return h }

// Stamp sets the place and time of the record's first byte.
func (h *Header) Stamp(s Stamp, d Dir) {
	h.Time, h.Offset, h.StreamOffset, h.Packet, h.Dir = s.Time, s.Offset, s.Carrier, s.Packet, d.String()
}

// Stamp is the place and time of one byte in a stream.
type Stamp struct {
	Time   time.Time
	Packet uint64
	Offset int64
	// Carrier, of a byte that came out of TLS, is the offset of the record that
	// carried it, in the connection's own stream; else 0.
	Carrier int64
}

// Dir is a direction of a session. It indexes arrays of two.
type Dir uint8

const (
	ClientToServer Dir = 0
	ServerToClient Dir = 1
)

// Other returns the opposite direction.
func (d Dir) Other() Dir { return d ^ 1 }

// String names the side that sends in this direction: client or server.
func (d Dir) String() string {
	if d == ClientToServer {
		return "client"
	}
	return "server"
}

// Sink takes records in order. Write is called from one goroutine at a time.
type Sink interface {
	Write(Record) error
	Close() error
}

// SinkFunc makes a function a Sink without a Close.
type SinkFunc func(Record) error

func (f SinkFunc) Write(r Record) error { return f(r) }
func (f SinkFunc) Close() error         { return nil }
