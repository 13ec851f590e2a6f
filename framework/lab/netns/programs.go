package netns

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/netfault/netfault/framework/agent"
	"github.com/netfault/netfault/framework/internal/namespaces"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/tools"
)

// programs are the paths of what a lab runs.
type programs struct {
	agent, etcd, coredns string
	// flanneld is the program, or the stand-in for it.
	flanneld []string
	// dockerOptions is flannel's mk-docker-opts.sh.
	dockerOptions string
	// docker is nil where no dockerd can be had.
	docker *tools.Docker
}

func (p programs) dockerName() string {
	if p.docker == nil {
		return lab.DockerRecorded
	}
	return p.docker.Version()
}

// Program is one of this machine's that a lab's machines run.
type Program struct {
	Name string
	// Package is Debian's that brings it, and Why is what it is needed for.
	Package, Why string
}

// Programs are all of them. A lab comes up without some, and could be neither broken nor healed.
var Programs = []Program{
	{"ip", "iproute2", "remedies and people read and change links, neighbours and routes with it"},
	{"bridge", "iproute2", "remedies and people read and change forwarding entries with it"},
	{"iptables", "iptables", "flanneld and the lab's Service rules use it"},
	{"iptables-restore", "iptables", "the lab's Service rules are loaded with it"},
	{"conntrack", "conntrack", "connection tracking is looked into with it"},
	{"sysctl", "procps", "settings are read and changed with it"},
}

// missingPrograms returns an error that names the packages to install, for those that are not where the lab's machines look.
func missingPrograms() error {
	var missing, packages []string
	for _, p := range Programs {
		if _, err := namespaces.LookPath(agent.Path, p.Name); err != nil {
			missing = append(missing, p.Name)
			if !slices.Contains(packages, p.Package) {
				packages = append(packages, p.Package)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%s: not installed; `apt-get install %s` brings what is missing, as `make tools` does", strings.Join(missing, ", "), strings.Join(packages, " "))
}

func findPrograms(flannelVersion string) (programs, error) {
	flanneld, err := tools.Flanneld(tools.BuiltFlannel(flannelVersion))
	if err != nil {
		return programs{}, err
	}
	p := programs{flanneld: []string{""}}
	failed := []error{missingPrograms()}
	for path, find := range map[*string]func() (string, error){
		&p.agent: tools.Agent, &p.etcd: tools.Etcd().Find, &p.flanneld[0]: flanneld.Find, &p.coredns: tools.CoreDNS().Find,
	} {
		found, err := find()
		if err != nil {
			failed = append(failed, err)
		}
		*path = found
	}
	if p.flanneld[0] != "" { // else it was said that it is not built
		if p.dockerOptions, err = flanneld.FindScript(); err != nil {
			failed = append(failed, err)
		}
	}
	if tools.HasStandIn(flannelVersion) {
		p.flanneld = []string{p.agent, "flanneld"}
	}
	// Recorded rules do in place of a dockerd that is not there, and the lab says so.
	if docker, err := tools.FindDocker(); err == nil {
		p.docker = &docker
	}
	return p, errors.Join(failed...)
}

// sealed are the programs by their paths in a sealed lab, of which seal is to have them.
func (p programs) sealed(seal *agent.Seal) programs {
	const bin, docker = "/usr/local/bin/", "/usr/local/lib/docker"
	seal.Programs = map[string]string{bin + "etcd": p.etcd, bin + "coredns": p.coredns, bin + "mk-docker-opts.sh": p.dockerOptions}
	sealed := programs{agent: agent.SealedProgram, etcd: bin + "etcd", coredns: bin + "coredns", dockerOptions: bin + "mk-docker-opts.sh"}
	if len(p.flanneld) == 1 {
		seal.Programs[bin+"flanneld"] = p.flanneld[0]
		sealed.flanneld = []string{bin + "flanneld"}
	} else {
		sealed.flanneld = slices.Concat([]string{agent.SealedProgram}, p.flanneld[1:])
	}
	if p.docker != nil {
		seal.Trees = map[string]string{docker: p.docker.Dir()}
		moved := p.docker.At(docker)
		sealed.docker = &moved
	}
	return sealed
}

// serve is the command line of a probe server.
func (p programs) serve(name string) []string {
	return []string{
		p.agent, "serve", "--name=" + name, "--listen=:" + strconv.Itoa(lab.PodPort), "--listen-closing=:" + strconv.Itoa(lab.ClosingPort),
	}
}
