package evidence

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Counter is one counter of the kernel's.
type Counter struct {
	Value uint64
	// Pos is the place of the line with its value in the file.
	Pos Pos
}

// Netstat returns the counters in a node's NetstatFile, see Counters.
func (b *Bundle) Netstat(node string) (map[string]Counter, error) {
	return b.Counters(node, NetstatFile)
}

// Counters returns the counters in a node's file, which is NetstatFile, SNMPFile or one of them taken Later, by the names that
// nstat(8) gives them, such as TcpExtListenDrops and UdpInCsumErrors. Which there are depends on the kernel; they are those
// of the network namespace in which the file was read. What is negative is no counter and left out: Tcp's MaxConn, -1 for no
// limit.
func (b *Bundle) Counters(node, file string) (map[string]Counter, error) {
	counters := map[string]Counter{}
	var names []string
	err := b.lines(node, file, func(line string, at Pos) error {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasSuffix(fields[0], ":") {
			return fmt.Errorf(`want a line that begins with a protocol such as "TcpExt:", found %.20q`, line)
		}
		if names == nil {
			names = fields
			return nil
		}
		if len(fields) != len(names) || fields[0] != names[0] {
			return fmt.Errorf("%.40s has %d names and %.40s has %d values", names[0], len(names)-1, fields[0], len(fields)-1)
		}
		for i := 1; i < len(fields); i++ {
			n, err := strconv.ParseUint(fields[i], 10, 64)
			if err != nil {
				if _, err := strconv.ParseInt(fields[i], 10, 64); err == nil {
					continue
				}
				return fmt.Errorf("%.40s is %.20q: want a number", names[i], fields[i])
			}
			counters[strings.TrimSuffix(names[0], ":")+names[i]] = Counter{n, at}
		}
		names = nil
		return nil
	})
	if err == nil && names != nil {
		err = fileError(NodeFile(node, file), errors.New("cut short: names without values"))
	}
	if err != nil {
		return nil, err
	}
	return counters, nil
}
