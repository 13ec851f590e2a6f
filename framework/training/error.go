package training

import "errors"

// Error is one that a learner is told in their own language. It is English where nobody asks for another.
type Error struct {
	Told Told
	// Err is what is behind it; nil if nothing is.
	Err error
}

func (e *Error) Error() string { return e.Told[English] }

func (e *Error) Unwrap() error { return e.Err }

// InLanguage returns an error as it is told in a language. One that is no Error is the program's, and stays as it is.
func InLanguage(err error, l Language) error {
	return eachOf(err, func(err error) error {
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Told[l] == "" {
			return err
		}
		return &Error{Told: Told{English: e.Told[l]}, Err: err}
	})
}

// Behind returns what is behind an error that a learner is told, for authors, from whom nothing is kept.
func Behind(err error) error {
	return eachOf(err, func(err error) error {
		if e, ok := errors.AsType[*Error](err); ok && e.Err != nil {
			return e.Err
		}
		return err
	})
}

// eachOf puts another error in the place of each of those that are joined.
func eachOf(err error, other func(error) error) error {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return other(err)
	}
	var others []error
	for _, one := range all.Unwrap() {
		others = append(others, eachOf(one, other))
	}
	return errors.Join(others...)
}

// needsReset says that a lab cannot be opened, and what to do.
func needsReset(err error) error {
	return &Error{Err: err, Told: told(
		err.Error()+"\n`netfault train reset` makes the network anew, as it was when the alarm went",
		inChinese(err.Error())+"\n`netfault train reset` 重新建立网络，恢复到告警时的样子")}
}
