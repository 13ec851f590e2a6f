package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// SocketPath is where the first process of a machine listens, seen from inside the machine.
const SocketPath = "/run/machine/init.sock"

// BinDir comes first on the PATH of every command in a machine of the embedded lab: it holds the lab's own systemctl,
// journalctl and sysctl.
const BinDir = "/run/machine/bin"

// Path is the PATH in a machine of the embedded lab. Whoever makes the lab may have one without the sbin folders, where Debian
// has the network's tools: root has after su.
const Path = BinDir + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Machine asks the first process of a lab for a new machine.
type Machine struct {
	// Name becomes the machine's host name.
	Name string `json:"name"`
	// LogDir is the folder, seen from the parent, that receives the logs of the machine's services.
	LogDir string `json:"logDir"`
}

// Service is a process that the first process of a machine keeps. Its fields mean what they mean in a unit of systemd.
type Service struct {
	Name string `json:"name"`
	// Argv may contain "$NAME" as a word of its own: it becomes the words of that variable (systemd.service(5), COMMAND
	// LINES), none if it is empty.
	Argv []string `json:"argv"`
	Env  []string `json:"env,omitempty"`
	// EnvironmentFiles hold lines NAME="value" and are read before each start; one that is not there is passed over.
	EnvironmentFiles []string `json:"environmentFiles,omitempty"`
	// Notify makes the start wait until the service has said READY=1 (sd_notify(3)), as with Type=notify.
	Notify bool `json:"notify,omitempty"`
	// StartPost is run after each start, once the service is ready.
	StartPost []string `json:"startPost,omitempty"`
	// Files are written when the service is put: path to content.
	Files map[string]string `json:"files,omitempty"`
	// Pod puts the service in a network namespace of its own, connected with the machine's.
	Pod *PodNet `json:"pod,omitempty"`
}

// PodNet is how a pod hangs on its node.
type PodNet struct {
	// Bridge connects the pods as the bridge CNI plugin does; it is made if it is not there. Without a bridge, the pod
	// hangs on a /32 route to its host-side interface, which answers ARP for everything, as Calico does it.
	Bridge string `json:"bridge,omitempty"`
	// Gateway is the bridge's own address with its prefix, such as "10.244.1.1/24"; empty without a bridge.
	Gateway string `json:"gateway,omitempty"`
	// Address is the pod's, with the same prefix; /32 without a bridge.
	Address string `json:"address"`
	// HostLink is the name of the pod's interface on the node; inside the pod it is eth0.
	HostLink string `json:"hostLink"`
	MTU      int    `json:"mtu"`
}

// Status is the state of one service.
type Status struct {
	Service
	Running bool `json:"running"`
	// PID is the process ID inside the machine; 0 when it does not run.
	PID int `json:"pid"`
	// Starting says that it runs and has not been ready yet.
	Starting bool `json:"starting,omitempty"`
	// Stale says that it runs with other options than its files hold by now.
	Stale bool `json:"stale,omitempty"`
	// Exit says how the last run ended, if it did.
	Exit string `json:"exit,omitempty"`
}

// Client talks to the first process of a machine.
type Client struct{ http http.Client }

// NewClient returns a client for the socket at path.
func NewClient(path string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// Name returns the name of the machine that answers.
func (c *Client) Name(ctx context.Context) (string, error) {
	var name string
	return name, c.call(ctx, http.MethodGet, "/name", nil, &name)
}

// Services returns all services that were ever put, running or not, sorted by name.
func (c *Client) Services(ctx context.Context) ([]Status, error) {
	var all []Status
	return all, c.call(ctx, http.MethodGet, "/services", nil, &all)
}

// Put defines a service and starts it; one of the same name that runs is stopped first.
func (c *Client) Put(ctx context.Context, s Service) (Status, error) {
	var st Status
	return st, c.call(ctx, http.MethodPut, "/services/"+url.PathEscape(s.Name), s, &st)
}

// Act does "start", "stop" or "restart" to a service that was put before. It is no error to start what runs or to
// stop what does not.
func (c *Client) Act(ctx context.Context, name, verb string) (Status, error) {
	var st Status
	return st, c.call(ctx, http.MethodPost, "/services/"+url.PathEscape(name)+"/"+url.PathEscape(verb), nil, &st)
}

// Spawn starts a machine below this one and returns the process ID of its first process, as this machine sees it.
func (c *Client) Spawn(ctx context.Context, m Machine) (int, error) {
	var pid int
	return pid, c.call(ctx, http.MethodPost, "/machines", m, &pid)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://machine"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", bytes.TrimSpace(answer))
	}
	return json.Unmarshal(answer, out)
}
