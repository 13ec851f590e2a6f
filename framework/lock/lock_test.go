package lock

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/netfault/netfault/framework/lab"
	"github.com/netfault/netfault/framework/lab/owner"
)

// holdFolder makes this test binary a second process that takes the lock of a folder, says so, and holds it until its
// standard input ends.
const holdFolder = "NETFAULT_TEST_HOLD"

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(holdFolder); ok {
		os.Exit(hold(dir))
	}
	os.Exit(m.Run())
}

func hold(dir string) int {
	if _, err := Folder(context.Background(), dir); err != nil {
		fmt.Println(err)
		return 1
	}
	// A program that was started while the lock is held does not keep it.
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Printf("held %d\n", child.Process.Pid)
	bufio.NewScanner(os.Stdin).Scan()
	return 0
}

// other is a process that holds the lock of a folder.
type other struct {
	*exec.Cmd
	child int
}

func holder(t *testing.T, dir string) *other {
	t.Helper()
	o := &other{Cmd: exec.Command(os.Args[0], "as another")}
	o.Env = append(os.Environ(), holdFolder+"="+dir)
	if _, err := o.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := o.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.kill)
	lines := bufio.NewScanner(out)
	lines.Scan()
	if _, err := fmt.Sscanf(lines.Text(), "held %d", &o.child); err != nil {
		t.Fatalf("%q: %v", lines.Text(), err)
	}
	t.Cleanup(func() { _ = syscall.Kill(o.child, syscall.SIGKILL) })
	return o
}

// kill ends the process with SIGKILL, once.
func (o *other) kill() {
	_ = o.Process.Kill()
	_ = o.Wait()
}

func take(t *testing.T, dir string) *Lock {
	t.Helper()
	k, err := Folder(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTheSecondIsToldWhoHoldsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "big")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	o := holder(t, dir)
	_, err := Folder(t.Context(), dir)
	taken, ok := errors.AsType[*TakenError](err)
	if !ok || taken.Holder.PID != o.Process.Pid {
		t.Fatalf("%v, want that process %d holds it", err, o.Process.Pid)
	}
	for _, want := range []string{"lab big", fmt.Sprintf("process %d (", o.Process.Pid), "'as another'", ") since ", "end it"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

// On a full disk nobody can say who holds a lock, which must not keep a lab from being removed.
func TestHolderThatCannotSaySo(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, holderFile+".new"), 0o755); err != nil {
		t.Fatal(err)
	}
	k := take(t, dir)
	if _, err := Folder(t.Context(), dir); err == nil {
		t.Error("two hold it")
	}
	if err := k.Release(); err != nil {
		t.Error(err)
	}
}

// The kernel releases the lock with its holder, although a program that the holder has started runs on and its words stay.
func TestKilledHolderHoldsNothing(t *testing.T) {
	dir := t.TempDir()
	o := holder(t, dir)
	o.kill()
	if err := syscall.Kill(o.child, 0); err != nil {
		t.Fatalf("the program that the holder started has ended too early: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, holderFile)); err != nil {
		t.Fatalf("the dead holder's file is gone, which this test is about: %v", err)
	}
	k := take(t, dir)
	said, err := readHolder(k.inside)
	this, errThis := owner.This()
	if err != nil || errThis != nil || said.Process != this {
		t.Errorf("the file names %+v (%v), want this process %+v (%v)", said, err, this, errThis)
	}
}

func TestReleasedLockCanBeTakenAgain(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		if err := take(t, dir).Release(); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Who holds the lock and has not said so yet, or said something that nobody can read, holds it.
func TestHolderWithoutWordsHoldsIt(t *testing.T) {
	for _, said := range []string{"", "{", `{"pid":1,"start":1}`} {
		dir := t.TempDir()
		take(t, dir)
		if err := os.WriteFile(filepath.Join(dir, holderFile), []byte(said), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Folder(t.Context(), dir)
		if taken, ok := errors.AsType[*TakenError](err); !ok || taken.Holder.PID != 0 {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func TestNoLab(t *testing.T) {
	if _, err := Folder(t.Context(), filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

type labIn struct {
	lab.Lab
	dir string
}

func (l labIn) Name() string     { return "fake:lab" }
func (l labIn) StateDir() string { return l.dir }

// A lock is of one folder, not of its name: a lab that is made where another was is not locked by it.
func TestReplacedLabIsNotHeld(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := take(t, dir).Of(labIn{dir: dir})
	if err := h.Check(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := h.Check(); err == nil || !strings.Contains(err.Error(), "removed meanwhile") {
		t.Errorf("of a lab that is gone: %v", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := h.Check(); err == nil || !strings.Contains(err.Error(), "another made in its place") {
		t.Errorf("of another lab: %v", err)
	}
	next := take(t, dir)
	if err := h.Release(); err != nil {
		t.Fatal(err)
	}
	if said, err := readHolder(next.inside); err != nil || said.PID != os.Getpid() {
		t.Errorf("the release of the old lab's lock took the words of the new one's holder: %+v, %v", said, err)
	}
}

// Who opened the folder before the lab was removed gets the lock of a folder that nobody can find any more.
func TestLockOfALabThatWasRemovedMeanwhile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := root.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	k := &Lock{dir: dir, folder: folder, inside: root}
	if err := k.take(t.Context()); err == nil || !strings.Contains(err.Error(), "another made in its place") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsNotHeld(t *testing.T) {
	dir := t.TempDir()
	var none *Held
	released := take(t, dir)
	if err := released.Release(); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*Held{
		"nothing": none, "no lock": {Lab: labIn{dir: dir}}, "another lab's": take(t, dir).Of(labIn{dir: t.TempDir()}), "released": released.Of(labIn{dir: dir}),
	} {
		if err := h.Check(); err == nil {
			t.Errorf("%s counts as held", name)
		}
	}
}
