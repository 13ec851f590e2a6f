package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/netfault/netfault/framework/procstat"
)

// What a lab takes of what cgroups limit, measured with room to spare: on 2 processors, 3 nodes have 150 threads, and 250 while all
// machines are asked at once; 10 nodes have 410, and 710. They come up with 260 and with 390 MB. Of the memory, 130 MB are etcd's files,
// which are on a tmpfs.
func threadsNeeded(nodes int) int64 { return int64(100 + 65*nodes) }
func memoryNeeded(nodes int) int64  { return int64(160+30*nodes) << 20 }

// Limits returns an error if a cgroup that this process is in leaves too little for a lab of so many nodes. Without threads,
// whatever needs the next one ends, netfault among them; without memory, the kernel ends what it likes. Sys is the root folder.
func Limits(sys fs.FS, nodes int) error {
	threads, err := leftOf(sys, pids)
	if err != nil {
		return err
	}
	if need := threadsNeeded(nodes); threads.left < need {
		return fmt.Errorf("a lab of %d nodes takes up to %d threads, and only %d more may be had here (%s): raise that limit, or run netfault outside of that cgroup",
			nodes, need, threads.left, threads.by)
	}
	bytes, err := leftOf(sys, memory)
	if err != nil {
		return err
	}
	if need := memoryNeeded(nodes); bytes.left < need {
		return fmt.Errorf("a lab of %d nodes takes up to %d MB of memory, and only %d are to be had here (%s): raise that limit, or run netfault outside of that cgroup",
			nodes, need>>20, bytes.left>>20, bytes.by)
	}
	return nil
}

// Memory returns an error if this machine, or a cgroup that this process is in, has too little memory left for that many labs of so many
// nodes. Sys is the root folder.
func Memory(sys fs.FS, labs, nodes int) error {
	left, err := leftOf(sys, memory)
	if err != nil {
		return err
	}
	text, err := fs.ReadFile(sys, "proc/meminfo")
	if err != nil {
		return err
	}
	available, err := procstat.Memory(string(text), "MemAvailable")
	if err != nil {
		return fmt.Errorf("/proc/meminfo: MemAvailable: %w", err)
	}
	if int64(available) < left.left {
		left = limited{int64(available), "MemAvailable in /proc/meminfo"}
	}
	if need := int64(labs) * memoryNeeded(nodes); left.left < need {
		return fmt.Errorf("labs of %d nodes take up to %d MB of memory each, %d of them %d, and only %d are to be had here (%s): make fewer, or have more memory",
			nodes, memoryNeeded(nodes)>>20, labs, need>>20, left.left>>20, left.by)
	}
	return nil
}

// controller is one of the kernel's that limit what processes take, with its files in both versions of cgroups
// (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).
type controller struct {
	name   string
	v1, v2 counter
}

// counter are the names of the files that say how much is taken and how much may be. Files in reclaimable are lines of
// memory.stat: what the kernel takes back before it ends a process.
type counter struct {
	taken, most string
	reclaimable []string
}

var (
	pids   = controller{name: "pids", v1: counter{taken: "pids.current", most: "pids.max"}, v2: counter{taken: "pids.current", most: "pids.max"}}
	memory = controller{
		name: "memory",
		v1:   counter{"memory.usage_in_bytes", "memory.limit_in_bytes", []string{"total_inactive_file", "total_active_file"}},
		v2:   counter{"memory.current", "memory.max", []string{"inactive_file", "active_file"}},
	}
)

// limited is how much may still be taken, and the file with the limit.
type limited struct {
	left int64
	by   string
}

// leftOf returns what the cgroup of this process and those above it leave, by the strictest of them.
func leftOf(sys fs.FS, c controller) (limited, error) {
	least := limited{left: math.MaxInt64}
	groups, err := fs.ReadFile(sys, "proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return least, nil // a kernel without cgroups
	}
	if err != nil {
		return least, err
	}
	for line := range strings.Lines(string(groups)) {
		// "4:memory:/a/b", and for cgroup v2 "0::/a/b"
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 || fields[1] != "" && fields[1] != c.name {
			continue
		}
		root, names := "sys/fs/cgroup", c.v2
		if fields[1] != "" {
			root, names = root+"/"+c.name, c.v1
		}
		// What is mounted may begin below the path's root, as in a container: then the path's folders are not there.
		for dir := path.Join("/", fields[2]); ; dir = path.Dir(dir) {
			here, err := names.left(sys, path.Join(root, dir))
			if err != nil {
				return least, err
			}
			if here.left < least.left {
				least = here
			}
			if dir == "/" {
				break
			}
		}
	}
	return least, nil
}

// left is what one cgroup leaves.
func (c counter) left(sys fs.FS, dir string) (limited, error) {
	unlimited := limited{left: math.MaxInt64}
	most, err := number(sys, path.Join(dir, c.most))
	if errors.Is(err, fs.ErrNotExist) || err == nil && most == math.MaxInt64 {
		return unlimited, nil
	}
	if err != nil {
		return unlimited, err
	}
	taken, err := number(sys, path.Join(dir, c.taken))
	if err != nil {
		return unlimited, err
	}
	if len(c.reclaimable) > 0 {
		stat, err := fs.ReadFile(sys, path.Join(dir, "memory.stat"))
		if err != nil {
			return unlimited, err
		}
		for line := range strings.Lines(string(stat)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			for _, want := range c.reclaimable {
				if name == want {
					bytes, err := strconv.ParseInt(value, 10, 64)
					if err != nil {
						return unlimited, fmt.Errorf("/%s/memory.stat: %w", dir, err)
					}
					taken -= bytes
				}
			}
		}
	}
	// The kernel counts both now and then, and not at once: for a moment more may be reclaimable than is taken.
	return limited{max(0, most-max(0, taken)), "/" + path.Join(dir, c.most)}, nil
}

// number reads a file with one number; "max" is the largest.
func number(sys fs.FS, file string) (int64, error) {
	content, err := fs.ReadFile(sys, file)
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(string(content))
	if text == "max" {
		return math.MaxInt64, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/%s: %w", file, err)
	}
	return n, nil
}
