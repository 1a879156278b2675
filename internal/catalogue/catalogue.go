// Package catalogue reads and writes catalogue files, which declare the packages to
// keep fresh and the categories and grids that they are in. A file is YAML, JSON, or
// JSON lines, according to its name. It is read into a [record.Catalogue], which
// has the URLs as they were written.
package catalogue

import (
	"path/filepath"
	"strings"

	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
)

// maxYAML bounds a YAML catalogue, in bytes: enough for 30,000 packages. Reading a
// YAML file takes about thirty times its size in memory: 240 MiB, and 0.6 seconds,
// for one of 8 MiB. JSON lines are read one by one, and have no such limit.
const maxYAML = 8 << 20

// maxShown is how many problems of a catalogue are listed.
const maxShown = 50

// format is the format of a catalogue file.
type format int

const (
	yamlFormat format = iota
	jsonFormat
	linesFormat
)

// formatOf returns the format that the extension of a file's name stands for.
func formatOf(path string) (f format, ok bool) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return yamlFormat, true
	case ".json":
		return jsonFormat, true
	case ".ndjson", ".jsonl":
		return linesFormat, true
	}
	return 0, false
}

// NamesFormat reports whether the name of a file has the extension of a catalogue.
func NamesFormat(path string) bool {
	_, ok := formatOf(path)
	return ok
}

// Load reads a catalogue file: JSON lines where the name ends in .ndjson or
// .jsonl, YAML (or JSON, which is YAML too) where it ends in .yaml, .yml or .json.
// The error is a [*strict.FileError] that lists the first 50 problems.
//
// In the result every reference is an id. A category or a grid always has an id.
// A package that declares none has the id 0, and a time that is not declared is
// zero.
func Load(path string) (record.Catalogue, error) {
	var ps strict.Problems
	b := newBuilder(&ps)
	switch f, ok := formatOf(path); {
	case !ok:
		ps.Add(strict.Position{}, "", "its name does not say its format; name it .yaml, .yml or .json, or .ndjson or .jsonl for one object a line")
	case f == linesFormat:
		if file := strict.Open(path, &ps); file != nil {
			defer file.Close()
			readLines(file, b)
		}
	default:
		data := strict.ReadFile(path, maxYAML, "a catalogue in YAML; write it as NDJSON, one object a line, to a file named .ndjson", &ps)
		if ps.Empty() {
			readYAML(data, b)
		}
	}
	c := b.finish()
	if err := ps.Err(path, maxShown); err != nil {
		return record.Catalogue{}, err
	}
	return c, nil
}

// file is a YAML catalogue.
type file struct {
	Categories []fileCategory `yaml:"categories"`
	Grids      []fileGrid     `yaml:"grids"`
	Packages   []filePackage  `yaml:"packages"`
}

// A file that was emptied by accident must not empty the catalogue.
const (
	emptyYAML  = "declares nothing; write categories, grids or packages (packages: [] if it is empty on purpose)"
	emptyLines = "declares nothing; write one object a line, such as {\"slug\": \"wagtail\"}"
)

func readYAML(data []byte, b *builder) {
	var f file
	strict.DecodeYAML(data, &f, strict.Options{WhenEmpty: emptyYAML, Instead: insteadOfText}, b.problems)
	for i := range f.Categories {
		b.addCategory(&f.Categories[i])
	}
	for i := range f.Grids {
		b.addGrid(&f.Grids[i])
	}
	for i := range f.Packages {
		b.addPackage(&f.Packages[i])
	}
}
