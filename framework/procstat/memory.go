package procstat

import (
	"fmt"
	"strconv"
	"strings"
)

// Memory is a field of the text of /proc/meminfo (proc_meminfo(5)), such as "MemTotal:  24689108 kB", in bytes.
func Memory(text, name string) (uint64, error) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == name+":" && words[2] == "kB" {
			n, err := strconv.ParseUint(words[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("there is no %s", name)
}
