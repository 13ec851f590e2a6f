package collect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"

	"github.com/netfault/netfault/detectors/evidence"
)

// saver is a program that prints rule sets, and the file for what it prints.
type saver struct{ program, file string }

// iptablesSavers returns the programs to run. The kernel evaluates the rules of both worlds, nf_tables and legacy, so both
// are saved; where a machine has only one, unnamed, program, that is run.
func iptablesSavers() []saver {
	var found []saver
	for _, s := range []saver{
		{"iptables-nft-save", evidence.NFTFile},
		{"iptables-legacy-save", evidence.LegacyFile},
	} {
		if _, err := exec.LookPath(s.program); err == nil {
			found = append(found, s)
		}
	}
	if len(found) == 0 {
		found = append(found, saver{"iptables-save", evidence.IPTablesFile})
	}
	return found
}

// run returns what the program printed, with the counters of rules. It prints nothing where there are no tables; a comment
// then says so, since an empty file is what a failed command leaves.
func (s saver) run(ctx context.Context) ([]byte, error) {
	text, err := output(ctx, s.program, "-c")
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		text = fmt.Appendf(nil, "# %s printed nothing: there are no tables\n", s.program)
	}
	return text, nil
}

// writeCounted writes of a rule set what the second look needs, as `grep -v '^\[0:0\] '` prints it: rules that have counted
// nothing have not grown, and of the thousands of a large cluster these are nearly all.
func writeCounted(w io.Writer, rules []byte) error {
	for line := range bytes.Lines(rules) {
		if bytes.HasPrefix(line, []byte("[0:0] ")) {
			continue
		}
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// output runs a program and returns its standard output.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &limitedWriter{&stdout, maxFile}, &limitedWriter{&stderr, maxFile}
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}
