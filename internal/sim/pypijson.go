package sim

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"
)

// projectAnswer is the body of /pypi/<name>/json.
type projectAnswer struct {
	Info            infoAnswer              `json:"info"`
	LastSerial      int64                   `json:"last_serial"`
	Ownership       ownership               `json:"ownership"`
	Releases        map[string][]fileAnswer `json:"releases"`
	URLs            []fileAnswer            `json:"urls"`
	Vulnerabilities []struct{}              `json:"vulnerabilities"`
}

type ownership struct {
	Organization *string `json:"organization"`
	Roles        []role  `json:"roles"`
}

type role struct {
	Role string `json:"role"`
	User string `json:"user"`
}

type infoAnswer struct {
	Author                 string            `json:"author"`
	AuthorEmail            string            `json:"author_email"`
	BugtrackURL            *string           `json:"bugtrack_url"`
	Classifiers            []string          `json:"classifiers"`
	Description            string            `json:"description"`
	DescriptionContentType string            `json:"description_content_type"`
	DocsURL                *string           `json:"docs_url"`
	DownloadURL            string            `json:"download_url"`
	Downloads              downloads         `json:"downloads"`
	Dynamic                []string          `json:"dynamic"`
	HomePage               string            `json:"home_page"`
	Keywords               string            `json:"keywords"`
	License                string            `json:"license"`
	LicenseExpression      *string           `json:"license_expression"`
	LicenseFiles           []string          `json:"license_files"`
	Maintainer             string            `json:"maintainer"`
	MaintainerEmail        string            `json:"maintainer_email"`
	Name                   string            `json:"name"`
	PackageURL             string            `json:"package_url"`
	Platform               string            `json:"platform"`
	ProjectURL             string            `json:"project_url"`
	ProjectURLs            map[string]string `json:"project_urls"`
	ProvidesExtra          []string          `json:"provides_extra"`
	ReleaseURL             string            `json:"release_url"`
	RequiresDist           []string          `json:"requires_dist"`
	RequiresPython         *string           `json:"requires_python"`
	Summary                string            `json:"summary"`
	Version                string            `json:"version"`
	Yanked                 bool              `json:"yanked"`
	YankedReason           *string           `json:"yanked_reason"`
}

// downloads are all -1: PyPI no longer fills them in.
type downloads struct {
	LastDay   int `json:"last_day"`
	LastMonth int `json:"last_month"`
	LastWeek  int `json:"last_week"`
}

type fileAnswer struct {
	CommentText    string  `json:"comment_text"`
	Digests        digests `json:"digests"`
	Downloads      int     `json:"downloads"`
	Filename       string  `json:"filename"`
	HasSig         bool    `json:"has_sig"`
	MD5Digest      string  `json:"md5_digest"`
	PackageType    string  `json:"packagetype"`
	PythonVersion  string  `json:"python_version"`
	RequiresPython *string `json:"requires_python"`
	Size           int64   `json:"size"`
	UploadTime     string  `json:"upload_time"`
	UploadTimeISO  string  `json:"upload_time_iso_8601"`
	URL            string  `json:"url"`
	Yanked         bool    `json:"yanked"`
	YankedReason   *string `json:"yanked_reason"`
}

type digests struct {
	Blake2b string `json:"blake2b_256"`
	MD5     string `json:"md5"`
	SHA256  string `json:"sha256"`
}

// renderProject writes the page that k names.
func (w *World) renderProject(k cacheKey, now time.Time) *rendered {
	p := w.project(k.project)
	if p == nil { // it was removed just now
		return &rendered{instant: instant{until: now}, status: http.StatusNotFound}
	}
	p = p.at(now)
	releases, until := p.visible(now)
	out := &rendered{instant: instant{until: until}, status: http.StatusOK, serial: p.serial(now)}
	if !p.until.IsZero() {
		out.until = earlier(until, p.until)
	}
	switch {
	case k.endpoint == Simple && p.Status == Deleted, k.endpoint == ProjectJSON && p.gone(releases):
		out.status = http.StatusNotFound
	case k.endpoint == Simple:
		out.body = p.simple(releases, out.serial, k.html)
	default:
		out.body = marshal(p.answer(releases, out.serial))
	}
	return out
}

func (p *Project) answer(releases []Release, serial int64) projectAnswer {
	latest := p.latest(releases)
	a := projectAnswer{LastSerial: serial, Releases: make(map[string][]fileAnswer, len(releases)), URLs: []fileAnswer{}, Vulnerabilities: []struct{}{}}
	a.Ownership.Roles = []role{{"Owner", p.Author}}
	for i := range releases {
		a.Releases[releases[i].Version] = p.files(&releases[i])
	}
	a.URLs = a.Releases[latest.Version]
	a.Info = infoAnswer{
		Author: p.Author, AuthorEmail: p.AuthorEmail, Classifiers: p.Classifiers, Description: p.Description,
		DescriptionContentType: "text/markdown", DocsURL: p.DocsURL, Downloads: downloads{-1, -1, -1}, HomePage: p.HomePage,
		License: p.License, LicenseExpression: p.LicenseExpression, Name: p.Name, PackageURL: p.url(), ProjectURL: p.url(),
		ProjectURLs: p.ProjectURLs, ReleaseURL: p.url() + latest.Version + "/", RequiresPython: p.requiresPython(latest),
		Summary: p.Summary, Version: latest.Version, Yanked: latest.Yanked, YankedReason: latest.reason(),
	}
	if a.Info.Classifiers == nil {
		a.Info.Classifiers = []string{}
	}
	return a
}

func (p *Project) requiresPython(r *Release) *string {
	if r.RequiresPython != nil {
		return r.RequiresPython
	}
	return notEmpty(p.RequiresPython)
}

func (r *Release) reason() *string { return notEmpty(r.YankedReason) }

func notEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (p *Project) files(r *Release) []fileAnswer {
	list := make([]fileAnswer, 0, len(r.Files))
	for _, f := range r.Files {
		name := p.fileName(r.Version, f)
		long, short := sha256.Sum256([]byte(name)), md5.Sum([]byte(name))
		hash := hex.EncodeToString(long[:])
		a := fileAnswer{
			Digests: digests{reverse(hash), hex.EncodeToString(short[:]), hash}, Downloads: -1, Filename: name,
			MD5Digest: hex.EncodeToString(short[:]), PackageType: "sdist", PythonVersion: "source",
			RequiresPython: p.requiresPython(r), Size: f.Size,
			UploadTime: f.Uploaded.UTC().Format("2006-01-02T15:04:05"), UploadTimeISO: f.Uploaded.UTC().Format("2006-01-02T15:04:05.000000Z"),
			URL:    "https://files.pythonhosted.org/packages/" + hash[:2] + "/" + hash[2:4] + "/" + hash[4:] + "/" + name,
			Yanked: r.Yanked, YankedReason: r.reason(),
		}
		if f.Wheel {
			a.PackageType, a.PythonVersion = "bdist_wheel", "py3"
		}
		list = append(list, a)
	}
	return list
}

// reverse makes another digest from one: they are never checked against a file.
func reverse(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// statusName is the status as the simple index writes it.
func (p *Project) statusName() Status {
	if p.Status == "" {
		return Active
	}
	return p.Status
}

// simple is the project's page in the simple index. PyPI states the status in a member
// of its own; in the specification, it is in meta.
func (p *Project) simple(releases []Release, serial int64, asHTML bool) []byte {
	if p.Status == Quarantined {
		releases = nil
	}
	status := string(p.statusName())
	if asHTML {
		var b strings.Builder
		fmt.Fprintf(&b, "<!DOCTYPE html>\n<html>\n  <head>\n    <meta name=\"pypi:repository-version\" content=\"1.4\">\n"+
			"    <meta name=\"pypi:project-status\" content=\"%s\">\n    <title>Links for %s</title>\n  </head>\n  <body>\n", html.EscapeString(status), Normalize(p.Name))
		for i := range releases {
			for _, f := range p.files(&releases[i]) {
				fmt.Fprintf(&b, "<a href=\"%s#sha256=%s\">%s</a><br />\n", html.EscapeString(f.URL), f.Digests.SHA256, html.EscapeString(f.Filename))
			}
		}
		fmt.Fprintf(&b, "</body>\n</html>\n<!--SERIAL %d-->", serial)
		return []byte(b.String())
	}
	meta := map[string]any{"_last-serial": serial, "api-version": "1.4", "project-status": status}
	marker := map[string]any{"status": status}
	if p.StatusReason != "" {
		meta["project-status-reason"], marker["reason"] = p.StatusReason, p.StatusReason
	}
	files, versions := []map[string]any{}, []string{}
	for i := range releases {
		r := &releases[i]
		if len(r.Files) > 0 {
			versions = append(versions, r.Version)
		}
		var yanked any = r.Yanked
		if r.Yanked && r.YankedReason != "" {
			yanked = r.YankedReason
		}
		for _, f := range p.files(r) {
			files = append(files, map[string]any{"filename": f.Filename, "url": f.URL, "hashes": map[string]string{"sha256": f.Digests.SHA256},
				"requires-python": f.RequiresPython, "size": f.Size, "upload-time": f.UploadTimeISO, "yanked": yanked,
				"core-metadata": false, "data-dist-info-metadata": false, "provenance": nil})
		}
	}
	return marshal(map[string]any{"alternate-locations": []string{}, "files": files, "meta": meta, "name": Normalize(p.Name),
		"project-status": marker, "versions": versions})
}

// renderIndex is the list of all projects in the simple index. It is called with the
// read lock held.
func (w *World) renderIndex(k cacheKey, now time.Time) *rendered {
	out := &rendered{instant: instant{until: never}, status: http.StatusOK, packed: k.gzip}
	if w.generated.len() > 0 {
		out.until = now.Add(time.Second) // something always happens
	}
	var body bytes.Buffer
	to := io.Writer(&body)
	if k.gzip { // at once, as a million names take 40 MB
		z := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(z)
		z.Reset(&body)
		to = z
	}
	buffered := bufio.NewWriter(to)
	if k.html {
		w.indexHTML(buffered, now, out)
	} else {
		w.indexJSON(buffered, now, out)
	}
	_ = buffered.Flush() // into memory, as below
	if z, ok := to.(*gzip.Writer); ok {
		_ = z.Close()
	}
	out.body = body.Bytes()
	return out
}

func (w *World) indexJSON(to *bufio.Writer, now time.Time, out *rendered) {
	_, _ = to.WriteString(`{"projects":[`)
	first := true
	for p := range w.listed(now, out) {
		var b object
		b.open()
		serial := p.serial(now)
		b.add("_last-serial", serial, "name", p.Name)
		b.close()
		if !first {
			_ = to.WriteByte(',')
		}
		first = false
		_, _ = to.Write(b.buf)
		out.serial = max(out.serial, serial)
	}
	fmt.Fprintf(to, `],"meta":{"_last-serial":%d,"api-version":"1.4"}}`, out.serial)
}

func (w *World) indexHTML(to *bufio.Writer, now time.Time, out *rendered) {
	_, _ = to.WriteString("<!DOCTYPE html>\n<html>\n  <head>\n    <meta name=\"pypi:repository-version\" content=\"1.4\">\n    <title>Simple index</title>\n  </head>\n  <body>\n")
	for p := range w.listed(now, out) {
		fmt.Fprintf(to, "    <a href=\"/simple/%s/\">%s</a>\n", Normalize(p.Name), html.EscapeString(p.Name))
		out.serial = max(out.serial, p.serial(now))
	}
	_, _ = to.WriteString("  </body>\n</html>")
}

// listed yields the projects that the index lists, and notes in out until when it is right.
func (w *World) listed(now time.Time, out *rendered) iter.Seq[*Project] {
	return func(yield func(*Project) bool) {
		visit := func(p *Project) bool {
			if p == nil {
				return true
			}
			c := p.at(now)
			if c.gen == nil {
				out.until = earlier(out.until, c.contents(now).until)
			}
			return c.Status == Quarantined || c.Status == Deleted || yield(c)
		}
		for i := range w.generated.len() {
			p, held := w.generated.projects[i]
			if !held {
				p = w.generated.listed(i)
			}
			if !visit(p) {
				return
			}
		}
		for _, p := range w.projects {
			if !visit(p) {
				return
			}
		}
	}
}
