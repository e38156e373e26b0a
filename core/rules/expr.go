package rules

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"homeroom/core"
)

const (
	maxExpression = 1000 // characters
	maxNodes      = 300
	maxWindow     = 24 * time.Hour
)

// What is evaluated is bounded by what may be written: operators and the
// functions below, each of which is called at most once for each place where it
// stands. There are no loops, ranges, patterns or own variables, so nothing that
// grows faster than the expression does.

// sort is what sort of value a part of an expression has.
type sort int

const (
	anything sort = iota // something inside a JSON value: known when it is there
	truthful
	numeric
	textual
	lasting // a time.Duration
	listed
	nothing
)

// formula is an expression that can be evaluated.
type formula struct {
	text string
	code *vm.Program
	tree ast.Node
	sort sort
	why  *reason
	// timed means that its value can change while nothing comes.
	timed bool
	// moment means that it depends on what made the rule look.
	moment bool
}

// reason is a part of a formula that is true or false, as far as it can be told
// which of its own parts made it so.
type reason struct {
	op   string // "&&", "||", "!", or "" of a part that is told as it is
	kids []*reason
	code *vm.Program // of a part that is told as it is
	uses []use
}

// use is an input where an expression reads it.
type use struct {
	input int
	aged  bool // its age, too
}

// signature is a function of expressions.
type signature struct {
	input bool   // the first argument is an input
	args  []sort // the others
	many  bool   // the last may be repeated
	gives sort
	timed bool
}

var signatures = map[string]signature{
	"age":      {input: true, gives: lasting, timed: true},
	"since":    {input: true, gives: lasting, timed: true},
	"old":      {input: true},
	"never":    {input: true, gives: truthful},
	"changed":  {input: true, gives: truthful},
	"rate":     {input: true, gives: numeric, timed: true},
	"avg":      {input: true, args: []sort{lasting}, gives: numeric, timed: true},
	"min":      {args: []sort{numeric, numeric}, many: true, gives: numeric},
	"max":      {args: []sort{numeric, numeric}, many: true, gives: numeric},
	"now":      {gives: textual, timed: true},
	"hour":     {gives: numeric, timed: true},
	"minute":   {gives: numeric, timed: true},
	"weekday":  {gives: textual, timed: true},
	"abs":      {args: []sort{numeric}, gives: numeric},
	"round":    {args: []sort{numeric}, gives: numeric},
	"floor":    {args: []sort{numeric}, gives: numeric},
	"ceil":     {args: []sort{numeric}, gives: numeric},
	"seconds":  {args: []sort{lasting}, gives: numeric},
	"lower":    {args: []sort{textual}, gives: textual},
	"upper":    {args: []sort{textual}, gives: textual},
	"trim":     {args: []sort{textual}, gives: textual},
	"len":      {args: []sort{textual}, gives: numeric},
	"text":     {args: []sort{anything}, gives: textual},
	"number":   {args: []sort{anything}, gives: numeric},
	"duration": {args: []sort{textual}, gives: lasting},
}

// words cannot be the name of an input: they mean something to the language.
var words = []string{"true", "false", "nil", "not", "and", "or", "in", "let", "if", "else", "contains", "startsWith", "endsWith", "matches"}

// state is how the expression gets at an input itself, and the clock; a person
// cannot write these names.
const (
	state = "%"
	watch = "% clock"
)

// functions are what the names in a compiled expression stand for.
var functions = conf.FunctionsTable{}

func define(name string, like any, f func(args ...any) (any, error)) {
	functions[name] = &builtin.Function{Name: name, Func: f, Types: []reflect.Type{reflect.TypeOf(like)}}
}

func init() {
	of := func(args []any) *input { return args[0].(*input) }
	at := func(args []any) time.Time { return args[0].(*clock).now }
	define("age", func(*input) time.Duration { return 0 }, func(a ...any) (any, error) { return of(a).age(), nil })
	define("since", func(*input) time.Duration { return 0 }, func(a ...any) (any, error) { return of(a).since(), nil })
	define("never", func(*input) bool { return false }, func(a ...any) (any, error) { return !of(a).came, nil })
	define("changed", func(*input) bool { return false }, func(a ...any) (any, error) { return of(a).made, nil })
	define("rate", func(*input) float64 { return 0 }, func(a ...any) (any, error) { return of(a).rate(), nil })
	before := func(a ...any) (any, error) { return of(a).before, nil }
	define("old bool", func(*input) bool { return false }, before)
	define("old number", func(*input) float64 { return 0 }, before)
	define("old text", func(*input) string { return "" }, before)
	define("old json", func(*input) map[string]any { return nil }, before)
	over := func(*input, time.Duration) float64 { return 0 }
	define("avg", over, func(a ...any) (any, error) {
		b := of(a).over(a[1].(time.Duration))
		return b.sum / float64(b.n), nil
	})
	define("min over", over, func(a ...any) (any, error) { return of(a).over(a[1].(time.Duration)).low, nil })
	define("max over", over, func(a ...any) (any, error) { return of(a).over(a[1].(time.Duration)).high, nil })
	define("now", func(*clock) string { return "" }, func(a ...any) (any, error) { return at(a).Format("15:04:05"), nil })
	define("hour", func(*clock) int { return 0 }, func(a ...any) (any, error) { return at(a).Hour(), nil })
	define("minute", func(*clock) int { return 0 }, func(a ...any) (any, error) { return at(a).Minute(), nil })
	define("weekday", func(*clock) string { return "" }, func(a ...any) (any, error) { return days[at(a).Weekday()], nil })
	define("seconds", func(time.Duration) float64 { return 0 }, func(a ...any) (any, error) {
		d, ok := a[0].(time.Duration)
		if !ok {
			return nil, unlike(a[0])
		}
		return d.Seconds(), nil
	})
	one := func(f func(float64) float64) func(a ...any) (any, error) {
		return func(a ...any) (any, error) {
			v, err := float(a[0])
			return f(v), err
		}
	}
	define("abs", func(any) float64 { return 0 }, one(math.Abs))
	define("round", func(any) float64 { return 0 }, one(math.Round))
	define("floor", func(any) float64 { return 0 }, one(math.Floor))
	define("ceil", func(any) float64 { return 0 }, one(math.Ceil))
	two := func(f func(a, b float64) float64) func(a ...any) (any, error) {
		return func(a ...any) (any, error) {
			v, err := float(a[0])
			for _, other := range a[1:] {
				w, e := float(other)
				v, err = f(v, w), errors.Join(err, e)
			}
			return v, err
		}
	}
	define("min", func(...any) float64 { return 0 }, two(math.Min))
	define("max", func(...any) float64 { return 0 }, two(math.Max))
	define("%", func(any, any) float64 { return 0 }, two(math.Mod))
	letters := func(f func(string) any) func(a ...any) (any, error) {
		return func(a ...any) (any, error) {
			s, ok := a[0].(string)
			if !ok {
				return nil, unlike(a[0])
			}
			return f(s), nil
		}
	}
	define("lower", func(any) string { return "" }, letters(func(s string) any { return strings.ToLower(s) }))
	define("upper", func(any) string { return "" }, letters(func(s string) any { return strings.ToUpper(s) }))
	define("trim", func(any) string { return "" }, letters(func(s string) any { return strings.TrimSpace(s) }))
	define("len", func(any) int { return 0 }, letters(func(s string) any { return utf8.RuneCountInString(s) }))
	define("text", func(any) string { return "" }, func(a ...any) (any, error) { return show(a[0]), nil })
	define("number", func(any) float64 { return 0 }, func(a ...any) (any, error) {
		switch v := a[0].(type) {
		case bool:
			if v {
				return 1.0, nil
			}
			return 0.0, nil
		case string:
			if n, ok := number(strings.TrimSpace(v)); ok {
				return n, nil
			}
			return nil, unlike(v)
		}
		return float(a[0])
	})
}

// days are the days of the week as expressions and texts have them.
var days = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func float(v any) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case int:
		return float64(v), nil
	}
	return 0, unlike(v)
}

// unlike is a value inside JSON that is not what the expression needs.
func unlike(v any) error { return fmt.Errorf("%s does not fit here", short(show(v))) }

// parse makes a formula of text. inputs get the windows it asks of them.
func parse(text string, inputs []*source) (*formula, error) {
	if n := utf8.RuneCountInString(text); n > maxExpression {
		return nil, core.Fail(core.ErrInvalid, "An expression has {n} characters. Use at most {max}, or make two rules of one.", "n", n, "max", maxExpression)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }) {
		return nil, core.Fail(core.ErrInvalid, "An expression is one line without signs that cannot be seen. Write {text} anew.", "text", short(text))
	}
	env := map[string]any{watch: (*clock)(nil)}
	for _, in := range inputs {
		env[in.name] = zero(in.design.Kind)
		env[state+in.name] = (*input)(nil)
	}
	config := conf.New(env)
	config.MaxNodes = maxNodes
	config.Functions = functions
	config.DisableIfOperator = true
	config.Optimize = false
	for name := range config.Builtins {
		config.Disabled[name] = true
	}
	clear(config.Builtins)
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, unread(text, err)
	}
	f := &formula{text: text}
	p := &typer{text: text, inputs: inputs, formula: f}
	f.sort = p.visit(&tree.Node)
	if p.err != nil {
		return nil, p.err
	}
	if _, err := checker.Check(tree, config); err != nil {
		return nil, unread(text, err)
	}
	f.tree = tree.Node
	if f.code, err = compiler.Compile(tree, config); err != nil {
		return nil, unread(text, err)
	}
	f.why, err = p.explain(tree, tree.Node, config)
	return f, err
}

// unread tells what expr has against a text.
func unread(text string, err error) error {
	at, reason := 1, strings.SplitN(err.Error(), "\n", 2)[0]
	var f *file.Error
	if errors.As(err, &f) {
		at, reason = f.From+1, f.Message
	}
	return core.Fail(core.ErrInvalid, "{expression} cannot be read at character {at}: {reason}", "expression", short(text), "at", at, "reason", short(reason))
}

// typer finds out what sort of value each part of an expression has, and puts
// the inputs themselves where a function is about one.
type typer struct {
	text    string
	inputs  []*source
	formula *formula
	err     error // the first
}

// fail says what is wrong with n, in the {expression} at character {at}.
func (p *typer) fail(n ast.Node, say core.Sentence) sort {
	if p.err == nil {
		say.Args = append([]any{"expression", short(p.text), "at", n.Location().From + 1}, say.Args...)
		p.err = &core.Problem{Sentence: say, Kind: core.ErrInvalid}
	}
	return anything
}

// need says that n must have that sort of value, where it has another.
func (p *typer) need(n ast.Node, got, want sort) {
	if got == want || got == anything || want == anything {
		return
	}
	p.fail(n, needs[want])
}

// needs are what is said of a part that should have another sort of value.
var needs = map[sort]core.Sentence{
	truthful: core.Say("{expression}: what is at character {at} must be true or false. Compare it with something, as in x > 20."),
	numeric:  core.Say("{expression}: what is at character {at} must be a number."),
	textual:  core.Say("{expression}: what is at character {at} must be a text, in quotation marks where it is written there."),
	lasting:  core.Say("{expression}: what is at character {at} must be a time such as duration(\"5m\")."),
	listed:   core.Say("{expression}: what is at character {at} must be a list such as [1, 2, 3]."),
	nothing:  core.Say("{expression}: what is at character {at} is always there, so it needs no comparison with nil and no ??."),
}

func (p *typer) index(name string) int {
	return slices.IndexFunc(p.inputs, func(s *source) bool { return s.name == name })
}

func (p *typer) unknown(n ast.Node, name string) sort {
	if _, ok := signatures[name]; ok {
		return p.fail(n, core.Say("{expression}: {name} at character {at} is a function. Write what it is about in brackets after it.", "name", name))
	}
	known := make([]string, len(p.inputs))
	for i, s := range p.inputs {
		known[i] = s.name
	}
	if len(known) == 0 {
		return p.fail(n, core.Say("{expression}: there is no input {name} at character {at}. The rule reads no topic yet; add one.", "name", short(name)))
	}
	return p.fail(n, core.Say("{expression}: there is no input {name} at character {at}. There are: {known}", "name", short(name), "known", short(strings.Join(known, ", "))))
}

func (p *typer) refuse(n ast.Node) sort {
	return p.fail(n, core.Say("{expression}: rules do not know what is at character {at}. Use comparisons, and, or, not, + - * / and the functions for rules."))
}

// visit returns the sort of value that a part of an expression has.
func (p *typer) visit(node *ast.Node) sort {
	if p.err != nil {
		return anything
	}
	switch n := (*node).(type) {
	case *ast.NilNode:
		return nothing
	case *ast.IntegerNode, *ast.FloatNode:
		return numeric
	case *ast.BoolNode:
		return truthful
	case *ast.StringNode:
		return textual
	case *ast.IdentifierNode:
		if i := p.index(n.Value); i >= 0 {
			return kindSort(p.inputs[i].design.Kind)
		}
		return p.unknown(n, n.Value)
	case *ast.UnaryNode:
		got := p.visit(&n.Node)
		if n.Operator == "!" || n.Operator == "not" {
			p.need(n.Node, got, truthful)
			return truthful
		}
		p.need(n.Node, got, numeric)
		return numeric
	case *ast.BinaryNode:
		return p.binary(node, n)
	case *ast.ConditionalNode:
		p.need(n.Cond, p.visit(&n.Cond), truthful)
		a, b := p.visit(&n.Exp1), p.visit(&n.Exp2)
		p.need(n.Exp2, b, a)
		if a == anything {
			return b
		}
		return a
	case *ast.ChainNode:
		return p.visit(&n.Node)
	case *ast.MemberNode:
		if got := p.visit(&n.Node); n.Method || got != anything {
			return p.fail(n, core.Say("{expression}: only a JSON value has parts, and what is before character {at} is none."))
		}
		if got := p.visit(&n.Property); got != numeric && got != textual && got != anything {
			p.need(n.Property, got, textual)
		}
		return anything
	case *ast.CallNode:
		return p.call(node, n)
	}
	return p.refuse(*node) // builtins with loops, slices, maps, patterns, declarations, lists that stand alone
}

func kindSort(k core.Kind) sort {
	switch k {
	case core.Boolean:
		return truthful
	case core.Number:
		return numeric
	case core.JSON:
		return anything
	}
	return textual
}

func (p *typer) binary(node *ast.Node, n *ast.BinaryNode) sort {
	if list, ok := n.Right.(*ast.ArrayNode); ok && n.Operator == "in" {
		left := p.visit(&n.Left)
		for i := range list.Nodes {
			p.need(list.Nodes[i], p.visit(&list.Nodes[i]), left)
		}
		return truthful
	}
	a, b := p.visit(&n.Left), p.visit(&n.Right)
	if p.err != nil {
		return anything
	}
	both := func(allowed ...sort) sort {
		switch {
		case a == anything && b == anything:
			return anything
		case a == anything:
			a = b
		case b == anything:
			b = a
		}
		if !slices.Contains(allowed, a) {
			p.need(n.Left, a, allowed[0])
		}
		p.need(n.Right, b, a)
		return a
	}
	switch n.Operator {
	case "&&", "and", "||", "or":
		p.need(n.Left, a, truthful)
		p.need(n.Right, b, truthful)
		return truthful
	case "==", "!=":
		if a == nothing {
			p.need(n.Right, b, nothing)
		}
		p.need(n.Right, b, a)
		return truthful
	case "<", ">", "<=", ">=":
		both(numeric, textual, lasting)
		return truthful
	case "+":
		return both(numeric, textual, lasting)
	case "-":
		return both(numeric, lasting)
	case "*", "/":
		both(numeric)
		return numeric
	case "**", "^":
		both(numeric)
		return numeric
	case "%":
		both(numeric)
		called := &ast.CallNode{Callee: &ast.IdentifierNode{Value: "%"}, Arguments: []ast.Node{n.Left, n.Right}}
		ast.Patch(node, called)
		return numeric
	case "contains", "startsWith", "endsWith":
		p.need(n.Left, a, textual)
		p.need(n.Right, b, textual)
		return truthful
	case "in":
		p.need(n.Right, b, listed)
		return truthful
	case "??":
		p.need(n.Left, a, nothing)
		return anything
	}
	return p.refuse(n)
}

func (p *typer) call(node *ast.Node, n *ast.CallNode) sort {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return p.refuse(n)
	}
	f, ok := signatures[callee.Value]
	if !ok {
		return p.fail(n, core.Say("{expression}: there is no function {name} at character {at}.", "name", short(callee.Value)))
	}
	p.formula.timed = p.formula.timed || f.timed
	args := n.Arguments
	var in *source
	if len(args) > 0 {
		if id, ok := args[0].(*ast.IdentifierNode); ok && p.index(id.Value) >= 0 {
			in = p.inputs[p.index(id.Value)]
		}
	}
	name := callee.Value
	if lasts := len(args) == 2 && isDuration(args[1]); (name == "min" || name == "max") && in != nil && lasts {
		f = signature{input: true, args: []sort{lasting}, gives: numeric}
		name += " over"
		p.formula.timed = true
	}
	if !f.input {
		if len(args) < len(f.args) || len(args) > len(f.args) && !f.many {
			return p.fail(n, core.Say("{expression}: {name} at character {at} needs {n} values in its brackets.", "name", name, "n", len(f.args)))
		}
		for i := range args {
			p.need(args[i], p.visit(&args[i]), f.args[min(i, len(f.args)-1)])
		}
		switch {
		case name == "duration":
			return p.duration(node, args[0])
		case len(args) == 0:
			ast.Patch(node, &ast.CallNode{Callee: callee, Arguments: []ast.Node{&ast.IdentifierNode{Value: watch}}})
		}
		return f.gives
	}
	if in == nil || len(args) != 1+len(f.args) {
		if len(f.args) > 0 {
			return p.fail(n, core.Say("{expression}: {name} at character {at} needs the name of an input and a time, as in {name}(x, duration(\"5m\")).", "name", callee.Value))
		}
		return p.fail(n, core.Say("{expression}: {name} at character {at} needs the name of an input, as in {name}(x).", "name", callee.Value))
	}
	self := &ast.IdentifierNode{Value: state + in.name}
	self.SetLocation(args[0].Location())
	called := &ast.CallNode{Callee: &ast.IdentifierNode{Value: name}, Arguments: []ast.Node{self}}
	switch name {
	case "changed":
		p.formula.moment = true
	case "old":
		f.gives = kindSort(in.design.Kind)
		called.Callee = &ast.IdentifierNode{Value: map[sort]string{truthful: "old bool", numeric: "old number", textual: "old text", anything: "old json"}[f.gives]}
	case "rate":
		p.numbers(args[0], in)
		in.window = max(in.window, rateOver)
	case "avg", "min over", "max over":
		p.numbers(args[0], in)
		p.need(args[1], p.visit(&args[1]), lasting)
		constant, ok := args[1].(*ast.ConstantNode)
		if !ok {
			if p.err == nil {
				return p.fail(n, needs[lasting])
			}
			return anything
		}
		d := constant.Value.(time.Duration)
		if d > maxWindow {
			return p.fail(n, core.Say("{expression}: {name} at character {at} looks back too far. Use at most {max}.", "name", callee.Value, "max", span(maxWindow)))
		}
		in.window = max(in.window, d)
		called.Arguments = append(called.Arguments, constant)
	}
	ast.Patch(node, called)
	return f.gives
}

func (p *typer) numbers(n ast.Node, in *source) {
	if in.design.Kind != core.Number {
		p.fail(n, needs[numeric])
	}
}

func isDuration(n ast.Node) bool {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return false
	}
	id, ok := call.Callee.(*ast.IdentifierNode)
	return ok && id.Value == "duration"
}

// duration puts the time that is written there in the place of the call.
func (p *typer) duration(node *ast.Node, arg ast.Node) sort {
	if p.err != nil {
		return anything
	}
	text, ok := arg.(*ast.StringNode)
	if !ok {
		return p.fail(arg, needs[lasting])
	}
	d, err := time.ParseDuration(text.Value)
	if err != nil || d < 0 || d > long {
		return p.fail(arg, core.Say("{expression}: {text} at character {at} is no time. Write 30s, 5m or 1h30m.", "text", short(text.Value)))
	}
	ast.Patch(node, &ast.ConstantNode{Value: d})
	return lasting
}

// explain takes a part of an expression apart as far as and, or and not go.
func (p *typer) explain(tree *parser.Tree, n ast.Node, config *conf.Config) (*reason, error) {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if n.Operator == "!" || n.Operator == "not" {
			kid, err := p.explain(tree, n.Node, config)
			return &reason{op: "!", kids: []*reason{kid}}, err
		}
	case *ast.BinaryNode:
		op := map[string]string{"&&": "&&", "and": "&&", "||": "||", "or": "||"}[n.Operator]
		if op != "" {
			a, err := p.explain(tree, n.Left, config)
			if err != nil {
				return nil, err
			}
			b, err := p.explain(tree, n.Right, config)
			return &reason{op: op, kids: []*reason{a, b}}, err
		}
	}
	code, err := compiler.Compile(&parser.Tree{Node: n, Source: tree.Source}, config)
	if err != nil {
		return nil, unread(p.text, err)
	}
	r := &reason{code: code}
	ast.Walk(&n, visitor(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.IdentifierNode:
			if i := p.index(strings.TrimPrefix(n.Value, state)); i >= 0 {
				r.uses = append(r.uses, use{input: i})
			}
		case *ast.CallNode:
			if f := n.Callee.(*ast.IdentifierNode).Value; f == "age" || f == "since" {
				r.uses[len(r.uses)-1].aged = true // its input was visited just now
			}
		}
	}))
	return r, nil
}

type visitor func(ast.Node)

func (v visitor) Visit(n *ast.Node) { v(*n) }

func (r *run) eval(code *vm.Program) (any, error) { return r.machine.Run(code, r.env) }

// decided returns what of w made it true or false, and which it is.
func (r *run) decided(w *reason) ([]use, bool) {
	switch w.op {
	case "!":
		uses, v := r.decided(w.kids[0])
		return uses, !v
	case "&&", "||":
		a, v := r.decided(w.kids[0])
		if v == (w.op == "||") {
			return a, v
		}
		b, v := r.decided(w.kids[1])
		if v == (w.op == "||") {
			return b, v
		}
		return append(slices.Clip(a), b...), v
	}
	v, _ := r.eval(w.code)
	yes, _ := v.(bool)
	return w.uses, yes
}
