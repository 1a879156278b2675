package config

import (
	"errors"
	"math"
	"regexp"
	"strconv"

	"pkgmetad/internal/strict"
)

// ByteSize is a number of bytes, written in a file as such or with a unit, like
// 2GiB.
type ByteSize int64

var (
	sizeForm  = regexp.MustCompile(`^(0|[1-9][0-9]*) ?(B|KiB|MiB|GiB|TiB)?$`)
	sizeShift = map[string]int{"": 0, "B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
)

// Wanted implements [strict.ScalarUnmarshaler].
func (*ByteSize) Wanted() string { return "a size such as 512MiB or 2GiB" }

// UnmarshalScalar implements [strict.ScalarUnmarshaler].
func (b *ByteSize) UnmarshalScalar(s strict.Scalar) error {
	parts := sizeForm.FindStringSubmatch(s.Text)
	if parts == nil || s.Kind != strict.TextKind && s.Kind != strict.IntegerKind {
		return errors.New("needs a size; write it like 512MiB or 2GiB, or as a number of bytes")
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || n > math.MaxInt64>>sizeShift[parts[2]] {
		return errors.New("is out of range; write a smaller size")
	}
	*b = ByteSize(n << sizeShift[parts[2]])
	return nil
}
