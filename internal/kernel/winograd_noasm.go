//go:build !amd64 || purego

package kernel

func (c *transformCall) dispatch(t transform) { c.runGeneric(t) }
