package rekey

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/netfault/netfault/detectors/evidence"
)

// rewriter returns the new text of a file; note says what of it is left out. An error says why all of it is.
type rewriter func(n *Names, data []byte) (out []byte, note string, err error)

var (
	errEmpty = errors.New("the file is empty")
	errCut   = errors.New("cut short: the last line has no end")
)

// rewriteLines re-keys a text file line by line.
func rewriteLines(rewrite func(*Names, string) (string, error)) rewriter {
	return func(n *Names, data []byte) ([]byte, string, error) {
		if len(data) == 0 {
			return nil, "", errEmpty
		}
		if data[len(data)-1] != '\n' {
			return nil, "", errCut
		}
		var out bytes.Buffer
		number := 0
		for line := range strings.Lines(string(data)) {
			number++
			to, err := rewrite(n, strings.TrimSuffix(line, "\n"))
			if err != nil {
				return nil, "", fmt.Errorf("line %d: %w", number, err)
			}
			out.WriteString(to)
			out.WriteByte('\n')
		}
		return out.Bytes(), "", nil
	}
}

// verbatim keeps lines of a pattern, which hold no names.
func verbatim(pattern, want string) rewriter {
	re := regexp.MustCompile(pattern)
	return rewriteLines(func(_ *Names, line string) (string, error) {
		if !re.MatchString(line) {
			return "", fmt.Errorf("want %s", want)
		}
		return line, nil
	})
}

// rewriteConntrack re-keys a connection. Fields that are not known are left out. An empty file is an empty table.
func rewriteConntrack(n *Names, data []byte) ([]byte, string, error) {
	if len(data) == 0 {
		return nil, "", nil
	}
	return conntrackLines(n, data)
}

var conntrackLines = rewriteLines(func(n *Names, line string) (string, error) {
	var out []string
	for _, field := range strings.Fields(line) {
		key, value, named := strings.Cut(field, "=")
		switch {
		case !named && (known(field) || flowMark.MatchString(field)):
			out = append(out, field)
		case !named:
		case key == "src" || key == "dst":
			a, err := netip.ParseAddr(value)
			if err != nil {
				return "", fmt.Errorf("%s is no address", key)
			}
			out = append(out, key+"="+n.addr(a).String())
		case flowNumbers[key] && isNumber(value), key == "helper" && keywords[value]:
			out = append(out, field)
		}
	}
	return strings.Join(out, " "), nil
})

var (
	flowMark    = regexp.MustCompile(`^\[(ASSURED|UNREPLIED|OFFLOAD|HW_OFFLOAD|CONFIRMED|SEEN_REPLY)\]$`)
	flowNumbers = setOf("sport dport type code id packets bytes mark use zone zone-orig zone-reply timeout delta-time")
)

// rewriteSysctl re-keys "key = value"; a message that a setting could not be read becomes one without a value. Only keys
// under net. have values that are known here.
var rewriteSysctl = rewriteLines(func(n *Names, line string) (string, error) {
	if unread, is := evidence.UnreadSysctl(line); is {
		line = unread + " ="
	}
	key, value, ok := strings.Cut(line, "=")
	name := strings.TrimSuffix(key, " ")
	if !ok || !sysctlKey.MatchString(name) {
		return "", errors.New(`want "key = value"`)
	}
	key = n.sysctlKey(name) + key[len(name):]
	if !strings.HasPrefix(name, "net.") || strings.Contains(name, "stable_secret") || strings.Contains(name, "fastopen_key") {
		return key + "=", nil
	}
	words := strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' })
	for _, w := range words {
		if onlyAddresses(w) && !isNumber(w) {
			value = strings.Replace(value, w, n.Text(w), 1)
		} else if !known(w) && !sysctlWord.MatchString(w) {
			value = strings.Replace(value, w, n.word("word", w), 1)
		}
	}
	return key + "=" + value, nil
})

var (
	sysctlKey = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_/@:+-]+)+$`)
	// sysctlWord are masks of CPUs.
	sysctlWord = regexp.MustCompile(`^[0-9a-f]{1,8}(,[0-9a-f]{8})*$`)
)

// sysctlKey re-keys the interface that stands in a key, with slashes for its dots.
func (n *Names) sysctlKey(key string) string {
	parts := strings.Split(key, ".")
	if len(parts) > 3 && parts[0] == "net" && (parts[2] == "conf" || parts[2] == "neigh") {
		swap := strings.NewReplacer("/", ".", ".", "/")
		parts[3] = swap.Replace(n.iface(swap.Replace(parts[3])))
	}
	return strings.Join(parts, ".")
}

// rewriteErrors keeps which files could not be collected; why is text of any kind.
var rewriteErrors = rewriteLines(func(n *Names, line string) (string, error) {
	name, _, _ := strings.Cut(line, ": ")
	if name != "node" && !collected.MatchString(name) {
		name = "file"
	}
	return name + ": could not be collected", nil
})

var collected = regexp.MustCompile(`^(ip|bridge|iptables|nft|sysctl|netstat|snmp|uname|conntrack|tw-recycle|ethtool|subnet|modules|` +
	`leases|nodes|probes|services|endpointslices|pods|daemonsets|kube-proxy)` +
	`[a-z-]*\.(json|txt|env)$`)

// rewriteEthtool re-keys the interface's name in what ethtool -k prints.
var rewriteEthtool = rewriteLines(func(n *Names, line string) (string, error) {
	if strings.HasPrefix(line, "#") {
		return "#", nil
	}
	if name, ok := strings.CutPrefix(line, "Features for "); ok {
		name, ok = strings.CutSuffix(name, ":")
		if !ok || strings.ContainsAny(name, " \t") {
			return "", errors.New(`want "Features for LINK:"`)
		}
		return "Features for " + n.iface(name) + ":", nil
	}
	if !feature.MatchString(line) {
		return "", errors.New(`want "FEATURE: on" or "FEATURE: off"`)
	}
	return line, nil
})

var feature = regexp.MustCompile(`^\t?[a-z0-9_-]+: (on|off)( \[(fixed|requested on|requested off)\])?$`)

// rewriteSubnet re-keys what flanneld writes for the CNI plugin.
var rewriteSubnet = rewriteLines(func(n *Names, line string) (string, error) {
	key, value, ok := strings.Cut(line, "=")
	if !ok || !subnetKey.MatchString(key) {
		return "", errors.New(`want "FLANNEL_…=…"`)
	}
	return key + "=" + n.addressText(value), nil
})

var subnetKey = regexp.MustCompile(`^FLANNEL_[A-Z0-9_]+$`)

// rewriteConntrackStats keeps what conntrack -S prints, or /proc/net/stat/nf_conntrack: counters and their names.
var rewriteConntrackStats = rewriteLines(func(_ *Names, line string) (string, error) {
	for _, field := range strings.Fields(line) {
		name, value, named := strings.Cut(field, "=")
		if !hexNumber.MatchString(field) && (!flowCounters[name] || named && !isNumber(value)) {
			return "", errors.New("want what conntrack -S prints, or /proc/net/stat/nf_conntrack")
		}
	}
	return line, nil
})

var (
	hexNumber    = regexp.MustCompile(`^[0-9a-f]{8}$`)
	flowCounters = setOf(`cpu searched found new invalid ignore delete delete_list insert insert_failed drop early_drop error
		icmp_error search_restart clash_resolve chaintoolong entries expect_new expect_create expect_delete`)
)

// rewriteModules keeps which of the kernel's own modules for networks are loaded.
var rewriteModules = rewriteLines(func(n *Names, line string) (string, error) {
	if strings.HasPrefix(line, "#") {
		if noModule.MatchString(line) {
			return line, nil
		}
		return "#", nil
	}
	fields := strings.Fields(line)
	if len(fields) < 5 || !isNumber(fields[1]) || !known(fields[4]) {
		return "", errors.New("want a line of /proc/modules")
	}
	if !ownModule.MatchString(fields[0]) {
		fields[0] = n.word("module", fields[0])
	}
	// How many use it may be "-", and so are their names.
	if !isNumber(fields[2]) {
		fields[2] = "-"
	}
	return strings.Join([]string{fields[0], fields[1], fields[2], "-", fields[4]}, " "), nil
})

var (
	noModule  = regexp.MustCompile(`^# br_netfilter is not (in /proc/modules|loaded)$`)
	ownModule = regexp.MustCompile(`^(br_netfilter|bridge|vxlan|veth|overlay|stp|llc|x_tables|(nf|nft|xt|ip|ip6|ipt|ip6t|ip_set)_[a-z0-9_]+)$`)
)
