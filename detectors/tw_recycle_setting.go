package detectors

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/netfault/netfault/detectors/evidence"
)

const recycleKey = "net.ipv4.tcp_tw_recycle"

// recycleNeighbours stand before and after recycleKey in the list of every kernel that shows it, so that a list with both
// is whole where it matters.
var recycleNeighbours = [2]string{"net.ipv4.tcp_timestamps", "net.ipv4.tcp_window_scaling"}

// recycleState is what is known of the kernel's setting.
type recycleState uint8

const (
	recycleUnread recycleState = iota
	// recycleAbsent: the kernel has no such setting, and drops nothing for it.
	recycleAbsent
	recycleOff
	recycleOn
)

// recycleSetting is what one node's files say of net.ipv4.tcp_tw_recycle.
type recycleSetting struct {
	node  string
	state recycleState
	value string
	// release is the kernel's, if known.
	release evidence.Release
	// emulated are the namespaces in which something stands in for the setting, and is on.
	emulated []evidence.TWRecycle
	// why says for recycleUnread what was wrong, and doubtful what else could not be read.
	why      Line
	doubtful []Line
}

// inForce reports whether SYNs are dropped somewhere on the node, by the kernel or by what stands in for it.
func (s *recycleSetting) inForce() bool { return s.state == recycleOn || len(s.emulated) > 0 }

// readRecycleSetting reads the setting of one node.
func readRecycleSetting(b *evidence.Bundle, node string) recycleSetting {
	s := recycleSetting{node: node}
	var err error
	if s.release, err = b.Uname(node); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.doubtful = append(s.doubtful, unusable("", err))
	}
	s.readSysctl(b)
	for e, err := range b.TWRecycle(node) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			s.doubtful = append(s.doubtful, unusable("", err))
		case e.On():
			s.emulated = append(s.emulated, e)
		}
	}
	return s
}

// readSysctl finds the setting's state. Linux 4.12 removed it (commit 4396e46187ca).
func (s *recycleSetting) readSysctl(b *evidence.Bundle) {
	file := evidence.NodeFile(s.node, evidence.SysctlFile)
	removed := s.release.Text != "" && !s.release.Before(4, 12)
	values, neighbours := 0, [2]bool{}
	for set, err := range b.Sysctls(s.node) {
		switch {
		case err != nil && removed:
			s.state = recycleAbsent
			return
		case err != nil:
			s.why = unusable("", err)
			return
		case set.Key == recycleKey:
			s.value = set.Value
			values++
		}
		for i, key := range recycleNeighbours {
			neighbours[i] = neighbours[i] || set.Key == key
		}
	}
	n, err := strconv.Atoi(s.value)
	switch {
	case values == 1 && err == nil && n == 0:
		s.state = recycleOff
	case values == 1 && err == nil:
		s.state = recycleOn
	case values > 0:
		s.why = Line{File: file, Text: oneLine(fmt.Sprintf("%s is %q: want one number", recycleKey, s.value))}
	case removed:
		s.state = recycleAbsent
	case s.release.Text != "":
		s.why = Line{File: file, Text: oneLine(fmt.Sprintf("no %s, but Linux %s has it: the file is not whole", recycleKey, s.release.Text))}
	case neighbours == [2]bool{true, true}:
		s.state = recycleAbsent
	default:
		s.why = Line{File: file, Text: fmt.Sprintf("no %s, nor %s and %s beside it: the file is not whole",
			recycleKey, recycleNeighbours[0], recycleNeighbours[1])}
	}
}

// line quotes the setting.
func (s *recycleSetting) line() Line {
	file := evidence.NodeFile(s.node, evidence.SysctlFile)
	switch s.state {
	case recycleUnread:
		return s.why
	case recycleAbsent:
		if s.release.Text != "" {
			file = evidence.NodeFile(s.node, evidence.UnameFile)
			return Line{File: file, Text: oneLine(fmt.Sprintf("Linux %s has no %s", s.release.Text, recycleKey))}
		}
		return Line{File: file, Text: "no " + recycleKey}
	default:
		return Line{File: file, Text: oneLine(fmt.Sprintf("%s = %s, %s", recycleKey, s.value, s.scope()))}
	}
}

// scope says in which network namespaces of a node the kernel's setting is in force.
func (s *recycleSetting) scope() string {
	switch {
	case s.release.Text == "":
		return "for every network namespace of the node before Linux 4.11, for the node's own in 4.11"
	case s.release.Before(4, 11):
		return fmt.Sprintf("for every network namespace of the node (Linux %s)", s.release.Text)
	default:
		return fmt.Sprintf("for the node's own network namespace (Linux %s)", s.release.Text)
	}
}

// source says whose the setting in force is: the kernel's own, or what stands in for it.
func (s *recycleSetting) source() string {
	if s.state != recycleOn && len(s.emulated) > 0 {
		return s.emulated[0].Source
	}
	return "native"
}

// emulatedLines quote what stands in for the setting.
func (s *recycleSetting) emulatedLines() []Line {
	var lines []Line
	for _, e := range s.emulated {
		lines = append(lines, Line{
			File: evidence.NodeFile(s.node, evidence.TWRecycleFile),
			Text: oneLine(fmt.Sprintf("%s = 1 for %s, %s, as in Linux %s: %d SYNs dropped",
				recycleKey, e.Scope, e.Source, e.Semantics, e.Dropped)),
		})
	}
	return lines
}

// recycleCounter counts the SYNs that were dropped for their timestamps, on the kernels that have the setting.
const recycleCounter = "TcpExtPAWSPassive"

// dropped is how many SYNs were dropped as far as counters tell, and the quotation of the kernel's own.
func (s *recycleSetting) dropped(b *evidence.Bundle) (n uint64, lines []Line) {
	for _, e := range s.emulated {
		n += e.Dropped
	}
	counters, err := b.Netstat(s.node)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, []Line{unusable("", err)}
	}
	passive, ok := counters[recycleCounter]
	if !ok {
		return n, nil
	}
	return n + passive, []Line{{
		File: evidence.NodeFile(s.node, evidence.NetstatFile),
		Text: fmt.Sprintf("%s %d: SYNs dropped in the node's own network namespace", recycleCounter, passive),
	}}
}
