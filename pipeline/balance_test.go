package pipeline

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/faceverify/fv/pipeline/sampler"
	"github.com/faceverify/fv/pipeline/synth"
)

// Sets where most people have two images train with the samplers that are for them: embeddings come nearer to their class than the right
// angle that they begin at, by three times what the mean of some 40 random directions in 16 dimensions, each 0.26 from it, strays.
func TestBalance(t *testing.T) {
	longTail, pairs := t.TempDir(), t.TempDir()
	draw := func(dir string, first, people, images int) {
		if err := synth.Write(t.Context(), dir, synth.Options{Identities: people, First: first, Images: images, Seed: 5, Size: 32, Quality: -1}); err != nil {
			t.Fatal(err)
		}
	}
	draw(longTail, 0, 2, 12)
	draw(longTail, 2, 8, 2)
	draw(pairs, 0, 12, 2)
	for data, samplers := range map[string][]string{longTail: {sampler.Identities, sampler.Sqrt}, pairs: {sampler.PxK}} {
		for _, name := range samplers {
			changes := []string{"sampler=" + name, "epochs=4", "batch=8", "lr=0.1", "backbone=sfnet4-bn", "augment=none", "head=normface", "warmup=0", "schedule=constant", "scale=auto"}
			if name == sampler.PxK {
				changes = append(changes, "per-identity=2")
			}
			r := train(t, tiny(t, data, changes...), Events{})
			lines, err := readLog(r.Dir)
			if err != nil {
				t.Fatal(err)
			}
			if want := 4 * (r.Images / 8); len(lines) != want {
				t.Errorf("%s: %d steps, want %d: an epoch is as long with every sampler", name, len(lines), want)
			}
			last, n := 0.0, min(5, len(lines))
			for _, l := range lines[len(lines)-n:] {
				last += *l.TargetAngle / float64(n)
			}
			if !(last < math.Pi/2-0.12) {
				t.Errorf("%s: the angle to the own class went from %v to %v", name, *lines[0].TargetAngle, last)
			}
		}
	}
	// What --min-images leaves out is left out.
	if r := train(t, tiny(t, longTail, "min-images=3", "max-steps=1"), Events{}); r.Identities != 2 || r.Images != 24 {
		t.Errorf("%d images of %d people have 3 images or more, want 24 of 2", r.Images, r.Identities)
	}
	if _, err := os.Stat(filepath.Join(longTail, synth.Name(9))); err != nil {
		t.Error(err)
	}
}
