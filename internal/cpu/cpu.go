// Package cpu names the instruction sets that the kernels have variants for
// and says which of them this processor can run.
package cpu

import (
	"fmt"
	"os"
	"strings"
)

// Variant is a set of kernels written for one instruction set. A larger
// Variant needs all that a smaller one needs.
type Variant int

// The variants, slowest first.
const (
	Generic    Variant = iota // plain Go
	AVX2                      // AVX2 and FMA
	AVX512                    // AVX-512 F, BW, DQ and VL
	AVX512BF16                // AVX512-BF16: products of pairs of bfloat16
	AMX                       // AMX-BF16: products of tiles of bfloat16
)

var names = [...]string{"generic", "avx2", "avx512", "avx512bf16", "amx"}

func (v Variant) String() string { return names[v] }

// Env is the environment variable that forces a variant, by name.
const Env = "FV_ISA"

// Variants returns the variants that this processor, operating system and
// build can run, slowest first. It always holds Generic.
func Variants() []Variant {
	var vs []Variant
	for v := Generic; v <= best(); v++ {
		vs = append(vs, v)
	}
	return vs
}

// proven is the largest variant whose kernels have passed their tests on a real processor. One beyond it is
// used only where it is named: AMX, which has run on an emulated one alone.
const proven = AVX512BF16

// Select returns the variant to use: the one named by name, or the fastest
// proven one where name is empty. It is an error to name one that cannot run here.
func Select(name string) (Variant, error) {
	if name == "" {
		return min(best(), proven), nil
	}
	for _, v := range Variants() {
		if v.String() == name {
			return v, nil
		}
	}
	return Generic, fmt.Errorf("%s=%s: not a variant that runs here; have %s", Env, name, strings.Trim(fmt.Sprint(Variants()), "[]"))
}

// FromEnv is Select of the environment variable Env.
func FromEnv() (Variant, error) { return Select(os.Getenv(Env)) }
