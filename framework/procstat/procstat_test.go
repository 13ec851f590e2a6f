package procstat

import (
	"os"
	"testing"
)

func TestRead(t *testing.T) {
	got, err := Read(os.Getpid())
	if err != nil || got.Parent != os.Getppid() || got.Start == 0 {
		t.Errorf("%+v, %v; want parent %d", got, err, os.Getppid())
	}
}

func TestZombie(t *testing.T) {
	got, err := parse("stat", "42 (cat) Z 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1 2")
	if err != nil || !got.Zombie {
		t.Errorf("%+v, %v; want a zombie", got, err)
	}
}

func TestParse(t *testing.T) {
	const rest = " S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1 2"
	for name, text := range map[string]string{
		"plain":             "42 (cat)" + rest,
		"spaces":            "42 (a b c)" + rest,
		"parentheses":       "42 (evil) S 1 (x)" + rest,
		"only a name":       "42 (cat)",
		"nothing":           "",
		"parent not number": "42 (cat) S x 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345",
	} {
		got, err := parse("stat", text)
		if wrong := name == "only a name" || name == "nothing" || name == "parent not number"; wrong != (err != nil) {
			t.Errorf("%s: error %v", name, err)
		} else if !wrong && got != (Stat{Parent: 7, Start: 12345}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
