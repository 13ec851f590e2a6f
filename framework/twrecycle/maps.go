package twrecycle

import (
	"encoding/binary"
	"unsafe"

	"github.com/cilium/ebpf"
)

// Names of the maps, at most 15 characters.
const (
	mapConfig   = "tcp_config"
	mapRecords  = "tcp_records"
	mapTimeWait = "tcp_timewait"
	mapDrops    = "tcp_drops"
)

// config is what the programs are told. There is one.
type config struct {
	On        uint32
	Semantics uint32
	Offset    int64 // nanoseconds from the monotonic clock to the wall clock
}

// peerKey says whose record it is. Local is zero in 3.10, which keeps one record for each peer.
type peerKey struct {
	Peer, Local [4]byte
}

// peerValue is the counterpart of tcpm_ts and tcpm_ts_stamp in the kernels' struct tcp_metrics_block.
type peerValue struct {
	TSVal uint32
	_     uint32
	Stamp uint64 // seconds of wall-clock time
}

// connection is a struct bpf_sock_tuple as the peer's packets have it: its source is the peer.
type connection struct {
	Peer, Local         [4]byte
	PeerPort, LocalPort [2]byte
}

// timeWait is how long the old kernels would have kept a connection in TIME_WAIT, of those that have a record.
type timeWait struct {
	Lifetime uint64 // nanoseconds: 3.5 times the retransmission timeout
	Until    uint64 // nanoseconds of the monotonic clock; 0 while it is in FIN_WAIT2
}

// drops counts the SYNs that were dropped. There is one.
type drops struct {
	Count uint64
	Last  uint64 // monotonic nanoseconds
}

// entries is the most that the maps of peers and of connections hold. The least recently used entry makes place for another.
const entries = 4096

// collection returns the maps and programs for semantics on a kernel with the given layout.
func collection(l layout, semantics Semantics) *ebpf.CollectionSpec {
	one := func(value uintptr) *ebpf.MapSpec {
		return &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: uint32(value), MaxEntries: 1}
	}
	many := func(key, value uintptr) *ebpf.MapSpec {
		return &ebpf.MapSpec{Type: ebpf.LRUHash, KeySize: uint32(key), ValueSize: uint32(value), MaxEntries: entries}
	}
	spec := &ebpf.CollectionSpec{
		Maps: map[string]*ebpf.MapSpec{
			mapConfig:   one(unsafe.Sizeof(config{})),
			mapDrops:    one(unsafe.Sizeof(drops{})),
			mapRecords:  many(unsafe.Sizeof(peerKey{}), unsafe.Sizeof(peerValue{})),
			mapTimeWait: many(unsafe.Sizeof(connection{}), unsafe.Sizeof(timeWait{})),
		},
		Programs: map[string]*ebpf.ProgramSpec{
			"ingress": {Name: "tcp_stack_in", Instructions: ingress(l, semantics)},
			"egress":  {Name: "tcp_stack_out", Instructions: egress(l, semantics)},
		},
		ByteOrder: binary.NativeEndian,
	}
	for name, m := range spec.Maps {
		m.Name = name
	}
	for _, p := range spec.Programs {
		// The programs read the kernel's own structures, which it shows to GPL-compatible programs only.
		p.Type, p.License = ebpf.SchedCLS, "Dual MIT/GPL"
	}
	return spec
}
