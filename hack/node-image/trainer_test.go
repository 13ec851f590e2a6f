package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/netfault/netfault/framework/lab/netns"
)

func TestTrainerHasWhatLabsNeed(t *testing.T) {
	have := trainerPackages()
	for _, p := range netns.Programs {
		if !slices.Contains(have, p.Package) {
			t.Errorf("%s is missing, of which labs need %s", p.Package, p.Name)
		}
	}
	if !slices.IsSorted(have) || len(slices.Compact(slices.Clone(have))) != len(have) {
		t.Errorf("not sorted, or one twice, so that the same packages make another base: %v", have)
	}
}

// rootArchive is a root file system as mmdebstrap makes one: a program that makes its caller root, a link, and what iputils-ping has.
func rootArchive(t *testing.T) []byte {
	t.Helper()
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, h := range []*tar.Header{
		{Name: "./tmp/", Typeflag: tar.TypeDir, Mode: 0o1777, ModTime: time.Now(), AccessTime: time.Now(), Format: tar.FormatPAX},
		{Name: "./usr/bin/su", Typeflag: tar.TypeReg, Mode: 0o4755, Size: 2, ModTime: time.Now()},
		{Name: "./usr/bin/wall", Typeflag: tar.TypeReg, Mode: 0o2755, Size: 2, ModTime: time.Now(), AccessTime: time.Now(), Format: tar.FormatPAX},
		{Name: "./usr/bin/ping", Typeflag: tar.TypeReg, Mode: 0o755, Size: 2, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "net"}},
		{Name: "./usr/bin/sh", Typeflag: tar.TypeSymlink, Linkname: "dash", Mode: 0o777},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("x\n")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}

func TestPlainArchive(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "root.tar"), filepath.Join(dir, "base.tar.gz")
	if err := os.WriteFile(from, rootArchive(t), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := plainArchive(from, to); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{"./tmp/": 0o1777, "./usr/bin/su": 0o755, "./usr/bin/wall": 0o755, "./usr/bin/ping": 0o755, "./usr/bin/sh": 0o777}
	archive := tar.NewReader(content)
	for range modes {
		h, err := archive.Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Mode != modes[h.Name] || h.ModTime.Unix() != 0 || !h.AccessTime.IsZero() {
			t.Errorf("%s: mode %o, changed %v, read %v", h.Name, h.Mode, h.ModTime, h.AccessTime)
		}
		if got, err := io.ReadAll(archive); err != nil || h.Size > 0 && string(got) != "x\n" {
			t.Errorf("%s has %q, %v", h.Name, got, err)
		}
		if h.Name == "./usr/bin/ping" && h.PAXRecords["SCHILY.xattr.security.capability"] != "net" {
			t.Errorf("%s has lost its capability: %v", h.Name, h.PAXRecords)
		}
		if h.Name == "./usr/bin/sh" && h.Linkname != "dash" {
			t.Errorf("%s leads to %q", h.Name, h.Linkname)
		}
	}
	if _, err := archive.Next(); err != io.EOF {
		t.Errorf("more than there was: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.partial")); err != nil || left != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A base that was cut off is none.
func TestPlainArchiveOfHalf(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "root.tar"), filepath.Join(dir, "base.tar.gz")
	whole := rootArchive(t)
	if err := os.WriteFile(from, whole[:bytes.Index(whole, []byte("x\n"))+1], 0o644); err != nil {
		t.Fatal(err)
	}
	if err := plainArchive(from, to); err == nil {
		t.Error("half an archive is no error")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "base*")); err != nil || left != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// fakeTrainer is the image of a small base and one program, as it is loaded.
func fakeTrainer(t *testing.T) v1.Image {
	t.Helper()
	dir := t.TempDir()
	root, plain, program := filepath.Join(dir, "root.tar"), filepath.Join(dir, "base.tar.gz"), filepath.Join(dir, "netfault")
	if err := os.WriteFile(root, rootArchive(t), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, []byte("x\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := plainArchive(root, plain); err != nil {
		t.Fatal(err)
	}
	base, err := tarball.LayerFromFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	image, err := trainerImage(base, map[string]string{"usr/local/bin/netfault": program})
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(trainerReference)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "trainer.tar")
	if err := tarball.WriteToFile(file, tag, image); err != nil {
		t.Fatal(err)
	}
	loaded, err := tarball.ImageFromPath(file, &tag)
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

func TestTrainerImage(t *testing.T) {
	image := fakeTrainer(t)
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	c := file.Config
	if want := "/usr/bin/tini -- netfault train serve --port=8080 --published=8080"; strings.Join(c.Entrypoint, " ") != want {
		t.Errorf("it runs %v, want %s", c.Entrypoint, want)
	}
	if !slices.Equal(c.Cmd, []string{"--random"}) {
		t.Errorf("without a command it gets %v", c.Cmd)
	}
	if _, ok := c.ExposedPorts["8080/tcp"]; !ok || len(c.ExposedPorts) != 1 {
		t.Errorf("ports %v", c.ExposedPorts)
	}
	if file.OS != "linux" || c.User != "" || len(c.Volumes) > 0 || !slices.Contains(c.Env, "LANG=C.UTF-8") {
		t.Errorf("%s, user %q, volumes %v, %v", file.OS, c.User, c.Volumes, c.Env)
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("%d layers, want Debian's and netfault's: %v", len(layers), err)
	}
	own, err := layers[1].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	h, err := tar.NewReader(own).Next()
	if err != nil || h.Name != "usr/local/bin/netfault" || h.Mode != 0o755 {
		t.Errorf("the last layer begins with %+v, %v", h, err)
	}
}

// The same files give the same image, whenever it is made.
func TestTrainerImageIsTheSameAgain(t *testing.T) {
	one, err := fakeTrainer(t).Digest()
	if err != nil {
		t.Fatal(err)
	}
	if two, err := fakeTrainer(t).Digest(); err != nil || one != two {
		t.Errorf("%s and %s, %v", one, two, err)
	}
}
