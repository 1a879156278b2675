package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	token       = "bench" // of the daemons, for the simulated GitHub
	credentials = 64      // that the proxy divides the requests among
)

// simulator is the simulated GitHub and PyPI, behind a proxy. Like the real one, its
// GitHub allows each credential 5,000 requests an hour, conditional ones excluded
// if nothing changed; but ETags depend on the credential. A pass over all packages
// needs five times as many requests, so the proxy divides them among many
// credentials by path.
type simulator struct {
	*process
	catalogue string // path of its catalogue, NDJSON
	proxy     string // host:port
}

func (b *bench) startSimulator(ctx context.Context) (*simulator, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &simulator{catalogue: b.path("world.ndjson"), proxy: l.Addr().String()}
	s.process, err = b.start(ctx, "the simulator", address, b.path("sim.log"), nil,
		b.program, "sim", "--listen", address, "--packages", strconv.Itoa(b.worldSize()-1), "--catalogue", s.catalogue, "--latency", b.latency.String()) // it adds one
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: address})
			r.Out.Host = r.In.Host // so that links in the answers lead to the proxy
			if r.In.Header.Get("Authorization") != "" {
				sum := fnv.New32a()
				_, _ = sum.Write([]byte(r.In.URL.Path))
				r.Out.Header.Set("Authorization", fmt.Sprintf("Bearer %s-%d", token, sum.Sum32()%credentials))
			}
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		ErrorLog:  log.New(io.Discard, "", 0), // it would report cancelled passes
	}}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }()
	return s, s.waitFor(ctx, "/_sim/stats")
}

// busy waits until a pass is under way.
func (s *simulator) busy(ctx context.Context) error {
	before, err := s.answered()
	for now := before; err == nil && now < before+100; now, err = s.answered() {
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
