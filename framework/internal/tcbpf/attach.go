package tcbpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// ErrNotAttached says that an interface has no such program.
var ErrNotAttached = errors.New("not attached")

// Pair is a program for each direction of an interface. They are marked by the name of their tc filters, by which later
// processes find them.
type Pair struct {
	Name     string
	Priority uint16 // of the filters; lower runs first
}

// parents are the two hooks of a clsact qdisc.
var parents = []struct {
	handle uint32
	name   string
}{
	{netlink.HANDLE_MIN_INGRESS, "ingress"},
	{netlink.HANDLE_MIN_EGRESS, "egress"},
}

// Attach loads a collection with the programs "ingress" and "egress" and attaches both to an interface of the calling
// thread's network namespace. The filters keep the programs, and the programs their maps: nothing is pinned, and all goes
// away with the interface. prepare fills the maps before the first packet is seen.
func (p Pair) Attach(ifindex int, spec *ebpf.CollectionSpec, prepare func(maps map[string]*ebpf.Map) error) (err error) {
	link, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return fmt.Errorf("interface %d: %w", ifindex, err)
	}
	name := link.Attrs().Name
	if encap := link.Attrs().EncapType; encap != "ether" {
		return fmt.Errorf("%s is an interface of type %q, not Ethernet: attach to the pod's eth0", name, encap)
	}
	existing, err := p.filters(link)
	if err != nil {
		return err
	}
	if len(existing) > 0 {
		return fmt.Errorf("%s has %s attached already: detach it first", name, p.Name)
	}
	collection, err := ebpf.NewCollection(spec)
	if err != nil {
		return fmt.Errorf("load %s (needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON): %w", p.Name, err)
	}
	defer collection.Close()
	if err := prepare(collection.Maps); err != nil {
		return fmt.Errorf("%s: fill its maps: %w", p.Name, err)
	}
	err = netlink.QdiscAdd(&netlink.Clsact{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: ifindex, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT},
	})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: add a clsact qdisc: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Detach(ifindex))
		}
	}()
	for _, parent := range parents {
		filter := &netlink.BpfFilter{
			FilterAttrs: netlink.FilterAttrs{
				LinkIndex: ifindex, Parent: parent.handle, Handle: 1, Priority: p.Priority, Protocol: unix.ETH_P_ALL,
			},
			Fd: collection.Programs[parent.name].FD(), Name: p.Name, DirectAction: true,
		}
		if err := netlink.FilterAdd(filter); err != nil {
			return fmt.Errorf("%s: attach %s at %s: %w", name, p.Name, parent.name, err)
		}
	}
	return nil
}

// Detach removes the programs, and the clsact qdisc if no other filter is left on it. What is not attached is removed
// already.
func (p Pair) Detach(ifindex int) error {
	link, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return fmt.Errorf("interface %d: %w", ifindex, err)
	}
	name := link.Attrs().Name
	ours, err := p.filters(link)
	if err != nil {
		return err
	}
	for _, filter := range ours {
		if err := netlink.FilterDel(filter); err != nil {
			// Another process may take the same away at this moment, the qdisc included: the error is then another one
			// (ENOENT or EINVAL, net/sched/cls_api.c of Linux 6.18), and what counts is that it is gone.
			if left, listErr := p.filters(link); listErr != nil || len(left) > 0 {
				return errors.Join(fmt.Errorf("%s: detach %s: %w", name, p.Name, err), listErr)
			}
			break
		}
	}
	clsact, err := clsactOf(link)
	if clsact == nil || err != nil {
		return err
	}
	for _, parent := range parents {
		left, err := netlink.FilterList(link, parent.handle)
		if err != nil {
			return fmt.Errorf("%s: list filters: %w", name, err)
		}
		if len(left) > 0 {
			return nil
		}
	}
	if err := netlink.QdiscDel(clsact); err != nil {
		if left, listErr := clsactOf(link); left == nil && listErr == nil {
			return nil
		}
		return fmt.Errorf("%s: remove the clsact qdisc: %w", name, err)
	}
	return nil
}

// Maps finds the maps of the programs that are attached to an interface, by their names, or ErrNotAttached. The caller
// closes them.
func (p Pair) Maps(ifindex int) (map[string]*ebpf.Map, error) {
	link, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return nil, fmt.Errorf("interface %d: %w", ifindex, err)
	}
	filters, err := p.filters(link)
	if err != nil {
		return nil, err
	}
	if len(filters) != len(parents) {
		return nil, fmt.Errorf("%s: %s: %w (%d of %d programs)", link.Attrs().Name, p.Name, ErrNotAttached, len(filters), len(parents))
	}
	maps := make(map[string]*ebpf.Map)
	for _, filter := range filters {
		if err := addMaps(maps, filter.Id); err != nil {
			CloseMaps(maps)
			// Another process may take it away at this moment: the program ends with its filter.
			if left, listErr := p.filters(link); listErr == nil && len(left) < len(filters) {
				err = ErrNotAttached
			}
			return nil, fmt.Errorf("%s: %s: %w", link.Attrs().Name, p.Name, err)
		}
	}
	return maps, nil
}

// CloseMaps closes what Maps found.
func CloseMaps(maps map[string]*ebpf.Map) {
	for _, m := range maps {
		m.Close()
	}
}

// addMaps adds the maps of a loaded program.
func addMaps(maps map[string]*ebpf.Map, program int) error {
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(program))
	if err != nil {
		return fmt.Errorf("open program %d: %w", program, err)
	}
	defer prog.Close()
	info, err := prog.Info()
	if err != nil {
		return fmt.Errorf("program %d: %w", program, err)
	}
	ids, ok := info.MapIDs()
	if !ok {
		return fmt.Errorf("program %d: this kernel does not tell a program's maps", program)
	}
	for _, id := range ids {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return fmt.Errorf("open map %d of program %d: %w", id, program, err)
		}
		about, err := m.Info()
		if err != nil {
			m.Close()
			return fmt.Errorf("map %d of program %d: %w", id, program, err)
		}
		if maps[about.Name] != nil { // the other program's, too
			m.Close()
			continue
		}
		maps[about.Name] = m
	}
	return nil
}

// filters lists the filters of an interface that carry the pair's name.
func (p Pair) filters(link netlink.Link) ([]*netlink.BpfFilter, error) {
	clsact, err := clsactOf(link)
	if clsact == nil || err != nil {
		return nil, err
	}
	var ours []*netlink.BpfFilter
	for _, parent := range parents {
		all, err := netlink.FilterList(link, parent.handle)
		if err != nil {
			return nil, fmt.Errorf("%s: list filters: %w", link.Attrs().Name, err)
		}
		for _, filter := range all {
			if bpf, ok := filter.(*netlink.BpfFilter); ok && bpf.Name == p.Name {
				ours = append(ours, bpf)
			}
		}
	}
	return ours, nil
}

// clsactOf returns an interface's clsact qdisc, or nil.
func clsactOf(link netlink.Link) (netlink.Qdisc, error) {
	qdiscs, err := netlink.QdiscList(link)
	if err != nil {
		return nil, fmt.Errorf("%s: list qdiscs: %w", link.Attrs().Name, err)
	}
	for _, q := range qdiscs {
		if q.Type() == "clsact" {
			return q, nil
		}
	}
	return nil, nil
}
