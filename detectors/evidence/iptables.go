package evidence

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxRuleFile is the most bytes that a file of rules may have. 55,000 rules of a big kube-proxy take 6 MB.
const maxRuleFile = 256 << 20

// RuleFile returns what iptables-save printed on a node: the text of file, which is NFTFile, LegacyFile or IPTablesFile.
// All of it is in memory at once, unlike other files, since rules lead to one another. Package iptables parses it.
func (b *Bundle) RuleFile(node, file string) (string, error) {
	if err := CheckNodeName(node); err != nil {
		return "", fileError(NodesDir, err)
	}
	file = NodeFile(node, file)
	f, err := b.open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fileError(file, err)
	}
	size := info.Size()
	if size > maxRuleFile {
		return "", fileError(file, fmt.Errorf("longer than %d bytes", maxRuleFile))
	}
	// No more is taken than the size promises, so that nothing has to grow.
	var text strings.Builder
	text.Grow(int(size))
	if _, err := io.Copy(&text, io.LimitReader(f, size)); err != nil {
		return "", fileError(file, err)
	}
	switch _, err := io.ReadFull(f, make([]byte, 1)); {
	case err == nil:
		return "", fileError(file, errors.New("it grew while it was read"))
	case err != io.EOF:
		return "", fileError(file, err)
	case text.Len() == 0:
		return "", fileError(file, errors.New("the file is empty, as a failed command leaves it; a rule set without rules is a comment line"))
	}
	if !strings.HasSuffix(text.String(), "\n") {
		return "", fileError(file, errCutLine)
	}
	return text.String(), nil
}
