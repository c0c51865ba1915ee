package record

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Seconds is a span of time that marshals as a JSON number of seconds with
// microseconds.
type Seconds time.Duration

// Between returns the time from a to b, or zero if either is unknown.
func Between(a, b time.Time) Seconds {
	if a.IsZero() || b.IsZero() {
		return 0
	}
	return Seconds(b.Sub(a))
}

// Duration returns s as a time.Duration.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// AppendJSON appends the number to b.
func (s Seconds) AppendJSON(b []byte) []byte {
	d := time.Duration(s).Round(time.Microsecond)
	if d%time.Second == 0 {
		return strconv.AppendInt(b, int64(d/time.Second), 10)
	}
	return strconv.AppendFloat(b, d.Seconds(), 'f', -1, 64)
}

func (s Seconds) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// String gives three significant digits and a unit: "41 ms", "1.20 s", "2m05s".
func (s Seconds) String() string {
	d := time.Duration(s)
	switch {
	case d < 0:
		return "-" + Seconds(-d).String()
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}

// Count names a number of things: 1 file, 2 files, 3 anomalies.
func Count[N int | int64 | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if stem, ok := strings.CutSuffix(what, "y"); ok && strings.Trim(stem[len(stem)-1:], "aeiou") != "" {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Bytes renders a count of bytes with decimal units: "512 B", "12.3 KB".
func Bytes(n int64) string {
	switch {
	case n < 0:
		return "unknown size"
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1000, "KB"
	for _, u := range []string{"MB", "GB", "TB"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, u
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}
