package page

import "sync"

// kept is how much of what a terminal printed last is shown to who begins to watch, in bytes.
const kept = 64 << 10

// mirror is what others see of a terminal.
type mirror struct {
	number  int
	machine string

	mu       sync.Mutex
	size     Size
	last     []byte
	watchers map[chan []byte]bool
}

func newMirror(number int, machine string, size Size) *mirror {
	return &mirror{number: number, machine: machine, size: size, watchers: map[chan []byte]bool{}}
}

// show shows what the terminal prints. Who watches too slowly is left behind: a learner never waits for that.
func (m *mirror) show(printed []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = append(m.last, printed...)
	if over := len(m.last) - kept; over > 0 {
		m.last = append([]byte(nil), m.last[over:]...)
	}
	for w := range m.watchers {
		select {
		case w <- append([]byte(nil), printed...):
		default:
			m.drop(w)
		}
	}
}

func (m *mirror) resize(size Size) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size = size
}

// watch returns what was printed last, the terminal's size, and what comes; it is closed when there is no more.
func (m *mirror) watch() (last []byte, size Size, coming chan []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	coming = make(chan []byte, 64)
	if m.watchers == nil {
		close(coming)
	} else {
		m.watchers[coming] = true
	}
	return append([]byte(nil), m.last...), m.size, coming
}

// leave ends watching.
func (m *mirror) leave(coming chan []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(coming)
}

// drop is for who holds the lock.
func (m *mirror) drop(w chan []byte) {
	if m.watchers[w] {
		delete(m.watchers, w)
		close(w)
	}
}

func (m *mirror) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.watchers {
		m.drop(w)
	}
	m.watchers = nil
}
