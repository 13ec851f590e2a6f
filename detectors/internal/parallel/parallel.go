// Package parallel does things side by side.
package parallel

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Workers is how many goroutines Do uses for n tasks.
func Workers(n int) int {
	return max(1, min(runtime.GOMAXPROCS(0), n))
}

// Do calls do(worker, i) once for each i below n, on Workers(n) goroutines that are numbered from 0, and returns
// when all calls have. A panic in one is raised again in the caller, where Run catches it.
func Do(n int, do func(worker, i int)) {
	var (
		next     atomic.Int64
		wg       sync.WaitGroup
		panicked atomic.Pointer[string]
	)
	for w := range Workers(n) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					text := fmt.Sprint(p)
					panicked.CompareAndSwap(nil, &text)
				}
			}()
			for i := int(next.Add(1)) - 1; i < n && panicked.Load() == nil; i = int(next.Add(1)) - 1 {
				do(w, i)
			}
		})
	}
	wg.Wait()
	if p := panicked.Load(); p != nil {
		panic(*p)
	}
}
