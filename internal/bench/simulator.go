package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"
)

const token = "bench" // of the daemons, for the simulated GitHub

// simulator is the simulated GitHub and PyPI. It has no limits, as a GitHub Enterprise Server
// may: a pass over all packages needs several hours' worth of requests.
type simulator struct {
	*process
	catalogue string // path of its catalogue, NDJSON
}

func (b *bench) startSimulator(ctx context.Context) (*simulator, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &simulator{catalogue: b.path("world.ndjson")}
	s.process, err = b.start(ctx, "the simulator", address, b.path("sim.log"), nil,
		b.program, "sim", "--listen", address, "--packages", strconv.Itoa(b.worldSize()-1), // it adds one
		"--catalogue", s.catalogue, "--latency", b.latency.String(), "--no-limits")
	if err != nil {
		return nil, err
	}
	return s, s.waitFor(ctx, "/_sim/stats")
}

// busy waits until a pass is under way.
func (s *simulator) busy(ctx context.Context) error {
	before, err := s.answered()
	for now := before; err == nil && now < before+20; now, err = s.answered() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	return err
}

// answered returns how many requests the simulator has answered.
func (s *simulator) answered() (n int, err error) {
	a, err := get(s.address, "/_sim/stats", nil)
	if err != nil {
		return 0, err
	}
	var stats struct{ Requests int }
	err = json.Unmarshal(a.Body, &stats)
	return stats.Requests, err
}

// slugs returns the slugs of the simulator's packages that have a source to ask.
func (s *simulator) slugs() (slugs []string, err error) {
	world, err := os.ReadFile(s.catalogue)
	for line := range bytes.Lines(world) {
		var p struct {
			Kind, Slug string
			RepoURL    string `json:"repo_url"`
			PyPIURL    string `json:"pypi_url"`
		}
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, err
		}
		if p.Kind == "" && (p.PyPIURL != "" || strings.Contains(p.RepoURL, "github.com")) {
			slugs = append(slugs, p.Slug)
		}
	}
	return slugs, err
}
