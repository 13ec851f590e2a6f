package rekey_test

import (
	"io/fs"
	"testing"
)

// The report on a re-keyed bundle is the re-keyed report, for whatever key.
func TestReportIsRekeyed(t *testing.T) {
	bundles(t, func(t *testing.T, fsys fs.FS) {
		report := judged(t, fsys)
		for _, key := range keys(3) {
			out, names, left := rekeyed(t, fsys, key)
			for _, l := range left {
				t.Logf("left out: %s: %s", l.File, l.Reason)
			}
			want, got := indented(t, mapped(report, names.Text)), indented(t, judged(t, out))
			if want != got {
				t.Fatalf("key %x: the report differs:\n%s", key[:2], diff(want, got))
			}
		}
	})
}
