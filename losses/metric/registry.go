package metric

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faceverify/fv/losses/spec"
)

// Names returns the names of all metric losses, sorted.
func Names() []string { return slices.Sorted(maps.Keys(described)) }

// Describe returns what is known of the loss of the given name.
func Describe(name string) (spec.Loss, error) {
	d, ok := described[name]
	if !ok {
		return spec.Loss{}, fmt.Errorf("metric: there is no loss %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return d, nil
}

// Resolve returns a value for each of the loss's settings: the given one or its default. A name that is not among
// them is an error that lists them.
func Resolve(name string, given map[string]float64) (map[string]float64, error) {
	d, err := Describe(name)
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	var names []string
	for _, p := range d.Params {
		values[p.Name] = p.Default
		names = append(names, p.Name)
	}
	for _, n := range slices.Sorted(maps.Keys(given)) {
		if _, ok := values[n]; !ok {
			return nil, fmt.Errorf("metric: %s has no setting %q; it has %s", name, n, strings.Join(names, ", "))
		}
		values[n] = given[n]
	}
	return values, nil
}

// ParseMining returns the mining that String names so.
func ParseMining(text string) (Mining, error) {
	var names []string
	for m := All; m <= BatchHard; m++ {
		if m.String() == text {
			return m, nil
		}
		names = append(names, m.String())
	}
	return All, fmt.Errorf("metric: there is no mining %q; there are %s", text, strings.Join(names, ", "))
}

// New returns the loss of the given name with settings by the names in its description, defaults elsewhere. mining is the
// triplet loss's. The center loss, which has memory, is made by NewCenter, and an error here.
func New(name string, settings map[string]float64, mining Mining) (Loss, error) {
	v, err := Resolve(name, settings)
	if err != nil {
		return nil, err
	}
	var l Loss
	switch name {
	case "triplet":
		l = Triplet{Margin: v["margin"], Mining: mining}
	case "contrastive":
		l = Contrastive{Margin: v["margin"]}
	case "n-pair":
		l = NPair{L2: v["l2"]}
	case "angular":
		l = Angular{Alpha: v["alpha"]}
	case "multi-similarity":
		l = MultiSimilarity{Alpha: v["alpha"], Beta: v["beta"], Lambda: v["lambda"], Epsilon: v["epsilon"]}
	case "supcon":
		l = SupCon{Temperature: v["temperature"]}
	default:
		return nil, fmt.Errorf("metric: the %s loss needs to know how many classes there are: NewCenter makes it", name)
	}
	return l, l.Validate()
}
