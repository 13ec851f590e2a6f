package agent

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a service has after SIGTERM, before SIGKILL.
const stopGrace = 3 * time.Second

// manager keeps the services of one machine.
type manager struct {
	mu       sync.Mutex
	services map[string]*service
	family   *family
}

// service is one process, started and stopped under its own lock, so that a slow stop does not hold up the others.
type service struct {
	// acting is held over a start or a stop, which may take a minute; what the service is can be asked all the same.
	acting sync.Mutex

	mu   sync.Mutex
	spec Service
	cmd  *exec.Cmd
	// done is closed once the process is gone; nil before the first start.
	done chan struct{}
	exit string
	// starting says that the process that was started last has not been ready yet.
	starting bool
	family   *family
}

func (m *manager) list() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Status, 0, len(m.services))
	for _, s := range m.services {
		all = append(all, s.status())
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (m *manager) put(spec Service) (Status, error) {
	if len(spec.Argv) == 0 {
		return Status{}, fmt.Errorf("service %s has no program", spec.Name)
	}
	m.mu.Lock()
	s, ok := m.services[spec.Name]
	if !ok {
		s = &service{family: m.family}
		m.services[spec.Name] = s
	}
	m.mu.Unlock()
	s.acting.Lock()
	defer s.acting.Unlock()
	s.stop()
	s.mu.Lock()
	s.spec = spec
	s.mu.Unlock()
	if err := writeFiles(spec.Files); err != nil {
		return s.status(), err
	}
	err := s.start()
	return s.status(), err
}

func writeFiles(files map[string]string) error {
	for path, content := range files {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (m *manager) act(name, verb string) (Status, error) {
	m.mu.Lock()
	s, ok := m.services[name]
	m.mu.Unlock()
	if !ok {
		return Status{}, fmt.Errorf("this machine has no service %q", name)
	}
	s.acting.Lock()
	defer s.acting.Unlock()
	switch verb {
	case "start":
		err := s.start()
		return s.status(), err
	case "stop":
		s.stop()
		return s.status(), nil
	case "restart":
		s.stop()
		err := s.start()
		return s.status(), err
	}
	return Status{}, fmt.Errorf("cannot %s a service: want start, stop or restart", verb)
}

// running is asked under either lock.
func (s *service) running() bool {
	if s.done == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

func (s *service) status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Service: s.spec, Running: s.running()}
	if st.Running {
		st.PID, st.Starting = s.cmd.Process.Pid, s.starting
		// Files that cannot be read are told at the next start.
		env, err := s.spec.environment()
		st.Stale = err == nil && !slices.Equal(expand(s.spec.Argv, env), s.cmd.Args)
	} else {
		st.Exit = s.exit
	}
	return st
}

func (s *service) start() error {
	if s.running() {
		return nil
	}
	log, err := os.OpenFile(logPath(s.spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	env, err := s.spec.environment()
	if err != nil {
		return fmt.Errorf("start %s: %w", s.spec.Name, err)
	}
	argv := expand(s.spec.Argv, env)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var ready *notifySocket
	if s.spec.Notify {
		if ready, err = listenNotify(s.spec.Name); err != nil {
			return fmt.Errorf("start %s: %w", s.spec.Name, err)
		}
		defer ready.close()
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+ready.path)
	}
	start := cmd.Start
	if s.spec.Pod != nil {
		start = func() error { return startPod(cmd, *s.spec.Pod) }
	}
	if err := s.family.start(cmd, start); err != nil {
		return fmt.Errorf("start %s: %w", s.spec.Name, err)
	}
	s.mu.Lock()
	s.cmd, s.done, s.starting = cmd, make(chan struct{}), true
	s.mu.Unlock()
	go func(done chan struct{}) {
		waitErr := s.family.wait(cmd)
		s.exit = exitText(waitErr)
		close(done)
	}(s.done)
	if ready != nil {
		if err := ready.wait(s.done); err != nil {
			return fmt.Errorf("start %s: %w", s.spec.Name, withLog(err, s.spec.Name))
		}
	}
	if err := s.startPost(env, log); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting = false
	return nil
}

// startPost runs what the unit runs after each start.
func (s *service) startPost(env []string, log *os.File) error {
	if len(s.spec.StartPost) == 0 {
		return nil
	}
	post := exec.Command(s.spec.StartPost[0], s.spec.StartPost[1:]...)
	post.Env, post.Dir, post.Stdout, post.Stderr = env, "/", log, log
	if err := s.family.run(post); err != nil {
		return fmt.Errorf("%s, after the start of %s: %w", s.spec.StartPost[0], s.spec.Name, withLog(err, s.spec.Name))
	}
	return nil
}

// stop ends the service and waits for it.
func (s *service) stop() {
	if !s.running() {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
		return
	case <-time.After(stopGrace):
	}
	_ = s.cmd.Process.Kill()
	<-s.done
}

func exitText(err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "exit status 0"
	case errors.As(err, &exit):
		return exit.String()
	}
	return err.Error()
}

// onOwnThread runs f on a thread that ends afterwards, so that whatever f does to the thread's namespaces ends too.
func onOwnThread(f func() error) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		failed <- f()
	}()
	return <-failed
}
