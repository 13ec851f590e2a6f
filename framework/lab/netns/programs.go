package netns

import (
	"errors"
	"strconv"

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

func findPrograms(flannelVersion string) (programs, error) {
	flanneld, err := tools.Flanneld(tools.BuiltFlannel(flannelVersion))
	if err != nil {
		return programs{}, err
	}
	p := programs{flanneld: []string{""}}
	var failed []error
	for path, find := range map[*string]func() (string, error){
		&p.agent: tools.Agent, &p.etcd: tools.Etcd().Find, &p.flanneld[0]: flanneld.Find, &p.coredns: tools.CoreDNS().Find,
	} {
		found, err := find()
		if err != nil {
			failed = append(failed, err)
		}
		*path = found
	}
	if p.dockerOptions, err = flanneld.FindScript(); err != nil {
		failed = append(failed, err)
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

// serve is the command line of a probe server.
func (p programs) serve(name string) []string {
	return []string{
		p.agent, "serve", "--name=" + name, "--listen=:" + strconv.Itoa(lab.PodPort), "--listen-closing=:" + strconv.Itoa(lab.ClosingPort),
	}
}
