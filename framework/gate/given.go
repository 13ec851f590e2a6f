package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"testing/fstest"
	"time"

	"github.com/netfault/netfault/detectors/evidence"
	"github.com/netfault/netfault/detectors/rekey"
)

// Given is what a detector is given of a bundle: the same evidence under other names, which says nothing of where it is from.
type Given struct {
	// Files are the bundle.
	Files fstest.MapFS
	// nodes are the names that nodes have in the original, by those here.
	nodes map[string]string
}

// give re-keys the bundle of a source and moves its times.
func give(ctx context.Context, s Source, key rekey.Key, by time.Duration) (Given, error) {
	original, err := s.Open()
	if err != nil {
		return Given{}, fmt.Errorf("%s: %w", s, err)
	}
	g := Given{Files: fstest.MapFS{}, nodes: map[string]string{}}
	names, _, err := rekey.Moved(ctx, original, key, by, func(file string, data []byte) error {
		if file == evidence.InfoFile {
			data = neutral(data)
		}
		g.Files[file] = &fstest.MapFile{Data: data, Mode: 0o644}
		return nil
	})
	if err != nil {
		return Given{}, fmt.Errorf("%s cannot be re-keyed: %w", s, err)
	}
	for _, node := range nodesOf(original) {
		g.nodes[names.Node(node)] = node
	}
	for _, answer := range s.Want {
		for _, p := range answer.Problems {
			g.nodes[names.Node(p.Node)], g.nodes[names.Node(p.Peer)] = p.Node, p.Peer
		}
	}
	return g, nil
}

// nodesOf are the nodes that have a folder in a bundle; a damaged one may have none.
func nodesOf(bundle fs.FS) []string {
	nodes, err := evidence.New(bundle).Nodes()
	if err != nil {
		return nil
	}
	return nodes
}

// neutral is a bundle.json that says alike of all bundles what they are and who made them. A damaged one stays damaged.
func neutral(info []byte) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(info, &members) != nil || members == nil {
		return info
	}
	members["cluster"], members["tool"] = json.RawMessage(`"cluster"`), json.RawMessage(`"collector"`)
	delete(members, "standIns") // they tell which fault it is
	changed, err := json.Marshal(members)
	if err != nil {
		return info
	}
	return changed
}

// original puts the original's names of nodes into answers.
func (g Given) original(all Answers) {
	for _, answer := range all {
		for i := range answer.Problems {
			p := &answer.Problems[i]
			p.Node, p.Peer = g.name(p.Node), g.name(p.Peer)
		}
	}
}

func (g Given) name(node string) string {
	if original, ok := g.nodes[node]; ok {
		return original
	}
	return node
}
