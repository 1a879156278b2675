package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pkgmetad/internal/sim"
)

// readmeVariable set to "required" makes it a failure, and no reason to skip,
// that a tool which README's examples use is missing.
const readmeVariable = "PKGMETAD_README"

// readmeAPI is the address in README that its examples ask.
const readmeAPI = "http://127.0.0.1:18090"

// readmeExamples says of every sh block of README how it is tested. A block is
// known by how it begins.
var readmeExamples = []struct {
	begins string
	notRun string                                  // why this block is not run, or
	run    func(d *readmeDemo, block string) error // how it is
}{
	{begins: "go run ./cmd/pkgmetad demo ", notRun: "the other examples ask such a demo; the tests would run themselves"},
	{begins: "CGO_ENABLED=0 go build ", notRun: "asks the real GitHub; .ci/run builds so, and checks config.example.yaml"},
	{begins: "install -d -m 700 /etc/credstore ", notRun: "sets up a machine; packaging/test-deb.sh does so on one of its own"},
	{begins: "pkgmetad import ", notRun: "asks a real site"},
	{begins: "install -d -m 700 /etc/credstore ", notRun: "needs the installed package under systemd, which packaging/test-deb.sh tries"},

	{begins: "api=" + readmeAPI, run: prints(
		`^  "repo_watchers": 251,$`,
		`^85$`,
		`^    "id": 1609,$`,
		`\d+ package djorm-ext-pgfulltext$`,
	)},
	{begins: `page="$api/api/v4/packages/?limit=20"`, run: everySlug},
	{begins: "curl -s --etag-save etag ", run: notModified},
	{begins: "curl -fsS --etag-save etag ", run: brokenOff},
	{begins: "while :; do", run: follows},
	{begins: "old=https://packages.example.org ", run: takesOver},
	{begins: "export PATH=$PWD:$PATH\n", run: threeHosts},
	{begins: "umask 077\n", run: certificates},
	{begins: "# how many sources ", run: prints(
		`^\d+$`,
		`^\S+ \S+ github gone: GET .+$`,
		`^GitHub default: \d+ of \d+ until \S+$`,
		`^  "state": "ok",$`,
	)},
	{begins: "curl -s $api/api/v3/", run: prints(`^  "resource_uri": "/api/v3/packages/djorm-ext-pgfulltext/",$`, `^  "usage_count": 0$`, `^\d{2,}$`)},
	{begins: "curl -s $api/openapi.json ", run: prints(`^last_fetched: .+$`, `^repo_watchers: .+$`)},
}

// TestReadme runs the examples of README against the demo, with the tools that a
// reader has: bash, curl, jq, openssl and zstd.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := blocksIn(string(readme), "sh|bash|shell|console")
	for _, e := range readmeExamples {
		found := 0
		for _, block := range blocks {
			if strings.HasPrefix(block, e.begins) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("README has %d blocks that begin with %q, not one", found, e.begins)
		}
	}
	var d *readmeDemo
	for line, block := range blocks {
		t.Run(fmt.Sprintf("README.md:%d", line), func(sub *testing.T) {
			for _, e := range readmeExamples {
				switch {
				case !strings.HasPrefix(block, e.begins):
					continue
				case e.notRun != "":
					sub.Log("not run:", e.notRun)
					return
				}
				if d == nil {
					d = startReadmeDemo(t, sub)
				}
				d.try(sub, block, e.run)
				return
			}
			sub.Error("a new block: say in readmeExamples how it is run, or why it is not")
		})
	}
}

// blocksIn returns the blocks of a Markdown text in a language, or in one of several with |
// between them, each with the number of its first line.
func blocksIn(markdown, language string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for _, at := range regexp.MustCompile("(?ms)^```(?:"+language+")\n(.*?)^```$").FindAllStringSubmatchIndex(markdown, -1) {
			if !yield(1+strings.Count(markdown[:at[2]], "\n"), markdown[at[2]:at[3]]) {
				return
			}
		}
	}
}

// readmeDemo is the demo that examples ask, and the folder in which one of them runs.
type readmeDemo struct {
	url    string // without a slash at the end
	ctx    context.Context
	folder string
}

// startReadmeDemo returns a demo whose first pass has ended. It stops at the end
// of t; sub is the test that needs it.
func startReadmeDemo(t, sub *testing.T) *readmeDemo {
	sub.Helper()
	for _, tool := range []string{"bash", "curl", "jq", "openssl", "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv(readmeVariable) == "required" {
				sub.Fatalf("README's examples need %s: %v", tool, err)
			}
			sub.Skipf("README's examples need %s: %v", tool, err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	stdout, w := io.Pipe()
	var stderr bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--listen", "127.0.0.1:0"}, w, &stderr)
		w.Close()
	}()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("the demo ended with %d:\n%s", code, &stderr)
		}
	})
	d := &readmeDemo{ctx: ctx}
	lines := bufio.NewScanner(stdout)
	for d.url == "" && lines.Scan() {
		if at, is := strings.CutPrefix(strings.TrimSpace(lines.Text()), "in a browser "); is {
			d.url = strings.TrimSuffix(strings.TrimSpace(at), "/")
		}
	}
	go io.Copy(io.Discard, stdout)
	if d.url == "" {
		sub.Fatal("the demo told no address")
	}
	d.await(sub, "the first pass", func() error {
		var status struct {
			Passes   []any `json:"passes"`
			Snapshot any   `json:"snapshot"`
		}
		if err := d.json("/status/", &status); err != nil {
			return err
		}
		if len(status.Passes) == 0 || status.Snapshot == nil {
			return fmt.Errorf("it has not ended: %+v", status)
		}
		return nil
	})
	return d
}

// try runs an example in an empty folder. What the demo serves changes every few
// seconds, perhaps while an example runs whose commands depend on each other: one
// that fails is given two more chances.
func (d *readmeDemo) try(t *testing.T, block string, example func(*readmeDemo, string) error) {
	var err error
	for range 3 {
		d.folder = t.TempDir()
		if err = example(d, strings.ReplaceAll(block, readmeAPI, d.url)); err == nil {
			return
		}
	}
	t.Error(err)
}

// await waits until check returns nil.
func (d *readmeDemo) await(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// get returns the body of an answer of the demo.
func (d *readmeDemo) get(path string) ([]byte, error) {
	resp, err := http.Get(d.url + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return body, err
}

func (d *readmeDemo) json(path string, v any) error {
	body, err := d.get(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// shell returns a command that runs a script as someone types it who has set $api
// and stops at the first command that fails. All that it starts ends with ctx.
func (d *readmeDemo) shell(ctx context.Context, script string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "bash", "-e", "-o", "pipefail", "-c", script)
	cmd.Dir = d.folder
	cmd.Env = append(os.Environ(), "api="+d.url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// output runs a script for half a minute at most and returns what it prints.
func (d *readmeDemo) output(script string) (string, error) {
	ctx, cancel := context.WithTimeout(d.ctx, 30*time.Second)
	defer cancel()
	cmd := d.shell(ctx, script)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w\n%s%s", err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// prints is an example that prints lines that match the patterns, in their order,
// perhaps with others between them.
func prints(patterns ...string) func(*readmeDemo, string) error {
	return func(d *readmeDemo, block string) error {
		out, err := d.output(block)
		if err != nil {
			return err
		}
		rest := out
		for _, p := range patterns {
			at := regexp.MustCompile("(?m)" + p).FindStringIndex(rest)
			if at == nil {
				return fmt.Errorf("no line %s after what was looked for before:\n%s", p, out)
			}
			rest = rest[at[1]:]
		}
		return nil
	}
}

// everySlug is an example that prints the slug of every package.
func everySlug(d *readmeDemo, block string) error {
	out, err := d.output(block)
	if err != nil {
		return err
	}
	packages, err := d.packages()
	if err != nil {
		return err
	}
	var want []string
	for _, p := range packages {
		want = append(want, p["slug"].(string))
	}
	got := strings.Fields(out)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("-want +got:\n%s", diff)
	}
	return nil
}

// notModified is the example with a validator: typed again, it tells 304.
func notModified(d *readmeDemo, block string) error {
	out, err := d.output(block + block)
	if err != nil {
		return err
	}
	if !regexp.MustCompile(`^200\n\d+ bytes\n304\n\d+ bytes\n$`).MatchString(out) {
		return fmt.Errorf("it prints %q", out)
	}
	return nil
}

// brokenOff is the example of a download in two parts.
func brokenOff(d *readmeDemo, block string) error {
	const where = "# where that broke off:\n"
	if !strings.Contains(block, where) {
		return fmt.Errorf("it has no line %q", where)
	}
	return everySlug(d, strings.Replace(block, where, "truncate -s 1000 packages.ndjson.zst\n", 1))
}

// follows is the example of a copy that follows. It begins with the snapshot; then
// it goes on, after a restart, from a copy that is far behind.
func follows(d *readmeDemo, block string) error {
	if err := d.catchesUp(block); err != nil {
		return fmt.Errorf("from nothing: %w", err)
	}
	behind := []byte(`{"id":1609,"slug":"its-slug-then"}` + "\n")
	if err := os.WriteFile(filepath.Join(d.folder, "copy.ndjson"), behind, 0o600); err != nil {
		return err
	}
	if err := d.catchesUp("since=0\n" + block); err != nil {
		return fmt.Errorf("from sequence 0: %w", err)
	}
	return nil
}

// catchesUp runs a script, which does not end by itself, until its copy is like what
// the demo serves.
func (d *readmeDemo) catchesUp(script string) error {
	ctx, cancel := context.WithTimeout(d.ctx, 30*time.Second)
	defer cancel()
	cmd := d.shell(ctx, script)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	diff := "there is no copy"
	for ctx.Err() == nil && diff != "" {
		time.Sleep(50 * time.Millisecond)
		text, err := os.ReadFile(filepath.Join(d.folder, "copy.ndjson"))
		if err != nil {
			continue
		}
		got, err := byID(text)
		if err != nil {
			continue // it is being written
		}
		want, err := d.packages()
		if err != nil {
			return err
		}
		diff = cmp.Diff(want, got)
	}
	cancel()
	cmd.Wait() // it was killed
	if diff != "" {
		return fmt.Errorf("the copy is another one (-served +copy):\n%s%s", diff, &stderr)
	}
	return nil
}

// takesOver is the recipe to take over an API, here that of the demo: from each of its two.
func takesOver(d *readmeDemo, block string) error {
	world := demoWorld(sim.Options{})
	defer world.Close()
	upstreams, err := startSim("127.0.0.1:0", world)
	if err != nil {
		return err
	}
	defer upstreams.stop()
	for _, version := range []string{"v4", "v3"} {
		if err := d.takesOver(strings.ReplaceAll(block, "/v4/", "/"+version+"/"), upstreams.url); err != nil {
			return fmt.Errorf("from API %s: %w", version, err)
		}
	}
	return nil
}

func (d *readmeDemo) takesOver(block, upstreams string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	config := fmt.Sprintf(`store: {path: new.db}
catalogue: {path: new.ndjson}
http: {listen: %q, public_url: %q}
github: {base_url: %q}
pypi: {base_url: %[3]q, contact: test@example.org, rate: 0}
`, address, d.url, upstreams)
	if err := os.WriteFile(filepath.Join(d.folder, "config.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	block = strings.NewReplacer("old=https://packages.example.org", "old="+d.url, "http://127.0.0.1:8080", "http://"+address).Replace(block)
	script := "export GITHUB_TOKEN=test\ntrap 'kill $(jobs -p); wait; rm -r new.*' EXIT\n" + block
	return prints(`^imported 61 packages, `, `^both serve the same packages$`, `, 0 failed,`)(d, script)
}

// packages returns what the snapshot of the demo holds, by id.
func (d *readmeDemo) packages() (map[float64]map[string]any, error) {
	body, err := d.get("/snapshot/packages.ndjson")
	if err != nil {
		return nil, err
	}
	return byID(body)
}

func byID(ndjson []byte) (map[float64]map[string]any, error) {
	records := map[float64]map[string]any{}
	for line := range bytes.Lines(ndjson) {
		var r map[string]any
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, err
		}
		records[r["id"].(float64)] = r
	}
	return records, nil
}
