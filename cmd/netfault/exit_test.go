package main

import (
	"errors"
	"os/exec"
	"strconv"
)

// exitStatus is the exit code of a program that ran, or what kept it from running.
func exitStatus(err error) string {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return strconv.Itoa(e.ExitCode())
	}
	return err.Error()
}
