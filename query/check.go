package query

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"

	"sniff/record"
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
