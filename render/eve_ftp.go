package render

import (
	"fmt"
	"path"
	"time"

	"sniff/record"
)

// eveFTP is one command with its replies.
type eveFTP struct {
	Command        string   `json:"command,omitempty"`
	CommandData    string   `json:"command_data,omitempty"`
	CommandCut     *bool    `json:"command_truncated,omitempty"`
	DynamicPort    uint16   `json:"dynamic_port,omitempty"`
	Mode           string   `json:"mode,omitempty"`
	CompletionCode []string `json:"completion_code,omitempty"`
	Reply          []string `json:"reply,omitempty"`
	ReplyReceived  string   `json:"reply_received"`
	ReplyCut       bool     `json:"reply_truncated"`
}

// eveFTPData names the file that a data connection moves.
type eveFTPData struct {
	Filename string `json:"filename,omitempty"`
	Command  string `json:"command,omitempty"`
}

// ftp writes the ftp event of a command.
func (e *EVE) ftp(f *eveFlow, x *record.FTPExchange) error {
	f.events++
	at := x.Time
	y := &eveFTP{Command: x.Command, CommandData: x.Arg.String(), ReplyReceived: "no"}
	if x.Command != "" {
		y.CommandCut = new(bool)
	}
	for i := range x.Replies {
		r := &x.Replies[i]
		y.ReplyReceived, at = "yes", r.Time
		if r.Code > 0 {
			y.CompletionCode = append(y.CompletionCode, fmt.Sprintf("%03d", r.Code))
		}
		y.Reply = append(y.Reply, r.Lines...)
		y.ReplyCut = y.ReplyCut || r.More > 0 || r.Incomplete
	}
	if x.Endpoint.IsValid() {
		y.DynamicPort, y.Mode = x.Endpoint.Port(), "passive"
		if x.Command == "PORT" || x.Command == "EPRT" || x.Command == "LPRT" {
			y.Mode = "active"
		}
	}
	v := e.event("ftp", &x.Header, at)
	tx := f.transactions
	f.transactions++
	v.TxID, v.FTP = &tx, y
	return e.put(v, x)
}

// ftpTransfer writes the ftp_data event of a data connection and the fileinfo
// event of the file that went through it. A listing has neither, as in
// Suricata, and neither has a transfer whose connection was not seen.
func (e *EVE) ftpTransfer(t *record.FTPTransfer) error {
	if t.DataSession == "" || t.Direction == "listing" || t.Path == "" {
		if e.Extended {
			return e.put(e.event("sniff", &t.Header, t.Time), t)
		}
		return nil
	}
	at := t.Time.Add(t.Duration.Duration())
	name := path.Base(t.Path)
	v := e.dataEvent("ftp_data", t, at)
	v.FTPData = &eveFTPData{Filename: name, Command: t.Command}
	if err := e.put(v, t); err != nil || t.Content == nil {
		return err
	}
	v = e.dataEvent("fileinfo", t, at)
	v.AppProto, v.FTPData = "ftp-data", &eveFTPData{Filename: name, Command: t.Command}
	v.FileInfo = fileInfo(t.Content, name, t.Outcome == record.TransferComplete, 0)
	if (t.Direction == "upload") != (t.DataFrom.Addr() == t.Client.Addr()) {
		v.turn()
	}
	return e.put(v, t)
}

// dataEvent begins an event of the data connection.
func (e *EVE) dataEvent(kind string, t *record.FTPTransfer, at time.Time) *eveEvent {
	h := t.Header
	h.Session, h.Client, h.Server, h.Packet = t.DataSession, t.DataFrom, t.DataTo, 0
	h.CommunityID = record.CommunityID(h.Client, h.Server)
	return e.event(kind, &h, at)
}
