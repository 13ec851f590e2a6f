package page

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestHost(t *testing.T) {
	s := serve(t, &learner{open: echo}, &learner{open: echo})
	window := socketWith(t, s, "/live", hello{Token: s.seats[0].token})
	next(t, window, has("paths"))
	if _, err := s.seats[1].takeTerminal("rome", Size{}); err != nil {
		t.Fatal(err)
	}
	const memory = "MemTotal:       24689108 kB\nMemFree:         1000000 kB\nMemAvailable:   12345678 kB\n"
	proc := func(load, memory string) fstest.MapFS {
		return fstest.MapFS{"loadavg": {Data: []byte(load)}, "meminfo": {Data: []byte(memory)}}
	}
	h := s.host(proc("1.90 2.00 2.10 3/456 7890\n", memory))
	if h.Memory != 24689108<<10 || h.Available != 12345678<<10 || h.Load != 1.9 || h.Cores < 1 || h.Error != "" {
		t.Errorf("%+v", h)
	}
	if h.Labs != (use{2, MaxLearners}) || h.Terminals != (use{1, 2 * MaxTerminals}) || h.Windows != (use{1, 2 * MaxWindows}) {
		t.Errorf("%+v", h)
	}
	for want, p := range map[string]fstest.MapFS{
		"loadavg": proc("much", memory), "there is no MemAvailable": proc("1 1 1", "MemTotal: 5 kB\n"), "meminfo: strconv": proc("1 1 1", "MemTotal: x kB\n"), "not exist": {},
	} {
		if h := s.host(p); !strings.Contains(h.Error, want) || h.Labs.Now != 2 {
			t.Errorf("%q, want %q", h.Error, want)
		}
	}
	class := socketWith(t, s, "/class", hello{Token: s.instructor})
	next(t, class, has(`"labs":{"now":2,"limit":16},"terminals":{"now":1,"limit":32},"windows":{"now":1,"limit":32}`))
}
