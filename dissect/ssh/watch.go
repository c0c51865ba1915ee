package ssh

import (
	"encoding/base64"
	"strings"
	"time"

	"sniff/dissect"
	"sniff/record"
)

// event is one message behind NEWKEYS: an SSH packet where lengths are in the
// clear, else a stretch of bytes that came at one time.
type event struct {
	dir  dissect.Dir
	size int
	at   record.Stamp
}

// maxLog bounds the events that are kept to tell the authentication, maxHead
// those behind it that tell how the session began.
const (
	maxLog  = 128
	maxHead = 48
)

// watch follows the messages behind NEWKEYS: the first ones one by one, the
// rest in counters.
type watch struct {
	log      []event
	analysed bool
	auth     *record.SSHAuth
	accepted bool
	what     string    // the session was for
	asked    time.Time // when the client asked for the service

	cur  event // stretch that may go on in the next call
	open bool

	blurred bool  // lengths were visible and are no longer
	missing int64 // bytes that were not captured
	holed   bool

	tally tally
}

// message takes a packet of known length.
func (w *watch) message(d *dissector, e event) {
	w.flush(d)
	w.push(d, e)
}

// stretch takes bytes that came at one time; what came in one packet is one
// message, however it was cut.
func (w *watch) stretch(d *dissector, e event) {
	if w.open && w.cur.dir == e.dir && same(w.cur.at, e.at) {
		w.cur.size += e.size
		return
	}
	w.flush(d)
	w.cur, w.open = e, true
}

func (w *watch) flush(d *dissector) {
	if w.open {
		w.open = false
		w.push(d, w.cur)
	}
}

func (w *watch) push(d *dissector, e event) {
	if w.analysed {
		w.tally.add(d, e)
		return
	}
	if w.log == nil {
		w.log = make([]event, 0, 16) // enough for most logins
	}
	w.log = append(w.log, e)
	if len(w.log) == maxLog {
		d.analyse("")
	}
}

// missed notes a hole; n < 0: of unknown size. One inside of a packet whose
// length is known leaves all messages known.
func (w *watch) missed(d *dissector, n int64, inside bool) {
	w.flush(d)
	if n > 0 {
		w.missing += n
	}
	w.holed = w.holed || !inside
}

func (w *watch) inexact() { w.blurred = true }

// analyse reads the authentication out of the log, and gives what came behind
// it to the tally. by is who ended the connection, "" while it goes on.
func (d *dissector) analyse(by string) {
	w := &d.watch
	w.analysed = true
	a := &authReader{
		log: w.log, client: d.sides[0].sealed.framing, server: d.sides[1].sealed.framing,
		ids: [2]*record.SSHIdentification{d.sides[0].id, d.sides[1].id}, closedBy: by, holed: w.holed,
		ssh1: d.hs.rec.SSH1 != nil,
	}
	if k := d.hs.rec.HostKey; k != nil {
		a.hostKey = base64.StdEncoding.DecodedLen(len(k.Key)) - strings.Count(k.Key, "=")
	}
	for _, e := range w.log {
		if e.dir == dissect.ClientToServer {
			w.asked = e.at.Time
			break
		}
	}
	w.auth = a.read()
	w.accepted = w.auth.Result == "accepted"
	d.env.Emit(w.auth)
	for _, e := range w.log[a.end:] {
		w.tally.add(d, e)
	}
	w.log = nil
}

// finishSession writes what is known when the connection has ended.
func (d *dissector) finishSession(end, by string) {
	w := &d.watch
	if !w.analysed && len(w.log) > 0 {
		d.analyse(by)
	}
	if !w.analysed || w.tally.events() == 0 || w.auth.Result == "refused" || w.auth.Result == "none" {
		return
	}
	c := w.tally.channel(d, end, by)
	w.what = c.What
	d.env.Emit(c)
}

// tally counts the messages of the session itself.
type tally struct {
	head    []event
	bytes   [2]int64
	packets [2]int64
	first   event
	last    event
	lastOf  [2]event
	turns   int   // how often the other side took over
	data    event // the first one behind the opening of the session

	idle       time.Duration
	bursts     int64
	keystrokes int64
	begun      [2]int64 // silences ended by each side
	beats      int64    // client packets at the fixed beat of hidden keystrokes
	small      int64    // client packets of a keystroke's size
	echoOpen   bool

	renewal [2]time.Time // when each side last sent what looks like a KEXINIT
	rekeys  int
}

func (t *tally) events() int64 { return t.packets[0] + t.packets[1] }

// pauses that mean something
const (
	burstPause = time.Second
	beat       = 20 * time.Millisecond // OpenSSH's ObscureKeystrokeTiming
	beatSlack  = 4 * time.Millisecond
	turnPause  = 200 * time.Millisecond
	renewTime  = 10 * time.Second
)

// add counts one message.
func (t *tally) add(d *dissector, e event) {
	if len(t.head) < maxHead {
		if t.head == nil {
			t.head = make([]event, 0, 8)
		}
		t.head = append(t.head, e)
	}
	if t.events() == 0 {
		t.first = e
	} else {
		silence := e.at.Time.Sub(t.last.at.Time)
		t.idle = max(t.idle, silence)
		if silence > turnPause {
			t.begun[e.dir]++
		}
	}
	// The client opens a session, the server agrees, the client asks for a
	// program: what the server sends then is the first of its data.
	if t.events() > 0 && e.dir != t.last.dir {
		if t.turns++; t.turns == 3 {
			t.data = e
		}
	}
	t.bytes[e.dir] += int64(e.size)
	t.packets[e.dir]++
	f := &d.sides[dissect.ClientToServer].sealed.framing
	if e.dir == dissect.ClientToServer {
		since := e.at.Time.Sub(t.lastOf[0].at.Time)
		if t.packets[0] == 1 || since > burstPause {
			t.bursts++
		}
		// CHANNEL_DATA with a key of one to three bytes has 10 to 12 bytes.
		t.echoOpen = f.known && e.size >= f.wire(10) && e.size <= f.wire(12)
		if t.echoOpen {
			t.small++
			if t.packets[0] > 1 && since > beat-beatSlack && since < beat+beatSlack {
				t.beats++
			}
		}
	} else {
		if t.echoOpen && e.size <= f.wire(100) {
			t.keystrokes++
		}
		t.echoOpen = false
	}
	t.renew(d, e)
	t.last, t.lastOf[e.dir] = e, e
}

// renew recognises a renewed key exchange: both sides send a packet of the
// size of their first KEXINIT shortly after each other. The markers, which
// only mean something in the first, may be left out.
func (t *tally) renew(d *dissector, e event) {
	s := &d.sides[e.dir]
	if s.offer == nil || !s.sealed.known {
		return
	}
	if e.size != s.sealed.wire(s.offer.size) && e.size != s.sealed.wire(s.offer.size-s.offer.markers) {
		return
	}
	t.renewal[e.dir] = e.at.Time
	other := t.renewal[e.dir.Other()]
	if !other.IsZero() && e.at.Time.Sub(other) < renewTime {
		t.rekeys++
		t.renewal = [2]time.Time{}
	}
}
