package collect

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/netfault/netfault/framework/collect/procsys"
)

// sysctls writes sysctl.txt as `sysctl -a` prints it: for a value of several lines, the key before each.
func sysctls(ctx context.Context, w io.Writer) error {
	entries, err := procsys.Read(ctx)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	for _, e := range entries {
		for line := range strings.SplitSeq(e.Value, "\n") {
			fmt.Fprintf(out, "%s = %s\n", e.Key, line)
		}
	}
	return out.Flush()
}
