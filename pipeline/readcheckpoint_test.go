package pipeline

// readNewestCheckpoint reads all of the newest checkpoint of a folder.
func readNewestCheckpoint(dir string) (*checkpoint, error, error) {
	c, warning, err := openNewestCheckpoint(dir)
	if err != nil {
		return nil, warning, err
	}
	return c, warning, c.read()
}

// readCheckpoint reads all of a checkpoint.
func readCheckpoint(path string) (*checkpoint, error) {
	c, err := openCheckpoint(path)
	if err != nil {
		return nil, err
	}
	return c, c.read()
}

// read reads what has stayed in the file.
func (c *checkpoint) read() error {
	defer c.close()
	for name, n := range c.arenas {
		data := make([]float32, n)
		if err := c.file.ReadAt(data, name, 0); err != nil {
			return err
		}
		c.set(name, data)
	}
	c.arenas, c.file = nil, nil
	return nil
}
