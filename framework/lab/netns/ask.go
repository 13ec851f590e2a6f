package netns

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/netfault/netfault/framework/machine"
	"github.com/netfault/netfault/framework/session"
)

// staying is the netfault-agent that stays in a place for this process, which asks it all the time: its start costs more than most
// answers. It ends with this process, and with its machine or pod, whose network namespace it would keep.
type staying struct {
	mu      sync.Mutex
	session *session.Session
}

// allStaying are those of this process, by the namespaces that they are in: several labs may be open, and one several times.
var allStaying sync.Map

// mostStaying is how many stay at a time: each takes some megabytes, and four descriptors of this process, which may have only some more
// (filesNeeded). Where there are more places, the agent is started anew in the others.
var mostStaying = int64(120)

// stayingNow is how many there are.
var stayingNow atomic.Int64

// ask has the agent that stays in the place answer, or run the command.
func (p *place) ask(ctx context.Context, s *session.Session, c machine.Command) error {
	tail := &machine.Tail{}
	command := session.Command{Argv: c.Argv, Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr}
	if c.Stderr == nil {
		command.Stderr = tail
	}
	code, err := s.Run(ctx, command)
	if err == nil && code != 0 {
		return &machine.ExitError{Machine: p.name, Argv: c.Argv, Code: code, Stderr: tail.String()}
	}
	if err != nil {
		return fmt.Errorf("%s: %s: %w", p.name, strings.Join(c.Argv, " "), err)
	}
	return nil
}

// staying returns the session with the agent that stays in the place, which is started if none runs; nil if enough stay elsewhere.
func (p *place) staying(ctx context.Context) (*session.Session, error) {
	namespaces, err := p.namespaces()
	if err != nil {
		return nil, err
	}
	found, _ := allStaying.LoadOrStore(namespaces, &staying{})
	stays := found.(*staying)
	stays.mu.Lock()
	defer stays.mu.Unlock()
	if stays.session != nil && !stays.session.Ended() {
		return stays.session, nil
	}
	if stayingNow.Load() >= mostStaying {
		return nil, nil
	}
	argv := []string{p.agent, "session"}
	if p.pod != 0 {
		argv = append(argv, fmt.Sprintf("--with=%d", p.pod))
	}
	opened, err := session.OpenBy(ctx, func(prepare func(*exec.Cmd)) (*exec.Cmd, error) {
		return p.start(context.WithoutCancel(ctx), argv, prepare)
	})
	if err != nil {
		return nil, err
	}
	stays.session = opened
	stayingNow.Add(1)
	go func() {
		<-opened.Done()
		stayingNow.Add(-1)
	}()
	return opened, nil
}

// namespaces tells the place from all others that there are now.
func (p *place) namespaces() (string, error) {
	var all []string
	for _, path := range []string{p.root + "/ns/mnt", p.net + "/ns/net"} {
		inode, err := os.Readlink(path)
		if err != nil {
			return "", p.entering(path, err)
		}
		all = append(all, inode)
	}
	return strings.Join(all, " "), nil
}
