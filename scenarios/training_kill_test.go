package scenarios_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/labs"
	"github.com/netfault/netfault/framework/training"
	"github.com/netfault/netfault/framework/training/page/pagetest"
)

const (
	// killedRounds are how many servers are killed: one at each of the moments that differ, and some more.
	killedRounds = 6
	// usualStart is how long it takes until the page of one learner is there, and usualExercise until a program has healed it.
	usualStart, usualExercise = 8 * time.Second, 12 * time.Second
)

var _ = Describe("training that is killed", Label("sigkill", "train", "killed"), func() {
	It("loses no score and leaves nothing, at whatever moment the page or a lab is killed", func(ctx context.Context) {
		random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0x6b696c6c)) // "kill"
		fmt.Printf("%d rounds; the same moments again, as far as the machine lets them: --ginkgo.seed=%d\n", killedRounds, GinkgoRandomSeed())
		store := training.Store{Dir: GinkgoT().TempDir()}
		GinkgoT().Setenv(training.DirVariable, store.Dir)
		for range killedRounds {
			killed{store: store, name: ownName("site"), learners: 1 + random.IntN(2)}.round(ctx, random)
		}
		Expect(netfault(ctx, "train", "scores")).To(ContainSubstring("points"))
	})
})

// killed is a server of one learner, whose exercise outlives it, or of several, who work at the same time.
type killed struct {
	store    training.Store
	name     string
	learners int
}

// lab is that of a learner, from 0.
func (k killed) lab(i int) string {
	if k.learners == 1 {
		return k.name
	}
	return fmt.Sprintf("%s-%d", k.name, i+1)
}

func (k killed) storeOf(i int) training.Store {
	if k.learners == 1 {
		return k.store
	}
	return k.store.Of(i + 1)
}

// known is what a learner has been told, and so must not be lost.
type known struct {
	hints, points int
	healed        bool
}

func (k killed) round(ctx context.Context, random *rand.Rand) {
	GinkgoHelper()
	// Half of them while labs are made, half while there is a page.
	started, labFirst := random.IntN(2) == 0, random.IntN(2) == 0
	moment := time.Duration(random.Float64() * float64(time.Duration(k.learners)*usualStart))
	if started {
		moment = time.Duration(random.Float64() * float64(usualExercise))
	}
	server, err := start(ctx, GinkgoT().TempDir(), []string{
		"train", "serve", "lisbon", "--site=" + k.name, fmt.Sprintf("--learners=%d", k.learners), fmt.Sprintf("--seed=%d", random.IntN(1<<16)),
	})
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx context.Context) {
		for i := range k.learners {
			Expect(labs.Found{Kind: labs.Netns, Name: k.lab(i)}.Remove(ctx)).To(Succeed())
		}
	})
	sessions, stop := context.WithCancel(ctx)
	told := make([]chan known, k.learners)
	for i := range k.learners {
		told[i] = make(chan known, 1)
		go func() { told[i] <- k.works(sessions, server, i) }()
	}
	if started {
		_, err := server.addresses(ctx, k.learners)
		Expect(err).NotTo(HaveOccurred())
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-server.over:
	}
	if labFirst {
		killMachines(k.lab(random.IntN(k.learners)))
	}
	Expect(server.cmd.Process.Kill()).To(Or(Succeed(), MatchError(os.ErrProcessDone)))
	<-server.over
	stop()
	fmt.Printf("    %d learners, killed after %v, with the page there: %t, a lab before it: %t\n", k.learners, moment.Round(time.Millisecond), started, labFirst)

	for i := range k.learners {
		knows := <-told[i]
		fmt.Printf("      learner %d was told %+v\n", i+1, knows)
		said := fmt.Sprintf("learner %d of %d, who was told %+v, after %v; the server said:\n%s", i+1, k.learners, knows, moment, server.said)
		k.leavesNothing(ctx, i, said)
		all, err := k.storeOf(i).All()
		Expect(err).NotTo(HaveOccurred(), said)
		if knows == (known{}) {
			continue
		}
		Expect(all).NotTo(BeEmpty(), said)
		log, err := all[len(all)-1].Log()
		Expect(err).NotTo(HaveOccurred(), said)
		hints, _ := log.Help()
		Expect(hints).To(BeNumerically(">=", knows.hints), said)
		Expect(log.Healed() != nil || !knows.healed).To(BeTrue(), said)
		if knows.healed {
			Expect(log.Points()).To(Equal(knows.points), said)
		}
	}
}

// leavesNothing resets a lab, and ends the exercise of a learner alone, whose lab is there until that.
func (k killed) leavesNothing(ctx context.Context, i int, said string) {
	GinkgoHelper()
	found := labs.Found{Kind: labs.Netns, Name: k.lab(i)}
	if all, err := labs.List(ctx); err != nil || slices.Contains(all, found) {
		netfault(ctx, "reset", "--lab="+found.Name)
	}
	if k.learners == 1 {
		if _, err := k.store.Running(); !errors.Is(err, training.ErrNone) {
			netfault(ctx, "train", "stop")
		}
	}
	Expect(labs.List(ctx)).NotTo(ContainElement(found), said)
	Expect(filepath.Join("/run/netfault", found.Name)).NotTo(BeADirectory(), said)
	Expect(processesOf("--lab="+found.Name)).To(BeEmpty(), said)
}

// works does the exercise as soon as the page is there, until it is healed or the socket ends, and returns what it was told.
func (k killed) works(ctx context.Context, server *victim, i int) (knows known) {
	addresses, err := server.addresses(ctx, i+1)
	if err != nil {
		return knows
	}
	window, err := pagetest.Dial(ctx, addresses[i], "live", nil)
	if err != nil {
		return knows
	}
	defer window.CloseNow()
	var hints, verdict struct {
		OK struct {
			Points  int
			Verdict string
		}
	}
	if err := askPage(ctx, window, "hint", &hints); err != nil {
		return knows
	}
	knows = known{hints: 1, points: hints.OK.Points}
	if k.solves(ctx, addresses[i], i) != nil || askPage(ctx, window, "check", &verdict) != nil {
		return knows
	}
	knows.healed, knows.points = verdict.OK.Verdict == string(training.Healed), verdict.OK.Points
	return knows
}

// solves types the solution into a terminal of the page, without waiting for what it says.
func (k killed) solves(ctx context.Context, address string, i int) error {
	faulty, err := faultyIn(k.storeOf(i))
	if err != nil {
		return err
	}
	var on, typed string
	for _, t := range faulty.Values.Type(lisbon().Solution) {
		on, typed = t.Machine, typed+t.Command+"\n"
	}
	shell, err := pagetest.Dial(ctx, address, "terminal", map[string]any{"machine": on})
	if err != nil {
		return err
	}
	defer shell.CloseNow()
	if err := shell.Type(ctx, typed+"exit\n"); err != nil {
		return err
	}
	for {
		if _, _, err := shell.Read(ctx); err != nil {
			if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
				return nil
			}
			return err
		}
	}
}

// askPage asks for something and reads the answer into what is given; an answer that is an error is one.
func askPage(ctx context.Context, window *pagetest.Socket, what string, into any) error {
	answer, err := window.Ask(ctx, what)
	if err != nil {
		return err
	}
	var failed struct{ Error string }
	if err := json.Unmarshal(answer, &failed); err != nil {
		return err
	}
	if failed.Error != "" {
		return errors.New(failed.Error)
	}
	return json.Unmarshal(answer, into)
}

// processesOf are those that have all of these arguments, by their process IDs.
func processesOf(arguments ...string) []int {
	GinkgoHelper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	Expect(err).NotTo(HaveOccurred())
	var all []int
	for _, file := range files {
		argv, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended
		}
		Expect(err).NotTo(HaveOccurred())
		has := strings.Split(string(argv), "\x00")
		if !slices.ContainsFunc(arguments, func(a string) bool { return !slices.Contains(has, a) }) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			Expect(err).NotTo(HaveOccurred())
			all = append(all, pid)
		}
	}
	return all
}

// killMachines kills the first processes of a lab's machines, as far as there are any.
func killMachines(name string) {
	GinkgoHelper()
	for _, pid := range processesOf("--lab=" + name) {
		Expect(syscall.Kill(pid, syscall.SIGKILL)).To(Or(Succeed(), MatchError(syscall.ESRCH)))
	}
}
