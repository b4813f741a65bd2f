package nn

// Row is a layer's line in a Summary.
type Row struct {
	Name   string `json:"name"`
	Kind   Kind   `json:"kind"`
	Output Shape  `json:"output"`
	Params int    `json:"params"`
	MACs   int    `json:"macs"` // multiply-accumulates of an image, of convolutions and Linears
}

// Summary is what a network is made of.
type Summary struct {
	Name   string `json:"name"`
	Input  Shape  `json:"input"`
	Dim    int    `json:"dim"`
	Params int    `json:"params"`
	MACs   int    `json:"macs"`
	Rows   []Row  `json:"layers"`
}

// Summary returns the layers with their shapes, parameters and multiply-accumulates. A
// convolution's are out.H out.W out.C (in.C/groups) kernel height × width; borders count as if they were
// pixels, as in the papers.
func (n *Network) Summary() Summary {
	r := n.must()
	s := Summary{Name: n.Name, Input: n.Input, Dim: n.Dim()}
	for _, d := range r.nodes[1:] {
		row := Row{Name: d.Name, Kind: d.Kind, Output: d.shape}
		for _, p := range d.params {
			row.Params += r.params[p].Len
		}
		switch d.Kind {
		case Convolution:
			row.MACs = d.shape.Len() * d.from.C / d.Groups * d.Kernel * d.KernelWidth
		case Linear:
			row.MACs = d.Out * d.from.C
		}
		s.Params += row.Params
		s.MACs += row.MACs
		s.Rows = append(s.Rows, row)
	}
	return s
}
