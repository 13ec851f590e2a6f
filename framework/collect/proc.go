package collect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// The calling thread's own: /proc/net would be that of the process's first thread.
const (
	netstatPath = "/proc/thread-self/net/netstat"
	snmpPath    = "/proc/thread-self/net/snmp"
	legacyPath  = "/proc/thread-self/net/ip_tables_names"
)

const (
	// subnetPath is where flanneld writes its subnet file, unless --subnet-file says otherwise.
	subnetPath  = "/run/flannel/subnet.env"
	modulesPath = "/proc/modules"
	// bridgeModule hands what crosses bridges to netfilter.
	bridgeModule = "br_netfilter"
)

// verbatim writes what stands in a file.
func verbatim(path string) func(io.Writer) error {
	return func(w io.Writer) error {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(&limitedWriter{w, maxFile}, f)
		return err
	}
}

// legacyTables writes ip-tables-names.txt: legacy iptables' tables. Where its module is not loaded, there is no such list.
func legacyTables(w io.Writer) error {
	names, err := os.ReadFile(legacyPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(names) == 0 {
		names = []byte("# legacy iptables has no tables\n")
	}
	_, err = w.Write(names)
	return err
}

// modules writes modules.txt: the line of /proc/modules of br_netfilter without the address, which says where the kernel has
// put itself. There is no such file where the kernel loads no modules.
func modules(w io.Writer) error {
	f, err := os.Open(modulesPath)
	if errors.Is(err, fs.ErrNotExist) {
		return noModule(w)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) >= 5 && fields[0] == bridgeModule {
			_, err := fmt.Fprintln(w, strings.Join(fields[:5], " "))
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return noModule(w)
}

func noModule(w io.Writer) error {
	_, err := fmt.Fprintf(w, "# %s is not in %s\n", bridgeModule, modulesPath)
	return err
}
