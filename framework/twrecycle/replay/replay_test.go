package replay_test

import (
	"os"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/twrecycle/replay"
)

// needRoot skips a test that makes network namespaces.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make network namespaces")
	}
}

// chosen leaves out sequences of more than 5 s unless NETFAULT_SLOW=1.
func chosen(t *testing.T, all []replay.Sequence) []replay.Sequence {
	t.Helper()
	if os.Getenv("NETFAULT_SLOW") == "1" {
		return all
	}
	var quick []replay.Sequence
	for _, s := range all {
		if !s.Slow {
			quick = append(quick, s)
		}
	}
	t.Logf("%d of %d sequences; NETFAULT_SLOW=1 runs the others, too", len(quick), len(all))
	return quick
}

// report fails for each difference.
func report(t *testing.T, sequences []replay.Sequence) {
	t.Helper()
	replay.All(chosen(t, sequences), func(r replay.Result) {
		name := r.Sequence.Kernel + " " + r.Sequence.Name
		for _, d := range r.Differences {
			t.Errorf("%s: %s", name, d)
		}
		if r.Err != nil {
			t.Errorf("%s: %v", name, r.Err)
		}
	})
}

func measured(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What real kernels did, the emulation does.
func TestMeasuredOnRealKernels(t *testing.T) {
	needRoot(t)
	sequences, err := replay.Parse(measured(t))
	if err != nil {
		t.Fatal(err)
	}
	report(t, sequences)
}

// A file that cannot be replayed as it is meant must not be replayed as something else.
func TestParseRefuses(t *testing.T) {
	good := string(measured(t))
	if s, err := replay.Parse([]byte(good)); err != nil || len(s) != 20 {
		t.Fatalf("%d sequences, %v", len(s), err)
	}
	for _, c := range []struct{ what, old, new, want string }{
		{"op", `"op": "session"`, `"op": "sessoin"`, `sequence "1" (number 1 of the file): step 1: op "sessoin" is not known`},
		{"closer", `"closer": "client"`, `"closer": "cleint"`, `step 1: closer "cleint" is not known`},
		{"port", `"port": 80`, `"port": 0`, `step 1: port 0`},
		{"outcome", `"syn": "answered"`, `"syn": "yes"`, `step 1: syn "yes" is not known`},
		{"field needed", `"syn_tsval": 621677338`, `"syn_ts": 621677338`, `step 1: syn_tsval is missing`},
		{"semantics", `"semantics": "3.10"`, `"semantics": "2.6"`, `there are 3.10, el7 and 4.x`},
		{"address", `"client": "198.51.100.7"`, `"client": "198.51.100"`, `step 1: client:`},
		{"family", `"client": "198.51.100.7"`, `"client": "2001:db8::7"`, `step 1: 2001:db8::7 is no IPv4 address`},
		{"number", `"syn_tsval": 621677338`, `"syn_tsval": -1`, `step 1: syn_tsval:`},
		{"time", `"at_s": 1.155`, `"at_s": 0.001`, `step 2: at_s 0.001 is before`},
		{"challenge", `"syn": "answered"`, `"syn": "challenge_ack"`, `step 1: a challenge ACK needs a session`},
		{"json", `"legend"`, `legend`, `invalid character`},
		{"empty", good, `{}`, `no sequences`},
	} {
		bad := strings.Replace(good, c.old, c.new, 1)
		if bad == good {
			t.Fatalf("%s: nothing was changed", c.what)
		}
		if _, err := replay.Parse([]byte(bad)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
}

// A field that is not known is passed over, but never silently.
func TestParseTellsUnusedFields(t *testing.T) {
	with := strings.Replace(string(measured(t)), `"op": "session"`, `"op": "session", "ttl": 64`, 1)
	sequences, err := replay.Parse([]byte(with))
	if err != nil || len(sequences[0].Unused) != 1 || sequences[0].Unused[0] != "step 1: ttl" {
		t.Errorf("unused %q, %v", sequences[0].Unused, err)
	}
	sequences, err = replay.Parse(measured(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sequences {
		if len(s.Unused) > 0 {
			t.Errorf("%s %s: %q", s.Kernel, s.Name, s.Unused)
		}
	}
}
