package pipeline

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/losses/metric"
)

// Every metric loss trains without a head, and center beside one; the model says by what it was trained.
func TestMetricLosses(t *testing.T) {
	data := drawFaces(t, 5)
	for _, name := range metric.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loss, head := name, name
			if name == centerLoss {
				loss, head = "head+center", "amsoftmax"
			}
			r := train(t, tiny(t, data, "loss="+loss, "max-steps=3", "accumulate=2", "lr=0.001", "per-identity=2"), Events{})
			m, err := embed.Load(r.Model)
			if err != nil {
				t.Fatal(err)
			}
			if m.Head.Name != head || len(m.Head.Settings) == 0 || (len(m.HeadParams) > 0) != (name == centerLoss) {
				t.Errorf("head %+v with %d parameters", m.Head, len(m.HeadParams))
			}
		})
	}
}

// The loss of head+NAME is the sum of the two, weighted, and so is its gradient: a step of plain SGD from the same
// weights moves them by the sum of what the two moves would be.
func TestSumOfLosses(t *testing.T) {
	data := drawFaces(t, 8)
	after := func(changes ...string) (theta []float32, loss float64) {
		t.Helper()
		c := tiny(t, data, append([]string{"max-steps=1", "momentum=0", "clip=0", "weight-decay=0", "schedule=constant", "warmup=0", "per-identity=2"}, changes...)...)
		r := train(t, c, Events{})
		m, err := embed.Load(r.Model)
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(m.Theta), r.Loss
	}
	start, _ := after("lr=1e-30")
	for _, name := range []string{"supcon", "center"} {
		const weight = 0.25
		head, headLoss := after("loss=head")
		sum, sumLoss := after("loss=head+"+name, "loss-weight=0.25")
		var other []float32
		var otherLoss float64
		if name == "center" { // which means nothing alone: twice the weight gives its part
			twice, twiceLoss := after("loss=head+center", "loss-weight=0.5")
			otherLoss = (twiceLoss - sumLoss) / weight
			for i := range twice {
				other = append(other, start[i]+(twice[i]-sum[i])/weight)
			}
		} else {
			other, otherLoss = after("loss=" + name)
		}
		if want := headLoss + weight*otherLoss; math.Abs(sumLoss-want) > 1e-5*want || !(otherLoss > 0) {
			t.Errorf("%s: loss %v, want %v + %v * %v", name, sumLoss, headLoss, weight, otherLoss)
		}
		var off, size float64
		for i, v := range start {
			want := float64(head[i]-v) + weight*float64(other[i]-v)
			off += math.Pow(float64(sum[i]-v)-want, 2)
			size += want * want
		}
		if !(off < 1e-6*size) {
			t.Errorf("%s: the step differs from the sum of the two by %.2g of its length", name, math.Sqrt(off/size))
		}
	}
}

func TestLossMistakes(t *testing.T) {
	for changes, want := range map[string]string{
		"loss=tripled": `--loss: there is no "tripled"; there are head, the metric losses angular, center`,
		"loss=head+":   `--loss: there is no "head+"`,
		"loss=center":  "use head+center",
		"loss=triplet": "--per-identity: 0: the triplet loss compares images of one identity within a batch",
		"loss=triplet per-identity=4 mining=soft":               `--mining: there is no mining "soft"; there are all, hard, semi-hard, batch-hard`,
		"loss=supcon per-identity=2 mining=all":                 "--mining: it goes with the triplet loss",
		"loss=supcon per-identity=2 loss-params=margin=1":       `--loss-params: supcon has no setting "margin"; it has temperature`,
		"loss=supcon per-identity=2 loss-params=temperature=-1": "--loss-params: supcon: temperature is -1",
		"loss=supcon per-identity=4":                            "--per-identity: 4: a batch of 4 has images of one identity only",
		"loss=supcon per-identity=2 loss-weight=2":              "use head+supcon",
		"loss=head+center loss-weight=0":                        "--loss-weight: 0: want a number above 0",
		"loss=head+center sample-classes=0.5":                   "--sample-classes: 0.5: it does not go with --loss head+center",
		"interclass-filter=1":                                   "--interclass-filter: 1: want a cosine above 0 and below 1",
		"interclass-filter=0.4 head=sphereface2":                "--interclass-filter: the loss of head sphereface2 is binary",
		"interclass-filter=0.4 loss=supcon per-identity=2":      "--interclass-filter: it goes with a head, and --loss is supcon",
		"loss-weight=2":        "--loss-weight: it goes with a metric loss",
		"loss-params=margin=1": "--loss-params: they go with a metric loss",
		"mining=all":           "--mining: it goes with --loss triplet",
	} {
		c := tiny(t, t.TempDir(), strings.Fields(changes)...)
		if err := c.Resolve(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", changes, err, want)
		}
	}
}
