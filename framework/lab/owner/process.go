package owner

import (
	"fmt"
	"os"
	"strings"

	"github.com/netfault/netfault/detectors"
)

// String names the process for people, with its command line if it still runs.
func (p Process) String() string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.PID))
	if err != nil || !p.Alive() {
		return fmt.Sprintf("process %d", p.PID)
	}
	argv := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
	return fmt.Sprintf("process %d (%s)", p.PID, detectors.Command{Argv: argv})
}
