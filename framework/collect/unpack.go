package collect

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	"github.com/netfault/netfault/detectors/evidence"
)

// Bounds on what a node may send, in bytes. A full conntrack table of 262,144 entries is about 50 MB.
const (
	maxFile = 256 << 20
	maxNode = 512 << 20
)

// countFiles are the entries that a node may send at either look.
var countFiles = []string{
	evidence.LinkFile, evidence.NetstatFile, evidence.SNMPFile, evidence.ConntrackStatsFile,
	evidence.NFTFile, evidence.LegacyFile, evidence.IPTablesFile, evidence.NFTRulesetFile, evidence.ErrorsFile,
}

// nodeFiles are the entries that a node may send at the first look.
var nodeFiles = append([]string{
	evidence.AddrFile, evidence.RouteFile, evidence.PolicyFile, evidence.NeighFile, evidence.FDBFile, evidence.EthtoolFile,
	evidence.UnameFile, evidence.ModulesFile, evidence.LegacyTablesFile, evidence.SubnetFile, evidence.SysctlFile, evidence.ConntrackFile,
	evidence.NFTChainsFile, evidence.TWRecycleFile,
}, countFiles...)

// laterFiles are those at the second.
var laterFiles = func() (list []string) {
	for _, file := range countFiles {
		list = append(list, evidence.Later(file))
	}
	return list
}()

func nodeDir(node string) string { return path.Dir(evidence.NodeFile(node, evidence.LinkFile)) }

// unpack reads a node's tar stream and writes its entries into the node's folder under root, which must exist. A node is
// not trusted: only regular files of the names allowed, each once, within the bounds. What came before an error stays; each file
// that is there is whole.
func unpack(root *os.Root, node string, r io.Reader, allowed []string) error {
	limited := &limitedReader{r, maxNode}
	tr := tar.NewReader(limited)
	var seen []string
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			// tar(1) pads an archive behind its end, which the sender must get rid of.
			_, err := io.Copy(io.Discard, limited)
			return errors.Join(complete(seen), err)
		}
		if err != nil {
			return fmt.Errorf("read tar stream: %w", err)
		}
		switch {
		case !slices.Contains(allowed, h.Name):
			return fmt.Errorf("tar stream has an entry %q, which is not a file of a node", h.Name)
		case slices.Contains(seen, h.Name):
			return fmt.Errorf("tar stream has %s twice", h.Name)
		case h.Typeflag != tar.TypeReg:
			return fmt.Errorf("tar stream has %s as something else than a regular file (type %q)", h.Name, h.Typeflag)
		case len(h.PAXRecords) > 0: // among them those of sparse files, which are small here and large on the disk
			return fmt.Errorf("tar stream has %s with an extended header", h.Name)
		case h.Size > maxFile:
			return fmt.Errorf("%s has %d bytes, more than the %d that are allowed", h.Name, h.Size, maxFile)
		}
		seen = append(seen, h.Name)
		err = writeWhole(root, evidence.NodeFile(node, h.Name), func(w io.Writer) error {
			_, err := io.Copy(w, tr)
			return err
		})
		if err != nil {
			return err
		}
	}
}

// complete returns an error for a stream that ended without any file: no bytes at all are an empty archive to package tar.
func complete(seen []string) error {
	if len(seen) == 0 {
		return errors.New("the node sent nothing")
	}
	return nil
}

// limitedReader fails, rather than ends, when there is more than n bytes to read.
type limitedReader struct {
	r io.Reader
	n int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.n -= int64(n); l.n < 0 {
		return 0, fmt.Errorf("more than the %d bytes that a node may send", maxNode)
	}
	return n, err
}

// limitedWriter fails when more than n bytes are written.
type limitedWriter struct {
	w io.Writer
	n int64
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.n -= int64(len(p)); l.n < 0 {
		return 0, fmt.Errorf("more than the %d bytes that a file may have", maxFile)
	}
	return l.w.Write(p)
}
