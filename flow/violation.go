package flow

import (
	"slices"

	"sniff/dissect"
	"sniff/record"
)

// Codes of the anomalies that sessions themselves report.
const (
	codeInternal  = "internal_error"     // a fault of ours; the session is not read any more
	codeLost      = "sync_lost"          // the dissector cannot follow a direction any more
	codeTooLong   = "token_too_long"     // an unfinished token reached its limit
	codeInjection = "starttls_injection" // plaintext between STARTTLS and TLS
)

// maxCodes bounds how many codes a session tells apart.
const maxCodes = 256

// repeated counts the violations of one code.
type repeated struct {
	listed, more int
	last         record.Anomaly
}

// violation reports a breach of a protocol's rules, the first few of a code;
// further ones are counted.
func (s *Session) violation(st *stage, v dissect.Violation) {
	if s.counts == nil {
		s.counts = map[string]*repeated{}
	}
	c := s.counts[v.Code]
	if c == nil {
		if len(s.counts) >= maxCodes {
			return
		}
		c = &repeated{}
		s.counts[v.Code] = c
	}
	a := record.Anomaly{Code: v.Code, Detail: v.Detail}
	if v.Stamp.Time.IsZero() {
		v.Stamp.Time = st.At(0).Time
	}
	a.Stamp(v.Stamp, v.Dir)
	if c.listed < s.e.cfg.Limits.Violations {
		c.listed++
		st.Emit(&a)
		return
	}
	c.more++
	st.fill(&a)
	c.last = a
}

// emitCounts reports how many violations were not listed.
func (s *Session) emitCounts() {
	var codes []string
	for code, c := range s.counts {
		if c.more > 0 {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	for _, code := range codes {
		a := s.counts[code].last
		a.Detail, a.Count = "not listed one by one, this being the last", s.counts[code].more
		s.e.put(item{record: &a, outline: &s.outline})
	}
}
