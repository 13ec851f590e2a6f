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
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		var told []error
		for _, one := range all.Unwrap() {
			told = append(told, InLanguage(one, l))
		}
		return errors.Join(told...)
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Told[l] == "" {
		return err
	}
	return &Error{Told: Told{English: e.Told[l]}, Err: err}
}

// needsReset says that a lab cannot be opened, and what to do.
func needsReset(err error) error {
	return &Error{Err: err, Told: told(
		err.Error()+"\n`netfault train reset` makes the network anew, as it was when the alarm went",
		inChinese(err.Error())+"\n`netfault train reset` 重新建立网络，恢复到告警时的样子")}
}
