package collect

import (
	"encoding/json"
	"io"
)

// writeRows writes a JSON array with an entry on each line, so that grep and diff are of use.
func writeRows[T any](w io.Writer, rows []T) error {
	sep := []byte("[")
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(sep, line...)); err != nil {
			return err
		}
		sep = []byte(",\n")
	}
	end := "]\n"
	if len(rows) == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(w, end)
	return err
}
