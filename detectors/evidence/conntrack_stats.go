package evidence

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// ConntrackStat is what one CPU counted of a node's connection tracking (struct ip_conntrack_stat in
// linux/netfilter/nf_conntrack_common.h). A counter that the kernel does not have is 0.
type ConntrackStat struct {
	// Invalid counts packets that belong to no connection and begin none.
	Invalid uint64
	// InsertFailed counts entries that could not be entered, such as for two packets that got the same port from SNAT.
	InsertFailed uint64
	// Drop counts packets that were dropped since there was no room or InsertFailed.
	Drop uint64
	// EarlyDrop counts entries that were taken away to make room.
	EarlyDrop uint64
	// SearchRestart counts look-ups that were begun anew since the table changed its size.
	SearchRestart uint64
	// Pos is its place in the file.
	Pos Pos
}

// put sets the counter of that name.
func (s *ConntrackStat) put(name string, n uint64) {
	switch name {
	case "invalid":
		s.Invalid = n
	case "insert_failed":
		s.InsertFailed = n
	case "drop":
		s.Drop = n
	case "early_drop":
		s.EarlyDrop = n
	case "search_restart":
		s.SearchRestart = n
	}
}

// ConntrackStats yields a node's counters of connection tracking, of one CPU after the other, from file, which is
// ConntrackStatsFile or that taken Later: what `conntrack -S` prints, or /proc/net/stat/nf_conntrack. An error is yielded
// last.
func (b *Bundle) ConntrackStats(node, file string) iter.Seq2[ConntrackStat, error] {
	return func(yield func(ConntrackStat, error) bool) {
		var names []string
		cpus := 0
		err := b.lines(node, file, func(line string, at Pos) error {
			fields := strings.Fields(line)
			stat := ConntrackStat{Pos: at}
			var err error
			switch {
			case strings.HasPrefix(line, "cpu="):
				err = stat.readNamed(fields)
			case names == nil && slices.Contains(fields, "insert_failed"):
				names = fields
				return nil
			case names == nil || len(fields) != len(names):
				err = fmt.Errorf("want what conntrack -S prints, or /proc/net/stat/nf_conntrack; found %.40q", line)
			default:
				err = stat.readColumns(names, fields)
			}
			if err != nil {
				return err
			}
			cpus++
			if !yield(stat, nil) {
				return errStop
			}
			return nil
		})
		if err == nil && cpus == 0 {
			err = fileError(NodeFile(node, file), errors.New("cut short: names without numbers"))
		}
		if err != nil {
			yield(ConntrackStat{}, err)
		}
	}
}

// readNamed reads a line of conntrack(8): names with decimal numbers.
func (s *ConntrackStat) readNamed(fields []string) error {
	for _, f := range fields {
		name, value, ok := strings.Cut(f, "=")
		n, err := strconv.ParseUint(value, 10, 64)
		if !ok || err != nil {
			return fmt.Errorf("want NAME=NUMBER, found %.40q", f)
		}
		s.put(name, n)
	}
	return nil
}

// readColumns reads a line of /proc: hexadecimal numbers under their names.
func (s *ConntrackStat) readColumns(names, fields []string) error {
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 16, 64)
		if err != nil {
			return fmt.Errorf("%.40s is %.20q: want a hexadecimal number", names[i], f)
		}
		s.put(names[i], n)
	}
	return nil
}
