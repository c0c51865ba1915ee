package query

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"

	"sniff/record"
)

// Where is a compiled expression. It is used by one goroutine at a time.
type Where struct {
	text    string
	program *vm.Program
	machine vm.VM
	fields  []*field
	kinds   []record.Kind
	env     map[string]any
}

// field is a path that the expression reads, and the two names under which it
// stands in the environment: as it is, and with a zero for what is not there.
type field struct {
	path        *Path
	raw, filled string
	zero        any
}

// maxNodes bounds the size of an expression.
const maxNodes = 2000

// Compile checks and compiles an expression over records.
func Compile(text string) (*Where, error) {
	config := conf.CreateNew()
	config.MaxNodes = maxNodes
	for name, f := range functions() {
		expr.Function(name, f)(config)
	}
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, oneLine(err)
	}
	w := &Where{text: text, env: map[string]any{}}
	w.kinds, _ = impliedKinds(tree.Node)
	c := &check{where: w, config: config}
	c.test(&tree.Node)
	if c.err != nil {
		return nil, c.err
	}
	names := types.Map{}
	for _, f := range w.fields {
		names[f.raw], names[f.filled] = types.Any, types.Any
	}
	config.WithEnv(names)
	config.Check()
	if _, err := checker.Check(tree, config); err != nil {
		return nil, oneLine(err)
	}
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, oneLine(err)
	}
	if w.program, err = compiler.Compile(tree, config); err != nil {
		return nil, oneLine(err)
	}
	return w, nil
}

// Function names that no expression can spell.
const (
	fnCompare = "<compare>"
	fnTruth   = "<truth>"
)

func functions() map[string]func(...any) (any, error) {
	return map[string]func(...any) (any, error){
		"cidr": cidr, "host": host, "port": port, "seconds": seconds,
		fnCompare: func(p ...any) (any, error) { return compare(p[0].(string), p[1], p[2]) },
		fnTruth:   func(p ...any) (any, error) { return truth(p[0]), nil },
	}
}

// oneLine takes the picture of the expression out of an error of expr and
// leaves the message and the column.
func oneLine(err error) error {
	var e *file.Error
	if errors.As(err, &e) {
		return fmt.Errorf("%s at column %d", e.Message, e.Column+1)
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(line)
}

// Match reports whether the expression is true of the record. An expression
// that cannot be computed because the record lacks a field, or has it in
// another type, is not true of it; any other failure is an error.
func (w *Where) Match(r record.Record) (bool, error) {
	lacking := false
	for _, f := range w.fields {
		v := value(f.path.Of(r))
		lacking = lacking || v == nil || f.zero == nil
		w.env[f.raw] = v
		if v == nil {
			v = f.zero
		}
		w.env[f.filled] = v
	}
	out, err := w.machine.Run(w.program, w.env)
	if err != nil {
		if lacking {
			return false, nil
		}
		return false, fmt.Errorf("%s: %w", w.text, oneLine(err))
	}
	yes, _ := out.(bool)
	return yes, nil
}

// Kinds returns the kinds to which the expression can be true by its form,
// such as smtp.message for kind == "smtp.message" && size > 1000; nil when it
// does not say.
func (w *Where) Kinds() []record.Kind { return w.kinds }
