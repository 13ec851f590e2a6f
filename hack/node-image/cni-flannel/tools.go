//go:build tools

// Package tools pins what goes into the node image; it is built by name, never imported.
package tools

import (
	_ "github.com/containernetworking/plugins/plugins/meta/flannel"
)
