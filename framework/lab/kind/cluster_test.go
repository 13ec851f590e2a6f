package kind

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/netfault/netfault/framework/engine"
	"github.com/netfault/netfault/framework/wait"
)

// A container that the engine makes only after the first look is removed as well: kind goes on as long as it has one.
func TestRemoveUntilKindGivesUp(t *testing.T) {
	dir := t.TempDir()
	removed := filepath.Join(dir, "removed")
	fakeEngine(t, `case "$*" in
ps*) if [ -e `+dir+`/late ] && [ ! -e `+removed+` ]; then echo late; fi; : >`+dir+`/late ;;
rm*late*) : >`+removed+` ;;
esac
`)
	e := engine.Engine{Name: "docker"}
	l := &Lab{name: "late", engine: e, provider: provider(e, &logger{})}
	done := make(chan error, 1)
	go func() {
		done <- wait.Until(t.Context(), 10*time.Second, "the removal of a container that came late", func(context.Context) error {
			_, err := os.Stat(removed)
			return err
		})
	}()
	if err := l.removeUntil(t.Context(), done); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(removed); errors.Is(err, os.ErrNotExist) {
		t.Error("kind gave up, and a container that came late is left")
	}
}
