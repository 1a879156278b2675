package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
)

const (
	pageSize     = 20
	packagePath  = "/api/v4/packages/%d/"
	pagePath     = "/api/v4/packages/?limit=%d&offset=%d"
	snapshotPath = "/snapshot/packages.ndjson"

	variety = 1000 // packages requested in a case with more than one
)

// A comparison is one kind of request to each server.
type comparison struct {
	name   string
	paths  []string    // requested in turn
	header http.Header // of the requests; the bare server cannot handle any
	known  bool        // send the ETag of the server's own answer, for a 304
	stream bool        // count bytes, not requests

	ofBare, ofNginx float64 // targets: the ratio to the rate of each; 0 for none
}

func (b *bench) comparisons() ([]comparison, error) {
	ids, err := b.someIDs()
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(2, 0))
	var packages, pages []string
	for _, id := range ids {
		packages = append(packages, fmt.Sprintf(packagePath, id))
	}
	for range variety / pageSize {
		pages = append(pages, fmt.Sprintf(pagePath, pageSize, r.IntN(b.packages-pageSize)))
	}
	one, page := packages[:1], []string{fmt.Sprintf(pagePath, pageSize, pageSize)}
	return []comparison{
		{name: "one package", paths: one, ofBare: 0.8},
		{name: fmt.Sprintf("one package of %d", len(packages)), paths: packages, ofBare: 0.8},
		{name: "a page of 20", paths: page, ofBare: 0.6},
		{name: fmt.Sprintf("a page of 20 of %d", len(pages)), paths: pages, ofBare: 0.6},
		{name: "304 for one package", paths: one, known: true},
		{name: "the snapshot", paths: []string{snapshotPath}, stream: true, ofNginx: 0.8},
		{name: "the snapshot, gzip", paths: []string{snapshotPath}, stream: true, header: http.Header{"Accept-Encoding": {"gzip"}}},
	}, nil
}

// someIDs returns the ids of random packages, the same in each run.
func (b *bench) someIDs() (ids []int, err error) {
	world, err := os.ReadFile(b.path("world.ndjson"))
	if err != nil {
		return nil, err
	}
	var all []int
	for line := range bytes.Lines(world) {
		var p struct {
			Kind string
			ID   int
		}
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, err
		}
		if p.Kind == "" {
			all = append(all, p.ID)
		}
	}
	for i := range b.packages - b.worldSize() {
		all = append(all, firstGenerated+i)
	}
	r := rand.New(rand.NewPCG(1, 0))
	for range variety {
		ids = append(ids, all[r.IntN(len(all))])
	}
	return ids, nil
}

// compare measures each comparison on each server.
func (b *bench) compare(ctx context.Context, d *daemon) error {
	cases, err := b.comparisons()
	if err != nil {
		return err
	}
	snapshots, err := filepath.Glob(d.site.path("pkgmetad.db.snapshot/*.ndjson"))
	if err != nil || len(snapshots) != 1 {
		return errors.Join(err, fmt.Errorf("%d snapshots in %s, want 1", len(snapshots), d.site.folder))
	}
	answers, err := recordAll(d.address, cases, snapshots[0])
	if err != nil {
		return fmt.Errorf("record pkgmetad's answers: %w", err)
	}
	servers := []*process{d.process}
	for _, start := range []func() (*process, error){
		func() (*process, error) { return b.startBare(ctx, answers) },
		func() (*process, error) { return b.startNginx(ctx, answers, snapshots[0]) },
	} {
		p, err := start()
		if err != nil {
			return err
		}
		if p != nil {
			servers = append(servers, p)
		}
	}
	for _, p := range servers[1:] {
		if err := sameAnswers(d.process, p, cases); err != nil {
			return fmt.Errorf("%s does not answer as pkgmetad does: %w", p.name, err)
		}
	}
	for _, c := range cases {
		b.logf("%s", c.name)
		result := result{comparison: c, rates: map[string][]float64{}, costs: map[string][]float64{}}
		for round := range b.rounds + 1 {
			for _, p := range servers {
				if !c.supports(p) {
					continue
				}
				rate, cost, err := b.measure(ctx, p, c)
				if err != nil {
					return fmt.Errorf("%s from %s: %w", c.name, p.name, err)
				}
				if round > 0 { // the first warms up
					result.rates[p.name] = append(result.rates[p.name], rate)
					result.costs[p.name] = append(result.costs[p.name], cost)
				}
			}
		}
		b.report.results = append(b.report.results, result)
	}
	return nil
}

// recordAll records the answers to the paths of all cases.
func recordAll(address string, cases []comparison, snapshot string) (answers []answer, err error) {
	recorded := map[string]bool{}
	for _, c := range cases {
		for _, path := range c.paths {
			if recorded[path] {
				continue
			}
			recorded[path] = true
			var a answer
			if c.stream {
				a, err = recordHeader(address, path)
				a.File = snapshot
			} else {
				a, err = get(address, path, nil)
			}
			if err != nil {
				return nil, err
			}
			if a.Status != http.StatusOK {
				return nil, fmt.Errorf("%s: status %d", path, a.Status)
			}
			answers = append(answers, a)
		}
	}
	return answers, nil
}

// sameAnswers returns an error unless two servers give the same answers, apart from
// the headers.
func sameAnswers(a, b *process, cases []comparison) error {
	for _, c := range cases {
		if !c.supports(b) {
			continue
		}
		for _, path := range c.paths {
			var digests [2]string
			for i, address := range []string{a.address, b.address} {
				header, err := c.headerFor(address)
				if err != nil {
					return err
				}
				if digests[i], err = digest(address, path, header); err != nil {
					return err
				}
			}
			if digests[0] != digests[1] {
				return fmt.Errorf("%s (%s):\n%s\n%s", path, c.name, digests[0], digests[1])
			}
		}
	}
	return nil
}

// supports reports whether that server can answer the requests.
func (c comparison) supports(p *process) bool { return c.header == nil || p.name != bare }

// headerFor returns the request header for the server at that address.
func (c comparison) headerFor(address string) (http.Header, error) {
	if !c.known {
		return c.header, nil
	}
	a, err := recordHeader(address, c.paths[0])
	return http.Header{"If-None-Match": {a.Header.Get("Etag")}}, err
}

// measure returns the requests, or bytes, per second, and the seconds of CPU that
// the server used for each of them.
func (b *bench) measure(ctx context.Context, p *process, c comparison) (rate, cost float64, err error) {
	header, err := c.headerFor(p.address)
	if err != nil {
		return 0, 0, err
	}
	before := p.cpu()
	l, err := b.load(ctx, p.address, c.paths, header)
	if err != nil {
		return 0, 0, err
	}
	n := float64(l.requests)
	if c.stream {
		n = float64(l.bytes)
	}
	return n / l.took.Seconds(), (p.cpu() - before).Seconds() / n, nil
}
