package iptables

import (
	"fmt"
	"strings"
)

// SyntaxError says where a file is not what iptables-save prints.
type SyntaxError struct {
	// Line is the line in the file, from 1.
	Line int
	// Reason says what is wrong there.
	Reason string
}

// Error returns the line and the reason.
func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Parse reads what iptables-save printed of one world, with counters (-c) or without. A file that is cut off or is
// something else is a *SyntaxError. What a rule holds that is not understood is kept with the rule and is no error.
func Parse(world World, text string) (*Rules, error) {
	p := &parser{
		// Files that came over a Windows machine have its ends of lines.
		words: words{text: strings.ReplaceAll(text, "\r\n", "\n"), line: 1},
		rules: &Rules{world: world, tables: map[string]*table{}, foreign: map[string]bool{}},
	}
	for p.pos < len(p.text) {
		if err := p.readLine(); err != nil {
			return nil, err
		}
	}
	if p.table != nil {
		return nil, p.fail("cut off: there is no COMMIT for table %s", p.table.name)
	}
	if at := p.rules.findLoop(); at != nil {
		return nil, &SyntaxError{Line: at.Line, Reason: at.loopText()}
	}
	return p.rules, nil
}

type parser struct {
	words
	rules *Rules
	// table is the one being read, nil between COMMIT and the next.
	table *table
	// last is the chain of the last rule: mostly that of the next, too.
	last *chain
	// slab holds rules that are not used yet.
	slab []Rule
}

func (p *parser) fail(format string, args ...any) error {
	return &SyntaxError{Line: p.line, Reason: fmt.Sprintf(format, args...)}
}

// readLine reads one line; a rule with a line break in quotes is one.
func (p *parser) readLine() error {
	var err error
	switch p.text[p.pos] {
	case '\n':
	case '#':
		p.comment()
	case '*':
		err = p.beginTable()
	case ':':
		err = p.declareChain()
	case '-', '[':
		err = p.readRule()
	default:
		word, _ := p.next()
		if word != "COMMIT" {
			return p.fail("%q is not what iptables-save prints", clip(word))
		}
		if p.table == nil {
			return p.fail("COMMIT without a table")
		}
		p.table = nil
	}
	if err != nil {
		return err
	}
	return p.endLine()
}

// endLine passes over the line break; anything before it does not belong there.
func (p *parser) endLine() error {
	if word, ok := p.next(); ok {
		return p.fail("%q is too much", clip(word))
	}
	if p.unclosed {
		return p.fail("cut off: a quotation has no end")
	}
	p.pos++
	p.line++
	return nil
}

// comment notes tables that iptables-nft-save did not print since they have native rules (iptables/xtables-save.c).
func (p *parser) comment() {
	line := p.restOfLine()
	name, found := strings.CutPrefix(line, "# Table `")
	name, rest, closed := strings.Cut(name, "'")
	if found && closed && strings.Contains(rest, "incompatible") {
		p.rules.foreign[name] = true
	}
}

func (p *parser) beginTable() error {
	p.pos++
	name, ok := p.next()
	switch {
	case p.table != nil:
		return p.fail("there is no COMMIT for table %s before this one", p.table.name)
	case !ok:
		return p.fail("a table without a name")
	case p.rules.tables[name] != nil:
		return p.fail("table %s stands here for the second time", clip(name))
	}
	p.table = &table{name: name, chains: map[string]*chain{}}
	p.rules.tables[name] = p.table
	p.last = nil
	return nil
}

func (p *parser) declareChain() error {
	p.pos++
	name, _ := p.next()
	policy, _ := p.next()
	counters, ok := p.next()
	switch {
	case p.table == nil:
		return p.fail("a chain outside of a table")
	case !ok || !isCounters(counters):
		return p.fail("want :CHAIN POLICY [PACKETS:BYTES]")
	case policy != policyAccept && policy != policyDrop && policy != noPolicy:
		return p.fail("chain %s has the policy %q", clip(name), clip(policy))
	case p.table.chains[name] != nil:
		return p.fail("chain %s stands here for the second time", clip(name))
	}
	p.table.chains[name] = &chain{world: p.rules.world, table: p.table.name, name: name, policy: policy, line: p.line}
	return nil
}

func (p *parser) readRule() error {
	if p.text[p.pos] == '[' {
		if counters, _ := p.next(); !isCounters(counters) {
			return p.fail("%q are no counters", clip(counters))
		}
		p.skipSpaces()
	}
	start, line := p.pos, p.line
	if word, _ := p.next(); word != "-A" {
		return p.fail("want -A CHAIN, not %q", clip(word))
	}
	name, ok := p.next()
	if !ok {
		return p.fail("-A without a chain")
	}
	if p.table == nil {
		return p.fail("a rule outside of a table")
	}
	c := p.last
	if c == nil || c.name != name {
		if c = p.table.chains[name]; c == nil {
			return p.fail("a rule for chain %s, which table %s does not have", clip(name), p.table.name)
		}
		p.last = c
	}
	if len(p.slab) == 0 {
		p.slab = make([]Rule, 512)
	}
	r := &p.slab[0]
	p.slab = p.slab[1:]
	*r = Rule{chain: c, Line: line}
	p.readOptions(r)
	if p.unclosed {
		return &SyntaxError{Line: line, Reason: "cut off: a quotation has no end"}
	}
	r.Text = p.text[start:p.pos]
	c.rules = append(c.rules, r)
	p.rules.count++
	return nil
}

// isCounters reports whether s is [PACKETS:BYTES].
func isCounters(s string) bool {
	if len(s) < 5 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	colons := 0
	for _, c := range s[1 : len(s)-1] {
		if c == ':' {
			colons++
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return colons == 1
}

// clip shortens foreign text for an error.
func clip(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
