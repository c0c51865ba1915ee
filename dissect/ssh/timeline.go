package ssh

import (
	"fmt"
	"slices"
	"time"

	"sniff/record"
)

// timeline writes the course of the whole connection when it has ended: what
// was seen of it, and no phase for what was not.
func (d *dissector) timeline(end, by string) {
	t := &record.SSHTimeline{Phases: make([]record.SSHPhase, 0, 10)}
	for _, p := range d.hs.course {
		if p.Name == "kexinit" {
			p.Name, p.Detail = "key_exchange", ""
		}
		if i := slices.IndexFunc(t.Phases, func(q record.SSHPhase) bool { return q.Name == p.Name }); i >= 0 {
			if t.Phases[i].Detail == "" {
				t.Phases[i].Detail = p.Detail // both sides have a part in it
			}
			continue
		}
		t.Phases = append(t.Phases, p)
	}
	if d.dec != nil && d.dec.began {
		d.readPhases(t)
	} else {
		d.watch.phases(t)
	}
	if len(t.Phases) == 0 {
		return
	}
	slices.SortStableFunc(t.Phases, func(a, b record.SSHPhase) int { return a.Time.Compare(b.Time) })
	last := t.Phases[len(t.Phases)-1]
	if at := d.env.At(0).Time; last.Name != "end" && !at.Before(last.Time) {
		detail := end
		if by != "" {
			detail += " by the " + by
		}
		t.Phases = append(t.Phases, record.SSHPhase{Name: "end", Time: at, By: by, Detail: detail})
	}
	for i := range t.Phases[:len(t.Phases)-1] {
		t.Phases[i].Took = record.Between(t.Phases[i].Time, t.Phases[i+1].Time)
	}
	t.Stamp(d.hs.stamp, d.hs.dir)
	t.Time = t.Phases[0].Time
	t.Took = record.Between(t.Time, t.Phases[len(t.Phases)-1].Time)
	d.env.Emit(t)
}

// phases adds what is inferred about the encrypted part.
func (w *watch) phases(t *record.SSHTimeline) {
	if w.auth == nil || w.auth.Result == "unknown" {
		return
	}
	t.Inferred = true
	loginPhases(t, w.auth, w.asked)
	if w.tally.events() == 0 || !w.accepted {
		return
	}
	t.Phases = append(t.Phases, record.SSHPhase{Name: "session", Time: w.tally.first.at.Time, By: w.tally.first.dir.String(), Detail: w.what})
	if data := w.tally.data; !data.at.Time.IsZero() {
		t.Phases = append(t.Phases, record.SSHPhase{Name: "data", Time: data.at.Time, By: data.dir.String(),
			Detail: fmt.Sprintf("%s from the client, %s from the server", record.Bytes(w.tally.bytes[0]), record.Bytes(w.tally.bytes[1]))})
	}
}

// readPhases adds what was decrypted.
func (d *dissector) readPhases(t *record.SSHTimeline) {
	c := &d.dec.conn
	if l := d.dec.login.rec; l != nil {
		loginPhases(t, l, l.Time)
	}
	if at := c.opened; !at.at.Time.IsZero() {
		t.Phases = append(t.Phases, record.SSHPhase{Name: "session", Time: at.at.Time, By: at.dir.String(), Detail: counted(c.count, "channel")})
	}
	if at := c.data; !at.at.Time.IsZero() {
		t.Phases = append(t.Phases, record.SSHPhase{Name: "data", Time: at.at.Time, By: at.dir.String(),
			Detail: fmt.Sprintf("%s from the client, %s from the server", record.Bytes(c.bytes[0]), record.Bytes(c.bytes[1]))})
	}
}

func loginPhases(t *record.SSHTimeline, a *record.SSHAuth, asked time.Time) {
	t.Phases = append(t.Phases, record.SSHPhase{Name: "service", Time: asked, By: "client", Detail: "ssh-userauth"})
	if len(a.Attempts) > 0 {
		t.Phases = append(t.Phases, record.SSHPhase{Name: "authentication", Time: a.Attempts[0].Time, By: "client", Detail: a.Summary()})
	}
}
