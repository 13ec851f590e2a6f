package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
)

// Where no lab was named, the only one is taken; which is meant of two, nobody can know.
func TestOnlyLab(t *testing.T) {
	notFound := func(all ...labs.Found) error {
		return fmt.Errorf("wrapped: %w", &labs.NotFoundError{Name: "lab", All: all})
	}
	one, two := labs.Found{Kind: labs.Netns, Name: "one"}, labs.Found{Kind: labs.KIND, Name: "two"}
	for name, c := range map[string]struct {
		err  error
		want labs.Found
		says string
	}{
		"none":          {notFound(), labs.Found{}, "there is none at all: `" + lab.Command("lab", "lab up") + "` makes one"},
		"one":           {notFound(one), one, "the only one there is: --lab=one"},
		"two":           {notFound(one, two), labs.Found{}, "name one with --lab, of one two"},
		"another error": {errors.New("no /proc"), labs.Found{}, "no /proc"},
		"found":         {nil, labs.Found{}, ""},
	} {
		got, ok := onlyLab(c.err)
		if got != c.want || ok != (c.want != labs.Found{}) {
			t.Errorf("%s: %v, %t", name, got, ok)
		}
		if c.err != nil && !strings.HasSuffix(c.err.Error(), c.says) {
			t.Errorf("%s: says %q, want %q", name, c.err, c.says)
		}
	}
}

// What an error says of its lab is not said twice, and another lab's name is not its own.
func TestErrorsNameTheirLabOnce(t *testing.T) {
	broken := &lab.BrokenError{Name: "one", What: []string{"n2 does not run"}}
	for name, want := range map[string]string{
		"one": broken.Error(),
		"on":  "lab on: " + broken.Error(),
	} {
		if got := (&labError{name, broken}).Error(); got != want {
			t.Errorf("of lab %s: %q, want %q", name, got, want)
		}
	}
	if got, want := (&labError{"one", errors.New("no /proc")}).Error(), "lab one: no /proc"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if !errors.Is(&labError{"one", lab.ErrBeingMade}, lab.ErrBeingMade) {
		t.Error("what is wrong is lost")
	}
}
