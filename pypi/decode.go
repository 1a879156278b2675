package pypi

import (
	"io"
	"time"
)

// info is what is kept of the "info" object: metadata of the latest release.
// A missing field, null and "" mean the same. Name and Version decide what an
// answer is about, so that a wrong type there makes it a broken answer; any
// other field of a wrong type counts as missing.
type info struct {
	Name              string
	Version           string
	License           string
	LicenseExpression string
	Classifiers       []string
	RequiresPython    string
	ProjectURLs       map[string]string
	DocsURL           string
}

// info reads the "info" object; nil for null.
func (r *reader) info() (*info, error) {
	about := new(info)
	found, err := r.object("info", func(name []byte) error {
		switch string(name) {
		case "name":
			return r.required(&about.Name, "info.name")
		case "version":
			return r.required(&about.Version, "info.version")
		case "license":
			return r.field(&about.License)
		case "license_expression":
			return r.field(&about.LicenseExpression)
		case "classifiers":
			return r.fields(&about.Classifiers)
		case "requires_python":
			return r.field(&about.RequiresPython)
		case "project_urls":
			return r.labels(&about.ProjectURLs)
		case "docs_url":
			return r.field(&about.DocsURL)
		}
		return r.SkipValue()
	})
	if !found {
		about = nil
	}
	return about, err
}

// file is what is kept of a file of a release.
type file struct {
	Uploaded     string // upload_time_iso_8601
	UploadedBare string // upload_time: UTC, without saying so
	Yanked       bool
}

func (r *reader) file() (f file, err error) {
	if r.PeekKind() != '{' {
		return f, r.SkipValue() // a file all the same
	}
	_, err = r.object("", func(name []byte) error {
		switch string(name) {
		case "upload_time_iso_8601":
			return r.field(&f.Uploaded)
		case "upload_time":
			return r.field(&f.UploadedBare)
		case "yanked":
			return r.flag(&f.Yanked)
		}
		return r.SkipValue()
	})
	return f, err
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

func (r *release) add(f file) {
	r.files++
	if !f.Yanked {
		r.kept++
	}
	if t := f.uploaded(); !t.IsZero() && (r.earliest.IsZero() || t.Before(r.earliest)) {
		r.earliest = t
	}
}

// files adds the files of the array that is the next value to rel. It skips any other
// value.
func (r *reader) files(rel *release) error {
	if r.PeekKind() != '[' {
		return r.SkipValue()
	}
	return r.array("", func() error {
		f, err := r.file()
		if err == nil {
			rel.add(f)
		}
		return err
	})
}

// releases reads the object of versions that is the next value. It skips any other
// value, and returns nil for it.
func (r *reader) releases() (map[string]*release, error) {
	if r.PeekKind() != '{' {
		return nil, r.SkipValue()
	}
	releases := map[string]*release{}
	_, err := r.object("", func(name []byte) error {
		rel := releases[string(name)]
		if rel == nil {
			rel = new(release)
			releases[string(name)] = rel
		}
		return r.files(rel)
	})
	return releases, err
}

// decodeProject reads an answer of the JSON API as it arrives, and keeps of each
// file no more than a version needs. Its error is one of a [reader].
func decodeProject(body io.Reader) (Project, error) {
	var (
		about    *info
		serial   int64
		releases map[string]*release // nil: not in the answer
		latest   = new(release)      // by "urls", for want of releases
	)
	r := newReader(body)
	err := r.document(func(name []byte) (err error) {
		switch string(name) {
		case "info":
			about, err = r.info()
			return err
		case "last_serial":
			return r.number(&serial)
		case "releases":
			releases, err = r.releases()
			return err
		case "urls":
			*latest = release{}
			return r.files(latest)
		}
		return r.SkipValue()
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
		releases = map[string]*release{about.Version: latest}
	}
	return newProject(about, releases, serial), nil
}
