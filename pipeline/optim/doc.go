// Package optim turns gradients into new parameters: optimisers that work on
// ranges of one flat arena, and learning-rate schedules.
package optim
