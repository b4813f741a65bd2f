package pipeline

import (
	"math"
	"strings"

	"github.com/faceverify/fv/losses"
)

// checkMarginWarmup returns an error where there is no margin that could grow.
func (c *Config) checkMarginWarmup() error {
	switch w := c.MarginWarmup; {
	case w == 0:
		return nil
	case !(w > 0 && w <= float64(c.Epochs)):
		return settingError("margin-warmup", "%v: want epochs from 0 to the run's %d", w, c.Epochs)
	}
	if head, _ := c.objective(); !head {
		return settingError("margin-warmup", "it goes with a head, and --loss is %s", c.Loss)
	}
	if _, err := c.growingHead(1); err != nil {
		return settingError("margin-warmup", "%s", strings.TrimPrefix(err.Error(), "losses: "))
	}
	return nil
}

// growingHead makes the head with a margin that grows over MarginWarmup epochs of so many steps.
func (c *Config) growingHead(perEpoch int) (losses.Head, error) {
	return losses.WithWarmup(c.Head, c.headOptions(), int(math.Round(c.MarginWarmup*float64(perEpoch))))
}
