package page

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/netfault/netfault/framework/training/page/pagetest"
)

// inContainer starts a server as in a container, and returns it with the address that the container's engine leads to.
func inContainer(t *testing.T) (s *Server, container string) {
	t.Helper()
	s = serveAt(t, Place{Published: 4711}, &learner{open: echo})
	return s, fmt.Sprintf("127.0.0.1:%d", s.listener.Addr().(*net.TCPAddr).Port)
}

// What is published from a container comes to the container's own address.
func TestItListensBeyondLoopbackInAContainerAlone(t *testing.T) {
	if ip := serve(t, &learner{}).listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		t.Errorf("on a machine it listens on %s", ip)
	}
	s, _ := inContainer(t)
	if ip := s.listener.Addr().(*net.TCPAddr).IP; !ip.IsUnspecified() {
		t.Errorf("in a container it listens on %s", ip)
	}
}

func TestAddressesAreThoseOutsideOfTheContainer(t *testing.T) {
	s, _ := inContainer(t)
	for _, address := range []string{s.Address(0), s.InstructorAddress()} {
		if !strings.HasPrefix(address, "http://127.0.0.1:4711/") {
			t.Errorf("%s is not what a browser outside opens", address)
		}
	}
}

// The engine leads to it whoever comes. It answers to its name outside, and to none that it has inside, or that leads there.
func TestAContainerHasTheNameOutsideAlone(t *testing.T) {
	_, container := inContainer(t)
	for host, want := range map[string]int{
		"127.0.0.1:4711": 200, "localhost:4711": 200, "[::1]:4711": 200,
		container: 421, "10.88.0.2:4711": 421, "10.88.0.2:8080": 421, "0.0.0.0:4711": 421, "host.docker.internal:4711": 421,
		"evil.example:4711": 421, "127.0.0.1": 421, "127.0.0.1.evil.example:4711": 421,
	} {
		response, said, err := pagetest.Get(t.Context(), "http://"+container+"/", host)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != want {
			t.Errorf("%s: %s, want %d", host, response.Status, want)
		}
		// Who has published it as another port reads how it is called.
		if want == 421 && said != "this page is called 127.0.0.1:4711\n" {
			t.Errorf("%s: %q", host, said)
		}
	}
}

func TestSocketsOfAContainerAreForThePageOutside(t *testing.T) {
	s, container := inContainer(t)
	const outside = "127.0.0.1:4711"
	for name, from := range map[string]struct{ host, origin string }{
		"a name pointed at the published port": {"evil.example:4711", "http://evil.example:4711"},
		"a page of another name":               {outside, "http://evil.example:4711"},
		"a page of another port":               {outside, "http://127.0.0.1:4712"},
		"the container's own address":          {container, "http://" + container},
		"no page":                              {outside, ""},
	} {
		for _, path := range []string{"/live", "/terminal", "/class", "/watch"} {
			_, _, err := dial(t, s, path, func(h http.Header) { h.Set("Host", from.host); h.Set("Origin", from.origin) })
			if err == nil {
				t.Errorf("%s: %s opens", name, path)
			}
		}
	}
	c, _, err := dial(t, s, "/live", func(h http.Header) { h.Set("Host", outside); h.Set("Origin", "http://"+outside) })
	if err != nil {
		t.Fatalf("the page itself: %v", err)
	}
	says(t, c, hello{Token: newToken()})
	if _, data, err := c.Read(t.Context()); err == nil {
		t.Errorf("another token: answered with %q", data)
	}
}
