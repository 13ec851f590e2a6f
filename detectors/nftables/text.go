package nftables

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// Text returns the rule as `nft list ruleset` writes it, without counters. What this package has no words for stands there as
// JSON.
func (r *Rule) Text() string {
	var parts []string
	for _, s := range r.Statements {
		if s.Name != "counter" {
			parts = append(parts, s.Text())
		}
	}
	if r.Comment != "" {
		parts = append(parts, "comment "+strconv.Quote(r.Comment))
	}
	return strings.Join(parts, " ")
}

// Text returns the statement as nft writes it.
func (s Statement) Text() string {
	switch s.Name {
	case "jump", "goto":
		return s.Name + " " + Target(s.Arg)
	case "match":
		return matchText(s.Arg)
	case "vmap":
		if key, data, ok := two(s.Arg, "key", "data"); ok {
			return expr(key) + " vmap " + expr(data)
		}
	case "mangle":
		if key, value, ok := two(s.Arg, "key", "value"); ok {
			return expr(key) + " set " + valueOf(key, value)
		}
	case "masquerade", "snat", "dnat", "redirect":
		if text, ok := natText(s.Name, s.Arg); ok {
			return text
		}
	case "reject":
		return rejectText(s.Arg)
	case "set":
		if op, set, ok := two(s.Arg, "op", "set"); ok {
			return fmt.Sprintf("%v %v { %s }", op, set, expr(s.Arg.(map[string]any)["elem"]))
		}
	case "log":
		if prefix, ok := member(s.Arg, "prefix"); ok {
			return fmt.Sprintf("log prefix %q", prefix)
		}
	case "limit":
		if rate, per, ok := two(s.Arg, "rate", "per"); ok {
			over := ""
			if inv, _ := member(s.Arg, "inv"); inv == true {
				over = "over "
			}
			return fmt.Sprintf("limit rate %s%s/%v", over, expr(rate), per)
		}
	case "xt":
		if kind, name, ok := two(s.Arg, "type", "name"); ok {
			return fmt.Sprintf("xt %v %q", kind, name)
		}
	}
	if s.Arg == nil {
		return s.Name
	}
	return s.Name + " " + raw(s.Arg)
}

// Target returns the chain of jump and goto, "" if there is none.
func Target(arg any) string {
	target, _ := member(arg, "target")
	name, _ := target.(string)
	return name
}

// member returns a member of an object.
func member(v any, name string) (any, bool) {
	object, _ := v.(map[string]any)
	value, ok := object[name]
	return value, ok
}

// two returns two members of an object that has both.
func two(v any, first, second string) (a, b any, ok bool) {
	a, hasA := member(v, first)
	b, hasB := member(v, second)
	return a, b, hasA && hasB
}

func matchText(arg any) string {
	left, right, ok := two(arg, "left", "right")
	if !ok {
		return "match " + raw(arg)
	}
	op, _ := member(arg, "op")
	sign := ""
	if op != "==" && op != "in" && op != nil {
		sign = fmt.Sprint(op) + " "
	}
	return expr(left) + " " + sign + valueOf(left, right)
}

func natText(name string, arg any) (string, bool) {
	if arg == nil {
		return name, true
	}
	object, ok := arg.(map[string]any)
	if !ok {
		return "", false
	}
	text := name
	addr, hasAddr := object["addr"]
	port, hasPort := object["port"]
	if hasAddr || hasPort {
		text += " to "
	}
	if hasAddr {
		text += expr(addr)
	}
	if hasPort {
		text += ":" + expr(port)
	}
	switch flags := object["flags"].(type) {
	case string:
		text += " " + flags
	case []any:
		text += " " + join(flags, ",")
	}
	return text, true
}

func rejectText(arg any) string {
	kind, _ := member(arg, "type")
	if kind == nil {
		return "reject"
	}
	with, ok := member(arg, "expr")
	if !ok {
		return fmt.Sprintf("reject with %v", kind)
	}
	return fmt.Sprintf("reject with %v %v", kind, with)
}

// valueOf writes what an expression is compared with or set to: names of interfaces in quotes, and marks in hexadecimal, as nft
// does.
func valueOf(left, right any) string {
	meta, _ := member(left, "meta")
	key, _ := member(meta, "key")
	switch key {
	case "iifname", "oifname", "iif", "oif":
		if name, ok := right.(string); ok {
			return `"` + name + `"`
		}
	case "mark":
		if n, ok := right.(float64); ok {
			return fmt.Sprintf("0x%08x", uint64(n))
		}
	}
	return expr(right)
}

// expr writes an expression.
func expr(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return map[bool]string{true: "exists", false: "missing"}[v]
	case []any:
		return join(v, ",")
	case map[string]any:
		if len(v) == 1 {
			for name, arg := range v {
				if text, ok := named(name, arg); ok {
					return text
				}
			}
		}
	}
	return raw(v)
}

func named(name string, arg any) (string, bool) {
	object, _ := arg.(map[string]any)
	list, _ := arg.([]any)
	switch name {
	case "payload":
		protocol, field, ok := two(arg, "protocol", "field")
		return fmt.Sprint(protocol, " ", field), ok
	case "meta":
		key, ok := object["key"].(string)
		if key == "iifname" || key == "oifname" || key == "iif" || key == "oif" {
			return key, ok
		}
		return "meta " + key, ok
	case "ct":
		key, ok := object["key"].(string)
		if dir, has := object["dir"].(string); has {
			key = dir + " " + key
		}
		return "ct " + key, ok
	case "fib":
		flags, _ := object["flags"].([]any)
		if flag, isWord := object["flags"].(string); isWord {
			flags = []any{flag}
		}
		return fmt.Sprintf("fib %s %v", join(flags, " . "), object["result"]), flags != nil
	case "numgen":
		return fmt.Sprintf("numgen %v mod %s", object["mode"], expr(object["mod"])), object["mod"] != nil
	case "prefix":
		addr, length, ok := two(arg, "addr", "len")
		return expr(addr) + "/" + expr(length), ok
	case "range":
		return join(list, "-"), len(list) == 2
	case "concat":
		return join(list, " . "), list != nil
	case "set":
		if list == nil {
			list = []any{arg}
		}
		return "{ " + elements(list) + " }", true
	case "elem":
		return expr(object["val"]), object["val"] != nil
	case "map":
		key, data, ok := two(arg, "key", "data")
		return expr(key) + " map " + expr(data), ok
	case "&", "|", "^", "<<", ">>":
		return join(list, " "+name+" "), len(list) > 1
	case "jump", "goto":
		return name + " " + Target(arg), true
	case "accept", "drop", "return", "continue":
		return name, true
	}
	return "", false
}

func join(list []any, sep string) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = expr(v)
	}
	return strings.Join(texts, sep)
}

// elements writes those of a set or map that has no name.
func elements(list []any) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = expr(v)
		if pair, ok := v.([]any); ok && len(pair) == 2 {
			texts[i] = expr(pair[0]) + " : " + expr(pair[1])
		}
	}
	return strings.Join(texts, ", ")
}

func raw(v any) string {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
