package lab

import "strings"

// DefaultName is the name of the lab that commands of netfault are about when they name none.
const DefaultName = "lab"

// Command is a command of netfault for one lab, as people type it: Command("netns:big", "lab shell", "n1") is
// "netfault lab shell --lab=big n1". What hints say is copied and run, and must not meet another lab, so that all hints are
// made here. The lab may be named with its kind; an empty name means no lab in particular.
func Command(labName, command string, args ...string) string {
	words := []string{"netfault", command}
	// Without a lab, reset is about all labs.
	if name := labName[strings.IndexByte(labName, ':')+1:]; name != "" && (name != DefaultName || command == "reset") {
		words = append(words, "--lab="+name)
	}
	return strings.Join(append(words, args...), " ")
}
