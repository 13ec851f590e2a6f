package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/netfault/netfault/framework/wait"
)

// callLimit is how long a caller waits for an answer: long enough for TCP to send its first SYN a second time (after
// 1 s, RFC 6298).
const callLimit = 1300 * time.Millisecond

// CallResult is what became of one call.
type CallResult struct {
	// Answer is the server's, if there was one.
	Answer *Answer `json:"answer,omitempty"`
	// Error says why not: "timeout", or what the kernel says.
	Error string `json:"error,omitempty"`
	// Millis is how long it took, in milliseconds.
	Millis float64 `json:"millis"`
}

// Call opens n connections at once to a server that closes connections first (Server.ListenClosing), and says what
// became of each.
func Call(ctx context.Context, address string, n int) []CallResult {
	results := make([]CallResult, n)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			begun := time.Now()
			answer, err := call(ctx, address)
			results[i] = CallResult{Answer: answer, Millis: float64(time.Since(begun).Microseconds()) / 1000}
			if err != nil {
				results[i].Error = reason(err)
			}
		})
	}
	wg.Wait()
	return results
}

func call(ctx context.Context, address string) (*Answer, error) {
	ctx, cancel := wait.Patience(ctx, callLimit)
	defer cancel()
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return nil, endOf(ctx, err)
	}
	defer conn.Close()
	decoder := json.NewDecoder(conn)
	var answer Answer
	if err := decoder.Decode(&answer); err != nil {
		return nil, endOf(ctx, fmt.Errorf("answer: %w", err))
	}
	// The server's end of the connection comes before this side's.
	if decoder.More() {
		return nil, fmt.Errorf("%s says more than its answer", answer.Name)
	}
	return &answer, nil
}
