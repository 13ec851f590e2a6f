package detectors

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

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
	// ID names the finding: detector, case (or, where there is no problem, verdict), node and peer, joined by '/', with '-'
	// for what it has not. It stays the same as long as the fault does. Run sets it.
	ID string `json:"id"`
	// Fingerprint is a short hash of ID. Run sets it.
	Fingerprint string `json:"fingerprint"`
	// Detector is the name of the detector that says so; Run sets it.
	Detector string  `json:"detector"`
	Verdict  Verdict `json:"verdict"`
	// Severity is set for problems only.
	Severity Severity `json:"severity,omitempty"`
	// Case is which of the detector's Cases a problem is.
	Case string `json:"case,omitempty"`
	// Node is the node on which the wrong state was seen.
	Node string `json:"node,omitempty"`
	// Peer is the other node that the state is about, if there is one.
	Peer string `json:"peer,omitempty"`
	// Summary is one line for a tired reader: what is wrong, or why there is no answer.
	Summary string `json:"summary"`
	// Judged says of a clean finding how much was looked at and right, such as {"nodes": 3, "pairs": 6}.
	Judged map[string]int `json:"judged,omitempty"`
	// Expected and Actual are the two values that differ, as the tools print them.
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
	// Breaks are the connections that the state breaks, or, for a symptom, those that were seen broken.
	Breaks []Breakage `json:"breaks,omitempty"`
	// Explains are the findings that follow from this one and go with it. A detector names those of other causes, where '*'
	// stands for any part of an ID; Run replaces them by those that are in the report, and adds the symptoms that are broken.
	Explains []string `json:"explains,omitempty"`
	// Evidence quotes the bundle.
	Evidence []Line `json:"evidence,omitempty"`
	// Remedy is what heals it, in order; the harness runs exactly what is printed.
	Remedy []Command `json:"remedy,omitempty"`
	// Alternatives are other ways to heal it, each complete by itself, in place of Remedy.
	Alternatives []Alternative `json:"alternatives,omitempty"`
	// Suppressed says that somebody does not want to hear of it; it does not count then.
	Suppressed *Suppression `json:"suppressed,omitempty"`
}

// name sets ID and Fingerprint.
func (f *Finding) name() {
	what := f.Case
	if f.Verdict != Problem {
		what = string(f.Verdict)
	}
	parts := []string{f.Detector, what, f.Node, f.Peer}
	for i, p := range parts {
		if p == "" {
			parts[i] = "-"
		}
	}
	f.ID = strings.Join(parts, "/")
	sum := sha256.Sum256([]byte(f.ID))
	f.Fingerprint = hex.EncodeToString(sum[:6])
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
	// Line is the number of the line in which the entry begins, from 1; 0 where something is missing from the file. Run sets it.
	Line int `json:"line,omitempty"`
	// Text is the part of the file that matters, as the standard tool prints it, or what is missing from it.
	Text string `json:"text"`
	// At is the entry's place in the file, from which Run tells its line.
	At evidence.Pos `json:"-"`
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

// Where is the machine to run it on: the node, or any from which kubectl reaches the cluster.
func (c Command) Where() string { return cmp.Or(c.Node, "kubectl") }

// Typed is the command as a person types it there, behind a prompt that says where.
func (c Command) Typed() string { return c.Where() + "# " + c.String() }

// AddCommands adds to commands those that are not among them: what several things are to be healed by is run once.
func AddCommands(commands []Command, more ...Command) []Command {
	for _, c := range more {
		if !slices.ContainsFunc(commands, func(o Command) bool { return o.Node == c.Node && slices.Equal(o.Argv, c.Argv) }) {
			commands = append(commands, c)
		}
	}
	return commands
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
