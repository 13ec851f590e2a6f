package tools

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/progress"
	"github.com/netfault/netfault/framework/wait"
)

// source makes a folder of modules with that of etcd, an empty cache, and a go command that is the script; the script has the
// output of a build as $output.
func source(t *testing.T, script string) string {
	t.Helper()
	bin, dir := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("NETFAULT_CACHE", t.TempDir())
	t.Setenv("SUDO_UID", "")
	module := filepath.Join(dir, Etcd().module)
	if err := os.Mkdir(module, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		filepath.Join(bin, "go"):        "#!/bin/sh\ncommand=$1\nwhile [ $# -gt 0 ]; do [ \"$1\" = -o ] && output=$2; shift; done\n" + script,
		filepath.Join(module, "go.mod"): "module x\n", filepath.Join(module, "go.sum"): "", filepath.Join(module, "tools.go"): "package x\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestBuild(t *testing.T) {
	dir := source(t, `
case $command in
list) echo 'go: downloading example.com/a v1.0.0' >&2; printf 'example.com/a\n\nexample.com/b\nexample.com/etcd\n' ;;
build) printf 'example.com/a\nexample.com/b\nexample.com/etcd\n' >&2; echo built >"$output" ;;
esac`)
	var log bytes.Buffer
	board, stop := progress.Start(&log)
	defer stop()
	took, err := Etcd().BuildBeside(t.Context(), board, dir)
	if err != nil || took == nil || took.Packages != 2 || took.Wall <= 0 || took.Name != "etcd "+Etcd().Version {
		t.Fatalf("%+v, %v; want two packages, and the program", took, err)
	}
	if path, err := Etcd().Find(); err != nil {
		t.Error(err)
	} else if content, err := os.ReadFile(path); err != nil || string(content) != "built\n" {
		t.Errorf("%q, %v", content, err)
	}
	if took, err = Etcd().BuildBeside(t.Context(), board, dir); err != nil || took != nil || !strings.Contains(log.String(), "built before") {
		t.Errorf("%+v, %v, %q: built twice from the same source", took, err, log.String())
	}
	// A program of the project's own, such as CoreDNS's main, is a source as well.
	if err := os.WriteFile(filepath.Join(dir, Etcd().module, "tools.go"), []byte("package y\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if took, err = Etcd().BuildBeside(t.Context(), board, dir); err != nil || took == nil {
		t.Errorf("%+v, %v: not built from a changed source", took, err)
	}
}

func TestBuildFails(t *testing.T) {
	dir := source(t, `
case $command in
list) echo example.com/a ;;
build) printf 'example.com/a\n# example.com/a\na.go:1:1: wrong\n' >&2; exit 1 ;;
esac`)
	err := Etcd().Build(t.Context(), &bytes.Buffer{}, dir)
	if err == nil || !strings.Contains(err.Error(), "a.go:1:1: wrong") || !strings.Contains(err.Error(), "etcd") {
		t.Errorf("%v; want which tool, and what the go command says", err)
	}
}

// What a full disk left of a build is no tool, and says what to do.
func TestBuildOnFullDisk(t *testing.T) {
	dir := source(t, `
case $command in
list) echo example.com/etcd ;;
build) echo half >"$output"; echo "write $output: no space left on device" >&2; exit 1 ;;
esac`)
	err := Etcd().Build(t.Context(), &bytes.Buffer{}, dir)
	if err == nil || !strings.Contains(err.Error(), "make room there") || !strings.Contains(err.Error(), "NETFAULT_CACHE") {
		t.Errorf("%v; want what to do", err)
	}
	if _, err := Etcd().Find(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v; want no tool", err)
	}
}

func TestWriteWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "version")
	// Whoever writes there has a full disk.
	if err := os.Symlink("/dev/full", path+".partial"); err != nil {
		t.Fatal(err)
	}
	if err := writeWhole(path, "x", 0o644); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v; want that the disk is full", err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := writeWhole(path, "x", 0o644); err != nil {
		t.Error(err)
	}
}

// What an interrupted build has written is taken away, and the go command takes away what it has.
func TestBuildInterrupted(t *testing.T) {
	dir := source(t, `
work=$NETFAULT_CACHE/work
case $command in
list) echo example.com/a ;;
build) trap 'rm "$work"; exit 1' INT; echo half >"$output"; echo >"$work"; while :; do sleep 0.05; done ;;
esac`)
	cache := os.Getenv("NETFAULT_CACHE")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		err := wait.Until(ctx, time.Minute, "the build", func(context.Context) error {
			_, err := os.Stat(filepath.Join(cache, "work"))
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}()
	if err := Etcd().Build(ctx, &bytes.Buffer{}, dir); err == nil {
		t.Error("an interrupted build is none")
	}
	if _, err := Etcd().Find(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v; want no tool", err)
	}
	for _, pattern := range []string{"work", "tools/*"} {
		if left, err := filepath.Glob(filepath.Join(cache, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
}
