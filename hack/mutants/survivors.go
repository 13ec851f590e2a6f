package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed survivors.txt
var survivorsText string

// explained reads survivors.txt: a paragraph for each reason, whose lines are mutants that survive for it, as they are printed, and
// whose last line is the reason, behind "= ". Lines that begin with # are for readers.
func explained(text string) (map[string]string, error) {
	why := map[string]string{}
	var open []string
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch reason, ends := strings.CutPrefix(line, "= "); {
		case strings.HasPrefix(line, "#"):
		case ends && len(open) == 0:
			return nil, fmt.Errorf("survivors.txt:%d: a reason for nothing", i+1)
		case ends:
			for _, mutant := range open {
				if _, twice := why[mutant]; twice {
					return nil, fmt.Errorf("survivors.txt:%d: %s is explained twice", i+1, mutant)
				}
				why[mutant] = reason
			}
			open = nil
		case line != "":
			open = append(open, line)
		}
	}
	if len(open) > 0 {
		return nil, fmt.Errorf("survivors.txt: no reason for %s", open[0])
	}
	return why, nil
}
