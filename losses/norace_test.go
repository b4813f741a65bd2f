//go:build !race

package losses

const race = false
