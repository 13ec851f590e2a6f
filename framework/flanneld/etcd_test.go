package flanneld_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/tools"
	"github.com/netfault/netfault/framework/wait"
)

// prefix is flanneld's default -etcd-prefix.
const prefix = "/coreos.com/network"

// etcdServer is a real etcd in the test's namespace.
type etcdServer struct {
	t   *testing.T
	url string
}

func startEtcd(t *testing.T) *etcdServer {
	program, err := tools.Etcd().Find()
	if err != nil {
		t.Skip(err)
	}
	e := &etcdServer{t, "http://127.0.0.1:2379"}
	cmd := exec.Command(program, "--data-dir="+t.TempDir(), "--unsafe-no-fsync", "--enable-v2", "--log-level=error",
		"--heartbeat-interval=10", "--election-timeout=50")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // says that it was killed
	})
	err = wait.Until(t.Context(), limit, "etcd", func(context.Context) error {
		_, err := e.request(http.MethodPut, "/config", `{"Network":"10.244.0.0/16","SubnetLen":24,"Backend":{"Type":"vxlan"}}`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// request opens its connection itself: a client's would be opened by another goroutine, outside the test's namespace.
func (e *etcdServer) request(method, key, value string) (string, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	req, err := http.NewRequest(method, e.url+"/v2/keys"+prefix+key, strings.NewReader(url.Values{"value": {value}}.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := req.Write(conn); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func (e *etcdServer) must(method, subnet, value string) string {
	body, err := e.request(method, "/subnets/"+subnet, value)
	if err != nil {
		e.t.Fatal(err)
	}
	return body
}

func (e *etcdServer) put(subnet, value string) { e.must(http.MethodPut, subnet, value) }

func (e *etcdServer) remove(subnet string) { e.must(http.MethodDelete, subnet, "") }

func (e *etcdServer) get(subnet string) string {
	var a struct{ Node struct{ Value string } }
	if err := json.Unmarshal([]byte(e.must(http.MethodGet, subnet, "")), &a); err != nil {
		e.t.Fatal(err)
	}
	return a.Node.Value
}
