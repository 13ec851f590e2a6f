// Command fetch-dockerd unpacks Debian's dockerd into netfault's cache, as `make tools` does. It runs in the root file system of the
// trainer's image while that is made, so that dockerd fits the libraries there.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/netfault/netfault/framework/tools"
)

func main() {
	if err := tools.FetchDocker(context.Background(), os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "fetch-dockerd:", err)
		os.Exit(1)
	}
}
