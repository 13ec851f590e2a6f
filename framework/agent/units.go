package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// UnitPrefix begins the name of every transient unit that a scenario starts where systemd runs: the mark by which the undo
// finds them.
const UnitPrefix = "netfault-"

// stopUnits stops the marked units of the machine that it runs in. A machine without systemd has none.
func stopUnits(ctx context.Context) error {
	if _, err := os.Stat("/run/systemd/system"); errors.Is(err, fs.ErrNotExist) { // sd_booted(3)
		return nil
	}
	list := []string{"list-units", "--all", "--full", "--plain", "--no-legend", "--no-pager", UnitPrefix + "*"}
	out, err := exec.CommandContext(ctx, "systemctl", list...).Output()
	if err != nil {
		return fmt.Errorf("systemctl list-units: %w", err)
	}
	var units []string
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			units = append(units, fields[0])
		}
	}
	if len(units) == 0 {
		return nil
	}
	if out, err := exec.CommandContext(ctx, "systemctl", append([]string{"stop"}, units...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("systemctl stop %s: %w: %s", strings.Join(units, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
