// Command coredns is CoreDNS with the plugins that the embedded lab's Corefile names, as CoreDNS's own main is with all of
// them: those are three times the packages to build. https://coredns.io/2017/07/25/compile-time-enabling-or-disabling-plugins/
package main

import (
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/hosts"
)

func main() { coremain.Run() }
