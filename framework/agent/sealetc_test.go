package agent

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWithoutPeople(t *testing.T) {
	for lines, want := range map[string]string{
		"root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann,,,:/home/ann:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n",
		"adm:x:4:ann,bob\nann:x:1000:\nbad line\n": "adm:x:4:\n",
	} {
		if got := withoutPeople(lines); got != want {
			t.Errorf("%q becomes %q, want %q", lines, got, want)
		}
	}
}

func TestCopyTree(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "deep", "copy")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(from, "a"), 0o755), os.WriteFile(filepath.Join(from, "a", "file"), []byte("text"), 0o600), os.Symlink("/nowhere", filepath.Join(from, "link")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := copyTree(from, to); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(to, "a", "file"))
	if err != nil || string(content) != "text" {
		t.Errorf("%q, %v", content, err)
	}
	if link, err := os.Readlink(filepath.Join(to, "link")); err != nil || link != "/nowhere" {
		t.Errorf("the link leads to %q, %v", link, err)
	}
}
