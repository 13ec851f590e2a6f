package netns

import (
	"strings"
	"testing"
	"testing/fstest"
)

// What cgroups leave is refused before anything is made: a lab without threads or memory ends where the kernel likes, and netfault
// with it.
func TestLimits(t *testing.T) {
	system := func(files ...string) fstest.MapFS {
		m := fstest.MapFS{}
		for i := 0; i < len(files); i += 2 {
			m[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
		}
		return m
	}
	v1 := "0::/\n4:memory:/a/b\n8:pids:/a\n"
	for what, c := range map[string]struct {
		sys  fstest.MapFS
		want string
	}{
		"no cgroups":          {system(), ""},
		"version 2, no limit": {system("proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/pids.max", "max\n", "sys/fs/cgroup/a/memory.max", "max\n"), ""},
		"version 2, threads": {
			system("proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/pids.max", "60\n", "sys/fs/cgroup/a/pids.current", "3\n"),
			"takes up to 295 threads, and only 57 more may be had here (/sys/fs/cgroup/a/pids.max)",
		},
		"version 2, enough threads": {system("proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/pids.max", "298\n", "sys/fs/cgroup/a/pids.current", "3\n"), ""},
		"version 2, memory of the cgroup above": {
			system("proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/memory.max", "157286400\n", "sys/fs/cgroup/a/memory.current", "52428800\n",
				"sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 10485760\nactive_file 10485760\n", "sys/fs/cgroup/a/b/memory.max", "max\n"),
			"takes up to 250 MB of memory, and only 120 are to be had here (/sys/fs/cgroup/a/memory.max)",
		},
		"version 1, memory": {
			system("proc/self/cgroup", v1, "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "157286400\n", "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "0\n",
				"sys/fs/cgroup/memory/a/b/memory.stat", ""),
			"only 150 are to be had here (/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes)",
		},
		"version 1, memory that is all files' copies": {
			system("proc/self/cgroup", v1, "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "314572800\n", "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "314572800\n",
				"sys/fs/cgroup/memory/a/b/memory.stat", "inactive_file 1\ntotal_inactive_file 300000000\ntotal_active_file 10485760\n"),
			"",
		},
		"version 1, no limit, and more files' copies than memory taken": {
			system("proc/self/cgroup", "4:memory:/\n", "sys/fs/cgroup/memory/memory.usage_in_bytes", "4928507904\n",
				"sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n",
				"sys/fs/cgroup/memory/memory.stat", "total_inactive_file 2559537152\ntotal_active_file 2369305280\n"),
			"",
		},
		"a container sees its own cgroup as the root": {
			system("proc/self/cgroup", "8:pids:/docker/0123\n", "sys/fs/cgroup/pids/pids.max", "100\n", "sys/fs/cgroup/pids/pids.current", "10\n"),
			"only 90 more may be had here (/sys/fs/cgroup/pids/pids.max)",
		},
		"what cannot be read": {system("proc/self/cgroup", "0::/a\n", "sys/fs/cgroup/a/pids.max", "many\n"), "/sys/fs/cgroup/a/pids.max: "},
	} {
		err := Limits(c.sys, 3)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// Labs that a machine has no memory for are refused before the first is made: the kernel would end what it likes, of other labs, too.
func TestMemory(t *testing.T) {
	for _, c := range []struct{ available, limit, want string }{
		{"1048576 kB", "max", ""},
		{"1023000 kB", "max", "labs of 3 nodes take up to 250 MB of memory each, 4 of them 1000, and only 999 are to be had here (MemAvailable in /proc/meminfo): make fewer"},
		{"8388608 kB", "524288000", "only 500 are to be had here (/sys/fs/cgroup/a/memory.max)"},
		{"much", "max", "/proc/meminfo: MemAvailable: "},
	} {
		err := Memory(fstest.MapFS{
			"proc/meminfo":                   {Data: []byte("MemTotal:       24684000 kB\nMemAvailable:   " + c.available + "\n")},
			"proc/self/cgroup":               {Data: []byte("0::/a\n")},
			"sys/fs/cgroup/a/memory.max":     {Data: []byte(c.limit + "\n")},
			"sys/fs/cgroup/a/memory.current": {Data: []byte("0\n")},
			"sys/fs/cgroup/a/memory.stat":    {Data: []byte("inactive_file 0\nactive_file 0\n")},
		}, 4, 3)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
