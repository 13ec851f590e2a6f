package rekey_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/rekey"
)

// The report on a re-keyed bundle is the re-keyed report, for whatever key.
func TestReportIsRekeyed(t *testing.T) {
	bundles(t, func(t *testing.T, fsys fs.FS) {
		report := judged(t, fsys)
		for _, key := range keys(1) {
			out, names, left := rekeyed(t, fsys, key)
			if len(left) > 0 {
				t.Fatalf("left out of a recorded bundle: %v", left)
			}
			want, got := indented(t, mapped(report, names.Text)), indented(t, judged(t, out))
			if want != got {
				t.Fatalf("key %x: the report differs:\n%s", key[:2], diff(want, got))
			}
		}
	})
}

// A capture is judged alike: each of the recorded ones is put into a bundle.
func TestCapturesAreJudgedAlike(t *testing.T) {
	captures, err := fs.Glob(os.DirFS("../../fixtures/captures"), "*.pcap")
	if err != nil || len(captures) == 0 {
		t.Fatal("no captures", err)
	}
	whole := contents(t, os.DirFS("../../fixtures/bundles/stale-vtep/healthy"))
	for _, name := range captures {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path.Join("../../fixtures/captures", name))
			if err != nil {
				t.Fatal(err)
			}
			for what, data := range map[string][]byte{"whole": data, "cut off": data[:len(data)-5]} {
				in := fstest.MapFS{evidence.CaptureFile("n1", name): {Data: data}}
				for p, text := range whole {
					if strings.HasSuffix(p, evidence.ConntrackFile) || strings.HasSuffix(p, evidence.SysctlFile) {
						continue
					}
					in[p] = &fstest.MapFile{Data: []byte(text)}
				}
				report := judged(t, in)
				out, names, left := rekeyed(t, in, keys(1)[0])
				if (what == "cut off") != (len(left) == 1) {
					t.Errorf("%s: left out: %v", what, left)
				}
				want, got := indented(t, mapped(report, names.Text)), indented(t, judged(t, out))
				if want != got {
					t.Errorf("%s: the report differs:\n%s", what, diff(want, got))
				}
			}
		})
	}
}

var (
	quad = regexp.MustCompile(`\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b`)
	link = regexp.MustCompile(`(?i)\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`)
	word = regexp.MustCompile(`[A-Za-z0-9]+`)
	// mayStay are the addresses that mean the same everywhere.
	mayStay = []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"),
		netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("240.0.0.0/4"),
	}
	protocolMAC = regexp.MustCompile(`(?i)^(01:00:5e|33:33|01:80:c2|00:00:00:00:00:00|ff:ff:ff:ff:ff:ff)`)
)

// telling returns the addresses, link addresses and nodes' names that a bundle's files say.
func telling(files map[string]string, nodes []string) (addrs, macs, names map[string]bool) {
	addrs, macs, names = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, text := range files {
		for _, a := range quad.FindAllString(text, -1) {
			if ip, err := netip.ParseAddr(a); err == nil && !slices.ContainsFunc(mayStay, func(p netip.Prefix) bool { return p.Contains(ip) }) {
				addrs[a] = true
			}
		}
		for _, m := range link.FindAllString(text, -1) {
			if !protocolMAC.MatchString(m) {
				macs[strings.ToLower(m)] = true
			}
		}
		for _, w := range word.FindAllString(text, -1) {
			if slices.Contains(nodes, w) {
				names[w] = true
			}
		}
	}
	return addrs, macs, names
}

func TestNothingOfTheOldIsLeft(t *testing.T) {
	bundles(t, func(t *testing.T, fsys fs.FS) {
		if !strings.HasSuffix(t.Name(), "/faulty") {
			return // of one lab, the bundles have the same names in the same places
		}
		nodes, err := evidence.New(fsys).Nodes()
		if err != nil {
			t.Fatal(err)
		}
		old := contents(t, fsys)
		oldAddrs, oldMACs, oldNames := telling(old, nodes)
		if len(oldAddrs) < 10 || len(oldMACs) < 5 || len(oldNames) != len(nodes) {
			t.Fatalf("the test looks for %d addresses, %d link addresses, %d names", len(oldAddrs), len(oldMACs), len(oldNames))
		}
		for _, key := range keys(1) {
			out, _, _ := rekeyed(t, fsys, key)
			files := contents(t, out)
			if len(files) != len(old) {
				t.Errorf("%d files of %d", len(files), len(old))
			}
			addrs, macs, names := telling(files, nodes)
			for _, found := range []struct{ old, now map[string]bool }{{oldAddrs, addrs}, {oldMACs, macs}, {oldNames, names}} {
				for _, s := range sortedKeys(found.now) {
					if found.old[s] {
						t.Errorf("key %x: %s is left", key[:2], s)
					}
				}
			}
			for p, text := range files {
				for a := range oldAddrs {
					if strings.Contains(p, "captures/") && strings.Contains(text, string(netip.MustParseAddr(a).AsSlice())) {
						t.Errorf("key %x: %s is left in %s", key[:2], a, p)
					}
				}
				if slices.ContainsFunc(strings.Split(p, "/"), func(part string) bool { return slices.Contains(nodes, part) }) {
					t.Errorf("key %x: a node's name is left in the path %s", key[:2], p)
				}
			}
		}
	})
}

// The same key gives the same bundle, another gives others; a bundle that is re-keyed can be re-keyed again.
func TestKeys(t *testing.T) {
	fsys := os.DirFS("../../fixtures/bundles/tw-recycle/faulty")
	once, _, _ := rekeyed(t, fsys, keys(2)[0])
	again, _, _ := rekeyed(t, fsys, keys(2)[0])
	other, _, _ := rekeyed(t, fsys, keys(2)[1])
	differ := 0
	for p, f := range once {
		if again[p] == nil || !bytes.Equal(f.Data, again[p].Data) {
			t.Errorf("%s is another with the same key", p)
		}
		if other[p] == nil || !bytes.Equal(f.Data, other[p].Data) {
			differ++
		}
	}
	if differ < len(once)/2 {
		t.Errorf("only %d of %d files differ with another key", differ, len(once))
	}
	twice, _, left := rekeyed(t, once, keys(2)[1])
	if len(left) > 0 {
		t.Errorf("left out the second time: %v", left)
	}
	for p, f := range contents(t, once) {
		if strings.Contains(p, "captures/") {
			continue
		}
		lines := strings.Count(f, "\n")
		found := false
		for q, g := range contents(t, twice) {
			found = found || path.Base(q) == path.Base(p) && strings.Count(g, "\n") == lines
		}
		if !found {
			t.Errorf("%s has not the same lines the second time", p)
		}
	}
	first := rekey.NewKey()
	if second := rekey.NewKey(); first == second {
		t.Error("two new keys are the same")
	}
}

func TestStops(t *testing.T) {
	fsys := os.DirFS("../../fixtures/bundles/tw-recycle/faulty")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := rekey.Bundle(ctx, fsys, rekey.NewKey(), func(string, []byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context: %v", err)
	}
	full := errors.New("disk full")
	if _, _, err := rekey.Bundle(t.Context(), fsys, rekey.NewKey(), func(string, []byte) error { return full }); !errors.Is(err, full) {
		t.Errorf("what cannot be written: %v", err)
	}
	if _, _, err := rekey.Bundle(t.Context(), os.DirFS("/nonexistent"), rekey.NewKey(), func(string, []byte) error { return nil }); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
