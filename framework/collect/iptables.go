package collect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"

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

// write runs the program. It prints nothing where there are no tables; a comment then says so, since an empty file is what
// a failed command leaves.
func (s saver) write(ctx context.Context, w io.Writer) error {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, s.program)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", s.program, err, strings.TrimSpace(stderr.String()))
	}
	if stdout.Len() == 0 {
		fmt.Fprintf(&stdout, "# %s printed nothing: there are no tables\n", s.program)
	}
	_, err := stdout.WriteTo(w)
	return err
}
