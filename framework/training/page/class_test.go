package page

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// socketWith opens a socket and shows a token.
func socketWith(t *testing.T, s *Server, path string, first hello) *websocket.Conn {
	t.Helper()
	c, _, err := dial(t, s, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	says(t, c, first)
	return c
}

// next reads messages until one of them says yes.
func next(t *testing.T, c *websocket.Conn, is func(kind websocket.MessageType, data []byte) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		kind, data, err := c.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if is(kind, data) {
			return
		}
	}
}

func has(words string) func(websocket.MessageType, []byte) bool {
	return func(_ websocket.MessageType, data []byte) bool { return strings.Contains(string(data), words) }
}

func TestTokensAreOfOneRole(t *testing.T) {
	s := serve(t, &learner{open: echo})
	for path, token := range map[string]string{"/class": s.seats[0].token, "/watch": s.seats[0].token, "/live": s.instructor, "/terminal": s.instructor} {
		c := socketWith(t, s, path, hello{Token: token, Machine: "rome"})
		if _, data, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("%s: %q %v", path, data, err)
		}
	}
	if !strings.HasPrefix(s.InstructorAddress(), s.base()+"/instructor.html#") || strings.Contains(s.InstructorAddress(), s.seats[0].token) {
		t.Error(s.InstructorAddress())
	}
}

func TestWhoInstructsSeesAndSays(t *testing.T) {
	one, two := &learner{open: echo}, &learner{open: echo, healed: true}
	s := serve(t, one, two)
	window := socketWith(t, s, "/live", hello{Token: s.seats[1].token})
	shell := socketWith(t, s, "/terminal", hello{Token: s.seats[1].token, Machine: "rome", Size: Size{90, 20}})
	if err := shell.Write(t.Context(), websocket.MessageBinary, []byte("before\r")); err != nil {
		t.Fatal(err)
	}
	next(t, shell, has("before"))

	class := socketWith(t, s, "/class", hello{Token: s.instructor})
	next(t, class, has(`"name":"learner 2","title":"Lisbon","seconds":83,"paused":false,"hints":0,"checks":0,"verdict":"healed","held":false,"terminals":[{"number":1,"machine":"rome"}]`))
	ask := func(o order) answer {
		t.Helper()
		o.ID = 5
		says(t, class, o)
		var a answer
		next(t, class, func(_ websocket.MessageType, data []byte) bool { return json.Unmarshal(data, &a) == nil && a.ID == 5 })
		return a
	}
	for _, o := range []order{{Do: "say", Learner: 1, Text: "look at rome"}, {Do: "hold", Learner: 1, On: true}, {Do: "noise", Learner: 1}, {Do: "pause", Learner: 1, On: true}} {
		if a := ask(o); a.Error != "" {
			t.Errorf("%+v: %s", o, a.Error)
		}
	}
	for _, o := range []order{{Do: "say", Learner: 2, Text: "x"}, {Do: "say", Learner: -1, Text: "x"}, {Do: "say"}, {Do: "explode"}} {
		if a := ask(o); a.Error == "" {
			t.Errorf("%+v is done", o)
		}
	}
	next(t, window, has(`"notes":[{"kind":"said","text":"look at rome"},{"kind":"held"},{"kind":"noise"},{"kind":"paused"}]`))
	if a := askOver(t, window, request{ID: 9, Do: "debrief", Language: "en"}); a.Error != held["en"] {
		t.Errorf("a debrief that is held: %+v", a)
	}
	if a := askOver(t, window, request{ID: 8, Do: "give up", Language: "zh"}); a.Error != held["zh"] {
		t.Errorf("a debrief that is held: %+v", a)
	}
	ask(order{Do: "hold", Learner: 1})
	if a := askOver(t, window, request{ID: 10, Do: "debrief"}); a.Error != "" {
		t.Errorf("a debrief that is given: %+v", a)
	}
	ask(order{Do: "pause", Learner: 1, On: false})
	next(t, window, has(`{"kind":"given"},{"kind":"resumed"}]`))
	two.mu.Lock()
	if two.gaveUp > 0 {
		t.Error("a debrief that is held was paid for")
	}
	if two.noise != 1 || two.paused || one.noise != 0 || one.paused {
		t.Errorf("noise %d %d, paused %t %t", one.noise, two.noise, one.paused, two.paused)
	}
	two.mu.Unlock()

	watching := socketWith(t, s, "/watch", hello{Token: s.instructor, Learner: 1, Terminal: 1})
	next(t, watching, has(`{"columns":90,"rows":20}`))
	next(t, watching, has("before"))
	if err := shell.Write(t.Context(), websocket.MessageBinary, []byte("after\r")); err != nil {
		t.Fatal(err)
	}
	next(t, watching, has("after"))
	// Who watches cannot type.
	if err := watching.Write(t.Context(), websocket.MessageBinary, []byte("rm -rf /\r")); err == nil {
		_, data, err := watching.Read(t.Context())
		if err == nil {
			t.Errorf("it goes on with %q", data)
		}
	}
	next(t, shell, has("after"))
	again := socketWith(t, s, "/watch", hello{Token: s.instructor, Learner: 1, Terminal: 7})
	if _, _, err := again.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "that terminal is closed") {
		t.Error(err)
	}
}

// askOver asks over a socket that is open.
func askOver(t *testing.T, c *websocket.Conn, r request) answer {
	t.Helper()
	says(t, c, r)
	var a answer
	next(t, c, func(_ websocket.MessageType, data []byte) bool {
		return json.Unmarshal(data, &a) == nil && a.ID == r.ID
	})
	return a
}

// A learner's shell never waits for who watches it.
func TestWhoWatchesSlowlyIsLeftBehind(t *testing.T) {
	m := newMirror(1, "rome", Size{})
	_, _, coming := m.watch()
	for range 1000 {
		m.show(make([]byte, 1<<10))
	}
	n := 0
	for range coming {
		n++
	}
	if n == 0 || n == 1000 {
		t.Errorf("%d pieces were seen", n)
	}
	if last, _, _ := m.watch(); len(last) != kept {
		t.Errorf("%d bytes are kept", len(last))
	}
	m.close()
	if _, _, coming := m.watch(); coming != nil {
		if _, more := <-coming; more {
			t.Error("a closed terminal prints")
		}
	}
}
