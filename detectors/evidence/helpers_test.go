package evidence

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/fstest"
)

// bundleOf returns a bundle with the given files, path and text in turn.
func bundleOf(pathsAndTexts ...string) *Bundle {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pathsAndTexts); i += 2 {
		fsys[pathsAndTexts[i]] = &fstest.MapFile{Data: []byte(pathsAndTexts[i+1])}
	}
	return New(fsys)
}

// collect copies what seq yields, through text since rows are used again, and returns its error.
func collect[T any](seq iter.Seq2[T, error], text func(T) string) (all []string, err error) {
	for v, e := range seq {
		if e != nil {
			return all, e
		}
		all = append(all, text(v))
	}
	return all, nil
}

func neighbourText(r *NeighbourRow) string {
	return strings.Join([]string{string(r.Dst), string(r.Dev), string(r.LLAddr), r.State.String()}, " ")
}

func fdbText(r *FDBRow) string {
	return strings.Join([]string{string(r.MAC), string(r.Dev), string(r.Dst)}, " ")
}

func nftChainText(c NFTChain) string {
	text := strings.Join([]string{c.Family, c.Table, c.Name}, " ")
	if c.Prio != nil {
		text += fmt.Sprintf(" %s %s %d", c.Type, c.Hook, *c.Prio)
	}
	return text
}

// readers reads every JSON file of a bundle; the node is n1.
var readers = map[string]func(*Bundle) error{
	InfoFile:                  func(b *Bundle) error { _, err := b.Info(); return err },
	LeasesFile:                readLeases,
	NodesFile:                 readKubeNodes,
	ProbesFile:                func(b *Bundle) error { _, err := b.Probes(); return err },
	NodeFile("n1", LinkFile):  func(b *Bundle) error { return drain(b.Links("n1", LinkFile)) },
	NodeFile("n1", AddrFile):  func(b *Bundle) error { return drain(b.Addrs("n1")) },
	NodeFile("n1", RouteFile): func(b *Bundle) error { return drain(b.Routes("n1")) },
	NodeFile("n1", NeighFile): func(b *Bundle) error { return drain(b.Neighbours("n1")) },
	NodeFile("n1", FDBFile):   func(b *Bundle) error { return drain(b.FDB("n1")) },

	NodeFile("n1", NFTChainsFile): func(b *Bundle) error { return drain(b.NFTChains("n1")) },
	NodeFile("n1", PolicyFile):    func(b *Bundle) error { return drain(b.PolicyRules("n1")) },

	ServicesFile:       func(b *Bundle) error { return drain(b.Services()) },
	EndpointSlicesFile: func(b *Bundle) error { return drain(b.EndpointSlices()) },
	PodsFile:           func(b *Bundle) error { return drain(b.Pods()) },
	DaemonSetsFile:     func(b *Bundle) error { return drain(b.DaemonSets()) },
	KubeProxyFile:      func(b *Bundle) error { _, err := b.KubeProxy(); return err },
}

// readLeases fails for an odd lease, too.
func readLeases(b *Bundle) error {
	_, odd, err := b.Leases()
	if len(odd) > 0 {
		return odd[0].Err
	}
	return err
}

// readKubeNodes fails for an odd lease, too.
func readKubeNodes(b *Bundle) error {
	_, err := b.KubeNodes()
	if t := b.nodesFile().leases; err == nil && len(t.odd) > 0 {
		return t.odd[0].Err
	}
	return err
}

// arrayName is the member that holds the entries of a file which is an object; none for one that is no list.
var arrayName = map[string]string{
	InfoFile: "", KubeProxyFile: "", NodesFile: "items", ServicesFile: "items", EndpointSlicesFile: "items", PodsFile: "items",
	DaemonSetsFile: "items", NodeFile("n1", NFTChainsFile): "nftables",
}

// isObject reports whether a file is an object, and not an array.
func isObject(file string) bool {
	_, ok := arrayName[file]
	return ok
}

func drain[T any](seq iter.Seq2[T, error]) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// wantFileError fails unless err is a *FileError for file whose text has want in it.
func wantFileError(t *testing.T, err error, file, want string) {
	t.Helper()
	e, ok := errors.AsType[*FileError](err)
	if !ok {
		t.Fatalf("error is %#v, want a *FileError", err)
	}
	if e.File != file || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %q of %q, want one of %q with %q", err, e.File, file, want)
	}
}
