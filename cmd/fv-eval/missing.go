package main

import (
	"errors"
	"fmt"

	"github.com/faceverify/fv/eval"
)

// listMissing writes all images that are missing where --missing says list, and else says of a list that
// was cut short how to get it whole. Other errors are returned as they are.
func listMissing(e *env, missing string, err error) error {
	var images *eval.ImagesError
	switch {
	case !errors.As(err, &images):
	case missing == "list":
		fmt.Fprintln(e.text(), images.List())
	case images.Cut():
		return fmt.Errorf("%w\n  --missing list writes all %d to stdout", err, len(images.Names))
	}
	return err
}
