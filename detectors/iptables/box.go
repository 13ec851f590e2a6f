package iptables

import (
	"encoding/binary"
	"slices"
)

// The dimensions of a box.
const (
	dimSrc = iota
	dimDst
	dimProto
	dimSport
	dimDport
	dims
)

// box is a set of packets: all that have a source address of the first set, a destination of the second, and so on. They
// are the addresses and ports with which the packets come in, before anything rewrites them.
type box [dims]set

// full returns the box without any restriction.
func full() box {
	return box{dimSrc: all, dimDst: all, dimProto: {{0, 255}}, dimSport: {{0, 65535}}, dimDport: {{0, 65535}}}
}

func (b *box) empty() bool {
	for _, s := range b {
		if len(s) == 0 {
			return true
		}
	}
	return false
}

// and returns what b and c have in common.
func (b *box) and(c *box) box {
	var out box
	for d := range b {
		out[d] = b[d].and(c[d])
	}
	return out
}

// minus returns what of b is not in c, as disjoint boxes.
func (b *box) minus(c *box) []box {
	common := b.and(c)
	if common.empty() {
		return []box{*b}
	}
	var out []box
	rest := *b
	for d := range rest {
		if outside := rest[d].minus(c[d]); len(outside) > 0 {
			piece := rest
			piece[d] = outside
			out = append(out, piece)
		}
		rest[d] = common[d]
	}
	return out
}

// minusAll returns what of the boxes is in none of others.
func minusAll(boxes, others []box) []box {
	for i := range others {
		var rest []box
		for j := range boxes {
			rest = append(rest, boxes[j].minus(&others[i])...)
		}
		boxes = rest
	}
	return boxes
}

// key writes all of b but the dimension skip, for comparison.
func (b *box) key(skip int) string {
	buf := make([]byte, 0, 128)
	for d, s := range b {
		if d == skip {
			continue
		}
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		for _, p := range s {
			buf = binary.NativeEndian.AppendUint32(buf, p.lo)
			buf = binary.NativeEndian.AppendUint32(buf, p.hi)
		}
	}
	return string(buf)
}

// joinBoxes puts boxes together that differ in one dimension only, so that a set that was split by rules which then came
// to the same end is told in one piece.
func joinBoxes(boxes []box) []box {
	for changed := true; changed && len(boxes) > 1; {
		changed = false
		for d := range dims {
			byKey := make(map[string]int, len(boxes))
			out := boxes[:0:0]
			for _, b := range boxes {
				key := b.key(d)
				if i, ok := byKey[key]; ok {
					out[i][d] = out[i][d].or(b[d])
					changed = true
					continue
				}
				byKey[key] = len(out)
				out = append(out, b)
			}
			boxes = out
		}
	}
	return slices.Clip(boxes)
}
