package content

import (
	"strconv"
	"strings"
	"time"
)

// parseDate reads the date of a header field (RFC 5322, sections 3.3 and 4.3),
// and the shapes that broken mailers use: asctime, RFC 3339, full month names,
// no zone, years of two digits. It gives the zero time for what it cannot
// read.
func parseDate(s string) time.Time {
	s = strings.TrimSpace(withoutComments(s))
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC()
	}
	day, year := -1, -1
	month := time.Month(0)
	clock := [3]int{-1, 0, 0}
	offset := 0
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		if w[0] == '+' || w[0] == '-' {
			if o, ok := zoneOffset(w); ok {
				offset = o
			}
			continue
		}
		if strings.IndexByte(w, ':') > 0 {
			if w, offset = cutZone(w, offset); !readClock(w, &clock) {
				return time.Time{}
			}
			continue
		}
		if n, err := strconv.Atoi(w); err == nil {
			if day < 0 && n >= 1 && n <= 31 && len(w) <= 2 {
				day = n
			} else if year < 0 {
				year = fullYear(n, len(w))
			}
			continue
		}
		if parts := strings.Split(w, "-"); len(parts) == 3 {
			d, m, y := parts[0], parts[1], parts[2] // 02-Jan-2006 or 2006-01-02
			if len(d) == 4 {
				d, y = y, d
			}
			n, err1 := strconv.Atoi(d)
			yy, err2 := strconv.Atoi(y)
			mm, err3 := strconv.Atoi(m)
			if err3 == nil {
				month = time.Month(mm)
			} else {
				month = monthByName(m)
			}
			if err1 != nil || err2 != nil {
				return time.Time{}
			}
			day, year = n, fullYear(yy, len(y))
			continue
		}
		if m := monthByName(w); m != 0 && month == 0 {
			month = m
		} else if o, ok := zoneByName(w); ok {
			offset = o
		}
	}
	if day < 1 || month < 1 || month > 12 || year < 0 || clock[0] < 0 {
		return time.Time{}
	}
	t := time.Date(year, month, day, clock[0], clock[1], clock[2], 0, time.UTC)
	if t.Day() != day {
		return time.Time{} // the 31st of June
	}
	return t.Add(-time.Duration(offset) * time.Second)
}

// fullYear reads years of two and three digits (RFC 5322, section 4.3).
func fullYear(n, digits int) int {
	switch {
	case digits == 2 && n < 50:
		return n + 2000
	case digits <= 3:
		return n + 1900
	}
	return n
}

// readClock reads 15:04 or 15:04:05, with a leap second and fractions.
func readClock(s string, clock *[3]int) bool {
	s, _, _ = strings.Cut(s, ".")
	limit := [3]int{23, 59, 60}
	for i := range clock {
		part, rest, more := strings.Cut(s, ":")
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || n > limit[i] {
			return false
		}
		clock[i] = n
		if s = rest; !more {
			return i > 0
		}
	}
	return false
}

// cutZone cuts a zone that sticks to the time: 15:04:05+0100.
func cutZone(w string, offset int) (string, int) {
	if i := strings.IndexAny(w, "+-"); i > 0 {
		if o, ok := zoneOffset(w[i:]); ok {
			return w[:i], o
		}
	}
	return w, offset
}

// zoneOffset reads +hhmm or +hh:mm in seconds.
func zoneOffset(s string) (int, bool) {
	digits := strings.Replace(s[1:], ":", "", 1)
	n, err := strconv.Atoi(digits)
	if err != nil || len(digits) != 4 || n < 0 || n%100 > 59 || n > 2400 {
		return 0, false
	}
	o := (n/100*60 + n%100) * 60
	if s[0] == '-' {
		o = -o
	}
	return o, true
}

// zoneByName knows the zones of RFC 5322, section 4.3; all others count as
// UTC, as it wants.
func zoneByName(s string) (int, bool) {
	switch strings.ToUpper(s) {
	case "EDT":
		return -4 * 3600, true
	case "EST", "CDT":
		return -5 * 3600, true
	case "CST", "MDT":
		return -6 * 3600, true
	case "MST", "PDT":
		return -7 * 3600, true
	case "PST":
		return -8 * 3600, true
	}
	return 0, false
}

func monthByName(s string) time.Month {
	if len(s) < 3 {
		return 0
	}
	i := strings.Index("janfebmaraprmayjunjulaugsepoctnovdec", strings.ToLower(s[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return time.Month(i/3 + 1)
}
