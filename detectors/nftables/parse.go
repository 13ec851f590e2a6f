package nftables

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Parse reads what `nft -j list ruleset` printed, or several `nft -j list table` put into one. A text that is cut off or is
// something else is a *SyntaxError. What a rule holds that nobody knows is no error.
func Parse(text string) (*Ruleset, error) {
	p := &parser{d: jsontext.NewDecoder(strings.NewReader(text)), rules: &Ruleset{}}
	if err := p.file(); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return nil, &SyntaxError{Reason: "cut short: the file ends in the middle of the JSON"}
		}
		if _, ok := errors.AsType[*SyntaxError](err); ok {
			return nil, err
		}
		return nil, &SyntaxError{At: p.d.InputOffset() + 1, Reason: err.Error()}
	}
	return p.rules, nil
}

type parser struct {
	d     *jsontext.Decoder
	rules *Ruleset
	// at is the place of the object that is being read.
	at int64
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{At: p.at, Reason: fmt.Sprintf(format, args...)}
}

// want reads one token of a kind.
func (p *parser) want(kind jsontext.Kind, what string) error {
	t, err := p.d.ReadToken()
	if err == nil && t.Kind() != kind {
		return p.fail("want %s, as nft -j prints it", what)
	}
	return err
}

// file reads {"nftables": [OBJECT, …]}.
func (p *parser) file() error {
	if err := p.want('{', "an object"); err != nil {
		return err
	}
	name, err := p.d.ReadToken()
	if err != nil {
		return err
	}
	if name.Kind() != '"' || name.String() != "nftables" {
		return p.fail(`want {"nftables": …}, as nft -j prints it`)
	}
	if err := p.want('[', "a list"); err != nil {
		return err
	}
	for p.d.PeekKind() != ']' {
		value, err := p.d.ReadValue()
		if err != nil {
			return err
		}
		p.at = p.d.InputOffset() - int64(len(value)) + 1
		var object map[string]jsontext.Value
		if err := json.Unmarshal(value, &object); err != nil {
			return p.fail("%v", err)
		}
		if len(object) != 1 {
			return p.fail("want an object with one name, as nft -j prints it")
		}
		for kind, v := range object {
			if err := p.object(kind, v); err != nil {
				return err
			}
		}
	}
	if err := p.want(']', "the end of the list"); err != nil {
		return err
	}
	if err := p.want('}', "nothing beside the list"); err != nil {
		return err
	}
	if _, err := p.d.ReadToken(); err != io.EOF {
		return p.fail("something follows the end of the JSON")
	}
	return nil
}

// object reads one element of the list. Others, such as counters, do nothing to packets by themselves.
func (p *parser) object(kind string, v jsontext.Value) error {
	switch kind {
	case "table":
		return p.table(v)
	case "chain":
		return p.chain(v)
	case "set", "map":
		return p.set(v)
	case "rule":
		return p.rule(v)
	}
	return nil
}

// place is what says to which table an object belongs.
type place struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Name   string `json:"name"`
}

// in returns the table that an object belongs to.
func (p *parser) in(at place) (*Table, error) {
	t := p.rules.Table(at.Family, at.Table)
	if t == nil {
		return nil, p.fail("no table %s %s stands before what is in it", clip(at.Family), clip(at.Table))
	}
	return t, nil
}

func (p *parser) table(v jsontext.Value) error {
	var t struct {
		place
		Flags words `json:"flags"`
	}
	if err := json.Unmarshal(v, &t); err != nil {
		return p.fail("table: %v", err)
	}
	if t.Family == "" || t.Name == "" || p.rules.Table(t.Family, t.Name) != nil {
		return p.fail("table %s %s has no name, or stands here for the second time", clip(t.Family), clip(t.Name))
	}
	p.rules.Tables = append(p.rules.Tables, &Table{
		Family: t.Family, Name: t.Name, Dormant: slices.Contains(t.Flags, "dormant"), chains: map[string]*Chain{}, sets: map[string]*Set{},
	})
	return nil
}

func (p *parser) chain(v jsontext.Value) error {
	var c struct {
		place
		Type   string `json:"type"`
		Hook   string `json:"hook"`
		Prio   int    `json:"prio"`
		Policy string `json:"policy"`
	}
	if err := json.Unmarshal(v, &c); err != nil {
		return p.fail("chain: %v", err)
	}
	t, err := p.in(c.place)
	if err != nil {
		return err
	}
	if c.Name == "" || t.chains[c.Name] != nil {
		return p.fail("chain %q of table %s has no name, or stands here for the second time", clip(c.Name), clip(t.String()))
	}
	n := &Chain{Table: t, Name: c.Name, Type: c.Type, Hook: c.Hook, Prio: c.Prio, Policy: c.Policy, At: p.at}
	t.Chains = append(t.Chains, n)
	t.chains[c.Name] = n
	return nil
}

func (p *parser) set(v jsontext.Value) error {
	var s struct {
		place
		Type  any   `json:"type"`
		Map   any   `json:"map"`
		Flags words `json:"flags"`
		Elem  []any `json:"elem"`
	}
	if err := json.Unmarshal(v, &s); err != nil {
		return p.fail("set: %v", err)
	}
	t, err := p.in(s.place)
	if err != nil {
		return err
	}
	if s.Name == "" || t.sets[s.Name] != nil {
		return p.fail("set %q of table %s has no name, or stands here for the second time", clip(s.Name), clip(t.String()))
	}
	out := &Set{Name: s.Name, Flags: s.Flags, Type: typeWords(s.Type)}
	for _, e := range s.Elem {
		elem, ok := Element(e, s.Map != nil)
		if !ok {
			return p.fail("map %s of table %s: an element without a value", clip(s.Name), clip(t.String()))
		}
		out.Elems = append(out.Elems, elem)
	}
	t.sets[s.Name] = out
	return nil
}

// typeWords returns the parts of a type: a name, several, or an expression of which the type is taken.
func typeWords(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, w := range v {
			all = append(all, typeWords(w)...)
		}
		return all
	}
	return []string{""}
}

// Element reads an element of a set, or of a map, where it is a pair. What is kept with elements, such as comments, is left
// out. ok is false for what is no pair.
func Element(v any, isMap bool) (e Elem, ok bool) {
	e.Key = v
	if isMap {
		pair, isPair := v.([]any)
		if !isPair || len(pair) != 2 {
			return e, false
		}
		e.Key, e.Value = pair[0], pair[1]
	}
	object, _ := e.Key.(map[string]any)
	if inner, isElem := object["elem"].(map[string]any); isElem {
		e.Key = inner["val"]
	}
	return e, true
}

func (p *parser) rule(v jsontext.Value) error {
	var r struct {
		place
		Chain   string           `json:"chain"`
		Handle  uint64           `json:"handle"`
		Comment string           `json:"comment"`
		Expr    []map[string]any `json:"expr"`
	}
	if err := json.Unmarshal(v, &r); err != nil {
		return p.fail("rule: %v", err)
	}
	t, err := p.in(r.place)
	if err != nil {
		return err
	}
	c := t.chains[r.Chain]
	switch {
	case c == nil:
		return p.fail("a rule for chain %q, which does not stand before it in table %s", clip(r.Chain), clip(t.String()))
	case r.Handle == 0 || r.Expr == nil:
		return p.fail("a rule of chain %q of table %s has no handle, or no expr", clip(r.Chain), clip(t.String()))
	}
	out := &Rule{Chain: c, Handle: r.Handle, Comment: r.Comment, At: p.at}
	for _, e := range r.Expr {
		if len(e) != 1 {
			return p.fail("rule %d of table %s: a statement with %d names", r.Handle, clip(t.String()), len(e))
		}
		for name, arg := range e {
			out.Statements = append(out.Statements, Statement{Name: name, Arg: arg})
		}
	}
	c.Rules = append(c.Rules, out)
	return nil
}

// words is a list of words, which nft prints as a word if it is one.
type words []string

func (w *words) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		*w = make(words, 1)
		return json.UnmarshalDecode(d, &(*w)[0])
	}
	return json.UnmarshalDecode(d, (*[]string)(w))
}

// clip shortens foreign text for an error.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
