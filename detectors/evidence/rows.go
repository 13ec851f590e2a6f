package evidence

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// NUD is the state of a neighbour as a set of bits (NUD_* in linux/neighbour.h).
type NUD uint8

// The states that `ip neigh` prints.
const (
	Incomplete NUD = 1 << iota
	Reachable
	Stale
	Delay
	Probing
	Failed
	NoARP
	Permanent
)

var nudNames = []string{"INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "NOARP", "PERMANENT"}

// Resolved reports whether the kernel sends to the neighbour's link address in this state.
func (s NUD) Resolved() bool {
	return s&(Reachable|Stale|Delay|Probing|NoARP|Permanent) != 0
}

// String returns the state as `ip neigh` prints it; NONE for none.
func (s NUD) String() string {
	var names []string
	for i, name := range nudNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if names == nil {
		return "NONE"
	}
	return strings.Join(names, ",")
}

// parseNUD reads a neighbour's state from JSON: an array of names, or nil for none.
func parseNUD(raw []byte) (NUD, error) {
	switch string(raw) {
	case "":
		return 0, nil
	case `["PERMANENT"]`:
		return Permanent, nil
	}
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return 0, err
	}
	var state NUD
	for _, name := range names {
		bit, err := nudBit(name)
		if err != nil {
			return 0, err
		}
		state |= bit
	}
	return state, nil
}

func nudBit(name string) (NUD, error) {
	for i, n := range nudNames {
		if name == n {
			return 1 << i, nil
		}
	}
	if name == "NONE" {
		return 0, nil
	}
	return 0, fmt.Errorf("%q is not a neighbour state", name)
}

// NeighbourRow is one entry of `ip -j neigh`, see Neighbour. Its bytes are valid until the next row is read.
type NeighbourRow struct {
	Dst, Dev, LLAddr []byte
	State            NUD
	// Pos is its place in the file.
	Pos Pos
}

// FDBRow is one entry of `bridge -j fdb`, see FDBEntry. Its bytes are valid until the next row is read.
type FDBRow struct {
	MAC, Dev, Dst []byte
	// Pos is its place in the file.
	Pos Pos
}

// Neighbours yields the neighbours of a node, from NeighFile, each in the same row. An error is yielded last.
func (b *Bundle) Neighbours(node string) iter.Seq2[*NeighbourRow, error] {
	cols := []column{{name: `"dst"`}, {name: `"dev"`}, {name: `"lladdr"`}, {name: `"state"`, raw: true}}
	return rows(b, node, NeighFile, cols, func(row *NeighbourRow, cols []column, at Pos) (err error) {
		row.Pos = at
		row.Dst, row.Dev, row.LLAddr = cols[0].value, cols[1].value, cols[2].value
		if len(row.Dst) == 0 || len(row.Dev) == 0 {
			return errors.New("an entry lacks dst or dev")
		}
		row.State, err = parseNUD(cols[3].value)
		return err
	})
}

// FDB yields the forwarding entries of a node, from FDBFile, each in the same row. An error is yielded last.
func (b *Bundle) FDB(node string) iter.Seq2[*FDBRow, error] {
	cols := []column{{name: `"mac"`}, {name: `"ifname"`}, {name: `"dst"`}, {name: `"dev"`}}
	return rows(b, node, FDBFile, cols, func(row *FDBRow, cols []column, at Pos) error {
		row.Pos = at
		row.MAC, row.Dev, row.Dst = cols[0].value, cols[1].value, cols[2].value
		if row.Dev == nil {
			row.Dev = cols[3].value // iproute2 4.14 to 4.16 (bridge/fdb.c, print_fdb)
		}
		if len(row.MAC) == 0 || len(row.Dev) == 0 {
			return errors.New("an entry lacks mac or ifname")
		}
		return nil
	})
}

// RouteDst is where a route of `ip -j route` leads, see Route. Its bytes are valid until the next is read.
type RouteDst struct{ Dst, Table []byte }

// RouteDsts yields where the routes of a node lead, from RouteFile, each in the same row: what Routes says of them, but without the
// rest, and several times as fast. An error is yielded last.
func (b *Bundle) RouteDsts(node string) iter.Seq2[*RouteDst, error] {
	cols := []column{{name: `"dst"`}, {name: `"table"`}}
	return rows(b, node, RouteFile, cols, func(row *RouteDst, cols []column, _ Pos) error {
		row.Dst, row.Table = cols[0].value, cols[1].value
		if len(row.Dst) == 0 {
			return errors.New("an entry lacks dst")
		}
		return nil
	})
}

// rows yields a row for every object of a node's file, after put has filled it from cols.
func rows[T any](b *Bundle, node, file string, cols []column, put func(*T, []column, Pos) error) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if err := CheckNodeName(node); err != nil {
			yield(nil, fileError(NodesDir, err))
			return
		}
		file := NodeFile(node, file)
		f, err := b.open(file)
		if err != nil {
			yield(nil, err)
			return
		}
		defer f.Close()
		var in io.Reader = f
		if path.Base(file) == RouteFile {
			in = newOldRoutes(f)
		}
		row, cols := new(T), slices.Clone(cols)
		err = scanRows(in, make([]byte, 64<<10), cols, func(at Pos) error {
			if err := put(row, cols, at); err != nil {
				return err
			}
			if !yield(row, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(nil, fileError(file, err))
		}
	}
}
