package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/netfault/netfault/framework/lab/netns"
	"github.com/netfault/netfault/framework/lab/owner"
	"github.com/netfault/netfault/framework/labs"
)

// clearUp removes the labs of a suite that has ended: those that have the process ID of the suite in their names, but for one
// that it has kept for a look.
func clearUp(ctx context.Context, pid int) error {
	all, err := suitesLabs(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, f := range all {
		if !strings.HasSuffix(f.Name, fmt.Sprintf("-%d", pid)) {
			continue
		}
		use, err := f.Use()
		if err == nil && use == owner.Standing && strings.HasPrefix(f.Name, labPrefix) {
			continue // keepLab let it go
		}
		failed = append(failed, f.Remove(ctx))
	}
	return errors.Join(failed...)
}

// suitesLabs lists the labs of the kind that the suite may have made. No container engine is asked for embedded ones.
func suitesLabs(ctx context.Context) ([]labs.Found, error) {
	if *labKind != string(labs.Netns) {
		return labs.List(ctx)
	}
	names, err := netns.List()
	var all []labs.Found
	for _, name := range names {
		all = append(all, labs.Found{Kind: labs.Netns, Name: name})
	}
	return all, err
}

// One signal to the process group of `make e2e` comes to the suite several times: from whoever sends it, and from make.
var _ = Describe("a suite that is ended", thoroughly("signals", "ended"), func() {
	for name, times := range map[string]int{"by a signal": 1, "by one that comes twice": 2, "by one that comes three times": 3} {
		It(name+" leaves no lab", func(ctx context.Context) { endSuite(ctx, times, 1, "stale-vtep symptom: ") })
	}
	// What a process prints in a spec stands indented in Ginkgo's report on the spec, once that has ended.
	It("and has several processes leaves no lab", func(ctx context.Context) { endSuite(ctx, 1, 2, "  stale-vtep injected: ok") })
})

// endSuite ends a suite when it prints a line that begins so.
func endSuite(ctx context.Context, times, procs int, line string) {
	GinkgoHelper()
	self, err := os.Executable()
	Expect(err).NotTo(HaveOccurred())
	cmd := exec.CommandContext(ctx, self, "-test.run=TestScenarios", "-lab=netns", "-out="+GinkgoT().TempDir(), fmt.Sprintf("-procs=%d", procs),
		"--ginkgo.label-filter=fault && stale-vtep", "--ginkgo.succinct", "--ginkgo.no-color", "--ginkgo.silence-skips")
	run := begin(cmd, "")
	run.until(line)
	up := regexp.MustCompile(`lab netns:(\S+) is up`).FindStringSubmatch(run.output())
	Expect(up).NotTo(BeNil(), run.output())
	for range times {
		run.signal(syscall.SIGTERM)
	}
	Expect(run.wait()).To(Equal(143), run.output())
	Expect(netns.List()).NotTo(ContainElement(up[1]))
}
