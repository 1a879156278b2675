package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	module = "pkgmetad/"
	house  = "rooms in cmd/pkgmetad/arrows_test.go"
)

// rooms are the packages of this module, each with those of them that it may
// import. What a package does not list it does not import: so nothing imports
// cmd, and cmd alone the simulator; tests are free.
var rooms = map[string][]string{
	"cmd/pkgmetad": {"fetcher", "internal/catalogue", "internal/config", "internal/daemon", "internal/durable", "internal/importer", "internal/record",
		"internal/render", "internal/sim", "internal/status", "internal/strict", "internal/upstream", "store"},
	"api":                {"internal/near", "internal/record", "internal/render", "internal/snapshot", "internal/status", "internal/web", "store"}, // never a client: reading causes no request
	"fetcher":            {"github", "internal/record", "internal/upstream", "pypi"},                                                               // never the store: it declares what it needs of one
	"github":             {"internal/record", "internal/upstream"},
	"pypi":               {"internal/record", "internal/upstream"},
	"store":              {"internal/durable", "internal/record"},
	"internal/bench":     {"internal/record", "internal/render", "store"},
	"internal/catalogue": {"internal/durable", "internal/record", "internal/strict"}, // never the store: it knows files alone
	"internal/certtest":  {},                                                         // a leaf, for tests
	"internal/cluster":   {"internal/durable", "internal/record"},                    // NATS, and nothing of what the daemon does with it
	"internal/config":    {"internal/record", "internal/strict", "internal/upstream"},
	"internal/daemon": {"api", "fetcher", "github", "internal/catalogue", "internal/cluster", "internal/config", "internal/durable", "internal/near", "internal/reads", "internal/record", "internal/render",
		"internal/search", "internal/snapshot", "internal/status", "internal/strict", "internal/upstream", "pypi", "store"}, // the one that knows all that runs
	"internal/durable":           {}, // a leaf
	"internal/importer":          {"internal/durable", "internal/record", "internal/upstream"},
	"internal/near":              {}, // a leaf
	"internal/reads":             {}, // a leaf
	"internal/record":            {}, // a leaf
	"internal/render":            {"internal/record"},
	"internal/search":            {"internal/record", "store"},
	"internal/sim":               {}, // no type of the clients: it must not share their mistakes
	"internal/snapshot":          {"internal/durable", "internal/render", "store"},
	"internal/status":            {"internal/record"},
	"internal/strict":            {"internal/near"},
	"internal/strict/stricttest": {"internal/strict"},                    // for tests
	"internal/upstream":          {},                                     // a leaf
	"internal/web":               {"internal/record", "internal/status"}, // neither routes nor store
	"test/cluster":               {},                                     // tests alone
	"test/crash":                 {},                                     // likewise
	"test/program":               {},                                     // what they share
}

// keepers are the libraries that one room, seldom two, hides from all others. A
// library is the import path up to a version or a folder of it.
var keepers = map[string][]string{
	"github.com/google/go-github":  {"github"},
	"go.etcd.io/bbolt":             {"store", "internal/search"}, // bleve keeps the root of its index in one, and returns its errors
	"github.com/blevesearch/bleve": {"internal/search"},
	"github.com/nats-io":           {"internal/cluster"},
	"github.com/prometheus":        {"internal/daemon"},
	"github.com/robfig/cron":       {"internal/config", "internal/daemon"},
	"github.com/coreos/go-systemd": {"internal/daemon"},
	"github.com/spf13/cobra":       {"cmd/pkgmetad"},
	"go.yaml.in/yaml":              {"internal/strict"},
}

// listed is a package as go list -json tells it. Imports leaves out its tests.
type listed struct {
	ImportPath string
	Imports    []string
}

func TestArrows(t *testing.T) {
	command := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	command.Dir = "../.." // the module's root
	out, err := command.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s", command, err, exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	var packages []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	for _, fault := range faults(packages) {
		t.Error(fault)
	}
}

// faults returns a sentence for everything that keeps packages from being the
// house, nothing more and nothing less, that rooms and keepers describe.
func faults(packages []listed) (all []string) {
	fault := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	standing, kept := map[string]bool{}, map[string]bool{}
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := rooms[name]
		if !known {
			fault("package %s is new here: add it, and what it may import, to %s", name, house)
			continue
		}
		standing[name] = true
		for _, path := range p.Imports {
			if other, own := strings.CutPrefix(path, module); own && !slices.Contains(allowed, other) {
				fault("%s imports %s; of this module it may import %q (%s)", name, other, allowed, house)
			}
			for library, keeper := range keepers {
				if path != library && !strings.HasPrefix(path, library+"/") {
					continue
				}
				if kept[library] = true; !slices.Contains(keeper, name) {
					fault("%s imports %s; only %s may", name, path, strings.Join(keeper, " and "))
				}
			}
		}
	}
	for name := range rooms {
		if !standing[name] {
			fault("package %s is no more: take it out of %s", name, house)
		}
	}
	for library, keeper := range keepers {
		if !kept[library] {
			fault("%s no longer imports %s: take it out of keepers, or see whether its path has changed", strings.Join(keeper, " or "), library)
		}
	}
	slices.Sort(all)
	return all
}

// TestArrowFaults adds an import, or a package, to a house without fault.
func TestArrowFaults(t *testing.T) {
	for _, test := range []struct {
		name, add string // the package, and what it imports beside what it should
		want      []string
	}{
		{name: "store", add: "encoding/json"},
		{name: "api", add: "github.com/rs/zerolog"},
		{"store", "pkgmetad/internal/upstream", []string{`store imports internal/upstream; of this module it may import ["internal/durable" "internal/record"] (` + house + `)`}},
		{"api", "pkgmetad/github", []string{`api imports github; of this module it may import ["internal/near" "internal/record" "internal/render" "internal/snapshot" "internal/status" "internal/web" "store"] (` + house + `)`}},
		{"fetcher", "pkgmetad/internal/sim", []string{`fetcher imports internal/sim; of this module it may import ["github" "internal/record" "internal/upstream" "pypi"] (` + house + `)`}},
		{"pypi", "pkgmetad/cmd/pkgmetad", []string{`pypi imports cmd/pkgmetad; of this module it may import ["internal/record" "internal/upstream"] (` + house + `)`}},
		{"fetcher", "github.com/google/go-github/v60/github", []string{"fetcher imports github.com/google/go-github/v60/github; only github may"}},
		{"github", "github.com/google/go-github/v61/github", nil},
		{"cmd/pkgmetad", "go.etcd.io/bbolt/errors", []string{"cmd/pkgmetad imports go.etcd.io/bbolt/errors; only store and internal/search may"}},
		{"api", "github.com/spf13/cobra", []string{"api imports github.com/spf13/cobra; only cmd/pkgmetad may"}},
		{"fetcher", "github.com/robfig/cron/v3", []string{"fetcher imports github.com/robfig/cron/v3; only internal/config and internal/daemon may"}},
		{"internal/config", "go.yaml.in/yaml/v4", []string{"internal/config imports go.yaml.in/yaml/v4; only internal/strict may"}},
		{"gitlab", "io", []string{"package gitlab is new here: add it, and what it may import, to " + house}},
	} {
		t.Run(test.name+" "+test.add, func(t *testing.T) {
			packages := soundHouse()
			i := slices.IndexFunc(packages, func(p listed) bool { return p.ImportPath == module+test.name })
			if i < 0 {
				i, packages = len(packages), append(packages, listed{ImportPath: module + test.name})
			}
			packages[i].Imports = append(packages[i].Imports, test.add)
			if diff := cmp.Diff(test.want, faults(packages)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	if n := len(faults(nil)); n != len(rooms)+len(keepers) {
		t.Errorf("%d faults of a house without rooms, not one for each room and library", n)
	}
}

// soundHouse has every room, with every import that it may have.
func soundHouse() (packages []listed) {
	for name, inside := range rooms {
		p := listed{ImportPath: module + name}
		for _, other := range inside {
			p.Imports = append(p.Imports, module+other)
		}
		for library, keeper := range keepers {
			if slices.Contains(keeper, name) {
				p.Imports = append(p.Imports, library)
			}
		}
		packages = append(packages, p)
	}
	return packages
}
