package report

import (
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
)

// NewTable returns a table in the style of all of netfault's output: a line under the header and no others.
func NewTable(w io.Writer, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.SetStyle(table.StyleLight)
	t.Style().Options.DrawBorder = false
	t.Style().Options.SeparateColumns = false
	t.AppendHeader(header)
	return t
}
