package pipeline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/faceverify/fv/internal/setting"
)

// SettingError is a mistake in a setting: its name, and what would be right.
type SettingError struct {
	Name string
	Err  error
}

func (e *SettingError) Error() string { return "--" + e.Name + ": " + e.Err.Error() }

// Unwrap returns the error without the setting's name.
func (e *SettingError) Unwrap() error { return e.Err }

func settingError(name, format string, args ...any) error {
	return &SettingError{name, fmt.Errorf(format, args...)}
}

// blame makes SettingErrors of those that a package below found in values that it knows by the same names:
// of each of errors that were joined, and in otherwise if it names none. prefix, that package's, is left out.
func blame(otherwise, prefix string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, blame(otherwise, prefix, e))
		}
		return errors.Join(errs...)
	}
	var s *setting.Error
	if errors.As(err, &s) {
		otherwise = s.Name
	}
	return settingError(otherwise, "%s", strings.TrimPrefix(err.Error(), prefix))
}

// headError blames the flag that a head's setting was given by.
func (c *Config) headError(err error) error {
	name := "head"
	var s *setting.Error
	if errors.As(err, &s) {
		name = s.Name
		if _, ok := c.HeadParams[s.Name]; ok {
			name = "head-params"
		}
	}
	return settingError(name, "%s", strings.TrimPrefix(err.Error(), "losses: "))
}
