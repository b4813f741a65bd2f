package team_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/internal/mpi"
	"github.com/faceverify/fv/internal/mpi/mpitest"
	"github.com/faceverify/fv/internal/mpi/team"
)

// on runs f on so many ranks and returns their errors.
func on(size int, f func(*team.Team) error) []error {
	return mpitest.Run(size, func(g mpi.Group) error {
		t, err := team.New(g)
		if err != nil {
			return err
		}
		return t.End(f(t))
	})
}

// all fails the test if any rank has an error.
func all(t *testing.T, errs []error) {
	t.Helper()
	for r, err := range errs {
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

func TestMeet(t *testing.T) {
	for _, size := range []int{1, 3} {
		all(t, on(size, func(m *team.Team) error {
			words, err := team.Meet(m, "here", m.Rank()*m.Rank(), nil)
			if err != nil {
				return err
			}
			for r, w := range words {
				if w != r*r || len(words) != size {
					return fmt.Errorf("words %v", words)
				}
			}
			if own := team.Share(m, []int{0, 1, 2, 3, 4}); m.Rank() == 0 && own[0] != 0 || m.Rank() == size-1 && own[len(own)-1] != 4 {
				return fmt.Errorf("share %v", own)
			}
			return m.Same("facts", []team.Fact{{What: "size", Is: fmt.Sprint(m.Size())}})
		}))
	}
}

var errDisk = errors.New("the disk is full")

// A rank that cannot go on is named to all, whatever they are about to do; an interrupt is one for all.
func TestFailure(t *testing.T) {
	for name, f := range map[string]func(*team.Team) error{
		"at a meeting": func(m *team.Team) error {
			_, err := team.Meet(m, "here", 0, map[bool]error{true: errDisk}[m.Rank() == 1])
			return err
		},
		"before it": func(m *team.Team) error {
			if m.Rank() == 1 {
				return errDisk
			}
			return m.Same("facts", nil)
		},
		"at work": func(m *team.Team) error {
			return m.Work(context.Background(), "work", nil, func(ctx context.Context, _ func(int, int)) error {
				if m.Rank() == 1 {
					return errDisk
				}
				<-ctx.Done() // as others see to
				return ctx.Err()
			})
		},
	} {
		for r, err := range on(3, f) {
			if r == 1 && !errors.Is(err, errDisk) || r != 1 && (err == nil || !strings.HasPrefix(err.Error(), "rank 1 on ") || !strings.HasSuffix(err.Error(), ": the disk is full")) {
				t.Errorf("%s: rank %d: %v", name, r, err)
			}
		}
	}
	for r, err := range on(2, func(m *team.Team) error {
		return m.Work(context.Background(), "work", nil, func(ctx context.Context, _ func(int, int)) error {
			if m.Rank() == 1 {
				return context.Canceled
			}
			<-ctx.Done()
			return ctx.Err()
		})
	}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted: rank %d: %v", r, err)
		}
	}
	for r, err := range on(2, func(m *team.Team) error {
		return m.Same("facts", []team.Fact{{What: "images", Is: fmt.Sprint(m.Rank()), Cure: "copy them"}})
	}) {
		if err == nil || !strings.Contains(err.Error(), "rank 1 on ") || !strings.HasSuffix(err.Error(), "; copy them") {
			t.Errorf("rank %d: %v", r, err)
		}
	}
	for r, err := range on(2, func(m *team.Team) error {
		_, err := team.Meet(m, fmt.Sprint("place ", m.Rank()), 0, nil)
		return err
	}) {
		if err == nil || !strings.Contains(err.Error(), "out of step") {
			t.Errorf("rank %d: %v", r, err)
		}
	}
}

// Ranks are told how much all have done, and go on when the last has ended.
func TestWork(t *testing.T) {
	for _, size := range []int{1, 3} {
		all(t, on(size, func(m *team.Team) error {
			done, total := 0, 0
			err := m.Work(context.Background(), "work", func(n, of int) { done, total = n, of }, func(_ context.Context, did func(int, int)) error {
				did(m.Rank()+1, 10)
				return nil
			})
			if want := size * (size + 1) / 2; done != want || total != 10*size {
				return fmt.Errorf("%d of %d done, want %d of %d", done, total, want, 10*size)
			}
			return err
		}))
	}
}

func TestCollect(t *testing.T) {
	for _, size := range []int{1, 3} {
		all(t, on(size, func(m *team.Team) error {
			var got []string
			err := team.Collect(m, []string{fmt.Sprint("rank ", m.Rank())}, func(rank int, theirs []string) {
				got = append(got, fmt.Sprint(rank, theirs))
			})
			want := []string{"0 [rank 0]", "1 [rank 1]", "2 [rank 2]"}[:size]
			if m.Rank() > 0 {
				want = nil
			}
			if !slices.Equal(got, want) {
				return fmt.Errorf("collected %q, want %q", got, want)
			}
			return err
		}))
	}
}
