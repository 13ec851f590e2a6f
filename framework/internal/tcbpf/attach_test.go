package tcbpf

import (
	"errors"
	"runtime"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/netfault/netfault/framework/internal/scratchns"
)

// passing is a collection whose programs let every packet pass.
func passing() *ebpf.CollectionSpec {
	program := func() *ebpf.ProgramSpec {
		return &ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "GPL", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}}
	}
	return &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"ingress": program(), "egress": program()}}
}

// A node and its pod are restored side by side, and both look at what is attached in the pod and take it away.
func TestDetachSideBySide(t *testing.T) {
	scratchns.Enter(t)
	scratchns.Script(t, "ip link add eth0 type veth peer name peer\nip link set eth0 up")
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	here, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	index, p := link.Attrs().Index, Pair{Name: "nf_test", Priority: 1}
	detach := func() error { return p.Detach(index) }
	look := func() error {
		for {
			maps, err := p.Maps(index)
			if errors.Is(err, ErrNotAttached) {
				return nil
			}
			if err != nil {
				return err
			}
			CloseMaps(maps)
		}
	}
	for range 100 {
		if err := p.Attach(index, passing(), func(map[string]*ebpf.Map) error { return nil }); err != nil {
			t.Fatal(err)
		}
		begin, done := make(chan struct{}), make(chan error)
		sides := []func() error{detach, detach, look, look}
		for _, side := range sides {
			go func() {
				runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
				err := netns.Set(here)
				<-begin
				done <- errors.Join(err, side())
			}()
		}
		close(begin)
		for range sides {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if left, err := clsactOf(link); left != nil || err != nil {
			t.Fatalf("the clsact qdisc is left: %v, %v", left, err)
		}
	}
}
