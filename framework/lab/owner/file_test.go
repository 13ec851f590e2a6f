package owner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A disk that was full, or an editor, can leave anything: whoever meets it is told what gets rid of it.
func TestRecordThatCannotBeRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "damaged")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{", "[]"} {
		if err := os.WriteFile(filepath.Join(dir, recordFile), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		var record struct{ Name string }
		err := ReadRecord(dir, &record)
		if err == nil || !strings.Contains(err.Error(), "`netfault lab down --lab=damaged` removes the lab") {
			t.Errorf("%q: %v", content, err)
		}
	}
}
