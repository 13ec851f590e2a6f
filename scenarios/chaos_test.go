package scenarios_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/fault"
	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/undo"
	"github.com/netfault/netfault/scenarios"
)

var rounds = flag.Int("rounds", 20, "how many commands the chaos spec ends at random moments")

// Commands are ended in random ways at random moments, where SIGKILL's specs choose lines. After each, one `netfault reset`
// must bring everything back, and who ended a command gently has nothing to reset.
var _ = Describe("chaos", Label("chaos"), func() {
	It("leaves nothing that one reset does not undo", func(ctx context.Context) {
		c := &chaos{
			random: rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0)), standing: map[labs.Flavour]*standing{}, usual: map[string]time.Duration{},
		}
		DeferCleanup(c.removeLabs)
		fmt.Printf("%d rounds; the same moments again, as far as the machine lets them: make chaos N=%d SEED=%d\n", *rounds, *rounds, GinkgoRandomSeed())
		failed := 0
		for i := range *rounds {
			err := c.round(ctx, fmt.Sprintf("%d/%d", i+1, *rounds))
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				failed++
				fmt.Printf("  FAILED: %v\n", err)
				c.removeLabs(ctx) // what is broken must not break the next round as well
			}
		}
		if failed > 0 {
			Fail(fmt.Sprintf("%d of %d rounds left something; see above", failed, *rounds))
		}
	})
})

type chaos struct {
	random *rand.Rand
	// standing are the labs that rounds share, with their state when they were made.
	standing map[labs.Flavour]*standing
	// usual is how long a command takes that nothing ends.
	usual map[string]time.Duration
}

type standing struct {
	found  labs.Found
	lab    lab.Lab
	before undo.Recorded
}

// move is what a round does: first commands that run to their end, then one or two at once, the first of which is ended.
type move struct {
	first   [][]string
	victims [][]string
	// undoes says that nothing is in force after the victim was ended gently, if it said this; "" for none that undoes.
	undoes string
}

// What a command says that undoes what it has begun, and what every command says that says anything.
const (
	saysUndoing  = "undoing what was done so far"
	saysAnything = "\n"
)

func (c *chaos) round(ctx context.Context, number string) error {
	if c.random.IntN(c.oneIn()) == 0 {
		return c.roundOfLab(ctx, number)
	}
	s := pick(c.random, scenarios.All())
	st, err := c.labFor(ctx, flavourFor(s))
	if err != nil {
		return err
	}
	if s.Missing(st.lab) != "" {
		return c.round(ctx, number)
	}
	m := c.moveOn(s, "--lab="+st.found.Name)
	e, err := c.play(ctx, number, m)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(st.lab.StateDir(), "journal.json")); err == nil && m.undoes != "" && strings.Contains(e.said, m.undoes) && e.gently() && e.code != "0" {
		return fmt.Errorf("a fault is in force after %s, without a reset", e)
	}
	if err := c.run(ctx, "reset", "--lab="+st.found.Name); err != nil {
		return err
	}
	after, err := undo.Record(ctx, st.lab)
	if err != nil {
		return err
	}
	if left := undo.Diff(st.before, after); len(left) > 0 {
		return fmt.Errorf("one reset leaves:\n    %s", strings.Join(left, "\n    "))
	}
	return c.run(ctx, "detect", "--lab="+st.found.Name)
}

// oneIn is how many rounds there are for one that makes a lab of its own, which takes long for a kind cluster.
func (c *chaos) oneIn() int {
	if chosen == labs.KIND {
		return 25
	}
	return 4
}

// moveOn picks what to do with a scenario on a standing lab.
func (c *chaos) moveOn(s fault.Scenario, onLab string) move {
	inject := []string{"fault", "inject", s.Name, onLab}
	heal := []string{"fault", "heal", onLab}
	snapshot := []string{"snapshot", onLab, "-o", filepath.Join(c.temp(), "bundle")}
	injected := [][]string{inject}
	return pick(c.random, []move{
		{victims: [][]string{inject}, undoes: saysAnything},
		{victims: [][]string{inject, inject}},
		{first: injected, victims: [][]string{heal}, undoes: saysUndoing},
		{first: injected, victims: [][]string{heal, heal}},
		{first: injected, victims: [][]string{{"reset", onLab}}},
		{first: injected, victims: [][]string{heal, {"reset", onLab}}},
		{first: injected, victims: [][]string{{"detect", onLab}}},
		{victims: [][]string{snapshot}},
	})
}

// roundOfLab ends the making or the removal of a lab. What is left after one reset is a whole lab or none.
func (c *chaos) roundOfLab(ctx context.Context, number string) error {
	found := labs.Found{Kind: chosen, Name: ownName("chaos")}
	up := []string{"lab", "up", "--lab=" + found.Name, "--kind=" + string(chosen), "--pods=" + string(c.pods())}
	down := []string{"lab", "down", "--lab=" + found.Name}
	_, err := c.play(ctx, number, pick(c.random, []move{
		{victims: [][]string{up}},
		{victims: [][]string{up, up}},
		{first: [][]string{up}, victims: [][]string{down}},
		{first: [][]string{up}, victims: [][]string{down, down}},
	}))
	if err != nil {
		return err
	}
	if all, err := labs.List(ctx); err != nil || !slices.Contains(all, found) {
		return err
	}
	if err := c.run(ctx, "reset", "--lab="+found.Name); err != nil {
		return err
	}
	all, err := labs.List(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(all, found) {
		// It was ended before it had done anything, or after it had done all.
		if err := c.run(ctx, "detect", "--lab="+found.Name); err != nil {
			return err
		}
		return c.run(ctx, down...)
	}
	for _, root := range []string{"/run/netfault", "/run/netfault-kind"} {
		if _, err := os.Stat(filepath.Join(root, found.Name)); err == nil {
			return fmt.Errorf("one reset leaves %s", filepath.Join(root, found.Name))
		}
	}
	return nil
}

func (c *chaos) pods() lab.Attachment {
	if chosen == labs.KIND {
		return lab.CNIBridge
	}
	return pick(c.random, lab.Attachments)
}

// labFor returns the standing lab of a flavour, which it makes if need be.
func (c *chaos) labFor(ctx context.Context, f labs.Flavour) (*standing, error) {
	if st, ok := c.standing[f]; ok {
		return st, nil
	}
	st := &standing{found: labs.Found{Kind: chosen, Name: ownName(fmt.Sprintf("chaos-%d", len(c.standing)))}}
	out, err := labUp(ctx, st.found, f).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("lab up: %w:\n%s", err, out)
	}
	c.standing[f] = st
	if st.lab, err = st.found.Open(ctx); err != nil {
		return nil, err
	}
	st.before, err = undo.Record(ctx, st.lab)
	return st, err
}

func (c *chaos) removeLabs(ctx context.Context) {
	ours := ownName("")
	all, err := labs.List(ctx)
	Expect(err).NotTo(HaveOccurred())
	for _, found := range all {
		if strings.HasPrefix(found.Name, "chaos-") && strings.HasSuffix(found.Name, ours) {
			Expect(found.Remove(ctx)).To(Succeed())
		}
	}
	clear(c.standing)
	Expect(os.RemoveAll(c.temp())).To(Succeed())
}

// temp is the folder in which the commands have their temporary files.
func (c *chaos) temp() string {
	return filepath.Join(os.TempDir(), ownName("netfault-chaos"))
}

// run runs a command to its end, and learns how long it takes.
func (c *chaos) run(ctx context.Context, args ...string) error {
	begun := time.Now()
	out, err := program(ctx, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("netfault %s: %w:\n%s", strings.Join(args, " "), err, out)
	}
	c.usual[kindOf(args)] = time.Since(begun)
	return nil
}

// kindOf is what commands have in common that take equally long.
func kindOf(args []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "--lab=") }), " ")
}

func pick[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }
