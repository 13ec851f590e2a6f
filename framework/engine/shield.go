package engine

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"github.com/netfault/netfault/framework/tools"
)

// shieldedVariable names the program that the shield runs.
const shieldedVariable = "NETFAULT_SHIELDED"

// shieldScript runs the real program in a session of its own (setsid(1)).
const shieldScript = "#!/bin/sh\nexec setsid \"$" + shieldedVariable + "\" \"$@\"\n"

// shielding is held while PATH leads to the shield.
var shielding sync.Mutex

// Shield keeps Ctrl-C and the end of the terminal from what other code starts by the engine's name, until restore is called: a
// terminal sends its signals to all of netfault's process group, and kind has no way to start the engine's program in
// another. PATH leads to a script in netfault's cache meanwhile.
func (e Engine) Shield() (restore func() error, err error) {
	program, err := exec.LookPath(e.Name)
	if err != nil {
		return nil, err
	}
	if _, err := exec.LookPath("setsid"); err != nil {
		return nil, fmt.Errorf("%w: it comes with util-linux", err)
	}
	cache, err := tools.OwnCache()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "shield")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := writeWhole(filepath.Join(dir, e.Name), shieldScript, 0o755); err != nil {
		return nil, err
	}
	shielding.Lock()
	path := os.Getenv("PATH")
	restore = func() error {
		defer shielding.Unlock()
		return errors.Join(os.Setenv("PATH", path), os.Unsetenv(shieldedVariable))
	}
	err = errors.Join(os.Setenv(shieldedVariable, program), os.Setenv("PATH", dir+string(os.PathListSeparator)+path))
	if err != nil {
		return nil, errors.Join(err, restore())
	}
	return restore, nil
}
