package filter

import (
	"golang.org/x/net/bpf"
)

// relation compares two values: tcp[13] & 2 != 0.
type relation struct {
	op          string
	left, right value
	pos         int
}

// value is an arithmetic expression: constant, lengthValue, *accessor or
// *operation.
type value interface{}

type constant uint32

type lengthValue struct{}

// accessor is proto[index:size].
type accessor struct {
	proto string
	index value
	size  int
	pos   int
}

type operation struct {
	op          string
	left, right value
	pos         int
}

// relation reads a comparison if there is one; else it leaves the parser
// where it was. A parenthesis can begin either kind of expression.
func (p *parser) relation() (node, bool, error) {
	start, depth := p.at, p.depth
	restore := func() { p.at, p.depth = start, depth }
	t := p.peek()
	switch {
	case t.kind == tokNumber, p.isOp("(", "-"):
	case t.kind == tokWord && !t.escaped:
		_, isConstant := constants[t.text]
		following := p.tokens[min(p.at+1, len(p.tokens)-1)]
		if !isConstant && t.text != "len" && !(following.kind == tokOp && following.text == "[") {
			return nil, false, nil
		}
	default:
		return nil, false, nil
	}
	left, err := p.arithmetic(0)
	if err != nil || !p.isOp("=", "==", "!=", "<", ">", "<=", ">=") {
		at := p.at
		restore()
		// A bare number or a parenthesis may be something else; the rest can
		// only be arithmetic.
		if t.kind == tokNumber || t.kind == tokOp {
			return nil, false, nil
		}
		if err == nil {
			err = p.fail(p.tokens[at], "unexpected %v, a comparison was expected", p.tokens[at])
		}
		return nil, false, err
	}
	op := p.next()
	right, err := p.arithmetic(0)
	if err != nil {
		return nil, false, err
	}
	return &relation{op.text, left, right, op.pos}, true, nil
}

// Strength of binary operators, weakest first, as in tcpdump's grammar. That
// one forgot to rank "^" and "%": they take the nearest operand on their left
// and all that follows on their right.
var precedence = map[string]int{
	"|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, "^": unranked, "%": unranked,
}

const unranked = 6

func (p *parser) arithmetic(weakest int) (value, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	left, err := p.operand()
	for err == nil {
		t := p.peek()
		strength := precedence[t.text]
		if t.kind != tokOp || strength == 0 || strength <= weakest {
			return left, nil
		}
		p.next()
		if strength == unranked {
			strength = 0
		}
		var right value
		if right, err = p.arithmetic(strength); err != nil {
			break
		}
		left, err = p.fold(t, left, right)
	}
	return nil, err
}

// fold computes what is constant.
func (p *parser) fold(op token, left, right value) (value, error) {
	b, rightConstant := right.(constant)
	if rightConstant && b == 0 && (op.text == "/" || op.text == "%") {
		return nil, p.fail(op, "division by zero")
	}
	if rightConstant && b > 31 && (op.text == "<<" || op.text == ">>") {
		return nil, p.fail(op, "shift by more than 31 bits")
	}
	if a, ok := left.(constant); ok && rightConstant {
		return constant(compute(aluOps[op.text], uint32(a), uint32(b))), nil
	}
	return &operation{op.text, left, right, op.pos}, nil
}

func (p *parser) operand() (value, error) {
	t := p.next()
	switch {
	case t.kind == tokNumber:
		return constant(t.number), nil
	case t.kind == tokOp && t.text == "(":
		v, err := p.arithmetic(0)
		if err != nil {
			return nil, err
		}
		if !p.isOp(")") {
			return nil, p.unexpected(p.peek())
		}
		p.next()
		return v, nil
	case t.kind == tokOp && t.text == "-":
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		v, err := p.operand()
		if err != nil {
			return nil, err
		}
		return p.fold(token{kind: tokOp, text: "-", pos: t.pos}, constant(0), v)
	case t.kind == tokWord && !t.escaped && t.text == "len":
		return lengthValue{}, nil
	case t.kind == tokWord && !t.escaped:
		if c, ok := constants[t.text]; ok {
			return constant(c), nil
		}
		if p.isOp("[") {
			return p.accessor(t)
		}
	}
	return nil, p.unexpected(t)
}

func (p *parser) accessor(t token) (value, error) {
	proto := protocols[t.text]
	if proto == "" || proto == "ah" || proto == "esp" {
		return nil, p.fail(t, "%q with an index is not supported", t.text)
	}
	p.next()
	index, err := p.arithmetic(0)
	if err != nil {
		return nil, err
	}
	a := &accessor{proto: proto, index: index, size: 1, pos: t.pos}
	if p.isOp(":") {
		p.next()
		size := p.next()
		if size.kind != tokNumber || size.number != 1 && size.number != 2 && size.number != 4 {
			return nil, p.fail(size, "the size must be 1, 2 or 4, not %v", size)
		}
		a.size = int(size.number)
	}
	if !p.isOp("]") {
		return nil, p.unexpected(p.peek())
	}
	p.next()
	return a, nil
}

var aluOps = map[string]bpf.ALUOp{
	"+": bpf.ALUOpAdd, "-": bpf.ALUOpSub, "*": bpf.ALUOpMul, "/": bpf.ALUOpDiv, "%": bpf.ALUOpMod,
	"&": bpf.ALUOpAnd, "|": bpf.ALUOpOr, "^": bpf.ALUOpXor, "<<": bpf.ALUOpShiftLeft, ">>": bpf.ALUOpShiftRight,
}

var comparisons = map[string]bpf.JumpTest{
	"=": bpf.JumpEqual, "==": bpf.JumpEqual, "!=": bpf.JumpNotEqual,
	"<": bpf.JumpLessThan, ">": bpf.JumpGreaterThan, "<=": bpf.JumpLessOrEqual, ">=": bpf.JumpGreaterOrEqual,
}

// compare compiles a relation. The protocols that its accessors imply are
// checked before.
func (c *compiler) compare(r *relation) (tree, error) {
	var checks tree
	var code []bpf.Instruction
	var err error
	if right, ok := r.right.(constant); ok {
		if code, err = c.value(r.left, 0, &checks); err != nil {
			return nil, err
		}
		return and(checks, &test{load: code, op: comparisons[r.op], value: uint32(right)}), nil
	}
	if code, err = c.pair(r.left, r.right, 0, &checks, &checks); err != nil {
		return nil, err
	}
	return and(checks, &test{load: code, op: comparisons[r.op], withX: true}), nil
}

// pair leaves left in A and right in X.
func (c *compiler) pair(left, right value, slot int, leftChecks, rightChecks *tree) ([]bpf.Instruction, error) {
	code, err := c.value(left, slot, leftChecks)
	if err != nil {
		return nil, err
	}
	if slot >= 16 {
		return nil, c.fail(-1, "arithmetic is nested too deep")
	}
	code = append(code, bpf.StoreScratch{Src: bpf.RegA, N: slot})
	more, err := c.value(right, slot+1, rightChecks)
	if err != nil {
		return nil, err
	}
	code = append(code, more...)
	return append(code, bpf.TAX{}, bpf.LoadScratch{Dst: bpf.RegA, N: slot}), nil
}

// value compiles v into A. Scratch memory from slot on is free.
func (c *compiler) value(v value, slot int, checks *tree) ([]bpf.Instruction, error) {
	switch v := v.(type) {
	case constant:
		return []bpf.Instruction{bpf.LoadConstant{Dst: bpf.RegA, Val: uint32(v)}}, nil
	case lengthValue:
		return []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtLen}}, nil
	case *operation:
		if right, ok := v.right.(constant); ok {
			code, err := c.value(v.left, slot, checks)
			return append(code, bpf.ALUOpConstant{Op: aluOps[v.op], Val: uint32(right)}), err
		}
		// Within arithmetic, tcpdump checks for the protocols of the left
		// operand only; so that the same packets are selected, so do we.
		var unchecked tree
		code, err := c.pair(v.left, v.right, slot, checks, &unchecked)
		return append(code, bpf.ALUOpX{Op: aluOps[v.op]}), err
	case *accessor:
		return c.access(v, slot, checks)
	}
	return nil, c.fail(-1, "unknown value")
}

func (c *compiler) access(a *accessor, slot int, checks *tree) ([]bpf.Instruction, error) {
	base := c.payload
	behindIPv4 := false
	var check tree
	var err error
	switch a.proto {
	case "ether":
		base = 0
	case "ip", "arp", "rarp", "ip6":
		check, err = c.protocol(a.proto)
	case "icmp6":
		base += 40
		check, err = c.etherType(etherIPv6)
		check = and(check, c.field(6, 1, ipProtocols["icmp6"]))
	default:
		behindIPv4 = true
		check, err = c.etherType(etherIPv4)
		check = and(check, and(c.field(9, 1, ipProtocols[a.proto]), c.notFragment()))
	}
	if err != nil {
		return nil, err
	}
	if check != nil {
		*checks = and(*checks, check)
	}
	index, fixed := a.index.(constant)
	if fixed && uint64(index)+uint64(base) > 0x7fffffff {
		return nil, c.fail(a.pos, "index is out of range")
	}
	switch {
	case fixed && !behindIPv4:
		return []bpf.Instruction{bpf.LoadAbsolute{Off: base + uint32(index), Size: a.size}}, nil
	case fixed:
		return []bpf.Instruction{
			bpf.LoadMemShift{Off: base},
			bpf.LoadIndirect{Off: base + uint32(index), Size: a.size},
		}, nil
	}
	code, err := c.value(a.index, slot, checks)
	if err != nil {
		return nil, err
	}
	if behindIPv4 {
		code = append(code, bpf.LoadMemShift{Off: base}, bpf.ALUOpX{Op: bpf.ALUOpAdd})
	}
	return append(code, bpf.TAX{}, bpf.LoadIndirect{Off: base, Size: a.size}), nil
}
