package fault

import "fmt"

// Plan lists all steps of the life, in their order, before the first runs: those of Inject, and those that heal.
func (l *Life) Plan() []Step {
	steps := []Step{
		{Name: "healthy", About: "every probe passes and every detector is clean", run: l.healthy},
		{Name: "recorded", About: "the undo journal is on disk", run: l.recorded},
		{Name: "injected", About: l.Scenario.Summary, run: l.injected},
		{Name: "symptom", About: "what the fault breaks fails, and nothing else", run: l.symptom},
		{Name: "detected", About: l.Scenario.Detector.Name + " reports it, and no other detector of a cause", run: l.detected},
	}
	// What does not help is shown once, before the first remedy.
	if l.Scenario.Attempts != nil && l.Remedy == "" {
		steps = append(steps, Step{Name: triedStep, About: "what people try first does not heal", run: l.tried})
	}
	about := "the finding's own remedy is run as printed"
	if l.Remedy != "" {
		about = "the finding's other remedy is run as printed: " + l.Remedy
	}
	steps = append(steps,
		Step{Name: remediedStep, About: about, run: l.remedied},
		Step{Name: "recovered", About: fmt.Sprintf("every probe passes again, and for %v more", holdFor), run: l.recovered},
		Step{Name: "clean", About: "every detector is clean again", run: l.clean},
		Step{Name: "undone", About: "the journal is undone", run: l.undone},
		Step{Name: "compared", About: "the kernel's state is what it was", run: l.compared},
	)
	return numbered(steps)
}

func numbered(steps []Step) []Step {
	for i := range steps {
		steps[i].Number, steps[i].Of = i+1, len(steps)
	}
	return steps
}

// The steps that Heal leaves out where there is nothing for them to do.
const (
	triedStep    = "tried"
	remediedStep = "remedied"
)

// injectSteps is how many steps of the plan lead from a healthy lab to a recognised fault.
const injectSteps = 5

// Inject are the steps of the plan from a healthy lab to a recognised fault.
func (l *Life) Inject() []Step { return l.Plan()[:injectSteps] }
