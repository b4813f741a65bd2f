//go:build !amd64 || purego

package cpu

func best() Variant { return Generic }
