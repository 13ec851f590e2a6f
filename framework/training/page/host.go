package page

import (
	"fmt"
	"io/fs"
	"runtime"
	"strconv"
	"strings"

	"github.com/netfault/netfault/framework/procstat"
)

// host is how loaded the machine is that all labs share.
type host struct {
	// Memory is all that there is, and Available what could be taken without swapping, in bytes (proc_meminfo(5)).
	Memory    uint64 `json:"memory"`
	Available uint64 `json:"available"`
	// Load is how many tasks ran or waited for a core or a disk, averaged over the last minute (proc_loadavg(5)).
	Load  float64 `json:"load"`
	Cores int     `json:"cores"`
	// Error says why these cannot be known.
	Error string `json:"error,omitempty"`
	// Labs, Terminals and Windows are how many of each there are, against how many there may be.
	Labs      use `json:"labs"`
	Terminals use `json:"terminals"`
	Windows   use `json:"windows"`
}

// use is how many there are of something that has a limit.
type use struct {
	Now   int `json:"now"`
	Limit int `json:"limit"`
}

// host looks at the machine, of which proc is /proc.
func (s *Server) host(proc fs.FS) host {
	h := host{Cores: runtime.NumCPU(), Labs: use{len(s.seats), MaxLearners}}
	if err := h.read(proc); err != nil {
		h.Error = err.Error()
	}
	h.Terminals.Limit, h.Windows.Limit = len(s.seats)*MaxTerminals, len(s.seats)*MaxWindows
	for _, seat := range s.seats {
		seat.mu.Lock()
		h.Terminals.Now += len(seat.mirrors)
		h.Windows.Now += seat.windows
		seat.mu.Unlock()
	}
	return h
}

func (h *host) read(proc fs.FS) error {
	load, err := fs.ReadFile(proc, "loadavg")
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(load), " ")
	if h.Load, err = strconv.ParseFloat(first, 64); err != nil {
		return fmt.Errorf("loadavg: %w", err)
	}
	memory, err := fs.ReadFile(proc, "meminfo")
	if err != nil {
		return err
	}
	for _, field := range []struct {
		name string
		to   *uint64
	}{{"MemTotal", &h.Memory}, {"MemAvailable", &h.Available}} {
		if *field.to, err = procstat.Memory(string(memory), field.name); err != nil {
			return fmt.Errorf("meminfo: %w", err)
		}
	}
	return nil
}
