package fault

// MisjudgedError says that a detector is wrong about a lab that is as it must be at that step: the network did all that it must, and
// the step's bundle is whole. A gate, which judges by itself, can go on.
type MisjudgedError struct{ Err error }

func (e *MisjudgedError) Error() string { return e.Err.Error() }

// Unwrap returns what the detector said.
func (e *MisjudgedError) Unwrap() error { return e.Err }
