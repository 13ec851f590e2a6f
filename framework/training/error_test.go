package training

import (
	"errors"
	"testing"
)

// A start that failed and left its lab is told with both: neither hides the other, for learners as for authors.
func TestBehind(t *testing.T) {
	start := &Error{Told: told("it could not be made", "没能弄成"), Err: errors.New("step \"symptom\": nothing broke")}
	left := errors.New("the lab is still there")
	for _, c := range []struct {
		err  error
		want string
	}{
		{start, "step \"symptom\": nothing broke"},
		{errors.Join(start, left), "step \"symptom\": nothing broke\nthe lab is still there"},
		{left, "the lab is still there"},
		{&Error{Told: told("closed", "关了")}, "closed"},
		{nil, ""},
	} {
		got := Behind(c.err)
		if c.err == nil {
			if got != nil {
				t.Errorf("behind nothing is %v", got)
			}
			continue
		}
		if got.Error() != c.want {
			t.Errorf("behind %q is %q, want %q", c.err, got, c.want)
		}
	}
	if got := InLanguage(errors.Join(start, left), Chinese).Error(); got != "没能弄成\nthe lab is still there" {
		t.Errorf("in Chinese: %q", got)
	}
}
