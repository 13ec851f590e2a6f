// Command conformance replays measured sequences of packets against the emulated net.ipv4.tcp_tw_recycle. It prints a line
// for each sequence, and exits 1 if anything differed and 2 if the file cannot be used. It needs root.
//
//	go run ./hack/conformance [-quick] FILE
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/netfault/netfault/framework/twrecycle/replay"
)

func main() {
	quick := flag.Bool("quick", false, "leave out sequences that take more than 5 s")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: conformance [-quick] FILE")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	same, err := conformance(flag.Arg(0), *quick)
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(2)
	}
	if !same {
		os.Exit(1)
	}
}

// conformance says whether all sequences of a file went as measured.
func conformance(file string, quick bool) (bool, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	all, err := replay.Parse(data)
	if err != nil {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	if os.Geteuid() != 0 {
		return false, fmt.Errorf("needs root, to make network namespaces")
	}
	chosen := all
	if quick {
		chosen = nil
		for _, s := range all {
			if !s.Slow {
				chosen = append(chosen, s)
			}
		}
	}
	steps, differ := 0, 0
	replay.All(chosen, func(r replay.Result) {
		steps += len(r.Sequence.Steps)
		if !r.Same() {
			differ++
		}
		print(r)
	})
	fmt.Printf("%d sequences with %d steps, %d differ", len(chosen), steps, differ)
	if left := len(all) - len(chosen); left > 0 {
		fmt.Printf("; %d slow ones left out", left)
	}
	fmt.Println()
	return differ == 0, nil
}

func print(r replay.Result) {
	word := "same"
	switch {
	case r.Err != nil:
		word = "FAILED"
	case !r.Same():
		word = "DIFFERS"
	}
	s := r.Sequence
	fmt.Printf("%-7s %s: sequence %s, %d steps\n", word, s.Kernel, s.Name, len(s.Steps))
	for _, d := range r.Differences {
		fmt.Println("       ", d)
	}
	if r.Err != nil {
		fmt.Println("       ", r.Err)
	}
	for _, field := range s.Unused {
		fmt.Println("        a field that is not known was not used:", field)
	}
}
