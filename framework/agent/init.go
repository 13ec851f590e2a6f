package agent

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// InitOptions are what the first process of a machine is started with.
type InitOptions struct {
	// Lab is the name of the lab; on the command line it is the mark by which a lab's processes are found again.
	Lab     string
	Machine string
	LogDir  string
	// Seal is what a sealed lab's first machine is started with; nil for all others, which are in its sealed root.
	Seal *Seal
}

// Init is the first process of a machine: it makes the machine's own view of the file system, then keeps services
// until it is killed, and the kernel ends everything in the machine with it. It must have been started in new mount,
// PID, network and UTS namespaces.
func Init(o InitOptions) error {
	// Caught and dropped rather than ignored: services would inherit that, and not hear a stop in their first moments.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if os.Getpid() != 1 {
		return fmt.Errorf("init is started as the first process of a machine, not by hand")
	}
	if err := closeInherited(); err != nil {
		return err
	}
	if o.Seal != nil {
		return o.Seal.apply(o)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// Services get nothing of the environment of who made the lab, as systemd's do not: with its proxy, flanneld finds no etcd.
	os.Clearenv()
	if err := os.Setenv("PATH", Path); err != nil {
		return err
	}
	if err := isolate(o, self); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("lo up: %w", err)
	}
	listener, err := net.Listen("unix", SocketPath)
	if err != nil {
		return err
	}
	f := &family{}
	go f.reapForever()
	return http.Serve(listener, newInitHandler(o, self, f))
}

// closeInherited closes the files that whoever made the lab had open by chance: a lab that stands would hold them for as long,
// such as the lock of `flock FILE netfault lab up`. Files of this process's own are closed on exec, which tells them apart.
func closeInherited() error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		// An error here is that of the folder's own, which is closed by now.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			if err := unix.Close(fd); err != nil {
				return err
			}
		}
	}
	return nil
}

func newInitHandler(o InitOptions, self string, f *family) http.Handler {
	m := &manager{services: map[string]*service{}, family: f}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /name", func(w http.ResponseWriter, _ *http.Request) { reply(w, o.Machine, nil) })
	mux.HandleFunc("GET /services", func(w http.ResponseWriter, _ *http.Request) { reply(w, m.list(), nil) })
	mux.HandleFunc("PUT /services/{name}", func(w http.ResponseWriter, r *http.Request) {
		var s Service
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			reply(w, nil, err)
			return
		}
		st, err := m.put(s)
		reply(w, st, err)
	})
	mux.HandleFunc("POST /services/{name}/{verb}", func(w http.ResponseWriter, r *http.Request) {
		st, err := m.act(r.PathValue("name"), r.PathValue("verb"))
		reply(w, st, err)
	})
	mux.HandleFunc("POST /machines", func(w http.ResponseWriter, r *http.Request) {
		var child Machine
		if err := json.NewDecoder(r.Body).Decode(&child); err != nil {
			reply(w, nil, err)
			return
		}
		pid, err := spawn(self, o.Lab, child, f)
		reply(w, pid, err)
	})
	return mux
}

func reply(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	// An error here means that the caller has gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(v)
}

// MachineCommand returns the command that starts the first process of a machine in namespaces of its own.
func MachineCommand(agent, lab string, m Machine) *exec.Cmd {
	cmd := exec.Command(agent, "init", "--lab="+lab, "--machine="+m.Name, "--logs="+m.LogDir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	return cmd
}

// spawn starts a machine and returns the process ID of its first process in this machine.
func spawn(self, lab string, m Machine, f *family) (int, error) {
	if err := os.MkdirAll(m.LogDir, 0o755); err != nil {
		return 0, err
	}
	log, err := os.OpenFile(filepath.Join(m.LogDir, "init.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := MachineCommand(self, lab, m)
	cmd.Stdout, cmd.Stderr = log, log
	if err := f.start(cmd, cmd.Start); err != nil {
		return 0, err
	}
	go func() { _ = f.wait(cmd) }()
	return cmd.Process.Pid, nil
}
