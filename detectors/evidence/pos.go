package evidence

import (
	"bufio"
	"cmp"
	"io"
	"slices"
)

// Pos is a place in a file of a bundle: the offset of an entry's first byte, in bytes, plus 1. 0 is no place.
type Pos int64

// LineNumbers returns for each place the number of its line in the file, counted from 1; 0 for no place, and for one behind
// the file's end. The file is read once, up to the last place.
func (b *Bundle) LineNumbers(file string, at []Pos) ([]int, error) {
	numbers := make([]int, len(at))
	order := make([]int, 0, len(at))
	for i, p := range at {
		if p > 0 {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		return numbers, nil
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(at[i], at[j]) })
	f, err := b.open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := bufio.NewReader(f)
	line, next := 1, 0
	for offset := Pos(1); next < len(order); {
		chunk, err := r.ReadSlice('\n')
		end := offset + Pos(len(chunk))
		for next < len(order) && at[order[next]] < end {
			numbers[order[next]] = line
			next++
		}
		offset = end
		switch err {
		case nil:
			line++
		case bufio.ErrBufferFull:
		case io.EOF:
			return numbers, nil
		default:
			return nil, fileError(file, err)
		}
	}
	return numbers, nil
}
