package parquetfile

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
)

// longestList is how many values a row may have: a damaged page can announce any number in a few bytes.
const longestList = 1 << 16

// cursor goes through the values of a column in one group of rows, page by page.
type cursor struct {
	pages parquet.Pages
	page  parquet.Page
	in    parquet.ValueReader // of the page
	list  bool

	buffer []parquet.Value
	left   []parquet.Value // of the buffer, not given yet
	row    []parquet.Value // of a list
}

// next returns the values of the next row: one, or those of a list.
func (c *cursor) next() ([]parquet.Value, error) {
	if !c.list {
		if err := c.fill(); err != nil {
			return nil, err
		}
		one := c.left[:1]
		c.left = c.left[1:]
		return one, nil
	}
	c.row = c.row[:0]
	for {
		if err := c.fill(); errors.Is(err, io.EOF) && len(c.row) > 0 {
			return c.row, nil
		} else if err != nil {
			return nil, err
		}
		if len(c.row) > 0 && c.left[0].RepetitionLevel() == 0 {
			return c.row, nil
		}
		if len(c.row) == longestList {
			return nil, fmt.Errorf("a list of more than %d values", longestList)
		}
		c.row = append(c.row, c.left[0])
		c.left = c.left[1:]
	}
}

// fill reads values if none are left; io.EOF says that the column has no more.
func (c *cursor) fill() error {
	for len(c.left) == 0 {
		if c.page == nil {
			page, err := c.pages.ReadPage()
			if err != nil {
				return err
			}
			c.page, c.in = page, page.Values()
		}
		if c.buffer == nil {
			c.buffer = make([]parquet.Value, 1024)
		}
		n, err := c.in.ReadValues(c.buffer)
		c.left = c.buffer[:n]
		switch {
		case errors.Is(err, io.EOF):
			// What was read lies in the page until the next one is read.
			if n == 0 {
				c.release()
			}
		case err != nil:
			return err
		case n == 0:
			return io.ErrNoProgress
		}
	}
	return nil
}

func (c *cursor) release() {
	if c.page != nil {
		parquet.Release(c.page)
		c.page = nil
	}
}

func (c *cursor) close() {
	c.release()
	c.pages.Close()
}
