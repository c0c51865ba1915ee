package tls

// pending is what goes on once keys are there.
type pending struct {
	there func() bool
	then  func()
}

// need goes on with then once the keys are there: at once, unless the session
// can wait for them. Nothing more is consumed until then.
func (l *layer) need(there func() bool, then func()) {
	if !l.cfg.Wait || there() {
		then()
		return
	}
	l.pending = &pending{there, then}
}

// Ready goes on when the keys have come, or when they are waited for no
// longer.
func (l *layer) Ready(last bool) bool {
	p := l.pending
	if p == nil {
		return true
	}
	if !p.there() {
		if !last {
			return false
		}
		l.late = true
	}
	l.pending = nil
	p.then()
	return true
}

// whyNoKeys says that there are no keys, and whether they were waited for.
func (l *layer) whyNoKeys() string {
	if l.late {
		return whyLate
	}
	return whyUnknown
}
