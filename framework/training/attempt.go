package training

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/netfault/netfault/framework/labs"
)

// Store is the folder with all attempts of a learner. It is on a disk, and outlives labs, crashes and the machine's restart.
type Store struct{ Dir string }

// Of is the store of one of several learners who share a server.
func (s Store) Of(learner int) Store {
	return Store{filepath.Join(s.Dir, "learners", fmt.Sprint(learner))}
}

// DirVariable names the folder in place of the usual one.
const DirVariable = "NETFAULT_TRAINING"

// OpenStore returns the store of this user: /var/lib/netfault/training for root, else in XDG_DATA_HOME.
func OpenStore() (Store, error) {
	if dir := os.Getenv(DirVariable); dir != "" {
		return Store{dir}, nil
	}
	if os.Geteuid() == 0 {
		return Store{"/var/lib/netfault/training"}, nil
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return Store{}, fmt.Errorf("%w: set %s to a folder for your attempts", err, DirVariable)
		}
		data = filepath.Join(home, ".local", "share")
	}
	return Store{filepath.Join(data, "netfault", "training")}, nil
}

// Attempt is one go at an exercise. What happens in it is in its log; all else is written once.
type Attempt struct {
	Code string `json:"code"`
	// Seed is what all that is random comes from.
	Seed uint64 `json:"seed"`
	// Lab is the name of the lab, without its kind, and Kind that; labs.Netns if empty.
	Lab  string    `json:"lab"`
	Kind labs.Kind `json:"kind,omitempty"`
	// Noise says that what is odd and harmless was added to the network.
	Noise bool `json:"noise,omitempty"`
	// Language is the learner's.
	Language Language `json:"language"`
	// Owned says that the lab ends with the page that was begun with it.
	Owned bool `json:"owned,omitempty"`
	// Created is when it was made; the clock runs from the alarm on, which is in the log.
	Created time.Time `json:"created"`

	dir string
}

// The files of an attempt's folder.
const (
	attemptFile = "attempt.json"
	faultyFile  = "faulty.json"
	logFile     = "log.jsonl"
	sessionsDir = "sessions"
	bundlesDir  = "bundles"
)

// Begin is Create for an attempt that ends with the page which this process serves (Serving). Whoever served before is gone: an attempt
// of theirs that was not stopped is over. One that somebody has started by itself is not.
func (s Store) Begin(a Attempt) (*Attempt, error) {
	a.Owned = true
	for {
		left, err := s.Running()
		if errors.Is(err, ErrNone) {
			return s.Create(a)
		}
		if err != nil {
			return nil, err
		}
		if !left.Owned {
			return nil, &RunningError{*left}
		}
		if err := left.Add(Entry{Kind: Stopped}); err != nil {
			return nil, err
		}
	}
}

// Create makes the folder of a new attempt. Nobody may have one that is not stopped: the error is a *RunningError then.
func (s Store) Create(a Attempt) (*Attempt, error) {
	running, err := s.Running()
	if err == nil {
		return nil, &RunningError{*running}
	}
	if !errors.Is(err, ErrNone) {
		return nil, err
	}
	a.Created = time.Now().UTC()
	a.dir = filepath.Join(s.Dir, a.Created.Format("20060102-150405.000000")+"-"+a.Code)
	if err := os.MkdirAll(filepath.Join(a.dir, sessionsDir), 0o700); err != nil {
		return nil, err
	}
	return &a, writeJSON(a.file(attemptFile), a)
}

// ErrNone says that no exercise is running.
var ErrNone = errors.New("no exercise is running: `netfault train list` lists them, `netfault train start --random` takes one")

// RunningError says that an exercise is running.
type RunningError struct{ Attempt }

func (e *RunningError) Error() string {
	return fmt.Sprintf("%s is running since %s: `netfault train stop` ends it", e.Code, e.Created.Local().Format("2006-01-02 15:04"))
}

// Running returns the attempt that is not stopped; its error is ErrNone if there is none.
func (s Store) Running() (*Attempt, error) {
	all, err := s.All()
	if err != nil {
		return nil, err
	}
	for _, a := range slices.Backward(all) {
		log, err := a.Log()
		if err != nil {
			return nil, err
		}
		if log.last(Stopped) == nil {
			return a, nil
		}
	}
	return nil, ErrNone
}

// All returns all attempts, the oldest first. A folder without attempt.json is one whose making was ended, and is none.
func (s Store) All() ([]*Attempt, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Attempt
	for _, e := range entries {
		a := &Attempt{dir: filepath.Join(s.Dir, e.Name())}
		err := readJSON(a.file(attemptFile), a)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func (a *Attempt) file(name string) string { return filepath.Join(a.dir, name) }

// Bundles is the folder for evidence.
func (a *Attempt) Bundles() string { return a.file(bundlesDir) }

// Dir is the attempt's folder.
func (a *Attempt) Dir() string { return a.dir }

// Session is the recording of one shell.
type Session struct {
	// File is its path, as asciicast v2.
	File    string
	Machine string
	Began   time.Time
}

// sessionTime is when a session began, in UTC, as its file's name begins.
const sessionTime = "20060102T150405.000"

// NewSession returns a file for the recording of a session on a machine.
func (a *Attempt) NewSession(machineName string) (*os.File, error) {
	name := time.Now().UTC().Format(sessionTime) + "-" + machineName + ".cast"
	return os.OpenFile(filepath.Join(a.file(sessionsDir), name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
}

// Sessions are all recordings, the oldest first.
func (a *Attempt) Sessions() ([]Session, error) {
	files, err := filepath.Glob(filepath.Join(a.file(sessionsDir), "*.cast"))
	var all []Session
	for _, file := range files {
		at, machine, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".cast"), "-")
		began, parseErr := time.Parse(sessionTime, at)
		if parseErr != nil {
			continue // not NewSession's
		}
		all = append(all, Session{file, machine, began})
	}
	return all, err
}

// SaveFaulty keeps how the lab was when the alarm went.
func (a *Attempt) SaveFaulty(f Faulty) error { return writeJSON(a.file(faultyFile), f) }

// Faulty returns it. Its error wraps fs.ErrNotExist if the alarm never went.
func (a *Attempt) Faulty() (f Faulty, err error) {
	err = readJSON(a.file(faultyFile), &f)
	return f, err
}

// Forget removes an attempt that never began.
func (a *Attempt) Forget() error { return os.RemoveAll(a.dir) }

// writeJSON writes a file that is whole or absent, also after the machine has lost its power.
func writeJSON(path string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a name in a folder last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(bytes.TrimSpace(data), into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
