package fault

import (
	"context"
	"time"
)

// Step is one step of a fault's life. Its name is part of the report's format.
type Step struct {
	Name string `json:"step"`
	// About says in a few words what must hold for the step to pass.
	About string `json:"about"`
	// Number is its place in the plan of Of steps, from 1.
	Number int `json:"number"`
	Of     int `json:"of"`
	run    func(ctx context.Context) error
}

// Result is how a step went.
type Result struct {
	Step  string    `json:"step"`
	About string    `json:"about"`
	Begun time.Time `json:"begun"`
	// Seconds is how long the step took.
	Seconds float64 `json:"seconds"`
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	// Details are what was done and seen, a line each.
	Details []string `json:"details,omitempty"`
	// Bundle is the folder with the evidence that the step judged, if it took any.
	Bundle string `json:"bundle,omitempty"`
	// Deaths are where packets died, for a step that looks.
	Deaths *Deaths `json:"deaths,omitempty"`
}

// Reporter receives what happens as it happens.
type Reporter interface {
	// Begin is called when a step begins.
	Begin(scenario string, s Step)
	// Detail is called with each thing that is done or seen in the step.
	Detail(line string)
	// End is called when the step has passed or failed.
	End(scenario string, s Step, r Result)
}
