package doctor

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrUnknown is a check that could not be made.
var ErrUnknown = errors.New("only root can look: run netfault doctor with sudo")

// errNoBridgeNetfilter is the one part of the kernel that does not come by itself when it is asked for.
var errNoBridgeNetfilter = errors.New("bridge netfilter (module br_netfilter) is not loaded")

// bridgeNetfilter is there once it is loaded.
const bridgeNetfilter = "/proc/sys/net/bridge/bridge-nf-call-iptables"

// kernel makes one of each kind of link in a network namespace that ends with the thread.
func kernel() error {
	// Everybody sees whether that module is loaded.
	if _, err := os.Stat(bridgeNetfilter); err != nil && os.Geteuid() != 0 {
		return errNoBridgeNetfilter
	}
	if os.Geteuid() != 0 {
		return ErrUnknown
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the namespace goes with the thread
		result <- tryLinks()
	}()
	return <-result
}

func tryLinks() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("no network namespaces: %w", err)
	}
	named := func(name string) netlink.LinkAttrs {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		return attrs
	}
	for _, link := range []netlink.Link{
		&netlink.Bridge{LinkAttrs: named("bridge")},
		&netlink.Veth{LinkAttrs: named("veth0"), PeerName: "veth1"},
		&netlink.Vxlan{LinkAttrs: named("vxlan"), VxlanId: 1, Port: 8472},
	} {
		if err := netlink.LinkAdd(link); err != nil {
			return fmt.Errorf("no link of kind %s: %w (its kernel module may be missing)", link.Type(), err)
		}
	}
	if _, err := os.Stat(bridgeNetfilter); err != nil {
		return errNoBridgeNetfilter
	}
	return nil
}
