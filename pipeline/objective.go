package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/metric"
)

// centerLoss is the metric loss that has memory, and means nothing by itself: a point has no distance to its centre.
const centerLoss = "center"

// objective takes Config.Loss apart: whether the head's loss is part of it, and the name of the metric loss that is, or "".
func (c *Config) objective() (head bool, name string) {
	if c.Loss == "head" {
		return true, ""
	}
	name, head = strings.CutPrefix(c.Loss, "head+")
	return head, name
}

// HeadSettings are the names of the settings that say what the head is like.
var HeadSettings = []string{"head", "scale", "margin", "margin-gradient", "feature-norm", "head-params"}

// HasHead says whether a head's loss is minimised, alone or beside another.
func (c *Config) HasHead() bool {
	head, _ := c.objective()
	return head
}

// Objective says in words what a run minimises.
func (c *Config) Objective() string {
	head, name := c.objective()
	switch {
	case name == "":
		return "head " + c.Head
	case !head:
		return name + " loss"
	}
	return fmt.Sprintf("head %s and %g times the %s loss", c.Head, c.LossWeight, name)
}

// checkFilter returns an error where there is nothing that the filter between classes could filter.
func (c *Config) checkFilter() error {
	if c.Filter == 0 {
		return nil
	}
	if !(c.Filter > 0 && c.Filter < 1) {
		return settingError("interclass-filter", "%v: want a cosine above 0 and below 1, such as 0.4, or 0 for none", c.Filter)
	}
	if head, _ := c.objective(); !head {
		return settingError("interclass-filter", "it goes with a head, and --loss is %s", c.Loss)
	}
	if h, err := c.head(); err == nil && h.Geometry().Binary != 0 {
		return settingError("interclass-filter", "the loss of head %s is binary; it goes with the others", c.Head)
	}
	return nil
}

// resolveLoss fills in the settings of the metric loss.
func (c *Config) resolveLoss() error {
	head, name := c.objective()
	if c.Loss == "head" {
		switch {
		case len(c.LossParams) > 0:
			return settingError("loss-params", "they go with a metric loss, and --loss is head")
		case c.Mining != "":
			return settingError("mining", "it goes with --loss triplet, and --loss is head")
		case c.LossWeight != 1:
			return settingError("loss-weight", "it goes with a metric loss beside the head's, such as head+center, and --loss is head")
		}
		return nil
	}
	if other, ok := strings.CutSuffix(c.Loss, "+head"); ok && slices.Contains(metric.Names(), other) {
		return settingError("loss", "there is no %q; want head+%s", c.Loss, other)
	}
	if !slices.Contains(metric.Names(), name) {
		return settingError("loss", "there is no %q; there are head, the metric losses %s, and head+ one of these", c.Loss, strings.Join(metric.Names(), ", "))
	}
	values, err := metric.Resolve(name, c.LossParams)
	if err != nil {
		return settingError("loss-params", "%s", strings.TrimPrefix(err.Error(), "metric: "))
	}
	c.LossParams = values
	switch {
	case name == "triplet" && c.Mining == "":
		c.Mining = metric.BatchHard.String()
	case name != "triplet" && c.Mining != "":
		return settingError("mining", "it goes with the triplet loss, and --loss is %s", c.Loss)
	case name == "triplet":
		if _, err := metric.ParseMining(c.Mining); err != nil {
			return settingError("mining", "%s", strings.TrimPrefix(err.Error(), "metric: "))
		}
	}
	if _, err := c.metricLoss(2, c.Embedding); err != nil {
		return settingError("loss-params", "%s", strings.TrimPrefix(err.Error(), "metric: "))
	}
	return c.checkLoss(head, name)
}

// checkLoss returns an error where a metric loss does not go with other settings.
func (c *Config) checkLoss(head bool, name string) error {
	switch {
	case !(c.LossWeight > 0):
		return settingError("loss-weight", "%v: want a number above 0", c.LossWeight)
	case !head && c.LossWeight != 1:
		return settingError("loss-weight", "%v: there is no other loss to weigh it against; use head+%s, or change --lr", c.LossWeight, name)
	case !head && name == centerLoss:
		return settingError("loss", "center alone draws all embeddings to one point; use head+center")
	case c.SampleClasses < 1 && (!head || name == centerLoss):
		return settingError("sample-classes", "%v: it does not go with --loss %s", c.SampleClasses, c.Loss)
	case name != centerLoss && c.PerIdentity < 2:
		return settingError("per-identity", "%d: the %s loss compares images of one identity within a batch; want at least 2, such as 4", c.PerIdentity, name)
	case name != centerLoss && c.Batch < 2*c.PerIdentity:
		return settingError("per-identity", "%d: a batch of %d has images of one identity only; the %s loss compares two", c.PerIdentity, c.Batch, name)
	}
	return nil
}

// metricLoss is the loss of the embeddings against each other, or against their centres.
type metricLoss struct {
	weight float64
	loss   metric.Loss
	center *metric.Center // in its place
}

// metricLoss makes the metric loss of resolved settings, for embeddings of dim numbers of so many classes; nil if there is none.
func (c *Config) metricLoss(classes, dim int) (*metricLoss, error) {
	_, name := c.objective()
	m := &metricLoss{weight: c.LossWeight}
	var err error
	switch name {
	case "":
		return nil, nil
	case centerLoss:
		m.center = metric.NewCenter(classes, dim, c.LossParams["alpha"])
		err = m.center.Validate()
	default:
		mining := metric.All
		if c.Mining != "" {
			if mining, err = metric.ParseMining(c.Mining); err != nil {
				return nil, err
			}
		}
		m.loss, err = metric.New(name, c.LossParams, mining)
	}
	return m, err
}

// node returns the weighted loss.
func (m *metricLoss) node(embedding, labels *gorgonia.Node) (n *gorgonia.Node, err error) {
	if m.center != nil {
		n, err = m.center.Node(embedding, labels)
	} else {
		n, err = metric.Node(m.loss, embedding, labels)
	}
	if err != nil || m.weight == 1 {
		return n, err
	}
	return gorgonia.Mul(n, gorgonia.NewConstant(float32(m.weight)))
}

// totalLoss returns the node of what is minimised: the head's loss, the metric one, or their sum.
func totalLoss(h losses.Head, m *metricLoss, in losses.Nodes, o losses.NodeOptions) (total *gorgonia.Node, err error) {
	if h != nil {
		if total, err = losses.Loss(h, in, o); err != nil {
			return nil, err
		}
	}
	if m == nil {
		return total, nil
	}
	n, err := m.node(in.Embedding, in.Labels)
	if err != nil || total == nil {
		return n, err
	}
	return gorgonia.Add(total, n)
}

// memory is what of a loss changes from step to step: see losses.Stateful.
type memory interface {
	Begin(step int)
	Commit()
	State() map[string][]float32
	SetState(map[string][]float32) error
}

// memories are those of head and metric loss, nil for what has none.
func (t *trainer) memories() (head, metric memory) {
	if s, ok := t.head.(losses.Stateful); ok {
		head = s
	}
	if t.metric != nil && t.metric.center != nil {
		metric = t.metric.center
	}
	return head, metric
}

// beginLoss readies the losses for a step, commitLoss takes what it has made of them.
func (t *trainer) beginLoss(step int) {
	head, metric := t.memories()
	for _, m := range []memory{head, metric} {
		if m != nil {
			m.Begin(step)
		}
	}
}

func (t *trainer) commitLoss() {
	head, metric := t.memories()
	for _, m := range []memory{head, metric} {
		if m != nil {
			m.Commit()
		}
	}
}
