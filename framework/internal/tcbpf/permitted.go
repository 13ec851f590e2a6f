package tcbpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Permitted says why this process may not load programs: root of a user namespace may not, whatever capabilities it has
// there (capabilities(7), CAP_BPF). It loads a program that does nothing.
func Permitted() error {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.SchedCLS,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("the kernel lets only the machine's own root load BPF programs: %w", unix.EPERM)
	}
	if err != nil {
		return nil // of another error, loading the real programs says more
	}
	return p.Close()
}
