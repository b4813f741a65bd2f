// Package cli is what the commands share: how they start and stop, parse flags and
// configuration files, print errors and write JSON.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes.
const (
	ExitOK          = 0
	ExitFailure     = 1
	ExitUsage       = 2   // a flag, an argument or a configuration file is wrong
	ExitInterrupted = 130 // SIGINT or SIGTERM, after an orderly stop
)

// RunFunc is a command without its process: everything it reads and writes is passed.
type RunFunc func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error

// Main runs a command and ends the process with its exit code. The context is
// cancelled by the first SIGINT or SIGTERM; a second one kills the process.
func Main(name string, run RunFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := Run(ctx, name, run, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run calls run, prints its error with its hint to stderr, and returns the exit code.
func Run(ctx context.Context, name string, run RunFunc, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := run(ctx, args, stdin, stdout, stderr)
	if err == nil || errors.Is(err, errDone) {
		return ExitOK
	}
	var t *told
	quiet := errors.As(err, &t)
	if errors.Is(err, context.Canceled) {
		if !quiet {
			fmt.Fprintf(stderr, "%s: interrupted\n", name)
		}
		return ExitInterrupted
	}
	if !quiet {
		tell(stderr, name, err)
	}
	var u *usageError
	if errors.As(err, &u) {
		return ExitUsage
	}
	return ExitFailure
}

// tell prints an error with its hint.
func tell(stderr io.Writer, name string, err error) {
	fmt.Fprintf(stderr, "%s: %s\n", name, strings.TrimRight(err.Error(), "\n"))
	var h *hinted
	if errors.As(err, &h) {
		fmt.Fprintf(stderr, "  hint: %s\n", h.hint)
	}
}

type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// WithHint adds to err what the user can do about it; it is printed on a line of its
// own. It returns nil for a nil err.
func WithHint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &hinted{err, fmt.Sprintf(format, args...)}
}

type told struct{ error }

func (t *told) Unwrap() error { return t.error }

// Told marks err as one that the user knows of already: it sets the exit code, and is not printed. It returns nil for a nil err.
func Told(err error) error {
	if err == nil {
		return nil
	}
	return &told{err}
}

type usageError struct{ error }

func (u *usageError) Unwrap() error { return u.error }

// Usage marks err as a mistake on the command line (exit code 2). It returns nil for a
// nil err.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{err}
}

// Usagef is Usage of fmt.Errorf.
func Usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// WriteJSON writes v as one JSON object on one line.
func WriteJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}
