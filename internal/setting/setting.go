// Package setting says of a mistake which setting it lies in, so that a command can name the flag that
// was typed, and a configuration file the line.
package setting

import "fmt"

// Error is a mistake in the value of one setting. Its text is that of Err.
type Error struct {
	Name string // of the setting, as in flags and files
	Err  error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with the text of fmt.Errorf.
func Errorf(name, format string, args ...any) error {
	return &Error{name, fmt.Errorf(format, args...)}
}
