package record

import "time"

// Speaker is a record that stands for a piece of dialogue, as `sniff show`
// prints it.
type Speaker interface {
	// Lines returns what was said, in order of time.
	Lines() []Line
}

// Line is one line of a dialogue.
type Line struct {
	// Time is when its first byte was seen.
	Time time.Time
	// Dir is who said it. A note is said by neither.
	Dir  Dir
	Note bool
	// Text is what was said, without its line end, or the note. Control
	// characters are escaped by the renderer, not here.
	Text Text
	// Fold is a body that `show` folds to its first lines; nil for none.
	Fold []string
}
