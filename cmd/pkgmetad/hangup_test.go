package main

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pkgmetad/internal/sim"
)

// TestHangup reads the catalogue again: a bad one changes nothing, a good one
// is served.
func TestHangup(t *testing.T) {
	world := sim.New(sim.Options{})
	t.Cleanup(func() { _ = world.Close() })
	upstreams, err := startSim("127.0.0.1:0", world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = upstreams.stop() })
	folder := t.TempDir()
	config, catalogue := filepath.Join(folder, "config.yaml"), filepath.Join(folder, "catalogue.yaml")
	write(t, config, `
store: {path: test.db}
http: {listen: "127.0.0.1:0"}
catalogue: {path: catalogue.yaml}
github: {base_url: "`+upstreams.url+`"}
pypi: {base_url: "`+upstreams.url+`"}
`)
	write(t, catalogue, "packages: [{slug: one}]\n")
	log, process, stop := startProcess(t, true, "pkgmetad", "serve", "--config", config)
	defer stop()

	// until reads the log up to a line with this text.
	until := func(text string) (line struct{ Listen, Message string }) {
		t.Helper()
		for log.Scan() {
			if strings.Contains(log.Text(), text) {
				if err := json.Unmarshal(log.Bytes(), &line); err != nil {
					t.Fatal(err)
				}
				return line
			}
		}
		t.Fatalf("the log ended without %q", text)
		return line
	}
	base := "http://" + until("serving http").Listen + "/api/v4/packages/"
	status := func(slug string) int {
		t.Helper()
		resp, err := http.Get(base + slug + "/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	hangup := func() {
		t.Helper()
		if err := process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}

	write(t, catalogue, "packages: [{slug: two}, {slug: two}]\n")
	hangup()
	if line := until("stays as it was"); !strings.Contains(line.Message, "catalogue.yaml:1:32") {
		t.Errorf("where is it bad? %s", line.Message)
	}
	if status("one") != 200 || status("two") != 404 {
		t.Errorf("after a bad catalogue: %d, %d", status("one"), status("two"))
	}
	write(t, catalogue, "packages: [{slug: two}]\n")
	hangup()
	until("catalogue taken over")
	if status("one") != 404 || status("two") != 200 {
		t.Errorf("after a good one: %d, %d", status("one"), status("two"))
	}
}
