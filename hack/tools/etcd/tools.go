//go:build tools

// Package tools pins what the embedded lab runs; it is built by name, never imported.
package tools

import (
	_ "go.etcd.io/etcd/server/v3"
)
