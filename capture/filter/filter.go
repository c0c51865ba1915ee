// Package filter compiles packet filters in tcpdump's syntax (pcap-filter(7))
// to instructions of the BSD packet filter, without libpcap.
//
// An expression is parsed once (lexer.go, parser.go) and compiled for each
// link type that it meets (compile.go, primitive.go, arithmetic.go), because
// what "tcp" looks at depends on the link header. Primitives become a tree of
// comparisons, which is laid out as forward jumps (layout.go) in the
// instruction set of golang.org/x/net/bpf and run by Program (program.go).
//
// The programs select what tcpdump selects, including what surprises: "vlan",
// "mpls" and "pppoes" move the offsets of all that is written behind them,
// "and" and "or" bind equally strong, and a load behind the end of the packet
// rejects it whatever else the expression says. Names of hosts and networks
// are not resolved; primitives that need what a capture does not hold, such
// as "ip broadcast" or "ifname", are refused by name.
package filter

import (
	"errors"
	"fmt"
	"strings"
)

// Expr is a parsed expression.
type Expr struct {
	text string
	root node // nil: everything
}

// Error says what is wrong with an expression.
type Error struct {
	Expr string
	// Pos is the byte at which it is wrong, -1 when that cannot be said.
	Pos    int
	Detail string
}

func (e *Error) Error() string {
	text := e.Expr
	if len(text) > 200 {
		text = text[:200] + "..."
	}
	if e.Pos < 0 {
		return fmt.Sprintf("filter: %s (in %q)", e.Detail, text)
	}
	return fmt.Sprintf("filter: %s (at byte %d of %q)", e.Detail, e.Pos+1, text)
}

// maxExpr bounds expressions; long lists of hosts stay far below.
const maxExpr = 64 << 10

// Parse checks the syntax of an expression. The empty expression selects
// every packet.
func Parse(text string) (*Expr, error) {
	if len(text) > maxExpr {
		return nil, errors.New("filter: expression is too long")
	}
	if strings.TrimSpace(text) == "" {
		return &Expr{text: text}, nil
	}
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	root, err := p.whole()
	if err != nil {
		return nil, err
	}
	return &Expr{text: text, root: root}, nil
}
