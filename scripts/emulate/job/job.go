// Package job is what scripts/emulate and the first process of the machine that it starts tell each other.
package job

// Job is a program that the machine runs.
type Job struct {
	Name        string // for people
	Program     string
	Arguments   []string
	Dir         string
	Environment []string
}

// Lines that the machine prints: the first one of init, and the last one.
const (
	Started = "emulate: started"
	Passed  = "emulate: all jobs passed"
	Failed  = "emulate: a job failed"
)
