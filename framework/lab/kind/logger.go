package kind

import (
	"fmt"
	"strings"
	"sync"

	"sigs.k8s.io/kind/pkg/log"
)

// logger passes the steps that kind announces on as progress, and keeps its warnings for the error of a cluster that
// fails.
type logger struct {
	progress func(string)
	mu       sync.Mutex
	warnings []string
}

func (l *logger) Warn(message string)              { l.keep(message) }
func (l *logger) Warnf(format string, args ...any) { l.keep(fmt.Sprintf(format, args...)) }
func (l *logger) Error(message string)             { l.keep(message) }
func (l *logger) Errorf(format string, args ...any) {
	l.keep(fmt.Sprintf(format, args...))
}

func (l *logger) keep(message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.warnings = append(l.warnings, message)
}

// end is for the end of an error: what kind warned of.
func (l *logger) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.warnings) == 0 {
		return ""
	}
	return "\nkind warned: " + strings.Join(l.warnings, "\nkind warned: ")
}

func (l *logger) V(level log.Level) log.InfoLogger {
	if level > 0 {
		return log.NoopInfoLogger{}
	}
	return info{l}
}

type info struct{ *logger }

func (info) Enabled() bool { return true }

func (i info) Infof(format string, args ...any) { i.Info(fmt.Sprintf(format, args...)) }

// Info passes on the beginnings of steps, which kind marks with a dot (pkg/internal/cli/status.go, v0.33.0).
func (i info) Info(message string) {
	step, ok := strings.CutPrefix(message, " • ")
	if !ok || i.progress == nil {
		return
	}
	plain := strings.Map(func(r rune) rune {
		if r > 0x7e {
			return -1
		}
		return r
	}, step)
	i.progress("kind: " + strings.TrimRight(plain, " .\n"))
}
