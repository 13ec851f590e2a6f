package detectors

import "strings"

// Verdict is what a finding says of its subject.
type Verdict string

// The four verdicts. Unknown is not clean: something that the detector needs could not be read, parsed or
// decided. NotApplicable is neither: the bundle, by its nature, holds nothing for this detector to judge.
const (
	Problem       Verdict = "problem"
	Clean         Verdict = "clean"
	Unknown       Verdict = "unknown"
	NotApplicable Verdict = "not-applicable"
)

// Severity says how much a problem hurts. It is empty for every other verdict.
type Severity string

// Critical means that packets are being lost or changed now; Warning that they will be.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
)

// Finding is one statement of a detector about one subject.
// Its JSON form is part of the report format, see ReportVersion and docs/FINDINGS.md.
type Finding struct {
	// Detector is the name of the detector that says so; Run sets it.
	Detector string  `json:"detector"`
	Verdict  Verdict `json:"verdict"`
	// Severity is set for problems only.
	Severity Severity `json:"severity,omitempty"`
	// Case tells apart the faults that one detector knows, such as "observer-stale"; empty where there is one.
	Case string `json:"case,omitempty"`
	// Node is the node on which the wrong state was seen.
	Node string `json:"node,omitempty"`
	// Peer is the other node that the state is about, if there is one.
	Peer string `json:"peer,omitempty"`
	// Summary is one line for a tired reader: what is wrong, or why there is no answer.
	Summary string `json:"summary"`
	// Expected and Actual are the two values that differ, as the tools print them.
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
	// Evidence quotes the bundle.
	Evidence []Line `json:"evidence,omitempty"`
	// Remedy is what heals it, in order; the harness runs exactly what is printed.
	Remedy []Command `json:"remedy,omitempty"`
	// Alternatives are other ways to heal it, each complete by itself, in place of Remedy.
	Alternatives []Alternative `json:"alternatives,omitempty"`
}

// Alternative is another way to heal.
type Alternative struct {
	// Name says in a few words what is different about it.
	Name   string    `json:"name"`
	Remedy []Command `json:"remedy"`
}

// Line is a quotation from one file of the bundle.
type Line struct {
	// File is the path inside the bundle, with forward slashes.
	File string `json:"file"`
	// Text is the part of the file that matters, or what is missing from it.
	Text string `json:"text"`
}

// Command is one step of a remedy: data, never a shell string.
type Command struct {
	// Node is where to run it; empty means anywhere from which the cluster's API is reached.
	Node string `json:"node"`
	// Argv is the program and its arguments.
	Argv []string `json:"argv"`
	// Why says in one line what it does.
	Why string `json:"why"`
}

// String prints the command so that it can be pasted into a POSIX shell on its node.
func (c Command) String() string {
	quoted := make([]string, len(c.Argv))
	for i, a := range c.Argv {
		quoted[i] = shellQuote(a)
	}
	return strings.Join(quoted, " ")
}

// shellQuote quotes a for a POSIX shell, leaving plain words as they are.
func shellQuote(a string) string {
	plain := a != ""
	for _, r := range a {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%", r) {
			plain = false
			break
		}
	}
	if plain {
		return a
	}
	return "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
}
