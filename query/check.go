package query

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
)

// check walks the tree of an expression once. It resolves every field, says
// what is wrong with a name or a comparison, and rewrites the tree: paths
// become variables, comparisons become calls of compare.
type check struct {
	where     *Where
	config    *conf.Config
	elements  [][]reflect.Type // types of the element that each predicate looks at; nil: unknown
	variables []string         // declared by let
	err       error
}

// known is what is known of a node: that it is a field, or which types it has.
type known struct {
	field *field
	types []reflect.Type
}

func (c *check) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// test visits a node whose value is taken for true or false.
func (c *check) test(n *ast.Node) {
	c.visit(n)
	switch (*n).(type) {
	case *ast.BoolNode, *ast.BinaryNode, *ast.UnaryNode:
		return
	}
	call(n, fnTruth, *n)
}

// use visits a node whose value must be there: what a record lacks is the zero
// of its type.
func (c *check) use(n *ast.Node) known {
	k := c.visit(n)
	if k.field != nil {
		replace(n, &ast.IdentifierNode{Value: k.field.filled})
	}
	return k
}

func (c *check) useAll(nodes []ast.Node) {
	for i := range nodes {
		c.use(&nodes[i])
	}
}

func replace(n *ast.Node, with ast.Node) {
	with.SetLocation((*n).Location())
	*n = with
}

func call(n *ast.Node, name string, args ...ast.Node) {
	replace(n, &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: args})
}

// visit rewrites a node and all below it.
func (c *check) visit(n *ast.Node) known {
	if c.err != nil {
		return known{}
	}
	if p := c.path(*n); p != nil {
		return c.field(n, p)
	}
	switch x := (*n).(type) {
	case *ast.MemberNode:
		return c.member(n, x)
	case *ast.ChainNode:
		k := c.visit(&x.Node)
		*n = x.Node
		return k
	case *ast.PointerNode:
		if x.Name == "" && len(c.elements) > 0 {
			return known{types: c.elements[len(c.elements)-1]}
		}
	case *ast.UnaryNode:
		if x.Operator == "!" || x.Operator == "not" {
			c.test(&x.Node)
		} else {
			c.use(&x.Node)
		}
	case *ast.BinaryNode:
		c.binary(n, x)
	case *ast.BuiltinNode:
		return c.builtin(x)
	case *ast.CallNode:
		c.call(x)
	case *ast.PredicateNode:
		c.use(&x.Node)
	case *ast.ConditionalNode:
		c.test(&x.Cond)
		c.use(&x.Exp1)
		c.use(&x.Exp2)
	case *ast.SliceNode:
		k := c.use(&x.Node)
		if x.From != nil {
			c.use(&x.From)
		}
		if x.To != nil {
			c.use(&x.To)
		}
		return known{types: k.types}
	case *ast.VariableDeclaratorNode:
		c.use(&x.Value)
		c.variables = append(c.variables, x.Name)
		c.use(&x.Expr)
		c.variables = c.variables[:len(c.variables)-1]
	case *ast.SequenceNode:
		c.useAll(x.Nodes)
	case *ast.ArrayNode:
		c.useAll(x.Nodes)
	case *ast.MapNode:
		for _, p := range x.Pairs {
			if pair, ok := p.(*ast.PairNode); ok {
				c.use(&pair.Key)
				c.use(&pair.Value)
			}
		}
	}
	return known{}
}

// path returns the path that a node spells, nil when it spells none.
func (c *check) path(n ast.Node) *Path {
	var p *Path
	var err error
	switch x := n.(type) {
	case *ast.IdentifierNode:
		if slices.Contains(c.variables, x.Value) {
			return nil
		}
		p, err = root().member(x.Value)
	case *ast.ChainNode:
		return c.path(x.Node)
	case *ast.MemberNode:
		name, ok := x.Property.(*ast.StringNode)
		if !ok {
			return nil
		}
		base := c.path(x.Node)
		if base == nil {
			return nil
		}
		p, err = base.member(name.Value)
	}
	if err != nil {
		c.fail(err)
		return nil
	}
	return p
}

// field makes a node the variable of a path.
func (c *check) field(n *ast.Node, p *Path) known {
	for _, f := range c.where.fields {
		if f.path.Name == p.Name {
			replace(n, &ast.IdentifierNode{Value: f.raw})
			return known{field: f, types: p.types}
		}
	}
	i := len(c.where.fields)
	f := &field{path: p, raw: fmt.Sprintf("raw%d", i), filled: fmt.Sprintf("filled%d", i), zero: p.absent()}
	c.where.fields = append(c.where.fields, f)
	replace(n, &ast.IdentifierNode{Value: f.raw})
	return known{field: f, types: p.types}
}

// member resolves a.b and a["b"] of the elements of a record's lists, and a[0].
func (c *check) member(n *ast.Node, x *ast.MemberNode) known {
	base := c.visit(&x.Node)
	name, ok := x.Property.(*ast.StringNode)
	if !ok {
		c.use(&x.Property)
		if base.field != nil {
			replace(&x.Node, &ast.IdentifierNode{Value: base.field.filled})
		}
		c.optional(n, x)
		return known{types: elementsOf(base.types)}
	}
	if base.types == nil {
		c.optional(n, x)
		return known{}
	}
	of := &Path{places: map[reflect.Type][]step{}, types: base.types}
	var found []reflect.Type
	for _, t := range base.types {
		if s, ok := stepTo(t, name.Value); ok {
			found = append(found, s.leadsTo(t))
		}
	}
	if found == nil {
		c.fail(of.unknown(name.Value))
	}
	c.optional(n, x)
	return known{types: found}
}

// optional makes the member of something that is not there nil.
func (c *check) optional(n *ast.Node, x *ast.MemberNode) {
	x.Optional = true
	replace(n, &ast.ChainNode{Node: x})
}

func elementsOf(types []reflect.Type) []reflect.Type {
	var out []reflect.Type
	for _, t := range types {
		if class(t) == classList || class(t) == classMap {
			out = append(out, pointed(t.Elem()))
		}
	}
	return out
}

func (c *check) binary(n *ast.Node, x *ast.BinaryNode) {
	switch x.Operator {
	case "&&", "and", "||", "or":
		c.test(&x.Left)
		c.test(&x.Right)
	case "==", "!=", "<", "<=", ">", ">=":
		left, right := c.visit(&x.Left), c.visit(&x.Right)
		if isNil(x.Left) || isNil(x.Right) {
			return
		}
		c.comparable(left, x.Right)
		c.comparable(right, x.Left)
		call(n, fnCompare, &ast.StringNode{Value: x.Operator}, x.Left, x.Right)
	case "in", "matches", "contains", "startsWith", "endsWith", "??":
		// What is not there is in nothing and matches nothing.
		left := c.visit(&x.Left)
		c.visit(&x.Right)
		if x.Operator == "contains" && left.types != nil && allOf(left.types, classList) {
			c.fail(fmt.Errorf("%s is a list: write any(%s, # contains ...) or \"...\" in %s", name(left), name(left), name(left)))
		}
		c.kindsExist(left, x)
	default:
		c.use(&x.Left)
		c.use(&x.Right)
	}
}

func isNil(n ast.Node) bool { _, ok := n.(*ast.NilNode); return ok }

func name(k known) string {
	if k.field == nil {
		return "it"
	}
	return k.field.path.Name
}

func allOf(types []reflect.Type, c int) bool {
	for _, t := range types {
		if class(t) != c {
			return false
		}
	}
	return true
}

// builtin visits len(to), any(to, .fate == "refused") and so on.
func (c *check) builtin(x *ast.BuiltinNode) known {
	if len(x.Arguments) == 0 {
		return known{}
	}
	list := c.use(&x.Arguments[0])
	for i := 1; i < len(x.Arguments); i++ {
		p, ok := x.Arguments[i].(*ast.PredicateNode)
		if !ok {
			c.use(&x.Arguments[i])
			continue
		}
		if list.types != nil && allOf(list.types, classObject) {
			c.fail(fmt.Errorf("%s is no list", name(list)))
			return known{}
		}
		c.elements = append(c.elements, elementsOf(list.types))
		switch x.Name {
		case "map", "sum", "groupBy", "sortBy", "reduce":
			c.use(&p.Node)
		default:
			c.test(&p.Node)
		}
		c.elements = c.elements[:len(c.elements)-1]
	}
	switch x.Name {
	case "filter", "sort", "sortBy", "reverse", "take", "uniq":
		return known{types: list.types}
	case "find", "findLast", "first", "last":
		return known{types: elementsOf(list.types)}
	}
	return known{}
}

// call visits the call of a function of ours.
func (c *check) call(x *ast.CallNode) {
	f, ok := x.Callee.(*ast.IdentifierNode)
	if !ok {
		c.fail(fmt.Errorf("only functions can be called"))
		return
	}
	if _, ok := c.config.Functions[f.Value]; !ok || strings.HasPrefix(f.Value, "<") {
		var names []string
		for name := range functions() {
			names = append(names, name)
		}
		for name := range c.config.Builtins {
			names = append(names, name)
		}
		slices.Sort(names)
		msg := fmt.Sprintf("unknown function %s", f.Value)
		if near := Nearest(f.Value, names); near != "" {
			msg += "; did you mean " + near + "?"
		}
		c.fail(fmt.Errorf("%s", msg))
		return
	}
	c.useAll(x.Arguments)
	if f.Value == "cidr" {
		for _, a := range x.Arguments[min(1, len(x.Arguments)):] {
			if s, ok := a.(*ast.StringNode); ok {
				if _, err := parsePrefix(s.Value); err != nil {
					c.fail(err)
				}
			}
		}
	}
}
