package parquetfile

import (
	"fmt"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

func isNumber(k parquet.Kind) bool {
	return k == parquet.Int32 || k == parquet.Int64 || k == parquet.Float || k == parquet.Double
}

// Number returns a number of any kind; ok is false of null and of what is no number.
func Number(v parquet.Value) (x float64, ok bool) {
	if v.IsNull() {
		return 0, false
	}
	switch v.Kind() {
	case parquet.Int32:
		return float64(v.Int32()), true
	case parquet.Int64:
		return float64(v.Int64()), true
	case parquet.Float:
		return float64(v.Float()), true
	case parquet.Double:
		return v.Double(), true
	}
	return 0, false
}

// Text returns a value as a CSV file would have it: "" for null, and whole numbers without a point.
func Text(v parquet.Value) string {
	switch {
	case v.IsNull():
		return ""
	case v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray:
		return string(v.ByteArray())
	case v.Kind() == parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	case v.Kind() == parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	}
	if x, ok := Number(v); ok {
		return fmt.Sprint(x)
	}
	return v.String()
}
