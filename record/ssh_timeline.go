package record

import (
	"fmt"
	"strings"
	"time"
)

// SSHTimeline is the whole course of an SSH connection, phase by phase. It is
// written when the connection has ended.
type SSHTimeline struct {
	Header
	Phases   []SSHPhase `json:"phases" doc:"the phases in order: connect, identification, key_exchange, host_key, new_keys, service, authentication, session, data, end; those that were not seen are left out"`
	Inferred bool       `json:"inferred,omitempty" doc:"the phases behind new_keys, but for the end, are concluded from sizes, directions and times, not read"`
	Took     Seconds    `json:"took" doc:"from the first to the last phase, seconds"`
}

func (*SSHTimeline) Kind() Kind { return KindSSHTimeline }

func (t *SSHTimeline) Summary() string {
	parts := make([]string, 0, len(t.Phases))
	for _, p := range t.Phases {
		text := sshPhaseNames(p.Name)
		if p.Name == "end" {
			if p.Detail != "" {
				text += ": " + p.Detail
			}
		} else {
			text += " " + p.Took.String()
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// timelineWidth is how many columns the picture of a timeline has.
const timelineWidth = 40

// Lines draws the phases as bars over the time of the connection.
func (t *SSHTimeline) Lines() []Line {
	if len(t.Phases) < 2 {
		return nil
	}
	start, whole := t.Phases[0].Time, t.Took.Duration()
	text := "timeline of " + t.Took.String()
	if t.Substream != "" {
		text = t.Substream + " leg, " + text
	}
	if t.Inferred {
		text += "; what is behind the new keys is inferred"
	}
	column := func(d time.Duration) int {
		if whole <= 0 {
			return 0
		}
		return int(min(d, whole) * timelineWidth / whole)
	}
	picture := make([]string, 0, len(t.Phases))
	for _, p := range t.Phases {
		since := p.Time.Sub(start)
		from := min(column(since), timelineWidth-1)
		n := max(column(since+p.Took.Duration())-from, 1)
		bar, took := strings.Repeat("█", n), p.Took.String()
		switch {
		case p.Name == "end":
			bar, took = "┤", ""
		case p.Took == 0:
			bar, took = "▏", ""
		}
		picture = append(picture, strings.TrimRight(fmt.Sprintf("%-14s %8.3f  %7s  %s%s", sshPhaseNames(p.Name), since.Seconds(), took, strings.Repeat(" ", from), bar), " "))
	}
	return []Line{{Time: t.Time, Note: true, Text: Plain(text), Fold: picture}}
}
