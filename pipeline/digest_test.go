package pipeline

import (
	"strings"
	"testing"
)

func TestDigest(t *testing.T) {
	was := digest([]string{"ann", "bob", "cat"}, []int{0, 0, 1, 2}, []string{"ann/1", "ann/2", "bob/1", "cat/1"})
	for _, c := range []struct {
		now  dataDigest
		want []string
	}{
		{digest([]string{"ann", "bob", "cat"}, []int{0, 0, 1, 2}, []string{"ann/1", "ann/2", "bob/1", "cat/1"}), nil},
		{digest([]string{"ann", "bob", "cat"}, []int{0, 1, 2}, []string{"ann/1", "bob/1", "cat/1"}), []string{"ann had 2 images and has 1"}},
		{digest([]string{"ann", "cat", "dan"}, []int{0, 0, 1, 2}, []string{"ann/1", "ann/2", "cat/1", "dan/1"}), []string{"bob is gone", "dan is new"}},
		{digest([]string{"ann", "bob", "cat"}, []int{0, 0, 1, 2}, []string{"ann/1", "ann/3", "bob/1", "cat/1"}), []string{"other names"}},
	} {
		err := was.diff(c.now)
		if (err == nil) != (c.want == nil) {
			t.Errorf("%v: error %v, want %q", c.now, err, c.want)
		}
		for _, want := range c.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("error %v, want one with %q", err, want)
			}
		}
	}
}
