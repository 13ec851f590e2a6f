package twrecycle

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/evidence"
)

const (
	settingKey    = "net.ipv4.tcp_tw_recycle"
	timestampsKey = "net.ipv4.tcp_timestamps"
)

// keyNeighbours stand before and after settingKey in the list of every kernel that shows it, so that a list with both
// is whole where it matters.
var keyNeighbours = [2]string{timestampsKey, "net.ipv4.tcp_window_scaling"}

// settingState is what is known of the kernel's setting.
type settingState uint8

const (
	settingUnread settingState = iota
	// settingAbsent: the kernel has no such setting, and drops nothing for it.
	settingAbsent
	settingOff
	settingOn
)

// setting is what one node's files say of net.ipv4.tcp_tw_recycle.
type setting struct {
	node  string
	state settingState
	value string
	// pos is the place of the line with the value.
	pos evidence.Pos
	// withoutTimestamps says that net.ipv4.tcp_timestamps is 0 beside it, and timestampsPos where. The kernel then sees no
	// timestamp in any SYN (tcp_parse_options in net/ipv4/tcp_input.c of Linux 3.10 to 4.11, whose setting is one for the whole
	// machine), and drops none but for a minute after it was switched off.
	withoutTimestamps bool
	timestampsPos     evidence.Pos
	// release is the kernel's, if known.
	release evidence.Release
	// emulated are the namespaces in which something stands in for the setting, and is on.
	emulated []evidence.TWRecycle
	// why says for settingUnread what was wrong, and doubtful what else could not be read.
	why      detectors.Line
	doubtful []detectors.Line
}

// inForce reports whether SYNs are dropped somewhere on the node, by the kernel or by what stands in for it.
func (s *setting) inForce() bool { return s.state == settingOn || len(s.emulated) > 0 }

// readSetting reads the setting of one node.
func readSetting(b *evidence.Bundle, node string) setting {
	s := setting{node: node}
	var err error
	if s.release, err = b.Uname(node); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.doubtful = append(s.doubtful, detectors.Unreadable("", err))
	}
	s.readSysctl(b)
	for e, err := range b.TWRecycle(node) {
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			s.doubtful = append(s.doubtful, detectors.Unreadable("", err))
		case e.On():
			s.emulated = append(s.emulated, e)
		}
	}
	return s
}

// readSysctl finds the setting's state. Linux 4.12 removed it (commit 4396e46187ca).
func (s *setting) readSysctl(b *evidence.Bundle) {
	file := evidence.NodeFile(s.node, evidence.SysctlFile)
	removed := s.release.Text != "" && !s.release.Before(4, 12)
	values, neighbours := 0, [2]bool{}
	for set, err := range b.Sysctls(s.node) {
		switch {
		case err != nil && removed:
			s.state = settingAbsent
			return
		case err != nil:
			s.why = detectors.Unreadable("", err)
			return
		case set.Key == settingKey:
			s.value, s.pos = set.Value, set.Pos
			values++
		case set.Key == timestampsKey:
			s.withoutTimestamps, s.timestampsPos = set.Value == "0", set.Pos
		}
		for i, key := range keyNeighbours {
			neighbours[i] = neighbours[i] || set.Key == key
		}
	}
	n, err := strconv.Atoi(s.value)
	switch {
	case values == 1 && err == nil && n == 0:
		s.state = settingOff
	case values == 1 && err == nil:
		s.state = settingOn
	case values > 0:
		s.why = detectors.Line{File: file, Text: detectors.OneLine(fmt.Sprintf("%s is %q: want one number", settingKey, s.value))}
	case removed:
		s.state = settingAbsent
	case s.release.Text != "":
		s.why = detectors.Line{File: file, Text: detectors.OneLine(fmt.Sprintf("no %s, but Linux %s has it: the file is not whole", settingKey, s.release.Text))}
	case neighbours == [2]bool{true, true}:
		s.state = settingAbsent
	default:
		s.why = detectors.Line{File: file, Text: fmt.Sprintf("no %s, nor %s and %s beside it: the file is not whole",
			settingKey, keyNeighbours[0], keyNeighbours[1])}
	}
}

// line quotes the setting.
func (s *setting) line() detectors.Line {
	file := evidence.NodeFile(s.node, evidence.SysctlFile)
	switch s.state {
	case settingUnread:
		return s.why
	case settingAbsent:
		if s.release.Text != "" {
			file = evidence.NodeFile(s.node, evidence.UnameFile)
			return detectors.Line{File: file, At: 1, Text: detectors.OneLine(fmt.Sprintf("Linux %s has no %s", s.release.Text, settingKey))}
		}
		return detectors.Line{File: file, Text: "no " + settingKey}
	default:
		return detectors.Line{File: file, At: s.pos, Text: detectors.OneLine(fmt.Sprintf("%s = %s, %s", settingKey, s.value, s.scope()))}
	}
}

// harmless reports whether the kernel's setting drops nothing, as there are no timestamps to compare.
func (s *setting) harmless() bool {
	return s.state == settingOn && s.withoutTimestamps && len(s.emulated) == 0
}

// timestampsLine quotes that there are none.
func (s *setting) timestampsLine() detectors.Line {
	return detectors.Line{File: evidence.NodeFile(s.node, evidence.SysctlFile), At: s.timestampsPos, Text: timestampsKey + " = 0"}
}

// scope says in which network namespaces of a node the kernel's setting is in force.
func (s *setting) scope() string {
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
func (s *setting) source() string {
	if s.state != settingOn && len(s.emulated) > 0 {
		return s.emulated[0].Source
	}
	return "native"
}

// emulatedLines quote what stands in for the setting.
func (s *setting) emulatedLines() []detectors.Line {
	var lines []detectors.Line
	for _, e := range s.emulated {
		lines = append(lines, detectors.Line{
			File: evidence.NodeFile(s.node, evidence.TWRecycleFile), At: e.Pos,
			Text: detectors.OneLine(fmt.Sprintf("%s = 1 for %s, %s, as in Linux %s: %d SYNs dropped",
				settingKey, e.Scope, e.Source, e.Semantics, e.Dropped)),
		})
	}
	return lines
}

// droppedCounter counts the SYNs that were dropped for their timestamps, on the kernels that have the setting.
const droppedCounter = "TcpExtPAWSPassive"

// dropped is how many SYNs were dropped as far as counters tell, and the quotation of the kernel's own.
func (s *setting) dropped(b *evidence.Bundle) (n uint64, lines []detectors.Line) {
	for _, e := range s.emulated {
		n += e.Dropped
	}
	counters, err := b.Netstat(s.node)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return n, []detectors.Line{detectors.Unreadable("", err)}
	}
	passive, ok := counters[droppedCounter]
	if !ok {
		return n, nil
	}
	return n + passive.Value, []detectors.Line{{
		File: evidence.NodeFile(s.node, evidence.NetstatFile), At: passive.Pos,
		Text: fmt.Sprintf("%s %d: SYNs dropped in the node's own network namespace", droppedCounter, passive.Value),
	}}
}
