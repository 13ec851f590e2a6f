package tools

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// cacheVariable names another cache folder.
const cacheVariable = "NETFAULT_CACHE"

// OwnCache is the cache folder that this process writes: $NETFAULT_CACHE, or .cache/netfault in the account's home.
// XDG_CACHE_HOME would say another folder without sudo than with it, which does not pass it on, so it is not asked.
//
// Run by sudo, it is root's own in every case: root's files in the caller's cache could not be replaced by the caller, and
// a link laid there could send what root writes anywhere.
func OwnCache() (string, error) {
	all, err := caches()
	if err != nil {
		return "", err
	}
	return all[len(all)-1], nil
}

// InCache returns the path of a file that was put into the cache, of which name is the path below it. Run by sudo, it looks
// into the cache of the account that called sudo, then into root's. An error wraps fs.ErrNotExist when it is in neither, and
// names the folders.
func InCache(name string) (string, error) {
	all, err := caches()
	if err != nil {
		return "", err
	}
	for _, dir := range all {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s is not in %s: %w", name, strings.Join(all, ", nor in "), fs.ErrNotExist)
}

// caches are the folders to look into, of which the last is the one to write.
func caches() ([]string, error) {
	return cachesOf(os.Geteuid(), os.Getenv)
}

// cachesOf is caches for an effective user ID and an environment.
func cachesOf(uid int, env func(string) string) ([]string, error) {
	named, caller := env(cacheVariable), env("SUDO_UID")
	bySudo := uid == 0 && caller != "" && caller != "0"
	switch {
	case !bySudo && named != "":
		return []string{named}, nil
	case !bySudo && env("HOME") != "":
		return []string{below(env("HOME"))}, nil
	case !bySudo:
		own, err := homeCache(fmt.Sprint(uid))
		return []string{own}, err
	}
	// By the account, since sudo may pass the caller's HOME on.
	own, err := homeCache("0")
	if err != nil || named != "" {
		return []string{named, own}, err
	}
	callers, err := homeCache(caller)
	return []string{callers, own}, err
}

func homeCache(uid string) (string, error) {
	account, err := user.LookupId(uid)
	if err != nil {
		return "", fmt.Errorf("where the tools are kept: %w; set %s", err, cacheVariable)
	}
	return below(account.HomeDir), nil
}

func below(home string) string { return filepath.Join(home, ".cache", "netfault") }
