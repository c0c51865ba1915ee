package filter

import (
	"encoding/binary"

	"golang.org/x/net/bpf"
)

// Program is a filter for one link type. It is safe for concurrent use.
type Program struct {
	instructions []bpf.Instruction
	ops          []op
}

// Instructions returns the program as the BPF machines of the kernel and of
// golang.org/x/net/bpf take it.
func (p *Program) Instructions() []bpf.Instruction {
	if p.instructions == nil {
		return []bpf.Instruction{bpf.RetConstant{Val: acceptAll}}
	}
	return p.instructions
}

// op is an instruction as Match runs it. bpf.VM would do, but it takes the
// captured length of a packet for its length on the wire, which makes "less",
// "greater" and "len" wrong for packets that the snap length cut, and its
// instructions are interfaces.
type op struct {
	code opcode
	alu  bpf.ALUOp
	k    uint32
	yes  uint32 // how many ops to skip
	no   uint32
}

type opcode uint8

const (
	opReturn opcode = iota
	opConstant
	opLoad1
	opLoad2
	opLoad4
	opLoadX1
	opLoadX2
	opLoadX4
	opHeaderLength
	opLength
	opStore
	opRecall
	opTAX
	opALU
	opALUX
	opSkip
	opEqual
	opGreater
	opGreaterEqual
	opBits
	opEqualX
	opGreaterX
	opGreaterEqualX
	opBitsX
)

// assemble translates what layout and the primitives make.
func assemble(instructions []bpf.Instruction) *Program {
	p := &Program{instructions: instructions}
	for _, in := range instructions {
		var o op
		switch in := in.(type) {
		case bpf.RetConstant:
			o = op{code: opReturn, k: in.Val}
		case bpf.LoadConstant:
			o = op{code: opConstant, k: in.Val}
		case bpf.LoadAbsolute:
			o = op{code: sized(opLoad1, in.Size), k: in.Off}
		case bpf.LoadIndirect:
			o = op{code: sized(opLoadX1, in.Size), k: in.Off}
		case bpf.LoadMemShift:
			o = op{code: opHeaderLength, k: in.Off}
		case bpf.LoadExtension: // ExtLen is the only one made
			o = op{code: opLength}
		case bpf.StoreScratch:
			o = op{code: opStore, k: uint32(in.N)}
		case bpf.LoadScratch:
			o = op{code: opRecall, k: uint32(in.N)}
		case bpf.TAX:
			o = op{code: opTAX}
		case bpf.ALUOpConstant:
			o = op{code: opALU, alu: in.Op, k: in.Val}
		case bpf.ALUOpX:
			o = op{code: opALUX, alu: in.Op}
		case bpf.Jump:
			o = op{code: opSkip, yes: in.Skip}
		case bpf.JumpIf:
			o = conditional(opEqual, in.Cond, in.SkipTrue, in.SkipFalse)
			o.k = in.Val
		case bpf.JumpIfX:
			o = conditional(opEqualX, in.Cond, in.SkipTrue, in.SkipFalse)
		}
		p.ops = append(p.ops, o)
	}
	return p
}

func sized(one opcode, size int) opcode {
	switch size {
	case 2:
		return one + 1
	case 4:
		return one + 2
	}
	return one
}

// conditional reduces eight comparisons to four by swapping the ends.
func conditional(first opcode, cond bpf.JumpTest, yes, no uint8) op {
	o := op{yes: uint32(yes), no: uint32(no)}
	swap := false
	switch cond {
	case bpf.JumpEqual:
		o.code = first
	case bpf.JumpNotEqual:
		o.code, swap = first, true
	case bpf.JumpGreaterThan:
		o.code = first + 1
	case bpf.JumpLessOrEqual:
		o.code, swap = first+1, true
	case bpf.JumpGreaterOrEqual:
		o.code = first + 2
	case bpf.JumpLessThan:
		o.code, swap = first+2, true
	case bpf.JumpBitsSet:
		o.code = first + 3
	case bpf.JumpBitsNotSet:
		o.code, swap = first+3, true
	}
	if swap {
		o.yes, o.no = o.no, o.yes
	}
	return o
}

// Match says whether the program selects a packet of which b was captured and
// which was wire bytes long. Loads behind the end of b reject it.
func (p *Program) Match(b []byte, wire int) bool {
	var a, x uint32
	var scratch [16]uint32
	ops := p.ops
	for pc := 0; pc < len(ops); pc++ {
		o := &ops[pc]
		yes := false
		switch o.code {
		case opReturn:
			return o.k != 0
		case opConstant:
			a = o.k
			continue
		case opLoad1, opLoad2, opLoad4:
			v, ok := load(b, uint64(o.k), o.code-opLoad1)
			if !ok {
				return false
			}
			a = v
			continue
		case opLoadX1, opLoadX2, opLoadX4:
			// The sum wraps around, as it does in the kernel's machine.
			v, ok := load(b, uint64(o.k+x), o.code-opLoadX1)
			if !ok {
				return false
			}
			a = v
			continue
		case opHeaderLength:
			if uint64(o.k) >= uint64(len(b)) {
				return false
			}
			x = uint32(b[o.k]&15) * 4
			continue
		case opLength:
			a = uint32(wire)
			continue
		case opStore:
			scratch[o.k&15] = a
			continue
		case opRecall:
			a = scratch[o.k&15]
			continue
		case opTAX:
			x = a
			continue
		case opALU:
			a = compute(o.alu, a, o.k)
			continue
		case opALUX:
			if x == 0 && (o.alu == bpf.ALUOpDiv || o.alu == bpf.ALUOpMod) {
				return false
			}
			a = compute(o.alu, a, x)
			continue
		case opSkip:
			pc += int(o.yes)
			continue
		case opEqual:
			yes = a == o.k
		case opGreater:
			yes = a > o.k
		case opGreaterEqual:
			yes = a >= o.k
		case opBits:
			yes = a&o.k != 0
		case opEqualX:
			yes = a == x
		case opGreaterX:
			yes = a > x
		case opGreaterEqualX:
			yes = a >= x
		case opBitsX:
			yes = a&x != 0
		}
		if yes {
			pc += int(o.yes)
		} else {
			pc += int(o.no)
		}
	}
	return false
}

func load(b []byte, at uint64, size opcode) (uint32, bool) {
	n := uint64(len(b))
	switch size {
	case 0:
		if at < n {
			return uint32(b[at]), true
		}
	case 1:
		if at+2 <= n {
			return uint32(binary.BigEndian.Uint16(b[at:])), true
		}
	case 2:
		if at+4 <= n {
			return binary.BigEndian.Uint32(b[at:]), true
		}
	}
	return 0, false
}

// compute is arithmetic on 32 bits; a divisor of zero is the caller's to
// refuse.
func compute(o bpf.ALUOp, a, b uint32) uint32 {
	switch o {
	case bpf.ALUOpAdd:
		return a + b
	case bpf.ALUOpSub:
		return a - b
	case bpf.ALUOpMul:
		return a * b
	case bpf.ALUOpDiv:
		return a / b
	case bpf.ALUOpMod:
		return a % b
	case bpf.ALUOpAnd:
		return a & b
	case bpf.ALUOpOr:
		return a | b
	case bpf.ALUOpXor:
		return a ^ b
	case bpf.ALUOpShiftLeft:
		return a << b
	case bpf.ALUOpShiftRight:
		return a >> b
	}
	return 0
}
