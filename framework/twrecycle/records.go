package twrecycle

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/cilium/ebpf"
)

// Drops are the SYNs that were dropped since Attach: the counterpart of PAWSPassive in /proc/net/netstat.
type Drops struct {
	Count uint64
	Last  time.Time // of the last one; zero if there was none
}

// Dropped tells how many SYNs were dropped.
func (s *Setting) Dropped() (Drops, error) {
	var d drops
	if err := s.maps[mapDrops].Lookup(uint32(0), &d); err != nil {
		return Drops{}, fmt.Errorf("%s: read the drops: %w", Name, err)
	}
	if d.Count == 0 {
		return Drops{}, nil
	}
	offset, err := wallOffset()
	if err != nil {
		return Drops{}, err
	}
	return Drops{Count: d.Count, Last: time.Unix(0, int64(d.Last)+int64(offset))}, nil
}

// Record is what is remembered of a peer, as `ip tcp_metrics` showed it.
type Record struct {
	Peer  netip.Addr
	Local netip.Addr // the zero Addr in 3.10, whose records hold for all local addresses
	TSVal uint32     // TW_TSVAL: the last timestamp that was accepted from the peer
	Stamp time.Time  // TW_TS_STAMP: the second in which it was accepted
}

// Records lists what is remembered, sorted by peer and local address. A record older than 60 s has no effect, but stays.
func (s *Setting) Records() ([]Record, error) {
	var records []Record
	var key peerKey
	var value peerValue
	all := s.maps[mapRecords].Iterate()
	for all.Next(&key, &value) {
		r := Record{Peer: netip.AddrFrom4(key.Peer), TSVal: value.TSVal, Stamp: time.Unix(int64(value.Stamp), 0)}
		if key.Local != [4]byte{} {
			r.Local = netip.AddrFrom4(key.Local)
		}
		records = append(records, r)
	}
	if err := all.Err(); err != nil {
		return nil, fmt.Errorf("%s: list the records: %w", Name, err)
	}
	slices.SortFunc(records, func(a, b Record) int {
		if c := a.Peer.Compare(b.Peer); c != 0 {
			return c
		}
		return a.Local.Compare(b.Local)
	})
	return records, nil
}

// Forget removes all records of a peer, as `ip tcp_metrics delete PEER` did, and returns how many there were.
func (s *Setting) Forget(peer netip.Addr) (int, error) {
	records, err := s.Records()
	if err != nil {
		return 0, err
	}
	forgotten := 0
	for _, r := range records {
		if r.Peer != peer {
			continue
		}
		key := peerKey{Peer: r.Peer.As4()}
		if r.Local.IsValid() {
			key.Local = r.Local.As4()
		}
		if err := s.maps[mapRecords].Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return forgotten, fmt.Errorf("%s: forget %v: %w", Name, peer, err)
		}
		forgotten++
	}
	return forgotten, nil
}
