package evidence

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

var errCutLine = errors.New("cut short: the last line has no end")

// lines opens one of a node's text files and calls each with every line of it, without its end (that of Windows, too), and its place. A
// file without lines, a last line without an end and a line of more than 1 MiB are errors.
func (b *Bundle) lines(node, file string, each func(line string, at Pos) error) error {
	if err := CheckNodeName(node); err != nil {
		return fileError(NodesDir, err)
	}
	path := NodeFile(node, file)
	f, err := b.open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	limit := &limitReader{r: f, left: maxEntry}
	r := bufio.NewReader(limit)
	at := Pos(1)
	for n := 1; ; n++ {
		limit.left = maxEntry
		line, err := r.ReadString('\n')
		switch {
		case err == io.EOF && n == 1 && line == "":
			err = errEmpty
		case err == io.EOF && line == "":
			return nil
		case err == io.EOF:
			err = errCutLine
		}
		if err == nil {
			err = each(strings.TrimSuffix(line[:len(line)-1], "\r"), at)
			at += Pos(len(line))
		}
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil {
			return fileError(path, fmt.Errorf("line %d: %w", n, err))
		}
	}
}
