package page

import (
	"context"
	"io"
	"time"
)

// Learner is who has an exercise, as the page needs it. Its methods may be called at the same time.
type Learner interface {
	// Brief is what the learner is told at the start, in a language ("en", "zh").
	Brief(ctx context.Context, language string) (Brief, error)
	// Paths probes every path of the network.
	Paths(ctx context.Context) ([]Path, error)
	// Shell starts a shell on a machine.
	Shell(ctx context.Context, machine string, size Size) (Terminal, error)
	// Hints are those that were given and still hold, and, with another, one more, which costs points.
	Hints(ctx context.Context, language string, another bool) (Hints, error)
	// Solution are the commands that heal the network. The first look at them costs points.
	Solution(ctx context.Context) ([]Command, error)
	// GiveUp has the debrief told of a network that is not healed. It costs as much as the solution.
	GiveUp(ctx context.Context) error
	// Check judges what became of the network.
	Check(ctx context.Context, language string) (Verdict, error)
	// Debrief is what is told when the network is healed, or was given up. Its error says what is missing for it.
	Debrief(ctx context.Context, language string) (Debrief, error)
	// Standing is how far they are.
	Standing(ctx context.Context) (Standing, error)
	// Noise adds harmless oddities to the network.
	Noise(ctx context.Context) error
	// Pause stops the clock, or lets it go on.
	Pause(ctx context.Context, paused bool) error
	// Recording opens one of the debrief's sessions, in asciicast's format.
	Recording(ctx context.Context, id string) (io.ReadCloser, error)
}

// Brief is what a learner is told at the start.
type Brief struct {
	Title string `json:"title"`
	// Pager is Markdown.
	Pager      string `json:"-"`
	Difficulty int    `json:"difficulty"`
	Minutes    int    `json:"minutes"`
	// Seconds is how long after the alarm, without pauses; Paused says that the clock stands.
	Seconds  float64   `json:"seconds"`
	Paused   bool      `json:"paused"`
	Machines []Machine `json:"machines"`
	// Over says that the network was found healed.
	Over bool `json:"over"`
}

// Standing is how far a learner is.
type Standing struct {
	Title string `json:"title"`
	// Seconds is how long after the alarm, without pauses; Paused says that the clock stands.
	Seconds float64 `json:"seconds"`
	Paused  bool    `json:"paused"`
	Hints   int     `json:"hints"`
	Checks  int     `json:"checks"`
	// Verdict is the last check's, empty if there was none.
	Verdict string `json:"verdict"`
}

// Machine is one that a learner may log in to.
type Machine struct {
	Name string `json:"name"`
	// Kind is "node", "pod" or "outside", and Node a pod's.
	Kind    string `json:"kind"`
	Node    string `json:"node,omitempty"`
	Address string `json:"address"`
}

// Path is a path through the network, as it was probed last.
type Path struct {
	// Kind is what is asked for: "pod", "service", "nodeport", "dns", "egress" or "large".
	Kind string `json:"kind"`
	From string `json:"from"`
	To   string `json:"to"`
	// Passes says that what was sent was answered as it should be, and Says, by language, what became of it otherwise.
	Passes bool              `json:"passes"`
	Says   map[string]string `json:"says,omitempty"`
}

// Size is that of a terminal, in characters.
type Size struct {
	Columns uint16 `json:"columns"`
	Rows    uint16 `json:"rows"`
}

// Terminal is a shell on a machine. Closing it ends everything that was started in it.
type Terminal interface {
	io.ReadWriteCloser
	Resize(Size) error
}

// Hints are what is told to who asks.
type Hints struct {
	Hints []Hint `json:"-"`
	// Left says that there may be more.
	Left bool `json:"left"`
	// Cost is what one more costs, of Points that are left.
	Cost   int `json:"cost"`
	Points int `json:"points"`
	// SolutionCost is what the solution costs, and giving up: 0 where it was seen, or is not needed any more.
	SolutionCost int `json:"solutionCost"`
}

// Command is one of the solution's.
type Command struct {
	Machine string `json:"machine"`
	Command string `json:"command"`
}

// Hint is one hint; Text is Markdown.
type Hint struct {
	Step int    `json:"step"`
	Text string `json:"-"`
}

// Verdict is what a check came to.
type Verdict struct {
	// Verdict is "broken", "lucky", "damage" or "healed".
	Verdict string `json:"verdict"`
	// Says is it in a sentence, and Lines are why.
	Says   string   `json:"says"`
	Lines  []string `json:"lines"`
	Points int      `json:"points"`
}

// Debrief is what is told when it is over.
type Debrief struct {
	// Parts are Markdown under their headings.
	Parts   []Part   `json:"-"`
	Moments []Moment `json:"moments"`
	// Sessions are the recordings that can be played again.
	Sessions []Session     `json:"sessions"`
	Points   int           `json:"points"`
	Took     time.Duration `json:"-"`
}

// Part is a chapter of a debrief.
type Part struct{ Heading, Text string }

// Moment is a point of the learner's time line.
type Moment struct {
	What string `json:"what"`
	// Seconds is how long after the alarm; Command and Machine are empty for what was no command.
	Seconds float64 `json:"seconds"`
	Machine string  `json:"machine,omitempty"`
	Command string  `json:"command,omitempty"`
}

// Session is the recording of one terminal.
type Session struct {
	ID      string    `json:"id"`
	Machine string    `json:"machine"`
	Began   time.Time `json:"began"`
}
