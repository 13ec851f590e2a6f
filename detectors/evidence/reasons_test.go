package evidence

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// A file that is missing says why, as far as the collection does.
func TestWhyMissing(t *testing.T) {
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	b := New(fstest.MapFS{
		"nodes/n1/collect-errors.txt": text("node: it hung\nsysctl.txt: no such\nip-link.json\n"),
		"nodes/n2/collect-errors.txt": text("sysctl.txt: no such\n"),
		"nodes/n3/collect-errors.txt": text(strings.Repeat("x", maxErrors) + "\nnode: too far\n"),
		"nodes/n4/collect-errors.txt": {Mode: fs.ModeNamedPipe},
		"cluster/collect-errors.txt":  text("leases.json: etcd: connection refused\n"),
	})
	sysctl := func(node string) func() error {
		return func() (err error) {
			for _, err = range b.Sysctls(node) {
				break
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		read func() error
		want string
	}{
		"its own line":     {sysctl("n1"), "nodes/n1/sysctl.txt: missing: no such"},
		"the whole node's": {func() error { _, err := b.Uname("n1"); return err }, "nodes/n1/uname.txt: missing: it hung"},
		"another file's":   {func() error { _, err := b.Uname("n2"); return err }, "nodes/n2/uname.txt: missing"},
		"a long file":      {sysctl("n3"), "nodes/n3/sysctl.txt: missing"},
		"no regular file":  {sysctl("n4"), "nodes/n4/sysctl.txt: missing"},
		"none":             {sysctl("n5"), "nodes/n5/sysctl.txt: missing"},
		"the cluster's":    {func() error { _, _, err := b.Leases(); return err }, "cluster/leases.json: missing: etcd: connection refused"},
		"at the top":       {func() error { _, err := b.Info(); return err }, "bundle.json: missing"},
	} {
		if err := c.read(); err == nil || err.Error() != c.want || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
