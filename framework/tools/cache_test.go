package tools

import (
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The folders looked into, by who calls. Root reads the caller's cache and writes its own.
func TestCachesOf(t *testing.T) {
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skipf("no account to call sudo: %v", err)
	}
	root, err := user.LookupId("0")
	if err != nil {
		t.Fatal(err)
	}
	caller, err := strconv.Atoi(nobody.Uid)
	if err != nil {
		t.Fatal(err)
	}
	callers, own := below(nobody.HomeDir), below(root.HomeDir)
	for _, c := range []struct {
		what string
		uid  int
		env  map[string]string
		want []string
	}{
		{"a user", caller, map[string]string{"HOME": "/h", "XDG_CACHE_HOME": "/x"}, []string{"/h/.cache/netfault"}},
		{"a user without HOME", caller, nil, []string{callers}},
		{"a user who names one", caller, map[string]string{"HOME": "/h", "NETFAULT_CACHE": "/n"}, []string{"/n"}},
		{"root", 0, map[string]string{"HOME": "/h"}, []string{"/h/.cache/netfault"}},
		{"root by sudo", 0, map[string]string{"HOME": "/h", "SUDO_UID": nobody.Uid}, []string{callers, own}},
		{"root by sudo, who names one", 0, map[string]string{"SUDO_UID": nobody.Uid, "NETFAULT_CACHE": "/n"}, []string{"/n", own}},
		{"root by root's sudo", 0, map[string]string{"HOME": "/h", "SUDO_UID": "0"}, []string{"/h/.cache/netfault"}},
		{"a user by a user's sudo", caller, map[string]string{"HOME": "/h", "SUDO_UID": "1"}, []string{"/h/.cache/netfault"}},
	} {
		got, err := cachesOf(c.uid, func(name string) string { return c.env[name] })
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.what, got, err, c.want)
		}
	}
	_, err = cachesOf(0, func(name string) string { return map[string]string{"SUDO_UID": "4000000000"}[name] })
	if err == nil || !strings.Contains(err.Error(), "NETFAULT_CACHE") {
		t.Errorf("an account that nobody knows: %v; want what to do", err)
	}
}

func TestFindNamesTheCache(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("NETFAULT_CACHE", dir)
	t.Setenv("SUDO_UID", "") // root's own cache is not this test's
	for what, find := range map[string]func() error{
		"etcd":    func() error { _, err := Etcd().Find(); return err },
		"dockerd": func() error { _, err := FindDocker(); return err },
	} {
		err := find()
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "make tools") {
			t.Errorf("%s: %v; want the folder that was looked into, and what to do", what, err)
		}
	}
	path := filepath.Join(dir, Etcd().binary())
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o755)); err != nil {
		t.Fatal(err)
	}
	if got, err := Etcd().Find(); err != nil || got != path {
		t.Errorf("%q, %v; want %s", got, err, path)
	}
}

// By sudo, what is in either cache is found, the caller's first, and nothing is written into the caller's.
func TestBySudo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root only: sudo's caller has no other cache than their own")
	}
	callers := t.TempDir()
	t.Setenv("NETFAULT_CACHE", callers)
	t.Setenv("SUDO_UID", "1")
	if err := os.WriteFile(filepath.Join(callers, "here"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := InCache("here"); err != nil || got != filepath.Join(callers, "here") {
		t.Errorf("%q, %v", got, err)
	}
	own, err := OwnCache()
	if err != nil || own == callers {
		t.Errorf("root writes %s, %v; the caller's", own, err)
	}
	if _, err := InCache("nowhere"); err == nil || !strings.Contains(err.Error(), callers) || !strings.Contains(err.Error(), own) {
		t.Errorf("%v; want both folders", err)
	}
}
