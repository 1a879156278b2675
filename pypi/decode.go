package pypi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// info is what is kept of the "info" object: metadata of the latest release.
// A missing field, null and "" mean the same.
type info struct {
	Name              string            `json:"name"`
	Version           string            `json:"version"`
	License           string            `json:"license"`
	LicenseExpression string            `json:"license_expression"`
	Classifiers       []string          `json:"classifiers"`
	RequiresPython    string            `json:"requires_python"`
	ProjectURLs       map[string]string `json:"project_urls"`
	DocsURL           string            `json:"docs_url"`
}

// file is what is kept of a file of a release.
type file struct {
	Uploaded     string `json:"upload_time_iso_8601"`
	UploadedBare string `json:"upload_time"` // UTC, without saying so
	Yanked       bool   `json:"yanked"`
}

// uploaded returns when the file arrived, in UTC; zero where that cannot be read.
func (f *file) uploaded() time.Time {
	t, err := time.Parse(time.RFC3339, f.Uploaded)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", f.UploadedBare)
	}
	// A zone can push a time out of the years that JSON can carry.
	if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// release gathers the files of a version.
type release struct {
	earliest    time.Time
	files, kept int // kept are those not yanked
}

func (r *release) add(f *file) {
	r.files++
	if !f.Yanked {
		r.kept++
	}
	if t := f.uploaded(); !t.IsZero() && (r.earliest.IsZero() || t.Before(r.earliest)) {
		r.earliest = t
	}
}

// decodeProject reads an answer of the JSON API as it arrives: a file at a
// time, keeping of each no more than a version needs. Its error is a
// [malformed], one of encoding/json, or that of r.
func decodeProject(r io.Reader) (Project, error) {
	var (
		about    *info
		serial   int64
		releases map[string]*release // nil: not in the answer
		urls     json.RawMessage     // files of the latest release, for want of releases
	)
	err := eachMember(r, func(key string, dec *json.Decoder) error {
		switch key {
		case "info":
			return dec.Decode(&about)
		case "last_serial":
			return dec.Decode(&serial)
		case "releases":
			var err error
			releases, err = decodeReleases(dec)
			return err
		case "urls":
			if releases == nil {
				return dec.Decode(&urls)
			}
		}
		return dec.Decode(new(ignored))
	})
	switch {
	case err != nil:
		return Project{}, err
	case about == nil:
		return Project{}, malformed("it has no info")
	case about.Name == "":
		return Project{}, malformed("its info has no name")
	}
	if releases == nil {
		// Documented as deprecated: without it only the latest is known.
		releases = map[string]*release{}
		var files []file
		if urls != nil {
			if err := json.Unmarshal(urls, &files); err != nil {
				return Project{}, fmt.Errorf("urls: %w", err)
			}
		}
		latest := &release{}
		for i := range files {
			latest.add(&files[i])
		}
		releases[about.Version] = latest
	}
	return newProject(about, releases, serial), nil
}

// decodeReleases reads the object of versions that is the next value. It
// returns nil for null.
func decodeReleases(dec *json.Decoder) (map[string]*release, error) {
	tok, err := dec.Token()
	switch {
	case err != nil:
		return nil, err
	case tok == nil:
		return nil, nil
	case tok != json.Delim('{'):
		return nil, malformed(`"releases" does not hold an object`)
	}
	releases := map[string]*release{}
	err = members(dec, func(version string) error {
		rel := releases[version]
		if rel == nil {
			rel = &release{}
			releases[version] = rel
		}
		return eachElement(dec, "releases", func() error {
			var f file
			err := dec.Decode(&f)
			rel.add(&f)
			return err
		})
	})
	return releases, err
}

// ignored takes in any value and keeps nothing of it.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

// eachMember calls fn for each member of the one object that r holds. fn must
// consume the member's value.
func eachMember(r io.Reader, fn func(key string, dec *json.Decoder) error) error {
	dec := json.NewDecoder(r)
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if tok != json.Delim('{') {
		return malformed("not a JSON object")
	}
	err = members(dec, func(key string) error {
		err := fn(key, dec)
		if typ, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			typ.Field = strings.TrimSuffix(key+"."+typ.Field, ".")
		}
		return err
	})
	if err != nil {
		return err
	}
	// Reading to the end shows a cut transfer and frees the connection.
	switch _, err := dec.Token(); err {
	case io.EOF:
		return nil
	case nil:
		return malformed("something follows the JSON object")
	default:
		return err
	}
}

// members calls fn for each member up to the end of an object just begun.
func members(dec *json.Decoder, fn func(key string) error) error {
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		key, ok := tok.(string)
		if !ok {
			return malformed("a member of an object without a name")
		}
		if err := fn(key); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

// eachElement calls fn for each element of the array that is the next value.
// null counts as an array without elements.
func eachElement(dec *json.Decoder, what string, fn func() error) error {
	tok, err := dec.Token()
	switch {
	case err != nil:
		return err
	case tok == nil:
		return nil
	case tok != json.Delim('['):
		return malformed(fmt.Sprintf("%q does not hold a list where it should", what))
	}
	for dec.More() {
		if err := fn(); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}
