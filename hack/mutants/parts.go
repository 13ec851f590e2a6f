package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netfault/netfault/detectors/all"
)

// part is code that is broken: a detector's own, or what several share.
type part struct {
	name    string
	folders []string
}

// parts are all that can be broken.
func parts() []part {
	var list []part
	for _, d := range all.Detectors() {
		list = append(list, part{name: d.Name, folders: []string{folderOf(d)}})
	}
	return append(list,
		part{"evaluator", []string{"iptables", "nftables"}},
		part{"readers", []string{"evidence"}},
		part{"shared", []string{"internal/flannel", "internal/rules", "internal/probes"}},
	)
}

// chosen returns the parts with these names, or all.
func chosen(names []string) ([]part, error) {
	list := parts()
	for _, name := range names {
		if !slices.ContainsFunc(list, func(p part) bool { return p.name == name }) {
			var known []string
			for _, p := range list {
				known = append(known, p.name)
			}
			return nil, fmt.Errorf("%q is no part; there are %s", name, strings.Join(known, ", "))
		}
	}
	return slices.DeleteFunc(list, func(p part) bool { return len(names) > 0 && !slices.Contains(names, p.name) }), nil
}

// sources are the part's files, as seen from the top folder, without tests.
func (p part) sources(top string) ([]string, error) {
	var files []string
	for _, folder := range p.folders {
		found, err := filepath.Glob(filepath.Join(top, "detectors", filepath.FromSlash(folder), "*.go"))
		if err != nil || len(found) == 0 {
			return nil, fmt.Errorf("no code of %s in detectors/%s: run it in the top folder (%w)", p.name, folder, err)
		}
		for _, file := range found {
			if rel, err := filepath.Rel(top, file); err == nil && !strings.HasSuffix(file, "_test.go") {
				files = append(files, rel)
			}
		}
	}
	return files, nil
}
