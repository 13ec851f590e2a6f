package netns

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/probe"
)

// BenchmarkLab makes and removes whole labs. Beside the times it reports them as multiples of a baseline in the same
// run: starting and ending as many machines with nothing in them.
func BenchmarkLab(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("labs need root: make bench")
	}
	for _, nodes := range []int{3, 10, 30} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			ctx := context.Background()
			name := fmt.Sprintf("bench-%d", os.Getpid())
			var up, down, empty time.Duration
			for b.Loop() {
				begun := time.Now()
				if _, err := Up(ctx, Options{Name: name, Ready: probe.Healthy, Nodes: nodes, Owned: true}); err != nil {
					b.Fatal(err)
				}
				up += time.Since(begun)
				begun = time.Now()
				if err := Remove(ctx, name); err != nil {
					b.Fatal(err)
				}
				down += time.Since(begun)
				empty += emptyMachines(b, ctx, name, nodes)
			}
			n := float64(b.N)
			b.ReportMetric(up.Seconds()/n, "up-s")
			b.ReportMetric(down.Seconds()/n, "down-s")
			b.ReportMetric(empty.Seconds()/n, "baseline-s")
			b.ReportMetric(up.Seconds()/empty.Seconds(), "up/baseline")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// emptyMachines times the start of a lab's machines, and nothing in them.
func emptyMachines(b *testing.B, ctx context.Context, name string, nodes int) time.Duration {
	b.Helper()
	programs, err := findPrograms("v0.28.10")
	if err != nil {
		b.Fatal(err)
	}
	l := newLab(record{Name: name, Nodes: nodes, Agent: programs.agent})
	begun := time.Now()
	if err := l.claim(); err != nil {
		b.Fatal(err)
	}
	if err := l.startMachines(ctx); err != nil {
		b.Fatal(err)
	}
	took := time.Since(begun)
	if err := Remove(ctx, name); err != nil {
		b.Fatal(err)
	}
	return took
}
