package kernel

import (
	"fmt"
	"os"

	"github.com/faceverify/fv/internal/cpu"
)

// variant is the set of kernels in use. It is settled before main starts;
// only tests change it, through SetVariant.
var variant cpu.Variant

func init() {
	v, err := cpu.FromEnv()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	SetVariant(v)
}

// single returns the variant of the float32 kernels: what is beyond AVX-512 adds bfloat16 only.
func single() cpu.Variant { return min(variant, cpu.AVX512) }

// Variant returns the name of the set of kernels in use, such as "avx512".
func Variant() string { return variant.String() }

// SetVariant changes the set of kernels in use. It is for tests that compare
// variants, and must not be called while a kernel runs or an object made by
// one of the New functions is still to be used.
func SetVariant(v cpu.Variant) { variant = v }
