package evidence

import "sync"

// shared holds what several readers of one bundle make of it together.
type shared struct {
	mu    sync.Mutex
	views map[any]func() any
}

// Shared returns what read makes of b, and calls it once for a bundle and a key, whoever asks: several detectors look at the
// same leases. What read returns must not be changed by anyone, and must be small beside the bundle, as it stays in memory.
func Shared[T any](b *Bundle, key any, read func() T) T {
	b.shared.mu.Lock()
	view, ok := b.shared.views[key]
	if !ok {
		if b.shared.views == nil {
			b.shared.views = map[any]func() any{}
		}
		view = sync.OnceValue(func() any { return read() })
		b.shared.views[key] = view
	}
	b.shared.mu.Unlock()
	return view().(T)
}
