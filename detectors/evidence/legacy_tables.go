package evidence

import (
	"fmt"
	"strings"
)

// LegacyTables returns the names of the tables that legacy iptables has on a node, from LegacyTablesFile. Comments are passed over.
func (b *Bundle) LegacyTables(node string) ([]string, error) {
	var tables []string
	err := b.lines(node, LegacyTablesFile, func(line string, _ Pos) error {
		if strings.HasPrefix(line, "#") {
			return nil
		}
		if line == "" || strings.Trim(line, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			return fmt.Errorf("want the name of a table, found %.40q", line)
		}
		tables = append(tables, line)
		return nil
	})
	return tables, err
}

// Has reports whether a node's folder has something of that name.
func (b *Bundle) Has(node, file string) bool {
	f, err := b.fsys.Open(NodeFile(node, file))
	if err != nil {
		return false
	}
	f.Close()
	return true
}
