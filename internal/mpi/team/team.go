// Package team lets the ranks of a command agree, so that all take the same steps: on what must be alike, on what each says at a meeting,
// and on the error of any that cannot go on.
package team

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/faceverify/fv/internal/mpi"
)

// Team is a group whose ranks meet. A rank that fails comes to the next meeting with its error, which is then that of all.
type Team struct {
	mpi.Group
	Hosts   []string // of the ranks; nil for a process alone
	Here    int      // ranks on this host
	Threads int      // for a rank that is not told how many; 0 means one for each processor
}

// Alone is a process by itself.
func Alone() *Team { return &Team{Group: mpi.Single, Here: 1} }

// New meets the other ranks. Those of a host that may run on the same processors share them.
func New(g mpi.Group) (*Team, error) {
	t := &Team{Group: g, Here: 1}
	if g.Size() == 1 {
		return t, nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	mine, err := json.Marshal([]string{host, processors()})
	if err != nil {
		return nil, err
	}
	all, err := mpi.Gather(g, mine)
	if err != nil {
		return nil, err
	}
	sharing := 0
	t.Here = 0
	for _, text := range all {
		var place []string
		if err := json.Unmarshal(text, &place); err != nil {
			return nil, err
		}
		t.Hosts = append(t.Hosts, place[0])
		if place[0] == host {
			t.Here++
			if place[1] == processors() {
				sharing++
			}
		}
	}
	t.Threads = max(1, runtime.NumCPU()/sharing)
	return t, nil
}

// Several reports whether there are other ranks.
func (t *Team) Several() bool { return t.Size() > 1 }

// Writes reports whether this rank is the one that writes files.
func (t *Team) Writes() bool { return t.Rank() == 0 }

// Share returns this rank's share of things that all ranks have in the same order.
func Share[T any](t *Team, all []T) []T {
	n := len(all)
	return all[t.Rank()*n/t.Size() : (t.Rank()+1)*n/t.Size()]
}

// peerError is what made another rank unable to go on.
type peerError struct {
	rank       int
	host, what string
	canceled   bool
}

func (e *peerError) Error() string { return fmt.Sprintf("rank %d on %s: %s", e.rank, e.host, e.what) }

func (e *peerError) Unwrap() error {
	if e.canceled {
		return context.Canceled
	}
	return nil
}

// agreed is an error that all ranks know of.
type agreed struct{ error }

func (e *agreed) Unwrap() error { return e.error }

// said is what a rank brings to a meeting.
type said[T any] struct {
	At       string // the meeting
	Failed   string `json:",omitempty"` // why it cannot go on
	Canceled bool   `json:",omitempty"` // it was interrupted
	Word     T
}

// Meet tells the other ranks a word, and that this one cannot go on if err is not nil, and returns what all say. If any rank cannot go
// on there is an error. at names the meeting.
func Meet[T any](t *Team, at string, mine T, err error) ([]T, error) {
	var known *agreed
	if !t.Several() || errors.As(err, &known) {
		return []T{mine}, err
	}
	if errors.Is(err, mpi.ErrBroken) {
		return nil, err // nobody to tell
	}
	own := said[T]{At: at, Word: mine}
	if err != nil {
		own.Failed, own.Canceled = err.Error(), errors.Is(err, context.Canceled)
	}
	text, jsonErr := json.Marshal(own)
	if jsonErr != nil {
		return nil, errors.Join(err, jsonErr)
	}
	texts, meetErr := mpi.Gather(t.Group, text)
	if meetErr != nil {
		return nil, errors.Join(err, meetErr)
	}
	all := make([]said[json.RawMessage], len(texts))
	for i, text := range texts {
		if err := json.Unmarshal(text, &all[i]); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, &agreed{err}
	}
	for i, s := range all {
		if s.Failed != "" {
			return nil, &agreed{&peerError{i, t.Hosts[i], s.Failed, s.Canceled}}
		}
	}
	words := make([]T, len(all))
	for i, s := range all {
		if s.At != at {
			return nil, &agreed{fmt.Errorf("the ranks are out of step: rank %d is at %s, rank %d at %s; this is a mistake in the program", t.Rank(), at, i, s.At)}
		}
		if err := json.Unmarshal(s.Word, &words[i]); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// Fact is something that must be alike on all ranks.
type Fact struct{ What, Is, Cure string }

// SameCommand is the cure of settings that differ.
const SameCommand = "start all with the same command"

// Kernels is the fact that processors compute alike.
func Kernels(variant string) Fact {
	return Fact{"kernels", variant, "the processors differ, and with them how results round: FV_ISA=avx2, or what all of them can, makes them alike"}
}

// Same returns an error unless the facts are those of rank 0 on all ranks.
func (t *Team) Same(at string, facts []Fact) error {
	all, err := Meet(t, at, facts, nil)
	if err != nil {
		return err
	}
	for i, theirs := range all {
		for k, f := range theirs {
			if f != all[0][k] {
				return &agreed{fmt.Errorf("rank %d on %s has other %s than rank 0 on %s; %s", i, t.Hosts[i], f.What, t.Hosts[0], f.Cure)}
			}
		}
	}
	return nil
}

// End is the last meeting: a rank that fails by itself tells the others there.
func (t *Team) End(err error) error {
	_, err = Meet(t, "the end", struct{}{}, err)
	var known *agreed
	if errors.As(err, &known) {
		return known.error
	}
	return err
}
