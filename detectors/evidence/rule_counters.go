package evidence

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
)

// RuleCounter is what a rule or a chain's policy has counted, from what iptables-save printed.
type RuleCounter struct {
	// Line is where it stands in the file, from 1; Rule.Line of package iptables is the same.
	Line         int
	Table, Chain string
	// Rule is the rule as it would be added, "-A FORWARD -j DROP", and empty for a policy.
	Rule string
	// Policy is the chain's, such as "DROP", and empty for a rule.
	Policy string
	// Counted says that the file has the counters, which iptables-save prints of rules with -c only.
	Counted        bool
	Packets, Bytes uint64
}

// RuleCounters yields the counters of a node's rules and policies, from file, which is NFTFile, LegacyFile, IPTablesFile or
// one of them taken Later. There, rules that have counted nothing may be left out; rules that are equal in all but their
// counters cannot be told apart from one file to the other, so add them up. An error is yielded last.
func (b *Bundle) RuleCounters(node, file string) iter.Seq2[RuleCounter, error] {
	return func(yield func(RuleCounter, error) bool) {
		var r counterReader
		stopped := false
		err := b.lines(node, file, func(line string, _ Pos) error {
			c, ok, err := r.line(line)
			if err != nil || !ok {
				return err
			}
			if !yield(c, nil) {
				stopped = true
				return errStop
			}
			return nil
		})
		if err == nil && !stopped {
			err = fileError(NodeFile(node, file), r.end())
		}
		if err != nil {
			yield(RuleCounter{}, err)
		}
	}
}

// counterReader reads a file of iptables-save line by line.
type counterReader struct {
	number int
	// table is the one being read, empty between COMMIT and the next.
	table string
	// open is a rule with a line break in quotes, of which more is to come after text.
	open  RuleCounter
	text  []byte
	quote bool
}

// line reads the next line; not every one has a counter.
func (r *counterReader) line(line string) (c RuleCounter, ok bool, err error) {
	r.number++
	if r.quote {
		if len(r.text)+len(line) > maxEntry {
			return c, false, errTooLong
		}
		r.text = append(append(r.text, '\n'), line...)
		if r.quotes(line); r.quote {
			return c, false, nil
		}
		r.open.Rule = string(r.text)
		return r.open, true, nil
	}
	switch {
	case line == "" || line[0] == '#':
		return c, false, nil
	case line[0] == '*' && r.table == "" && len(line) > 1:
		r.table = line[1:]
		return c, false, nil
	case r.table == "":
		return c, false, fmt.Errorf("%.40q is not what iptables-save prints outside of a table", line)
	case line == "COMMIT":
		r.table = ""
		return c, false, nil
	case line[0] == ':':
		return r.policy(line)
	}
	c = RuleCounter{Line: r.number, Table: r.table, Rule: line}
	if counters, rule, found := strings.Cut(line, " "); found && line[0] == '[' {
		if c.Packets, c.Bytes, c.Counted = parseCounters(counters); !c.Counted {
			return c, false, fmt.Errorf("%.40q are no counters", counters)
		}
		c.Rule = rule
	}
	chain, ok := strings.CutPrefix(c.Rule, "-A ")
	c.Chain, _, _ = strings.Cut(chain, " ")
	if !ok || c.Chain == "" {
		return c, false, fmt.Errorf("want -A CHAIN, found %.40q", line)
	}
	if r.quotes(c.Rule); r.quote {
		r.open, r.text = c, append(r.text[:0], c.Rule...)
		return c, false, nil
	}
	return c, true, nil
}

// quotes notes whether the end of a line stands in quotes.
func (r *counterReader) quotes(line string) {
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			r.quote = !r.quote
		case line[i] == '\\' && r.quote:
			i++
		}
	}
}

// policy reads ":CHAIN POLICY [PACKETS:BYTES]". Chains that are not built in have no policy and count nothing.
func (r *counterReader) policy(line string) (c RuleCounter, ok bool, err error) {
	fields := strings.Fields(line[1:])
	if len(fields) == 3 {
		c = RuleCounter{Line: r.number, Table: r.table, Chain: fields[0], Policy: fields[1]}
		c.Packets, c.Bytes, c.Counted = parseCounters(fields[2])
	}
	if !c.Counted {
		return c, false, fmt.Errorf("want :CHAIN POLICY [PACKETS:BYTES], found %.40q", line)
	}
	return c, c.Policy != "-", nil
}

// end returns an error for a file that is cut off.
func (r *counterReader) end() error {
	switch {
	case r.quote:
		return errors.New("cut short: a quotation has no end")
	case r.table != "":
		return fmt.Errorf("cut short: there is no COMMIT for table %.40s", r.table)
	}
	return nil
}

// parseCounters reads [PACKETS:BYTES].
func parseCounters(s string) (packets, bytes uint64, ok bool) {
	s, open := strings.CutPrefix(s, "[")
	s, closed := strings.CutSuffix(s, "]")
	p, b, colon := strings.Cut(s, ":")
	packets, err1 := strconv.ParseUint(p, 10, 64)
	bytes, err2 := strconv.ParseUint(b, 10, 64)
	return packets, bytes, open && closed && colon && err1 == nil && err2 == nil
}
