package flow

import (
	"time"

	"sniff/record"
)

// setDefaults replaces what was left zero. Negative values mean the default
// too: nothing is unlimited.
func (c *Config) setDefaults() {
	l := &c.Limits
	orInt := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	orInt(&l.Pending, 256<<10)
	orInt(&l.Held, 256<<10)
	orTime(&l.HoldTime, 5*time.Minute)
	orInt(&l.Wait, 1<<20)
	orInt(&l.WaitTotal, 64<<20)
	orTime(&l.WaitTime, 10*time.Second)
	orInt(&l.OutOfOrder, 1<<20)
	orInt(&l.OutOfOrderTotal, 128<<20)
	orInt(&l.Connections, 250_000)
	orInt(&l.HalfOpen, 500_000)
	orTime(&l.Idle, time.Hour)
	orTime(&l.HalfOpenIdle, time.Minute)
	orInt(&l.Violations, 16)
	if c.Content == nil {
		c.Content = counter{}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Secrets.IsZero() {
		c.Secrets = record.NewKeyer(nil)
	}
}
