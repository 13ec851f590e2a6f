package shell

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// terminal is the outer end of a pty. Reading from it can be given a deadline, which library creack/pty rules out: its files block.
type terminal struct{ *os.File }

// openTerminal returns a new terminal's ends. The inner one is opened through the outer one, and so needs no /dev/pts.
func openTerminal() (outer terminal, inner *os.File, err error) {
	file, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return outer, nil, fmt.Errorf("a terminal: %w", err)
	}
	outer = terminal{file}
	var peer uintptr
	err = outer.control(func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		var errno unix.Errno
		peer, _, errno = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
		if errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		file.Close()
		return outer, nil, fmt.Errorf("a terminal: %w", err)
	}
	return outer, os.NewFile(peer, "tty"), nil
}

// control calls f with the file's descriptor, which stays in Go's poller.
func (t terminal) control(f func(fd int) error) error {
	conn, err := t.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return err
	}
	return failed
}

// number is the terminal's: N of /dev/pts/N.
func (t terminal) number() (n uint32, err error) {
	err = t.control(func(fd int) error {
		number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
		n = uint32(number)
		return err
	})
	return n, err
}

func (t terminal) size() (columns, rows int, err error) {
	err = t.control(func(fd int) error {
		size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil {
			columns, rows = int(size.Col), int(size.Row)
		}
		return err
	})
	return columns, rows, err
}

func (t terminal) setSize(columns, rows int) error {
	return t.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(rows)})
	})
}
