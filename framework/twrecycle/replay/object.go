package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// object reads the fields of a JSON object one by one. The first error stays.
type object struct {
	fields map[string]json.RawMessage
	err    error
}

// need reads a field that must be there, though it may be null where to is a pointer to a pointer.
func (o *object) need(name string, to any) {
	if !o.may(name, to) && o.err == nil {
		o.err = fmt.Errorf("%s is missing", name)
	}
}

// may reads a field if it is there, and says whether it was.
func (o *object) may(name string, to any) bool {
	value, ok := o.fields[name]
	delete(o.fields, name)
	if !ok {
		return false
	}
	if err := json.Unmarshal(value, to); err != nil && o.err == nil {
		o.err = fmt.Errorf("%s: %w", name, err)
	}
	return true
}

// unused lists the fields that nobody has asked for.
func (o *object) unused(prefix string) []string {
	names := slices.Sorted(maps.Keys(o.fields))
	for i := range names {
		names[i] = prefix + names[i]
	}
	return names
}
