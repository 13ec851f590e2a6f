// Package kindconfigs holds the configurations of kind clusters that labs are made from. Each file is valid for
// `kind create cluster --config` as it is; what only some machines need is merged in by framework/lab/kind.
package kindconfigs

import _ "embed"

// Flannel is a cluster of three nodes without a CNI, for flannel.
//
//go:embed flannel.yaml
var Flannel []byte
