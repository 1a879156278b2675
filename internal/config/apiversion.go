package config

import (
	"errors"
	"time"

	"pkgmetad/internal/strict"
)

// APIVersion is a version of GitHub's REST API, which is a date.
type APIVersion string

// Wanted implements [strict.ScalarUnmarshaler].
func (*APIVersion) Wanted() string { return "a date such as 2022-11-28" }

// UnmarshalScalar implements [strict.ScalarUnmarshaler]. In YAML a date needs no quotes.
func (v *APIVersion) UnmarshalScalar(s strict.Scalar) error {
	if _, err := time.Parse(time.DateOnly, s.Text); err != nil {
		return errors.New(strict.Quote(s.Text) + " is not a date; write one that GitHub documents as a version of its API, such as 2022-11-28")
	}
	*v = APIVersion(s.Text)
	return nil
}
