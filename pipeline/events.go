package pipeline

import (
	"context"
	"fmt"
	"time"
)

// Events are called while a run is under way, one at a time and from the goroutine that
// trains: they should be quick. Any may be nil.
type Events struct {
	// Start is called once, when the data have been read and before the first step.
	Start func(Start)
	// Step is called after each accepted step.
	Step func(Progress)
	// Validated is called after each validation.
	Validated func(v Validation, best bool)
	// Measured is called before Validated, with all that was measured; it may keep the result.
	Measured func(Measured)
	// Warning is called with a sentence that the user should read, such as the name of an image
	// that could not be.
	Warning func(text string)
}

// Start is what a run is about to do.
type Start struct {
	Dir             string
	Config          Config // resolved
	Identities      int    // of training
	Images          int
	ValidationPairs int // 0: no validation
	Params          int // of the backbone
	HeadParams      int
	StepsPerEpoch   int
	Steps           int     // at the end of this run
	First           int     // accepted steps so far: 0 for a new run
	LeastScale      float64 // of the head, that is recommended for so many identities; 0 where nothing is
	Bytes           int     // of activations and gradients
	Memory          MemoryPlan
	Threads         int    // of each rank
	Ranks           int    // processes that train together
	Classes         int    // whose weights this process holds
	Kernels         string // variant of the kernels: "avx512", "avx2" or "generic"
}

// Progress is an accepted step.
type Progress struct {
	Step, Steps     int     // this one, from 1, and the last one
	Epoch           float64 // passes over the data so far
	Loss            float64
	LR              float64
	GradNorm        float64       // before clipping
	TargetAngle     float64       // mean angle to the own class's weight in radians; 0 without a head
	ImagesPerSecond float64       // over the last steps
	Remaining       time.Duration // at that speed, without validations
}

// Result is the outcome of a run.
type Result struct {
	Dir             string      `json:"dir"`
	Model           string      `json:"model"`  // path of the best model, or of the last one without validation
	Report          string      `json:"report"` // path
	Steps           int         `json:"steps"`
	Epochs          float64     `json:"epochs"`
	Images          int         `json:"images"` // of training
	Identities      int         `json:"identities"`
	BadImages       int         `json:"bad_images"` // named in quarantine.txt
	Loss            float64     `json:"loss"`       // of the last step
	ImagesPerSecond float64     `json:"images_per_second"`
	Seconds         float64     `json:"seconds"` // of training, over all resumes
	Best            *Validation `json:"best"`    // null without validation
	Last            *Validation `json:"last"`
}

// InterruptedError is the error of a run whose context was cancelled. The step that was under way
// has been finished, and a checkpoint holds it. It wraps context.Canceled.
type InterruptedError struct {
	Dir  string
	Step int
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("interrupted after step %d; fv-train --resume %s goes on from there", e.Step, e.Dir)
}

// Unwrap returns context.Canceled.
func (e *InterruptedError) Unwrap() error { return context.Canceled }

func (e *Events) warn(format string, args ...any) {
	if e.Warning != nil {
		e.Warning(fmt.Sprintf(format, args...))
	}
}
