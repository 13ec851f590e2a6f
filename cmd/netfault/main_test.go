package main

import (
	"os"
	"strconv"
	"testing"

	"github.com/netfault/netfault/detectors/all"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"netfault": main})
}

// The scripts run the program as a user does.
func TestScripts(t *testing.T) {
	bundles, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("BUNDLES", bundles+"/../../fixtures/bundles")
			env.Setenv("NL", "\n")
			env.Setenv("BELL", "\a")
			env.Setenv("DETECTORS", strconv.Itoa(len(all.Detectors())))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "full": full},
	})
}

// exits runs netfault and wants an exit code: exits CODE ARGUMENT…
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want := args[0]
	got := "0"
	if err := ts.Exec("netfault", args[1:]...); err != nil {
		got = exitStatus(err)
	}
	if got != want {
		ts.Fatalf("netfault %q exits %s, want %s", args[1:], got, want)
	}
}

// full is exits with a standard output that is full.
func full(ts *testscript.TestScript, _ bool, args []string) {
	script := `want=$1; shift; netfault "$@" >/dev/full; code=$?; test $code = $want || { echo "exits $code, want $want"; exit 1; }`
	ts.Check(ts.Exec("sh", append([]string{"-c", script, "sh"}, args...)...))
}
