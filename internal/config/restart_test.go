package config

import (
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRestart: what a reload does not change is what config.example.yaml says, and no
// more.
func TestRestart(t *testing.T) {
	next, running := Default(), Default()
	var change func(reflect.Value)
	change = func(v reflect.Value) {
		for i := range v.NumField() {
			field := v.Field(i)
			switch x := field.Interface().(type) {
			case *time.Location:
				field.Set(reflect.ValueOf(time.FixedZone("elsewhere", 3600)))
			case []netip.Prefix:
				field.Set(reflect.ValueOf([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}))
			case map[string]string:
				field.Set(reflect.ValueOf(map[string]string{"a": "b"}))
			case []Secret:
				field.Set(reflect.ValueOf([]Secret{NewSecret("b")}))
			case Secret:
				field.Set(reflect.ValueOf(NewSecret(x.Reveal() + "x")))
			case string:
				field.SetString(x + "x")
			case bool:
				field.SetBool(!x)
			case int, ByteSize, time.Duration:
				field.SetInt(field.Int() + 1)
			default:
				if isSection(field.Type()) {
					change(field)
				}
			}
		}
	}
	change(reflect.ValueOf(next).Elem())
	var others []string
	for _, key := range KeepUntilRestart(next, running) {
		if !strings.HasPrefix(key, "http.") && !strings.HasPrefix(key, "cluster.") {
			others = append(others, key)
		}
	}
	slices.Sort(others)
	want := []string{"github.base_url", "github.url_host", "log.format", "pypi.base_url", "site.description", "site.name", "store.lock_wait", "store.max_size", "store.path"}
	if !slices.Equal(others, want) {
		t.Errorf("a restart is needed, beside http and cluster, for %q, not %q", others, want)
	}
	if !reflect.DeepEqual(next.HTTP, running.HTTP) {
		t.Errorf("a reload changes %+v", next.HTTP)
	}
	if !reflect.DeepEqual(next.Cluster, running.Cluster) {
		t.Errorf("a reload changes %+v", next.Cluster)
	}
	example, err := os.ReadFile(exampleConfig)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(example), "except for these, which take a\n# restart: http, site, cluster, store (path, lock_wait, max_size), log.format, and\n# the addresses of GitHub and PyPI.") {
		t.Error("config.example.yaml says otherwise")
	}
}

// TestRestartForASecret: secrets print alike, and are compared all the same.
func TestRestartForASecret(t *testing.T) {
	for _, tt := range []struct {
		next, running Cluster
		want          []string
	}{
		{Cluster{URL: []Secret{NewSecret("nats://a")}}, Cluster{URL: []Secret{NewSecret("nats://a")}}, nil},
		{Cluster{URL: []Secret{NewSecret("nats://b")}}, Cluster{URL: []Secret{NewSecret("nats://a")}}, []string{"cluster.url"}},
		{Cluster{Secret: NewSecret("b")}, Cluster{Secret: NewSecret("a")}, []string{"cluster.secret_file"}},
		{Cluster{SecretFile: "g", Secret: NewSecret("b")}, Cluster{SecretFile: "f", Secret: NewSecret("a")}, []string{"cluster.secret_file"}},
	} {
		next, running := Default(), Default()
		next.Cluster, running.Cluster = tt.next, tt.running
		if got := KeepUntilRestart(next, running); !slices.Equal(got, tt.want) || !reflect.DeepEqual(next, running) {
			t.Errorf("%q, not %q; %+v", got, tt.want, next)
		}
	}
}

// TestRestartIntoACluster: a host that is alone until the restart does not stop fetching
// before.
func TestRestartIntoACluster(t *testing.T) {
	next, running := Default(), Default()
	next.Cluster.URL, next.Refresh.Workers = []Secret{NewSecret("nats://a")}, 0
	want := []string{"cluster.url", "refresh.workers"}
	if got := KeepUntilRestart(next, running); !slices.Equal(got, want) || next.Refresh.Workers != running.Refresh.Workers {
		t.Errorf("%q, not %q; %d workers", got, want, next.Refresh.Workers)
	}
	next, running = Default(), Default()
	next.Cluster.URL, next.Refresh.Workers = []Secret{NewSecret("nats://a")}, 0
	running.Cluster = next.Cluster
	if got := KeepUntilRestart(next, running); got != nil || next.Refresh.Workers != 0 {
		t.Errorf("%q; %d workers", got, next.Refresh.Workers)
	}
}
