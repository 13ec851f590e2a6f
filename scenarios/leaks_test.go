package scenarios_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sync/errgroup"

	"github.com/netfault/netfault/detectors"
	"github.com/netfault/netfault/detectors/all"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/scenarios"
)

// telling is what nobody on a sealed lab may read: the project's words, and the names of all faults and of their detectors, however
// their parts are joined. What a fault is about, such as flannel or ARP, is said everywhere.
func telling() string { return tellingBeside("netfault", "scenario", "exercise") }

// tellingOnCluster leaves out the ordinary words, which stand in many a file of a node image.
func tellingOnCluster() string { return tellingBeside("netfault") }

func tellingBeside(words ...string) string {
	for _, s := range scenarios.All() {
		words = append(words, s.Name)
	}
	for _, d := range all.Detectors() {
		if d.Kind == detectors.Cause {
			words = append(words, d.Name)
		}
	}
	for i, w := range words {
		words[i] = strings.ReplaceAll(regexp.QuoteMeta(w), "-", "[-_ ]?")
	}
	return strings.Join(words, "|")
}

// folders are those of a machine that are not the distribution's.
var folders = []string{"/run", "/etc", "/var", "/tmp", "/root", "/home", "/opt", "/srv", "/mnt", "/media", "/dev", "/usr/local", "/usr/src"}

// processFiles are what /proc shows of all processes; the shell is there for the asterisks alone.
const processFiles = `for p in /proc/[0-9]*; do cat $p/cmdline $p/environ $p/comm $p/mountinfo $p/mounts $p/maps $p/status $p/cgroup; ` +
	`ls -l $p/exe $p/cwd $p/root $p/fd; done 2>&1`

// looks are what somebody tries who is root on a machine. What a machine does not have says nothing.
var looks = [][]string{
	{"sh", "-c", processFiles}, {"env"}, {"hostname"}, {"ps", "axwwe"}, {"mount"}, {"df"}, {"lsns"}, {"ss", "-anp"}, {"ipcs"}, {"cat", "/proc/net/unix"},
	{"ls", "-la", "/"}, append([]string{"find"}, folders...), {"ls", "/usr/bin", "/usr/sbin"},
	{"ip", "-d", "-s", "addr"}, {"ip", "-d", "neigh", "show", "nud", "all"}, {"ip", "rule"}, {"ip", "route", "show", "table", "all"}, {"ip", "netns"},
	{"bridge", "-d", "fdb"}, {"bridge", "-d", "link"}, {"tc", "-d", "qdisc"}, {"tc", "filter", "show", "dev", "eth0", "ingress"}, {"tc", "filter", "show", "dev", "eth0", "egress"},
	{"iptables-save"}, {"iptables-legacy-save"}, {"iptables-nft-save"}, {"nft", "list", "ruleset"}, {"conntrack", "-L"}, {"ethtool", "-i", "eth0"},
	{"sysctl", "-a"}, {"systemctl"}, {"systemctl", "--help"}, {"systemctl", "status", "flanneld"}, {"systemctl", "status", "docker"}, {"journalctl"},
	{"journalctl", "-u", "flanneld"}, {"journalctl", "-u", "docker"}, {"journalctl", "-u", "etcd"}, {"journalctl", "-u", "coredns"},
	{"noded"}, {"noded", "--help"}, {"noded", "flanneld", "--help"}, {"noded", "init"}, {"curl", "-sv", "--max-time", "1", "http://127.0.0.1:8080/"}, {"bash", "-ic", "history; set"},
	{"dmesg"},
}

// clusterLooks are what somebody tries who is root on a node of a cluster.
var clusterLooks = [][]string{
	{"kubectl", "get", "nodes,all,cm,secrets,sa,ds,events", "-A", "-o", "yaml", "--show-managed-fields"}, {"kubectl", "describe", "nodes"}, {"kubectl", "config", "view"},
	{"kubectl", "get", "ns,crd,clusterroles,csr,leases", "-A", "-o", "yaml"}, {"kubectl", "logs", "-n", "kube-flannel", "-l", "app=flannel", "--tail=-1"},
	{"ctr", "-n", "k8s.io", "images", "list"}, {"ctr", "-n", "k8s.io", "containers", "list"}, {"journalctl", "-u", "kubelet"}, {"journalctl", "-u", "containerd"},
}

// looksLimit is for all looks together; they take some seconds, on a cluster a minute, and hours where a whole machine's files are seen.
const looksLimit = 3 * time.Minute

// leaks returns what somebody on the lab's machines could read that tells what is being done to them, one line each.
func leaks(ctx context.Context, l lab.Lab) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, looksLimit, fmt.Errorf("the looks take longer than %v: there is more to be seen than a sealed lab has", looksLimit))
	defer cancel()
	pattern := telling()
	if l.API() != nil {
		pattern = tellingOnCluster()
	}
	word := regexp.MustCompile("(?i)" + pattern)
	var mu sync.Mutex
	var found []string
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	look, program := looks, "/proc/1/exe"
	if l.API() != nil {
		// systemd is first there
		look, program = slices.Concat(looks, clusterLooks), l.Agent()
	}
	all := []machine.Machine{l.Outside().Machine}
	for i, n := range l.Nodes() {
		all = append(all, n.Machine)
		if l.API() == nil || i == 0 { // there, logins to pods have their nodes' files and processes
			all = append(all, n.Pod.Machine)
		}
	}
	// The agents that the looks are made by stay there from now on: what is looked at is the lab, and not how the looks begin.
	for _, m := range all {
		if err := m.Run(ctx, machine.Command{Argv: []string{"true"}}); err != nil {
			return nil, err
		}
	}
	for _, m := range all {
		group.Go(func() error {
			lines, err := looksOf(ctx, m, look, program, pattern, word)
			mu.Lock()
			defer mu.Unlock()
			found = append(found, lines...)
			return err
		})
	}
	return found, group.Wait()
}

func looksOf(ctx context.Context, m machine.Machine, looks [][]string, program, pattern string, word *regexp.Regexp) ([]string, error) {
	var found []string
	for _, argv := range looks {
		var said bytes.Buffer
		err := m.Run(ctx, machine.Command{Argv: argv, Stdout: &said, Stderr: &said})
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if _, ran := errors.AsType[*machine.ExitError](err); err != nil && !ran && !strings.Contains(err.Error(), exec.ErrNotFound.Error()) {
			return nil, err
		}
		for line := range strings.SplitSeq(strings.ReplaceAll(said.String(), "\x00", "\n"), "\n") {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if word.MatchString(line) {
				found = append(found, fmt.Sprintf("%s# %s: %.200s", m.Name(), strings.Join(argv, " "), line))
			}
		}
	}
	// What stands in files. The programs that are bound in are those that every node has, with the words that they have everywhere, and so
	// are those in the layers of a cluster's images.
	inFiles, err := grep(ctx, m, pattern, append([]string{"-r", "-m3", "-D", "skip", "--exclude-dir=bin", "--exclude-dir=docker", "--exclude-dir=io.containerd.*"}, folders...)...)
	if err != nil {
		return nil, err
	}
	// What stands in the program that all else is started by, or that stands for it in a cluster's nodes, whatever it is taken apart with. It has the name of a kernel's setting, and
	// of the file in which evidence has it, as every program that reads it has; and two words of what it does outside of sealed labs.
	inProgram, err := grep(ctx, m, "[[:alnum:]_.-]*("+pattern+")[[:alnum:]_.-]*( capture)?", program)
	if err == nil && len(inProgram) == 0 {
		err = fmt.Errorf("%s: not even the kernel's setting is found in %s", m.Name(), program)
	}
	for _, line := range inProgram {
		if !strings.Contains(line, "tcp_tw_recycle") && !strings.Contains(line, "tw-recycle.json") && !strings.HasSuffix(line, "netfault-") && !strings.HasSuffix(line, "netfault capture") {
			inFiles = append(inFiles, line)
		}
	}
	return append(found, inFiles...), err
}

// grep returns what matches a pattern, which comes by standard input, so that grep does not tell of itself.
func grep(ctx context.Context, m machine.Machine, pattern string, args ...string) ([]string, error) {
	var said bytes.Buffer
	argv := append([]string{"grep", "-aoiE", "-f", "-"}, args...)
	err := m.Run(ctx, machine.Command{Argv: argv, Stdin: strings.NewReader(pattern), Stdout: &said})
	exit, ran := errors.AsType[*machine.ExitError](err)
	if err != nil && (!ran || exit.Code > 1 && unread(exit.Stderr)) {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(said.String()) {
		found = append(found, m.Name()+"# "+strings.TrimSpace(line))
	}
	return found, nil
}

// unread reports whether grep could not read what somebody else could: no device, no namespace's name, and nothing that has gone meanwhile.
func unread(stderr string) bool {
	for line := range strings.Lines(stderr) {
		if !strings.Contains(line, "/dev/") && !strings.Contains(line, "/run/netns/") && !strings.Contains(line, "No such file or directory") {
			return true
		}
	}
	return false
}

// bpfNames are the names of all BPF programs and maps of this machine, which `bpftool` lists to whoever is root in a lab, too.
func bpfNames() ([]string, error) {
	programs, err := namesOf(ebpf.ProgramGetNextID, func(id ebpf.ProgramID) (string, error) {
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			return "", err
		}
		info, err := p.Info()
		if err := errors.Join(err, p.Close()); err != nil {
			return "", err
		}
		return info.Name, nil
	})
	if err != nil {
		return nil, err
	}
	maps, err := namesOf(ebpf.MapGetNextID, func(id ebpf.MapID) (string, error) {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			return "", err
		}
		info, err := m.Info()
		if err := errors.Join(err, m.Close()); err != nil {
			return "", err
		}
		return info.Name, nil
	})
	return append(programs, maps...), err
}

// namesOf are the names of what has these numbers, and not gone meanwhile.
func namesOf[ID ~uint32](next func(ID) (ID, error), name func(ID) (string, error)) ([]string, error) {
	var names []string
	for id := ID(0); ; {
		var err error
		if id, err = next(id); errors.Is(err, os.ErrNotExist) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
		one, err := name(id)
		if errors.Is(err, os.ErrNotExist) {
			continue // it has gone
		}
		if err != nil {
			return nil, err
		}
		names = append(names, one)
	}
}

// looksAreReal fails unless the looks find what is there: a word that is put on one machine.
func looksAreReal(ctx context.Context, l lab.Lab) {
	GinkgoHelper()
	n := l.Nodes()[0].Machine
	_, err := machine.Output(ctx, n, "ip", "link", "add", "netfault0", "type", "bridge")
	Expect(err).NotTo(HaveOccurred())
	Expect(n.Run(ctx, machine.Command{Argv: []string{"tee", "/root/.notes"}, Stdin: strings.NewReader("Stale_VTEP\n")})).To(Succeed())
	found, err := leaks(ctx, l)
	Expect(err).NotTo(HaveOccurred())
	Expect(found).To(ContainElements(ContainSubstring("netfault0"), ContainSubstring("Stale_VTEP")))
	_, err = machine.Output(ctx, n, "ip", "link", "del", "netfault0")
	Expect(err).NotTo(HaveOccurred())
	_, err = machine.Output(ctx, n, "rm", "/root/.notes")
	Expect(err).NotTo(HaveOccurred())
}
