package embed

import (
	"fmt"
	"math"

	"github.com/faceverify/fv/internal/nn"
)

// Model is a trained network with all that is needed to use it, or to train it further.
type Model struct {
	Network  *nn.Network
	Theta    []float32 // parameters, as Network.Params lays them out
	Buffers  []float32 // running statistics, as Network.Buffers lays them out
	Contract Contract

	// Head is what the network was trained with, Classes the identities of its classes in order.
	// Both may be empty.
	Head    HeadInfo
	Classes []string
	// HeadParams are the head's tensors by name; nil if they were left out. A "weight" is
	// [len(Classes), Dim], or [len(Classes), K, Dim] of a head with K sub-centers.
	HeadParams map[string]Tensor

	// Threshold is the decision threshold that validation found, nil without validation.
	Threshold *Threshold
	// Meta is kept with the model and not interpreted.
	Meta map[string]string
}

// HeadInfo names a classification head and its settings.
type HeadInfo struct {
	Name           string             `json:"name"`
	Settings       map[string]float64 `json:"settings,omitempty"`
	MarginGradient string             `json:"margin_gradient,omitempty"`
	FeatureNorm    string             `json:"feature_norm,omitempty"`
}

// Tensor is an array in row-major order.
type Tensor struct {
	Shape []int
	Data  []float32
	// Stream, if not nil, gives Save the data in Data's place, one stretch after the other: see tensorfile.Tensor.
	Stream func(write func([]float32) error) error
}

// Threshold is a decision: two embeddings, made by the contract's flip rule, are of one person
// from Cosine on. The counts are those of the validation pairs at Cosine.
type Threshold struct {
	Cosine float64 `json:"cosine"`
	FAR    float64 `json:"far"` // false accept rate that was asked for

	FalseAccepts int `json:"false_accepts"` // of Impostor pairs
	Impostor     int `json:"impostor"`
	TrueAccepts  int `json:"true_accepts"` // of Genuine pairs
	Genuine      int `json:"genuine"`
}

func (t *Threshold) validate() error {
	switch {
	case !(math.Abs(t.Cosine) <= 1):
		return fmt.Errorf("threshold: cosine is %v; want -1 to 1", t.Cosine)
	case !(t.FAR >= 0 && t.FAR <= 1):
		return fmt.Errorf("threshold: false accept rate is %v; want 0 to 1", t.FAR)
	case t.FalseAccepts < 0 || t.FalseAccepts > t.Impostor || t.TrueAccepts < 0 || t.TrueAccepts > t.Genuine:
		return fmt.Errorf("threshold: %d of %d impostor and %d of %d genuine pairs are not counts", t.FalseAccepts, t.Impostor, t.TrueAccepts, t.Genuine)
	}
	return nil
}

// NewModel returns an untrained model: the network with PyTorch's initial values under the seed. It
// panics if the network cannot be.
func NewModel(n *nn.Network, c Contract, seed uint64) *Model {
	m := &Model{
		Network: n, Contract: c,
		Theta:   make([]float32, nn.Len(n.Params())),
		Buffers: make([]float32, nn.Len(n.Buffers())),
	}
	n.Init(m.Theta, m.Buffers, seed)
	return m
}

// Dim returns the length of what the network gives for one image.
func (m *Model) Dim() int { return m.Network.Dim() }

// describe checks all of a model but its tensors.
func (m *Model) describe() error {
	if m.Network == nil {
		return fmt.Errorf("no network")
	}
	if err := m.Network.Check(); err != nil {
		return fmt.Errorf("network: %w", err)
	}
	if err := m.Contract.Validate(); err != nil {
		return err
	}
	if want := (nn.Shape{C: 3, H: m.Contract.Height, W: m.Contract.Width}); m.Network.Input != want {
		return fmt.Errorf("the network reads images of %v, the preprocessing contract makes %v", m.Network.Input, want)
	}
	for name, v := range m.Head.Settings {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("head %s: setting %s is %v", m.Head.Name, name, v)
		}
	}
	if m.Threshold != nil {
		return m.Threshold.validate()
	}
	return nil
}

// checkHead checks the head's tensors.
func (m *Model) checkHead() error {
	for name, t := range m.HeadParams {
		n := 1
		for _, s := range t.Shape {
			n *= s
		}
		if t.Stream == nil && n != len(t.Data) {
			return fmt.Errorf("tensor %q of shape %v has %d floats", headPrefix+name, t.Shape, len(t.Data))
		}
	}
	w, ok := m.HeadParams["weight"]
	if d := len(w.Shape); ok && (d < 2 || d > 3 || w.Shape[0] != len(m.Classes) || w.Shape[d-1] != m.Dim()) {
		return fmt.Errorf("tensor %q has shape %v; %d classes and embeddings of %d want [%d %d]",
			headPrefix+"weight", w.Shape, len(m.Classes), m.Dim(), len(m.Classes), m.Dim())
	}
	return nil
}
