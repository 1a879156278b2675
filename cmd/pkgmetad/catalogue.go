package main

import (
	"path/filepath"
	"pkgmetad/internal/record"
	"strings"
)

// maxCatalogueYAML bounds a YAML catalogue, which takes some sixty times its
// size in memory while it is read. It is room for 30,000 packages; NDJSON is
// read line by line and has no such bound.
const maxCatalogueYAML = 8 << 20

// shownCatalogueProblems is how many problems of a catalogue are listed.
const shownCatalogueProblems = 50

// LoadCatalogue reads a catalogue file: NDJSON where the name ends in .ndjson
// or .jsonl, YAML (or JSON, which is YAML too) where it ends in .yaml, .yml or
// .json. The error is a [*FileError] that lists the first 50 problems.
//
// In the result every reference is an id. A category or a grid always has an
// id; a package that declares none has the id 0, and a time that is not
// declared is zero.
func LoadCatalogue(path string) (record.Catalogue, error) {
	var ps problems
	b := newCatalogueBuilder(&ps)
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ndjson", ".jsonl":
		readNDJSONFile(path, b)
	case ".yaml", ".yml", ".json":
		data := readFile(path, maxCatalogueYAML, "a catalogue in YAML; write it as NDJSON, one object a line, to a file named .ndjson", &ps)
		if len(ps.list) == 0 {
			readYAMLCatalogue(data, b)
		}
	default:
		ps.add(position{}, "", "its name does not tell the format; name it .yaml, .yml or .json, or .ndjson or .jsonl for one object a line")
	}
	cat := b.finish()
	if fe := ps.report(path, shownCatalogueProblems); fe != nil {
		return record.Catalogue{}, fe
	}
	return cat, nil
}

// catalogueFile is a YAML catalogue.
type catalogueFile struct {
	Categories []fileCategory `yaml:"categories"`
	Grids      []fileGrid     `yaml:"grids"`
	Packages   []filePackage  `yaml:"packages"`
}

// An emptied file must not empty the catalogue.
const (
	emptyYAMLCatalogue   = "declares nothing; write categories, grids or packages (packages: [] where it is empty on purpose)"
	emptyNDJSONCatalogue = "declares nothing; write one object a line, such as {\"slug\": \"wagtail\"}"
)

func readYAMLCatalogue(data []byte, b *catalogueBuilder) {
	root := parseYAML(data, emptyYAMLCatalogue, b.problems)
	if root == nil {
		return
	}
	if isMapping(root) && len(pairsOf(root)) == 0 {
		b.problems.add(position{1, 1}, "", "%s", emptyYAMLCatalogue)
		return
	}
	var file catalogueFile
	decodeYAML(root, &file, nil, b.problems)
	for i := range file.Categories {
		b.addCategory(&file.Categories[i])
	}
	for i := range file.Grids {
		b.addGrid(&file.Grids[i])
	}
	for i := range file.Packages {
		b.addPackage(&file.Packages[i])
	}
}
