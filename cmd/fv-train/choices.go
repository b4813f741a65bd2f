package main

import (
	"github.com/faceverify/fv/embed"
	"github.com/faceverify/fv/internal/cli"
	"github.com/faceverify/fv/losses"
	"github.com/faceverify/fv/losses/metric"
	"github.com/faceverify/fv/pipeline/optim"
	"github.com/faceverify/fv/pipeline/recipe"
	"github.com/faceverify/fv/pipeline/sampler"
)

// choices are the values of flags that a shell can complete and that their help does not list as a choice.
func choices() cli.Choices {
	objectives := []string{"head"}
	for _, name := range metric.Names() {
		objectives = append(objectives, name, "head+"+name)
	}
	return cli.Choices{
		"backbone": embed.Backbones(), "head": losses.Names(), "loss": objectives, "schedule": optim.Decays(), "optimizer": {optim.SGD, optim.AdamW},
		"recipe": recipe.Names(), "sampler": sampler.Names(),
	}
}
