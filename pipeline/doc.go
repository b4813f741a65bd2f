// Package pipeline trains: from a folder of faces and a Config to a run folder with a
// verification model, its log, its checkpoints and a report.
//
// The step is one Gorgonia graph, images -> backbone -> embedding -> head -> loss. A step
// is accepted only if loss and gradient are finite; only then do weights, running
// statistics, the head's memory and the optimiser's state change.
//
// A run is a function of its Config and its data alone: the number of threads does
// not matter, nor does how often it was stopped and resumed.
package pipeline
