package page

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/netfault/netfault/framework/training/page/pagetest"
	"github.com/netfault/netfault/framework/wait"
)

// base is the address of the server where the tests are.
func (s *Server) base() string {
	return fmt.Sprintf("http://127.0.0.1:%d", s.listener.Addr().(*net.TCPAddr).Port)
}

// dial opens a socket as the page does, with changes to its request.
func dial(t *testing.T, s *Server, path string, change func(http.Header)) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	header := http.Header{"Origin": {s.base()}}
	if change != nil {
		change(header)
	}
	c, response, err := websocket.Dial(t.Context(), s.base()+path, &websocket.DialOptions{HTTPHeader: header, Host: header.Get("Host")})
	if c != nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, response, err
}

func says(t *testing.T, c *websocket.Conn, message any) {
	t.Helper()
	data, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(t.Context(), websocket.MessageText, data); err != nil {
		t.Fatal(err)
	}
}

// asking opens a live socket and asks for something; it returns the answer.
func asking(t *testing.T, s *Server, what request) answer {
	t.Helper()
	c := socketWith(t, s, "/live", hello{Token: s.seats[0].token})
	what.ID = 7
	return askOver(t, c, what)
}

func TestItIsCalledByItsNameAlone(t *testing.T) {
	s := serve(t, &learner{open: echo})
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	for host, want := range map[string]int{
		"127.0.0.1:" + port: 200, "localhost:" + port: 200, "[::1]:" + port: 200,
		"evil.example:" + port: 421, "127.0.0.1": 421, "127.0.0.1:1": 421, "127.0.0.1.evil.example:" + port: 421, "localhost": 421, "LOCALHOST.:" + port: 421,
	} {
		for _, path := range []string{"/", "/app.js", "/xterm/xterm.mjs", "/live", "/terminal", "/nothing"} {
			response, _, err := pagetest.Get(t.Context(), s.base()+path, host)
			if err != nil {
				t.Fatal(err)
			}
			if (response.StatusCode == 421) != (want == 421) {
				t.Errorf("%s%s: %s", host, path, response.Status)
			}
			for name, value := range headers {
				if name == "Cache-Control" && response.StatusCode >= 400 {
					continue // http.Error takes it out
				}
				if response.Header.Get(name) != value {
					t.Errorf("%s%s: %s: %q", host, path, name, response.Header.Get(name))
				}
			}
		}
	}
}

func TestItOnlyReads(t *testing.T) {
	s := serve(t, &learner{open: echo})
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "HEAD"} {
		r, err := http.NewRequestWithContext(t.Context(), method, s.base()+"/live", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %s", method, response.Status)
		}
	}
}

func TestSocketsAreForThePageItself(t *testing.T) {
	s := serve(t, &learner{open: echo})
	_, port, _ := net.SplitHostPort(s.listener.Addr().String())
	for name, change := range map[string]func(http.Header){
		"no origin":                   func(h http.Header) { h.Del("Origin") },
		"another port":                func(h http.Header) { h.Set("Origin", "http://127.0.0.1:1") },
		"another name":                func(h http.Header) { h.Set("Origin", "http://evil.example:"+port) },
		"https":                       func(h http.Header) { h.Set("Origin", "https://127.0.0.1:"+port) },
		"a file":                      func(h http.Header) { h.Set("Origin", "null") },
		"a name pointed here":         func(h http.Header) { h.Set("Origin", "http://evil.example:"+port); h.Set("Host", "evil.example:"+port) },
		"localhost for 127.0.0.1":     func(h http.Header) { h.Set("Origin", "http://localhost:"+port) },
		"two origins, the first ours": func(h http.Header) { h.Set("Origin", s.base()+" http://evil.example") },
	} {
		for _, path := range []string{"/live", "/terminal"} {
			if _, _, err := dial(t, s, path, change); err == nil {
				t.Errorf("%s: %s opens", name, path)
			}
		}
	}
	if _, _, err := dial(t, s, "/live", nil); err != nil {
		t.Errorf("the page itself: %v", err)
	}
}

func TestTheFirstMessageHoldsTheToken(t *testing.T) {
	l := &learner{open: echo}
	s := serve(t, l)
	for _, first := range []string{`{}`, `{"token":""}`, `{"token":"AAAAAAAAAAAAAAAAAAAAAA"}`, `not JSON`, `{"token":7}`} {
		c, _, err := dial(t, s, "/terminal", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Write(t.Context(), websocket.MessageText, []byte(first)); err != nil {
			t.Fatal(err)
		}
		if _, data, err := c.Read(t.Context()); err == nil {
			t.Errorf("%s: answered with %q", first, data)
		}
	}
	if len(l.shells) > 0 {
		t.Errorf("shells: %v", l.shells)
	}
	if token := s.seats[0].token; len(token) < 22 || token == newToken() {
		t.Errorf("token %q", token)
	}
}

// Whoever opens sockets and says nothing is thrown out, and there are never many of them.
func TestStrangersAreFew(t *testing.T) {
	s := serve(t, &learner{open: echo})
	s.patience = 500 * time.Millisecond
	refused := 0
	var first *websocket.Conn
	for range maxStrangers + 4 {
		c, response, err := dial(t, s, "/live", nil)
		if first == nil {
			first = c
		}
		if err != nil && response != nil && response.StatusCode == http.StatusServiceUnavailable {
			refused++
		}
	}
	if refused == 0 {
		t.Error("all were let in")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, _, err := first.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the first is not thrown out: %v", err)
	}
	err := wait.Until(t.Context(), 20*time.Second, "room for another", func(context.Context) error {
		_, _, err := dial(t, s, "/live", nil)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestATerminalIsJoinedToAShell(t *testing.T) {
	l := &learner{open: echo}
	s := serve(t, l)
	c, _, err := dial(t, s, "/terminal", nil)
	if err != nil {
		t.Fatal(err)
	}
	says(t, c, hello{Token: s.seats[0].token, Machine: "rome", Size: Size{80, 24}})
	if err := c.Write(t.Context(), websocket.MessageBinary, []byte("ip neigh\r")); err != nil {
		t.Fatal(err)
	}
	kind, data, err := c.Read(t.Context())
	if err != nil || kind != websocket.MessageBinary || string(data) != "ip neigh\r" {
		t.Errorf("%v %q %v", kind, data, err)
	}
	says(t, c, Size{100, 30})
	err = wait.Until(t.Context(), 20*time.Second, "the new size", func(context.Context) error {
		l.mu.Lock()
		shell := l.shells["rome"]
		l.mu.Unlock()
		shell.mu.Lock()
		defer shell.mu.Unlock()
		if len(shell.sizes) != 2 || shell.sizes[0] != (Size{80, 24}) || shell.sizes[1] != (Size{100, 30}) {
			return io.ErrNoProgress
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	c.CloseNow()
	select {
	case <-l.shells["rome"].closed:
	case <-time.After(20 * time.Second):
		t.Error("the shell goes on without its browser")
	}
}

// A shell that has ended ends its socket as it should be ended, so that the page can tell this from a server that is gone.
func TestAShellsEndIsTold(t *testing.T) {
	l := &learner{open: echo}
	s := serve(t, l)
	c := socketWith(t, s, "/terminal", hello{Token: s.seats[0].token, Machine: "rome"})
	if err := c.Write(t.Context(), websocket.MessageBinary, []byte("exit")); err != nil {
		t.Fatal(err)
	}
	next(t, c, has("exit"))
	l.mu.Lock()
	shell := l.shells["rome"]
	l.mu.Unlock()
	if err := shell.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Error(err)
	}
}

func TestAShellThatCannotBeHadSaysWhy(t *testing.T) {
	s := serve(t, &learner{open: echo})
	c, _, err := dial(t, s, "/terminal", nil)
	if err != nil {
		t.Fatal(err)
	}
	says(t, c, hello{Token: s.seats[0].token, Machine: "atlantis"})
	if _, _, err = c.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no machine atlantis") {
		t.Error(err)
	}
}

// What a browser does not take waits in the shell: memory does not grow with it.
func TestOutputWaitsForTheBrowser(t *testing.T) {
	l := &learner{open: endless}
	s := serve(t, l)
	c, _, err := dial(t, s, "/terminal", nil)
	if err != nil {
		t.Fatal(err)
	}
	says(t, c, hello{Token: s.seats[0].token, Machine: "rome"})
	if _, _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	printed := func() int {
		l.mu.Lock()
		shell := l.shells["rome"]
		l.mu.Unlock()
		shell.mu.Lock()
		defer shell.mu.Unlock()
		return shell.printed
	}
	// The kernel's buffers fill up, and then the shell stands.
	before := -1
	err = wait.Until(t.Context(), 20*time.Second, "the shell to stand", func(context.Context) error {
		now := printed()
		stands := now == before
		before = now
		if !stands {
			return io.ErrNoProgress
		}
		return nil
	})
	if err != nil || before > 16<<20 {
		t.Errorf("%d bytes, %v", before, err)
	}
}

func TestTerminalsAreCounted(t *testing.T) {
	s := serve(t, &learner{open: echo})
	for i := range MaxTerminals + 1 {
		c, _, err := dial(t, s, "/terminal", nil)
		if err != nil {
			t.Fatal(err)
		}
		says(t, c, hello{Token: s.seats[0].token, Machine: "rome"})
		if err := c.Write(t.Context(), websocket.MessageBinary, []byte("x")); err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Read(t.Context())
		switch {
		case i < MaxTerminals && err != nil:
			t.Fatalf("terminal %d: %v", i, err)
		case i == MaxTerminals && (err == nil || !strings.Contains(err.Error(), "close one")):
			t.Errorf("one too many: %v", err)
		}
	}
}

// The server's end ends the shells that were opened by it.
func TestShellsEndWithTheServer(t *testing.T) {
	l := &learner{open: echo}
	s, err := Listen(Place{}, Seat{"one", l})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	c, _, err := dial(t, s, "/terminal", nil)
	if err != nil {
		t.Fatal(err)
	}
	says(t, c, hello{Token: s.seats[0].token, Machine: "rome"})
	if err := c.Write(t.Context(), websocket.MessageBinary, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
	select {
	case <-l.shells["rome"].closed:
	default:
		t.Error("the shell is left")
	}
}

func TestLearnersDoNotSeeEachOther(t *testing.T) {
	one, two := &learner{open: echo}, &learner{open: echo}
	s := serve(t, one, two)
	if a := asking(t, s, request{Do: "hint"}); a.Error != "" {
		t.Fatal(a.Error)
	}
	if one.hints != 1 || two.hints != 0 {
		t.Errorf("hints: %d and %d", one.hints, two.hints)
	}
	if s.Address(0) == s.Address(1) || !strings.HasPrefix(s.Address(0), s.base()+"/#") {
		t.Errorf("%s %s", s.Address(0), s.Address(1))
	}
}

func TestWhatIsAskedForIsTold(t *testing.T) {
	l := &learner{open: echo}
	s := serve(t, l)
	told := func(r request) string {
		t.Helper()
		a := asking(t, s, r)
		if a.Error != "" {
			return "error: " + a.Error
		}
		data, err := json.Marshal(a.OK)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, c := range []struct {
		ask        request
		has, lacks string
	}{
		{request{Do: "brief", Language: "en"}, `<code>paris</code>`, "onclick"},
		{request{Do: "brief", Language: "zh"}, "里斯本", ""},
		{request{Do: "check"}, `"verdict":"broken"`, ""},
		{request{Do: "debrief"}, "error: the network is not healed yet", ""},
		{request{Do: "hints"}, `"solutionCost":50`, ""},
		{request{Do: "hints"}, `"hints":[]`, ""},
		{request{Do: "solution"}, `{"command":"ip neigh del 10.244.1.0 dev flannel.1","machine":"rome"}`, ""},
		{request{Do: "hints"}, `"solutionCost":0`, ""},
		{request{Do: "give up"}, `"heading":"Prevention"`, ""},
		{request{Do: "recording", Session: "../../etc/passwd"}, "error: there is no such session", ""},
		{request{Do: "explode"}, "error: there is no such thing", ""},
	} {
		got := strings.ReplaceAll(strings.ReplaceAll(told(c.ask), `\u003c`, "<"), `\u003e`, ">")
		if !strings.Contains(got, c.has) || c.lacks != "" && strings.Contains(got, c.lacks) {
			t.Errorf("%+v: %s", c.ask, got)
		}
	}
	l.mu.Lock()
	l.healed = true
	l.mu.Unlock()
	if got := told(request{Do: "debrief"}); !strings.Contains(got, `"seconds":83`) || !strings.Contains(got, `"heading":"Prevention"`) {
		t.Error(got)
	}
}

// Nobody but this machine reaches it.
func TestItListensOnLoopback(t *testing.T) {
	s := serve(t, &learner{open: echo})
	if ip := s.listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		t.Errorf("it listens on %s", ip)
	}
}

// Several windows of one learner see what one of them has asked for: a lab is not probed the more.
func TestWindowsShareALook(t *testing.T) {
	l := &learner{open: echo}
	s := &seat{Seat: Seat{Learner: l}}
	first := s.look(t.Context(), time.Hour)
	l.mu.Lock()
	l.healed = true
	l.mu.Unlock()
	const broken = 2 // from paris to a pod of rome
	if again := s.look(t.Context(), time.Hour); first.Paths[broken].Passes || again.Paths[broken].Passes || again.Event != "paths" {
		t.Errorf("%+v, and then %+v", first.Paths[broken], again.Paths[broken])
	}
	if later := s.look(t.Context(), 0); len(later.Paths) != len(first.Paths) || !later.Paths[broken].Passes {
		t.Errorf("later: %+v", later.Paths[broken])
	}
}
