package pypi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// info is what is kept of the "info" object: metadata of the latest release.
// A missing field, null and "" mean the same. Name and Version decide what an
// answer is about, so that a wrong type there makes it a broken answer; any
// other field of a wrong type counts as missing.
type info struct {
	identity
	License           string            `json:"license"`
	LicenseExpression string            `json:"license_expression"`
	Classifiers       []string          `json:"classifiers"`
	RequiresPython    string            `json:"requires_python"`
	ProjectURLs       map[string]string `json:"project_urls"`
	DocsURL           string            `json:"docs_url"`
}

type identity struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// decodeInfo reads the "info" object; nil for null.
func decodeInfo(raw []byte) (about *info, err error) {
	var id *identity
	if err := json.Unmarshal(raw, &id); err != nil || id == nil {
		return nil, err
	}
	return about, lenient(json.Unmarshal(raw, &about))
}

// lenient forgives a field of a wrong type: encoding/json leaves it zero and
// decodes the rest.
func lenient(err error) error {
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return nil
	}
	return err
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
			var raw json.RawMessage
			err := dec.Decode(&raw)
			if err == nil {
				about, err = decodeInfo(raw)
			}
			return err
		case "last_serial":
			return lenient(dec.Decode(&serial))
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
		latest := &release{}
		if urls != nil {
			err := decodeFiles(json.NewDecoder(bytes.NewReader(urls)), "urls", latest)
			if err != nil {
				return Project{}, err
			}
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
		return decodeFiles(dec, "releases", rel)
	})
	return releases, err
}

// decodeFiles adds the files of the array that is the next value to rel.
func decodeFiles(dec *json.Decoder, what string, rel *release) error {
	return eachElement(dec, what, func() error {
		var f file
		err := lenient(dec.Decode(&f))
		rel.add(&f)
		return err
	})
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
