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
		if !strings.HasPrefix(key, "http.") {
			others = append(others, key)
		}
	}
	slices.Sort(others)
	want := []string{"github.base_url", "github.url_host", "log.format", "pypi.base_url", "site.description", "site.name", "store.lock_wait", "store.max_size", "store.path"}
	if !slices.Equal(others, want) {
		t.Errorf("a restart is needed, beside http, for %q, not %q", others, want)
	}
	if !reflect.DeepEqual(next.HTTP, running.HTTP) {
		t.Errorf("a reload changes %+v", next.HTTP)
	}
	example, err := os.ReadFile(exampleConfig)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(example), "except for these, which take a\n# restart: http, site, store (path, lock_wait, max_size), log.format, and the\n# addresses of GitHub and PyPI.") {
		t.Error("config.example.yaml says otherwise")
	}
}
