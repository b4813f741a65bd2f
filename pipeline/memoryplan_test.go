package pipeline

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// Memory that is too small for a batch names the largest that would do, which then does, and the next one does not.
func TestMaxMemory(t *testing.T) {
	data := drawFaces(t, 12)
	c := tiny(t, data, "batch=40", "embedding=512", "size=64x64", "max-steps=1", "epochs=10")
	var plan MemoryPlan
	start := Events{Start: func(s Start) { plan = s.Memory }}
	train(t, c, start)
	largest := regexp.MustCompile(`--batch (\d+);`)
	try := func(batch int, limit int64) error {
		c := tiny(t, data, fmt.Sprintf("batch=%d", batch), "embedding=512", "size=64x64", "max-steps=1", "epochs=10", "cache=auto")
		c.MaxMemory = Bytes(limit)
		_, err := Train(t.Context(), c, start)
		return err
	}
	limit := plan.Needed() - plan.Activations/3
	err := try(40, limit)
	var setting *SettingError
	if !errors.As(err, &setting) || setting.Name != "max-memory" || !strings.Contains(err.Error(), "activations") {
		t.Fatalf("error %v of too little memory", err)
	}
	found := largest.FindStringSubmatch(err.Error())
	if found == nil {
		t.Fatalf("error %v names no batch", err)
	}
	var fits int
	fmt.Sscan(found[1], &fits)
	if err := try(fits, limit); err != nil {
		t.Errorf("error %v of the batch of %d that is said to fit", err, fits)
	}
	if plan.Needed()+plan.Cache > limit {
		t.Errorf("plan %+v is over %d", plan, limit)
	}
	if err := try(fits+1, limit); !errors.As(err, &setting) {
		t.Errorf("error %v of one image more than fits", err)
	}
	if err := try(40, 1<<20); err == nil || !strings.Contains(err.Error(), "no batch fits") {
		t.Errorf("error %v of a mebibyte", err)
	}
}
