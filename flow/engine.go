package flow

// Engine holds all sessions of one input.
type Engine struct {
	cfg Config

	output
	expectations
}

// New returns an engine. Close must be called when the input has ended.
func New(cfg Config) *Engine {
	e := &Engine{cfg: cfg}
	e.cfg.setDefaults()
	e.output.start(e.cfg.Sink, e.cfg.Inline)
	return e
}

// Close writes what is still queued and returns the first error of the sink,
// which stays open: who made it closes it.
func (e *Engine) Close() error { return e.output.stop() }
