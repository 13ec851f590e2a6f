package twrecycle

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/netfault/netfault/framework/internal/ktype"
)

func TestSemanticsByName(t *testing.T) {
	for _, name := range []string{"3.10", "el7", "4.x"} {
		if s, err := ParseSemantics(name); err != nil || s.String() != name {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if s, err := ParseSemantics("4.12"); err == nil {
		t.Errorf("4.12 is %v", s)
	}
}

func TestVersion(t *testing.T) {
	for release, want := range map[string]string{
		"6.18.44-fc-v669": "6.18", "5.15.0-91-generic": "5.15", "6.1": "6.1", "7.0-rc3": "7.0", "7.0-rc3+": "7.0", "odd": "odd",
	} {
		if got := version(release); got != want {
			t.Errorf("%s: %s, want %s", release, got, want)
		}
	}
}

// On any kernel that this can be run on, it is either its own setting or says which kernel lacks it.
func TestDescribe(t *testing.T) {
	text, err := Describe()
	if err != nil {
		t.Fatal(err)
	}
	_, present, err := Native()
	if err != nil {
		t.Fatal(err)
	}
	if present != (text == "native") || !present && !regexp.MustCompile(`^emulated \(Linux \d+\.\d+ has no such setting\)$`).MatchString(text) {
		t.Errorf("%q with a native setting: %v", text, present)
	}
}

// Where the running kernel keeps things is looked up, and what it does not have is named.
func TestLayout(t *testing.T) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Skipf("needs a kernel with type information: %v", err)
	}
	if _, err := readLayout(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ strct, field, want string }{
		{"tcp_sock", "rx_opt.ts_future", "struct tcp_sock has no rx_opt.ts_future"},
		{"tcp_socket", "rx_opt", "struct tcp_socket"},
		{"tcp_sock", "rx_opt", "cannot be read"},
	} {
		if _, err := ktype.LookUp(kernel, c.strct, c.field); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s.%s: %v, want %q", c.strct, c.field, err, c.want)
		}
	}
}
