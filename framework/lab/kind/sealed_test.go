package kind

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/tools"
)

// A lab is found by its cluster, open or sealed; a cluster of somebody else's is none.
func TestLabOfACluster(t *testing.T) {
	for cluster, want := range map[string]string{"netfault-a": "a", "n6t-site-1": "site-1", "kind": "", "n6t-": "", "theirs-n6t-a": "", "netfault-A b": ""} {
		if got := labOf(cluster); got != want {
			t.Errorf("%q: %q, want %q", cluster, got, want)
		}
	}
	for _, name := range clusterNames("x") {
		if labOf(name) != "x" {
			t.Errorf("cluster %s of lab x is not found again", name)
		}
		if s, there := showOf([]string{"theirs", name}, "x"); !there || s.cluster("x") != name {
			t.Errorf("lab x of cluster %s shows %+v, %v", name, s, there)
		}
	}
}

// A lab that is gone but for its record is spoken of as most labs are.
func TestShowOfALabThatIsGone(t *testing.T) {
	if s, there := showOf([]string{"theirs"}, "x"); there || s != openly {
		t.Errorf("%+v, %v", s, there)
	}
}

// Nothing that a sealed lab shows has netfault's name, in its nodes or in its API.
func TestSealedLabShowsNoName(t *testing.T) {
	l := &Lab{name: "site-1", show: nameless}
	putManifest(t, tools.DefaultFlannel, manifestText)
	m, err := readManifest(t.Context(), l.show, tools.DefaultFlannel, true, lab.IPTables, netip.MustParsePrefix("10.7.0.0/16"))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{Place: &Place{name: "n6t-site-1-worker"}}
	shown := fmt.Sprintf("%+v %+v %v %s %s", m.daemonSet, n.newPod(podName(n), l.show.image), m.others[0].GetLabels(), l.Agent(), l.outsideContainer())
	if strings.Contains(strings.ToLower(shown), "netfault") {
		t.Error(shown)
	}
	if got := m.others[1].(*corev1.ConfigMap).Data["net-conf.json"]; !strings.Contains(got, `"Network": "10.7.0.0/16"`) {
		t.Errorf("the pods' network: %s", got)
	}
	config, err := clusterConfig(Options{Nodes: 3, PodNetwork: netip.MustParsePrefix("10.7.0.0/16"), ServiceNetwork: netip.MustParsePrefix("10.200.0.0/16")}, false, true)
	if err != nil || config.Networking.PodSubnet != "10.7.0.0/16" || config.Networking.ServiceSubnet != "10.200.0.0/16" {
		t.Errorf("%+v, %v", config.Networking, err)
	}
}

// Nodes play the parts that a lab was made with, and stay sorted for everything else.
func TestPartsOfNodes(t *testing.T) {
	l := &Lab{parts: []int{2, 0, 1}}
	for _, name := range []string{"a", "b", "c"} {
		l.nodes = append(l.nodes, &node{Place: &Place{name: name}})
	}
	var got []string
	for _, n := range l.Nodes() {
		got = append(got, n.Name())
	}
	if !slices.Equal(got, []string{"c", "a", "b"}) || l.API().Name() != "a" {
		t.Errorf("%v, and the API is on %s", got, l.API().Name())
	}
	for _, parts := range [][]int{{0, 1}, {0, 1, 1}, {1, 2, 3}} {
		if err := (&Options{Name: "x", Nodes: 3, Parts: parts}).complete(); err == nil {
			t.Errorf("parts %v of 3 nodes are taken", parts)
		}
	}
}

// A program of this machine works from its folder, where its own libraries and loader are, and by its script.
func TestHandToolsArePackedWithAllThatTheyLoad(t *testing.T) {
	if _, err := exec.LookPath("ldd"); err != nil {
		t.Skip(err)
	}
	archive, err := packHandTools(t.Context(), []string{"tar", "surely-not-there"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var names []string
	for files := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		// The script names the folder, which is another one here.
		if header.Name == "usr/local/bin/tar" {
			content = bytes.ReplaceAll(content, []byte(handToolsDir), []byte(filepath.Join(dir, handToolsDir)))
		}
		path := filepath.Join(dir, header.Name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) || slices.Contains(names, "usr/local/bin/surely-not-there") {
		t.Errorf("packed: %v", names)
	}
	if out, err := exec.Command(filepath.Join(dir, "usr/local/bin/tar"), "--version").Output(); err != nil || !strings.Contains(string(out), "tar") {
		t.Errorf("%s, %v", out, err)
	}
	if archive, err := packHandTools(t.Context(), []string{"surely-not-there"}); err != nil || archive != nil {
		t.Errorf("of nothing, %d bytes are packed, %v", len(archive), err)
	}
}
