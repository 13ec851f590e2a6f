package lab

import "testing"

func TestCommandNamesTheLab(t *testing.T) {
	for _, c := range []struct {
		lab, command string
		args         []string
		want         string
	}{
		{"netns:big", "lab shell", []string{"n1"}, "netfault lab shell --lab=big n1"},
		{"big", "fault heal", nil, "netfault fault heal --lab=big"},
		{"kind:lab", "lab down", nil, "netfault lab down"},
		{"lab", "fault inject", []string{"NAME"}, "netfault fault inject NAME"},
		{"lab", "reset", nil, "netfault reset --lab=lab"},
		{"", "reset", nil, "netfault reset"},
	} {
		if got := Command(c.lab, c.command, c.args...); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
