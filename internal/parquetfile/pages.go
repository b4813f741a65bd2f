package parquetfile

import (
	"bufio"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// What a file may announce. The library takes memory for it before it has seen that it is there.
const (
	rowsPerByte, valuesPerByte = 16, 64 // of the whole file; some more in small ones
	someMore                   = 1 << 16
	largestPage                = 256 << 20
)

// checkPages returns an error if a column of a group announces more than the file can hold. It reads the headers of its pages.
func (f *File) checkPages(group, column int) error {
	size := f.file.Size()
	c := f.file.Metadata().RowGroups[group].Columns[f.leaves[column].Index()].MetaData
	if c.NumValues > valuesPerByte*size+someMore {
		return fmt.Errorf("it announces %d values, in a file of %d bytes", c.NumValues, size)
	}
	at := c.DataPageOffset
	if c.DictionaryPageOffset != 0 {
		at = c.DictionaryPageOffset
	}
	end := min(at+c.TotalCompressedSize, size)
	in := bufio.NewReaderSize(nil, 4096)
	for at < end {
		section := io.NewSectionReader(f.source, at, end-at)
		in.Reset(section)
		var h format.PageHeader
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(in)).Decode(&h); err != nil {
			return fmt.Errorf("the header of a page at byte %d: %w", at, err)
		}
		read, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		at += read - int64(in.Buffered()) + int64(h.CompressedPageSize)
		switch values := max(h.DataPageHeader.V.NumValues, h.DataPageHeaderV2.V.NumValues); {
		case h.CompressedPageSize < 0 || at > end:
			return fmt.Errorf("a page of %d bytes, more than there are", h.CompressedPageSize)
		case h.UncompressedPageSize < 0 || h.UncompressedPageSize > largestPage:
			return fmt.Errorf("a page that would have %d bytes; at most %d are read", h.UncompressedPageSize, largestPage)
		case int64(values) > c.NumValues:
			return fmt.Errorf("a page of %d values, in a column of %d", values, c.NumValues)
		case h.DictionaryPageHeader.V.NumValues > h.UncompressedPageSize:
			return fmt.Errorf("a dictionary of %d values in %d bytes", h.DictionaryPageHeader.V.NumValues, h.UncompressedPageSize)
		}
	}
	return nil
}
