package kernel

import (
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"slices"
	"testing"
)

// Neither signals, here those of the profiler, nor a garbage collector at work disturb a kernel: all
// registers are as they were when it goes on.
func TestSignalsAndCollector(t *testing.T) {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Skip("a profile is being made already")
	}
	defer pprof.StopCPUProfile()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = make([]byte, 1<<16)
				runtime.GC()
			}
		}
	}()
	defer func() { close(stop); <-stopped }()

	s := conv(4, 28, 28, 64, 64, 3, 1, 1, 1, 1)
	forEachVariant(t, func(t *testing.T) {
		rounds := 20
		switch {
		case Variant() == "generic":
			rounds = 1 // plain Go, which the runtime knows how to interrupt
		case testing.Short():
			rounds = 3
		}
		for name, c := range map[string]dense{
			"direct": NewConv(s, new(Scratch)), "mixed": NewMixedConv(s, new(Scratch)), "winograd": NewWinograd(s, new(Scratch)),
			"mixed winograd": NewMixedWinograd(s, new(Scratch)),
		} {
			pool := NewPool(2)
			r := rand.New(rand.NewPCG(13, 14))
			x, _ := guarded(t, r, s.In.Len())
			w, _ := guarded(t, r, 9*s.In.C*s.Out.C)
			clearBorder(x, s.In)
			var first []float32
			for range rounds {
				y := make([]float32, s.Out.Len())
				c.Load(pool, w)
				c.Forward(pool, s.In.N, y, Source{X: x, Layout: s.In}, nil, nil)
				if first == nil {
					first = y
				}
				if !slices.Equal(y, first) {
					t.Errorf("%s: a pass gave other bits than the first one", name)
				}
			}
			pool.Close()
		}
	})
}
