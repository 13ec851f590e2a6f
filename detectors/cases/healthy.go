package cases

import (
	_ "embed"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

//go:embed healthy.txtar
var healthy []byte

// Healthy returns the files of a healthy cluster of three nodes, n1 to n3, with pods on docker0 and leases in etcd.
func Healthy() fstest.MapFS {
	files := fstest.MapFS{}
	for _, f := range txtar.Parse(healthy).Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return files
}
