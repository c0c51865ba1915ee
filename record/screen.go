package record

import "time"

// Screens takes what programs show on terminals: a recorder of sessions.
type Screens interface {
	// Open begins a recording. nil if it cannot be made.
	Open(s Screen) ScreenConn
}

// Screen describes a terminal.
type Screen struct {
	Session       string // id of the session it is part of
	Channel       uint32 // which of the session's terminals
	Title         string // who is where
	Command       string // what runs on it; "" for a login shell
	Terminal      string // type, such as "xterm-256color"; "" if there is none
	Columns, Rows uint32 // 0: not known
	Start         time.Time
}

// ScreenConn takes what one terminal shows; its methods may be called from any
// goroutine.
type ScreenConn interface {
	// Output is what the program writes; b is not kept.
	Output(b []byte, at time.Time)
	Resize(columns, rows uint32, at time.Time)
	Close() error
}
