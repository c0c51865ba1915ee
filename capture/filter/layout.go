package filter

import "golang.org/x/net/bpf"

// acceptAll is what tcpdump's programs return for a packet to take.
const acceptAll = 262144

// step is a piece of the program: straight instructions, and then a jump to
// one of two labels, both of which lie behind it.
type step struct {
	load    []bpf.Instruction
	jump    bpf.JumpTest
	value   uint32
	withX   bool
	yes, no int // labels
	far     bool
}

// plan turns a tree into steps. Labels are places in the list of steps, known
// once a label is bound.
type plan struct {
	steps  []step
	labels []int
}

const (
	labelAccept = iota
	labelReject
)

func (p *plan) label() int {
	p.labels = append(p.labels, -1)
	return len(p.labels) - 1
}

func (p *plan) bind(label int) { p.labels[label] = len(p.steps) }

// emit plans t so that it ends at yes or no. A constant part becomes a
// comparison that always has the same end; they are rare.
func (p *plan) emit(t tree, yes, no int) {
	switch t := t.(type) {
	case *branch:
		middle := p.label()
		if t.or {
			p.emit(t.left, yes, middle)
		} else {
			p.emit(t.left, middle, no)
		}
		p.bind(middle)
		p.emit(t.right, yes, no)
	case *inverse:
		p.emit(t.of, no, yes)
	case always:
		value := uint32(1)
		if t {
			value = 0
		}
		p.steps = append(p.steps, step{
			load: []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegA, Val: 0}},
			jump: bpf.JumpEqual, value: value, yes: yes, no: no,
		})
	case *test:
		p.steps = append(p.steps, step{load: t.load, jump: t.op, value: t.value, withX: t.withX, yes: yes, no: no})
	}
}

// layout makes instructions of a tree. Conditional jumps reach 255
// instructions; where that is not enough, the jump goes by way of two
// unconditional ones, and the rest moves, until all fit.
func layout(t tree) []bpf.Instruction {
	p := &plan{labels: make([]int, 2)}
	p.emit(t, labelAccept, labelReject)
	p.labels[labelAccept] = len(p.steps)
	p.labels[labelReject] = len(p.steps) + 1
	starts := make([]int, len(p.steps)+2)
	for {
		n := 0
		for i, s := range p.steps {
			starts[i] = n
			n += len(s.load) + 1
			if s.far {
				n += 2
			}
		}
		starts[len(p.steps)], starts[len(p.steps)+1] = n, n+1
		grown := false
		for i := range p.steps {
			s := &p.steps[i]
			behind := starts[i] + len(s.load) + 1
			if !s.far && max(starts[p.labels[s.yes]], starts[p.labels[s.no]])-behind > 255 {
				s.far, grown = true, true
			}
		}
		if !grown {
			break
		}
	}
	var out []bpf.Instruction
	for i, s := range p.steps {
		out = append(out, s.load...)
		behind := starts[i] + len(s.load) + 1
		yes, no := starts[p.labels[s.yes]]-behind, starts[p.labels[s.no]]-behind
		if !s.far {
			out = append(out, s.branch(uint8(yes), uint8(no)))
			continue
		}
		out = append(out, s.branch(0, 1), bpf.Jump{Skip: uint32(yes - 1)}, bpf.Jump{Skip: uint32(no - 2)})
	}
	return append(out, bpf.RetConstant{Val: acceptAll}, bpf.RetConstant{Val: 0})
}

func (s *step) branch(yes, no uint8) bpf.Instruction {
	if s.withX {
		return bpf.JumpIfX{Cond: s.jump, SkipTrue: yes, SkipFalse: no}
	}
	return bpf.JumpIf{Cond: s.jump, Val: s.value, SkipTrue: yes, SkipFalse: no}
}
