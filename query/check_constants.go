package query

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"sniff/record"
)

// comparable refuses the comparison of a field with a constant that no record
// could ever hold there.
func (c *check) comparable(k known, with ast.Node) {
	if len(k.types) == 0 {
		return
	}
	var is int
	text := ""
	switch x := with.(type) {
	case *ast.StringNode:
		is, text = classString, x.Value
	case *ast.IntegerNode, *ast.FloatNode:
		is = classNumber
	case *ast.BoolNode:
		is = classBool
	default:
		return
	}
	for _, t := range k.types {
		switch {
		case class(t) == is:
			c.kindExists(k, text)
			return
		case class(t) == classTime && is == classString:
			if _, err := timeOf(text); err != nil {
				c.fail(err)
			}
			return
		case class(t) == classOther:
			return
		}
	}
	hint := ""
	if class(k.types[0]) == classList {
		hint = fmt.Sprintf(": write any(%s, ...) or ... in %s", name(k), name(k))
	} else if k.types[0] == reflect.TypeFor[record.Seconds]() && is == classString {
		hint = fmt.Sprintf(": write seconds(%q)", text)
	}
	c.fail(fmt.Errorf("%s is %s and cannot be compared with %s%s", name(k), className(class(k.types[0])), className(is), hint))
}

// kindExists refuses kind == "smtp.mesage".
func (c *check) kindExists(k known, text string) {
	if k.field == nil || k.field.path.Name != "kind" {
		return
	}
	if err := KnownKind(text); err != nil {
		c.fail(err)
	}
}

// kindsExist refuses kind in ["smtp.mesage"].
func (c *check) kindsExist(left known, x *ast.BinaryNode) {
	list, ok := x.Right.(*ast.ArrayNode)
	if !ok || x.Operator != "in" {
		return
	}
	for _, n := range list.Nodes {
		if s, ok := n.(*ast.StringNode); ok {
			c.kindExists(left, s.Value)
		}
	}
}

// KnownKind returns an error when no record is of this kind.
func KnownKind(kind string) error {
	var names []string
	for _, r := range record.Types() {
		if string(r.Kind()) == kind {
			return nil
		}
		names = append(names, string(r.Kind()))
	}
	if near := Nearest(kind, names); near != "" {
		return fmt.Errorf("unknown kind %q; did you mean %s?", kind, near)
	}
	return fmt.Errorf("unknown kind %q; the kinds are %s", kind, strings.Join(names, ", "))
}

// impliedKinds returns the kinds that an expression can be true of by its
// form; ok is false when it does not say.
func impliedKinds(n ast.Node) (kinds []record.Kind, ok bool) {
	x, isBinary := n.(*ast.BinaryNode)
	if !isBinary {
		return nil, false
	}
	switch x.Operator {
	case "&&", "and":
		left, ok1 := impliedKinds(x.Left)
		right, ok2 := impliedKinds(x.Right)
		switch {
		case ok1 && ok2:
			return slices.DeleteFunc(left, func(k record.Kind) bool { return !slices.Contains(right, k) }), true
		case ok1:
			return left, true
		}
		return right, ok2
	case "||", "or":
		left, ok1 := impliedKinds(x.Left)
		right, ok2 := impliedKinds(x.Right)
		if !ok1 || !ok2 {
			return nil, false
		}
		for _, k := range right {
			if !slices.Contains(left, k) {
				left = append(left, k)
			}
		}
		return left, true
	case "==", "in":
		if id, ok := x.Left.(*ast.IdentifierNode); !ok || id.Value != "kind" {
			return nil, false
		}
		if s, ok := x.Right.(*ast.StringNode); ok && x.Operator == "==" {
			return []record.Kind{record.Kind(s.Value)}, true
		}
		list, ok := x.Right.(*ast.ArrayNode)
		if !ok {
			return nil, false
		}
		for _, n := range list.Nodes {
			s, ok := n.(*ast.StringNode)
			if !ok {
				return nil, false
			}
			kinds = append(kinds, record.Kind(s.Value))
		}
		return kinds, true
	}
	return nil, false
}
