package fault

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/framework/drops"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
)

// dropped is a packet that the kernel dropped in a machine of the lab.
type dropped struct {
	machine string
	drops.Drop
}

// watchDrops watches where packets die in a lab, until stop is called. Its error wraps drops.ErrUnmeasurable where that cannot be
// seen.
func watchDrops(ctx context.Context, l lab.Lab) (stop func() ([]dropped, error), err error) {
	names, err := namespaces(ctx, l)
	if err != nil {
		return nil, err
	}
	var inodes []uint32
	for inode := range names {
		inodes = append(inodes, inode)
	}
	w, err := drops.Start(inodes)
	if err != nil {
		return nil, err
	}
	return func() ([]dropped, error) {
		all, err := w.Stop()
		var named []dropped
		for _, d := range all {
			named = append(named, dropped{names[d.Namespace], d})
		}
		return named, err
	}, nil
}

const bootID = "/proc/sys/kernel/random/boot_id"

// namespaces names the lab's machines by the inode numbers of their network namespaces. They mean something on one kernel alone,
// and a container engine may have its own, in a virtual machine.
func namespaces(ctx context.Context, l lab.Lab) (map[uint32]string, error) {
	own, err := os.ReadFile(bootID)
	if err != nil {
		return nil, err
	}
	theirs, err := machine.Output(ctx, l.Nodes()[0], "cat", bootID)
	if err != nil {
		return nil, err
	}
	if string(own) != string(theirs) {
		return nil, fmt.Errorf("%w: the lab's nodes run on another kernel than netfault", drops.ErrUnmeasurable)
	}
	all := []machine.Machine{l.Outside()}
	for _, n := range l.Nodes() {
		all = append(all, n, n.Pod, n.Client)
	}
	if p := l.DNS().Pod; p != nil {
		all = append(all, p)
	}
	names := map[uint32]string{}
	var mu sync.Mutex
	var group errgroup.Group
	for _, m := range all {
		group.Go(func() error {
			text, err := machine.Output(ctx, m, "readlink", "/proc/self/ns/net")
			if err != nil {
				return err
			}
			inode, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(string(text)), "net:["), "]"), 10, 32)
			if err != nil {
				return fmt.Errorf("the network namespace of %s: %w", m.Name(), err)
			}
			mu.Lock()
			defer mu.Unlock()
			names[uint32(inode)] = m.Name()
			return nil
		})
	}
	return names, group.Wait()
}
