package pypi

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Project is what PyPI says of a project, as far as a record needs it. A field
// that PyPI leaves out is zero.
type Project struct {
	Name              string    // as its owner writes it, not normalised
	Latest            string    // version, in PyPI's own spelling; "" where there is none
	Versions          []Version // newest first (PEP 440); versions that PEP 440 cannot read last, by upload
	Licence           string
	DevelopmentStatus int      // 1 (planning) to 7 (inactive); 0 unknown
	RequiresPython    string   // specifiers of the latest release, as written
	Python3           *bool    // some Python 3 will do; nil unknown
	Python            []string // versions that its classifiers name, such as "3" and "3.12", ascending
	Django            []string // likewise
	DocumentationURL  string   // http or https
	Serial            int64    // grows with every change of the project; 0 unknown
}

// Version is one release of a project.
type Version struct {
	Version  string    // in PyPI's own spelling
	Uploaded time.Time // of its earliest file, UTC; zero without files
	Yanked   bool      // all of its files are, and it has some
}

func newProject(about *info, releases map[string]*release, serial int64) Project {
	p := Project{
		Name:              about.Name,
		Latest:            about.Version,
		Licence:           licence(about),
		DevelopmentStatus: developmentStatus(about.Classifiers),
		RequiresPython:    strings.TrimSpace(about.RequiresPython),
		Python3:           python3(about.RequiresPython, about.Classifiers),
		Python:            classifiedVersions(about.Classifiers, "Programming Language :: Python :: "),
		Django:            classifiedVersions(about.Classifiers, "Framework :: Django :: "),
		DocumentationURL:  documentationURL(about),
		Serial:            serial,
	}
	for version, r := range releases {
		if version != "" {
			p.Versions = append(p.Versions, Version{Version: version, Uploaded: r.earliest, Yanked: r.files > 0 && r.kept == 0})
		}
	}
	latest := order(p.Versions)
	if p.Latest == "" {
		p.Latest = latest
	}
	return p
}

// maxLicence is the length up to which a license field is taken for a
// licence's name; longer ones are its text. In characters.
const maxLicence = 100

// licence returns the SPDX expression (PEP 639), else the license field where
// it is a name, else the classifiers' last parts.
func licence(about *info) string {
	if s := strings.TrimSpace(about.LicenseExpression); s != "" {
		return s
	}
	s := strings.TrimSpace(about.License)
	// Old build tools wrote UNKNOWN for an absent field.
	if s != "" && s != "UNKNOWN" && !strings.ContainsAny(s, "\n\r") && utf8.RuneCountInString(s) <= maxLicence {
		return s
	}
	var names []string
	for _, c := range about.Classifiers {
		if parts := strings.Split(c, " :: "); len(parts) > 1 && parts[0] == "License" {
			names = append(names, strings.TrimSpace(parts[len(parts)-1]))
		}
	}
	return strings.Join(names, ", ")
}

var statusClassifier = regexp.MustCompile(`^Development Status :: ([1-7]) - `)

// developmentStatus returns the highest status that the classifiers state.
func developmentStatus(classifiers []string) (status int) {
	for _, c := range classifiers {
		if m := statusClassifier.FindStringSubmatch(c); m != nil {
			status = max(status, int(m[1][0]-'0'))
		}
	}
	return status
}

var classifiedVersion = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4})?$`)

// classifiedVersions returns the versions that classifiers with a prefix name, ascending.
func classifiedVersions(classifiers []string, prefix string) (versions []string) {
	for _, c := range classifiers {
		if version, ok := strings.CutPrefix(c, prefix); ok && classifiedVersion.MatchString(version) {
			versions = append(versions, version)
		}
	}
	slices.SortFunc(versions, func(a, b string) int {
		return cmp.Or(slices.Compare(plainNumbers(a), plainNumbers(b)), strings.Compare(a, b))
	})
	return slices.Compact(versions)
}

// documentationURL returns the project URL that is labelled as documentation
// (labels compared as PEP 753 says), else the old docs_url.
func documentationURL(about *info) string {
	labels := make([]string, 0, len(about.ProjectURLs))
	for label := range about.ProjectURLs {
		labels = append(labels, label)
	}
	slices.Sort(labels) // of labels that compare equal always take the same one
	for _, wanted := range []string{"documentation", "docs"} {
		for _, label := range labels {
			if plainLabel(label) != wanted {
				continue
			}
			if u, ok := webURL(about.ProjectURLs[label]); ok {
				return u
			}
		}
	}
	u, _ := webURL(about.DocsURL)
	return u
}

func plainLabel(label string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, label)
}

var webAddress = regexp.MustCompile(`^(?i:https?)://[^/\s][^\s]*$`)

// webURL passes addresses that may be served as a link. It returns "" and
// false for everything else.
func webURL(s string) (string, bool) {
	if s = strings.TrimSpace(s); !webAddress.MatchString(s) {
		return "", false
	}
	return s, true
}
