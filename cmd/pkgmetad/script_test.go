package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"pkgmetad/internal/sim"
)

// TestMain lets scripts run the program by its name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"pkgmetad": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs the commands as a user does. Each script has a simulated
// GitHub and PyPI at $SIM, and a free address for a daemon in $LISTEN;
// second.yaml is the configuration of another daemon there, without a catalogue.
// $OLDER is the packed database of a program of schema 3.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			world := sim.Generate(83, 12, sim.Options{})
			sim.Documented(world)
			s, err := startSim("127.0.0.1:0", world)
			if err != nil {
				return err
			}
			e.Defer(func() {
				if err := s.stop(); err != nil {
					t.Error(err)
				}
				if err := world.Close(); err != nil {
					t.Error(err)
				}
			})
			listen, err := freeAddress()
			if err != nil {
				return err
			}
			older, err := filepath.Abs("../../store/testdata/schema3.db.gz")
			if err != nil {
				return err
			}
			e.Setenv("OLDER", older)
			e.Setenv("SIM", s.url)
			e.Setenv("LISTEN", listen)
			e.Setenv("GITHUB_TOKEN", "canary-5f1d")
			if err := writeCatalogue(e.WorkDir+"/world.yaml", world); err != nil {
				return err
			}
			for name, files := range map[string]string{"config": "store: {path: test.db, lock_wait: 1s}\ncatalogue: {path: world.yaml}\n", "second": "store: {path: second.db}\ncatalogue: {path: second.ndjson}\n"} {
				config := files + fmt.Sprintf("http: {listen: %q}\ngithub: {base_url: %q}\npypi: {base_url: %q, contact: test@example.org}\n", listen, s.url, s.url)
				if err := os.WriteFile(e.WorkDir+"/"+name+".yaml", []byte(config), 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"get":    scriptGet,
			"header": scriptHeader,
			"code":   scriptCode,

			"warnings": scriptWarnings,
			"samejson": scriptSameJSON,
		},
	})
}

// scriptGet asks for a URL until it answers 200, and puts the body where
// stdout of a command would be: get URL FILE.
func scriptGet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get URL FILE")
	}
	var last string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(args[0])
		if err != nil {
			last = err.Error()
			continue
		}
		f, err := os.Create(ts.MkAbs(args[1]))
		ts.Check(err)
		_, err = f.ReadFrom(resp.Body)
		ts.Check(err)
		ts.Check(f.Close())
		ts.Check(resp.Body.Close())
		if resp.StatusCode == http.StatusOK {
			return
		}
		last = resp.Status
	}
	ts.Fatalf("get %s: %s", args[0], last)
}

// scriptHeader puts a header of the answer for a URL where stdout of a command would
// be: header URL NAME FILE.
func scriptHeader(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: header URL NAME FILE")
	}
	resp, err := http.Get(args[0])
	ts.Check(err)
	ts.Check(resp.Body.Close())
	value := resp.Header.Get(args[1])
	if value == "" {
		ts.Fatalf("%s: %s has no %s", args[0], resp.Status, args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(value), 0o600))
}

// scriptCode runs the program and checks its exit code: code 2 serve --flag.
func scriptCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N ARGS...")
	}
	stdout, err := os.Create(ts.MkAbs("out"))
	ts.Check(err)
	stderr, err := os.Create(ts.MkAbs("err"))
	ts.Check(err)
	code := run(context.Background(), absolute(ts, args[1:]), stdout, stderr)
	ts.Check(stdout.Close())
	ts.Check(stderr.Close())
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d; want %s\n%s%s", code, args[0], ts.ReadFile("out"), ts.ReadFile("err"))
	}
}

// scriptWarnings sorts the warnings in a log, or in what config check printed, into a
// file, one a line: warnings FILE SORTED.
func scriptWarnings(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: warnings FILE SORTED")
	}
	var all []string
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var logged struct{ Level, Message string }
		if warning, ok := strings.CutPrefix(line, "warning: "); ok {
			all = append(all, warning)
		} else if json.Unmarshal([]byte(line), &logged) == nil && logged.Level == "warn" {
			all = append(all, logged.Message+"\n")
		}
	}
	slices.Sort(all)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(all, "")), 0o600))
}

// scriptSameJSON checks that what show --json printed is a record as the API serves it and,
// as "status", what the API tells of its sources: samejson SHOWN RECORD STATUS.
func scriptSameJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: samejson SHOWN RECORD STATUS")
	}
	var files [3]map[string]any
	for i, name := range args {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(name)), &files[i]))
	}
	shown, want := files[0], files[1]
	want["status"] = files[2]
	if diff := cmp.Diff(want, shown); diff != "" {
		ts.Fatalf("-served +shown\n%s", diff)
	}
}

// absolute makes the names of files that are there absolute: run works in the
// folder of the test.
func absolute(ts *testscript.TestScript, args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = a
		if _, err := os.Stat(ts.MkAbs(a)); err == nil && a != "" && a != "." {
			out[i] = ts.MkAbs(a)
		}
	}
	return out
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
