package scenarios_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	. "github.com/onsi/ginkgo/v2"
)

// What a process prints that shares the suite with others is shown when a spec has ended, and one may have to make a cluster first. So
// what is to be shown at once is told to the process that has started them, over a socket of its network namespace that ends with it.

// listener is the address at which the suite's first process listens.
func listener(suite int) *net.UnixAddr {
	return &net.UnixAddr{Net: "unixgram", Name: fmt.Sprintf("@netfault-suite-%d", suite)}
}

// tell shows a line at once.
func tell(line string) error {
	if *ofSuite == 0 {
		_, err := fmt.Println(line)
		return err
	}
	config, _ := GinkgoConfiguration()
	to, err := net.DialUnix("unixgram", nil, listener(*ofSuite))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to, "process %d: %s\n", config.ParallelProcess, line)
	return errors.Join(err, to.Close())
}

// listen writes to w what the processes of a suite tell, until end is called.
func listen(suite int, w io.Writer) (end func(), err error) {
	heard, err := net.ListenUnixgram("unixgram", listener(suite))
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		line := make([]byte, 1<<16)
		newLine := sync.OnceFunc(func() { _, _ = fmt.Fprintln(w) }) // Ginkgo leaves its first one open
		for {
			n, err := heard.Read(line)
			if err != nil {
				return // it is closed
			}
			newLine()
			_, _ = w.Write(line[:n])
		}
	}()
	return func() {
		_ = heard.Close()
		<-ended
	}, nil
}

func TestTell(t *testing.T) {
	*ofSuite = 1 // the process ID of none
	defer func() { *ofSuite = 0 }()
	told, w := io.Pipe()
	end, err := listen(*ofSuite, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{{"one", "\nprocess 1: one\n"}, {"two", "process 1: two\n"}} {
		if err := tell(c.line); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(c.want))
		if _, err := io.ReadFull(told, got); err != nil || string(got) != c.want {
			t.Errorf("%q is shown, want %q; %v", got, c.want, err)
		}
	}
	end()
	if err := tell("three"); err == nil {
		t.Error("a line is told to nobody, and that is no error")
	}
}
