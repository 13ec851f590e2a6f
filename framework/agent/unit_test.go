package agent

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestExpandAsSystemdDoes(t *testing.T) {
	env := []string{"NONE=", "ONE=--ip-masq", "TWO= --bip=10.0.0.1/24  --mtu=1450 ", "ONE=--ip-masq=false"}
	for _, c := range []struct{ argv, want []string }{
		{[]string{"dockerd", "$TWO"}, []string{"dockerd", "--bip=10.0.0.1/24", "--mtu=1450"}},
		{[]string{"flanneld", "$NONE", "--x"}, []string{"flanneld", "--x"}},
		{[]string{"flanneld", "$ONE"}, []string{"flanneld", "--ip-masq=false"}},
		{[]string{"flanneld", "$UNSET"}, []string{"flanneld"}},
		{[]string{"flanneld", "a$ONE"}, []string{"flanneld", "a$ONE"}},
	} {
		if got := expand(c.argv, env); !slices.Equal(got, c.want) {
			t.Errorf("%q becomes %q, want %q", c.argv, got, c.want)
		}
	}
}

func TestEnvironmentFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "options")
	content := "# a comment\n\nA=\"one two\"\nB='three'\nC=four\nD=\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Service{EnvironmentFiles: []string{file, file + ".is-not-there"}}
	env, err := s.environment()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A=one two", "B=three", "C=four", "D="} {
		if !slices.Contains(env, want) {
			t.Errorf("%q is not in the environment", want)
		}
	}
	if _, err := parseEnvironment([]byte("no variable\n")); err == nil {
		t.Error("a line that is no variable is taken")
	}
}
