package pypi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// projectJSON is an answer with the given members of info beside its name.
func projectJSON(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"info":{"name":"Demo"` + members + `},"releases":{},"urls":[],"last_serial":7}`
}

func mustDecode(t *testing.T, body string) Project {
	t.Helper()
	p, err := decodeProject(strings.NewReader(body))
	if err != nil {
		t.Fatalf("decodeProject(%s): %v", body, err)
	}
	return p
}

func TestLicence(t *testing.T) {
	mit := `"classifiers":["License :: OSI Approved :: MIT License"]`
	for info, want := range map[string]string{
		``: "",
		`"license":null,"license_expression":null,"classifiers":null`:   "",
		`"license_expression":"MIT OR Apache-2.0","license":"x",` + mit: "MIT OR Apache-2.0",
		`"license":" BSD-3-Clause ",` + mit:                             "BSD-3-Clause",
		`"license":"BSD\n",` + mit:                                      "BSD",
		`"license":"",` + mit:                                           "MIT License",
		`"license":"UNKNOWN",` + mit:                                    "MIT License",
		`"license":"Permission is\nhereby granted",` + mit:              "MIT License",
		`"license":"` + strings.Repeat("é", 100) + `",` + mit:           strings.Repeat("é", 100),
		`"license":"` + strings.Repeat("é", 101) + `",` + mit:           "MIT License",
		`"license":"` + strings.Repeat("x", 101) + `"`:                  "",
		`"classifiers":["License :: OSI Approved :: BSD License","Topic :: License :: X","License :: Public Domain"]`: "BSD License, Public Domain",
		`"classifiers":[null,"License","Licensed :: X"]`:                                                              "",
	} {
		if got := mustDecode(t, projectJSON(info)).Licence; got != want {
			t.Errorf("licence of %s = %q; want %q", info, got, want)
		}
	}
}

func TestDevelopmentStatus(t *testing.T) {
	for classifiers, want := range map[string]int{
		`null`:                                   0,
		`[]`:                                     0,
		`["Development Status :: 1 - Planning"]`: 1,
		`["Development Status :: 7 - Inactive"]`: 7,
		`["Development Status :: 5 - Production/Stable","Development Status :: 4 - Beta"]`:                                  5,
		`["Development Status :: 0 - X","Development Status :: 8 - X","Development Status :: 55 - X","Development Status"]`: 0,
	} {
		if got := mustDecode(t, projectJSON(`"classifiers":`+classifiers)).DevelopmentStatus; got != want {
			t.Errorf("development status of %s = %d; want %d", classifiers, got, want)
		}
	}
}

func TestClassifiedVersions(t *testing.T) {
	const python, django = "Programming Language :: Python :: ", "Framework :: Django :: "
	p := mustDecode(t, projectJSON(`"classifiers":["`+strings.Join([]string{
		python + "3.10", python + "3", python + "3.9", python + "3 :: Only", python + "Implementation :: PyPy", python + "3.9", python + "2.7",
		"Programming Language :: Python", "Programming Language :: PHP :: 3.1", "Framework :: Django", django + "10.0", django + "4.2", django + "4", django + "4.0",
		django + "5.0.1", django + "", django + " 5", django + "5.x", django + "99999.0", "Framework :: Django CMS :: 3.4",
	}, `","`)+`"]`))
	if d := cmp.Diff([]string{"2.7", "3", "3.9", "3.10"}, p.Python); d != "" {
		t.Error("Python: -want +got\n", d)
	}
	if d := cmp.Diff([]string{"4", "4.0", "4.2", "10.0"}, p.Django); d != "" {
		t.Error("Django: -want +got\n", d)
	}
	if p := mustDecode(t, projectJSON("")); p.Python != nil || p.Django != nil {
		t.Errorf("of nothing: %v, %v", p.Python, p.Django)
	}
}

func TestDocumentationURL(t *testing.T) {
	for info, want := range map[string]string{
		`"project_urls":null`: "",
		`"project_urls":{}`:   "",
		`"project_urls":{"Homepage":"https://h.example/"}`:                              "",
		`"project_urls":{"Documentation":"https://d.example/"}`:                         "https://d.example/",
		`"project_urls":{" DOCS: ":"https://d.example/"}`:                               "https://d.example/",
		`"project_urls":{"Docu-menta_tion!":"http://d.example"}`:                        "http://d.example",
		`"project_urls":{"Read the docs":"https://d.example/"}`:                         "",
		`"project_urls":{"Docs":"https://b/","Documentation":"https://a/"}`:             "https://a/",
		`"project_urls":{"documentation":"https://b/","Documentation":"https://a/"}`:    "https://a/",
		`"project_urls":{"Documentation":"javascript:alert(1)","Docs":"https://a/"}`:    "https://a/",
		`"project_urls":{"Documentation":null},"docs_url":"https://pythonhosted.org/x"`: "https://pythonhosted.org/x",
		`"docs_url":"https://pythonhosted.org/x"`:                                       "https://pythonhosted.org/x",
		`"docs_url":"UNKNOWN"`: "",
	} {
		if got := mustDecode(t, projectJSON(info)).DocumentationURL; got != want {
			t.Errorf("documentation URL of %s = %q; want %q", info, got, want)
		}
	}
}

func TestVersions(t *testing.T) {
	at := func(s string) time.Time {
		u, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	got := mustDecode(t, `{"last_serial":9,"releases":{
		"0.9":  [{"upload_time_iso_8601":"2020-01-02T00:00:00.5Z","upload_time":"2020-01-02T00:00:00","yanked":false},
		         {"upload_time_iso_8601":"2020-01-01T23:00:00.25Z","yanked":true,"size":"what"}],
		"0.10": [{"upload_time":"2021-06-01T12:00:00"}],
		"0.11": [{"upload_time_iso_8601":null,"upload_time":"2022-06-01T12:00:00","yanked":null}],
		"0.12": [{"upload_time_iso_8601":"2023-01-01T02:00:00+02:00"}],
		"0.13": [{"upload_time_iso_8601":"soon","yanked":true},{"upload_time_iso_8601":"9999-12-31T23:59:59-12:00","yanked":true}],
		"1.0":  [],
		"1.1":  null,
		"":     [{}],
		"dev":  [{}]
	},"info":{"name":"Demo","version":"0.12","yanked":[],"description":{"a":1},"downloads":"x"},"ownership":3,"vulnerabilities":{}}`)
	want := Project{
		Name: "Demo", Latest: "0.12", Serial: 9,
		Versions: []Version{
			{Version: "1.1"},
			{Version: "1.0"},
			{Version: "0.13", Yanked: true},
			{Version: "0.12", Uploaded: at("2023-01-01T00:00:00Z")},
			{Version: "0.11", Uploaded: at("2022-06-01T12:00:00Z")},
			{Version: "0.10", Uploaded: at("2021-06-01T12:00:00Z")},
			{Version: "0.9", Uploaded: at("2020-01-01T23:00:00.25Z")},
			{Version: "dev"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, v := range got.Versions {
		if v.Uploaded.Location() != time.UTC {
			t.Errorf("%s uploaded in %v; want UTC", v.Version, v.Uploaded.Location())
		}
	}
}

func TestProjectShapes(t *testing.T) {
	uploaded := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tt := range []struct {
		name, body string
		want       Project
	}{
		{"no releases: the latest from urls",
			`{"urls":[{"upload_time":"2024-01-02T03:04:05","yanked":true}],"info":{"name":"a","version":"1.0"}}`,
			Project{Name: "a", Latest: "1.0", Versions: []Version{{Version: "1.0", Uploaded: uploaded, Yanked: true}}}},
		{"releases null", `{"info":{"name":"a","version":"1.0"},"releases":null,"urls":null}`,
			Project{Name: "a", Latest: "1.0", Versions: []Version{{Version: "1.0"}}}},
		{"nothing but a name", `{"info":{"name":"a"}}`, Project{Name: "a"}},
		{"version null: derived", `{"info":{"name":"a","version":null},"releases":{"1.0":[],"2.0a1":[],"3.0":[{"yanked":true}]},"last_serial":null}`,
			Project{Name: "a", Latest: "1.0", Versions: []Version{{Version: "3.0", Yanked: true}, {Version: "2.0a1"}, {Version: "1.0"}}}},
		{"version as written", `{"info":{"name":"a","version":"1.0-Final"},"releases":{"1.0-Final":[]}}`,
			Project{Name: "a", Latest: "1.0-Final", Versions: []Version{{Version: "1.0-Final"}}}},
		{"broken urls do not matter beside releases", `{"info":{"name":"a"},"releases":{},"urls":"x"}`, Project{Name: "a"}},
		{"broken urls before releases", `{"urls":"x","info":{"name":"a"},"releases":{}}`, Project{Name: "a"}},
		{"urls twice: the last ones", `{"info":{"name":"a","version":"1"},"urls":[{"upload_time":"2020-01-02T03:04:05"}],"urls":[{"upload_time":"2024-01-02T03:04:05"}]}`,
			Project{Name: "a", Latest: "1", Versions: []Version{{Version: "1", Uploaded: uploaded}}}},
		{"broken urls alone", `{"info":{"name":"a","version":"1.0"},"urls":"x"}`, Project{Name: "a", Latest: "1.0", Versions: []Version{{Version: "1.0"}}}},
		{"releases a list", `{"info":{"name":"a","version":"1.0"},"releases":[{}],"urls":[{"upload_time":"2024-01-02T03:04:05"}]}`,
			Project{Name: "a", Latest: "1.0", Versions: []Version{{Version: "1.0", Uploaded: uploaded}}}},
		{"releases a text", `{"info":{"name":"a","version":"1.0"},"releases":"1.0"}`, Project{Name: "a", Latest: "1.0", Versions: []Version{{Version: "1.0"}}}},
		{"releases that are none among others", `{"info":{"name":"a","version":"4"},"releases":{"1":{},"2":"x","3":7,"4":[{"upload_time":"2024-01-02T03:04:05"}]}}`,
			Project{Name: "a", Latest: "4", Versions: []Version{{Version: "4", Uploaded: uploaded}, {Version: "3"}, {Version: "2"}, {Version: "1"}}}},
		{"a licence that is an object", projectJSON(`"version":"1.0","license":{"text":"MIT"}`), Project{Name: "Demo", Latest: "1.0", Serial: 7}},
		{"a licence expression that is a list", projectJSON(`"version":"1.0","license_expression":["MIT"],"license":"BSD"`), Project{Name: "Demo", Latest: "1.0", Licence: "BSD", Serial: 7}},
		{"project URLs in a list", projectJSON(`"project_urls":[["Documentation","https://d.example/"]],"docs_url":"https://e.example/"`), Project{Name: "Demo", DocumentationURL: "https://e.example/", Serial: 7}},
		{"a project URL that is a number", projectJSON(`"project_urls":{"Docs":1,"Documentation":"https://d.example/"}`), Project{Name: "Demo", DocumentationURL: "https://d.example/", Serial: 7}},
		{"a documentation URL that is false", projectJSON(`"docs_url":false,"version":"1.0"`), Project{Name: "Demo", Latest: "1.0", Serial: 7}},
		{"classifiers in an object", projectJSON(`"classifiers":{"a":"b"},"version":"1.0"`), Project{Name: "Demo", Latest: "1.0", Serial: 7}},
		{"odd classifiers among good ones", projectJSON(`"classifiers":[1,null,["x"],"Development Status :: 4 - Beta"],"version":"1.0"`), Project{Name: "Demo", Latest: "1.0", DevelopmentStatus: 4, Serial: 7}},
		{"requires_python a number", projectJSON(`"requires_python":3.6,"version":"1.0"`), Project{Name: "Demo", Latest: "1.0", Serial: 7}},
		{"several odd fields", projectJSON(`"license":1,"classifiers":2,"project_urls":3,"requires_python":[],"version":"1.0"`), Project{Name: "Demo", Latest: "1.0", Serial: 7}},
		{"a serial in letters", `{"info":{"name":"a"},"last_serial":"seven"}`, Project{Name: "a"}},
		{"a serial in quotes", `{"info":{"name":"a"},"last_serial":"7"}`, Project{Name: "a"}},
		{"a serial with a fraction", `{"last_serial":7.5,"info":{"name":"a"}}`, Project{Name: "a"}},
		{"a serial beyond all reason", `{"last_serial":1e300,"info":{"name":"a"}}`, Project{Name: "a"}},
		{"a serial as a float", `{"last_serial":7e0,"info":{"name":"a"}}`, Project{Name: "a", Serial: 7}},
		{"a negative serial", `{"last_serial":-7,"info":{"name":"a"}}`, Project{Name: "a"}},
		{"yanked in words", `{"info":{"name":"a","version":"1"},"releases":{"1":[{"yanked":"yes"}]}}`, Project{Name: "a", Latest: "1", Versions: []Version{{Version: "1"}}}},
		{"odd upload times", `{"info":{"name":"a","version":"1"},"releases":{"1":[{"upload_time_iso_8601":17,"upload_time":[]},{"upload_time_iso_8601":{},"upload_time":"2024-01-02T03:04:05"}]}}`,
			Project{Name: "a", Latest: "1", Versions: []Version{{Version: "1", Uploaded: uploaded}}}},
		{"a file that is none", `{"info":{"name":"a","version":"1"},"releases":{"1":[3,{"upload_time":"2024-01-02T03:04:05","yanked":true}]}}`,
			Project{Name: "a", Latest: "1", Versions: []Version{{Version: "1", Uploaded: uploaded}}}},
		{"odd files in urls", `{"info":{"name":"a","version":"1"},"urls":[{"yanked":0,"upload_time":"2024-01-02T03:04:05"}]}`,
			Project{Name: "a", Latest: "1", Versions: []Version{{Version: "1", Uploaded: uploaded}}}},
		{"white space around", " \n{\"info\":{\"name\":\"a\"}}\n ", Project{Name: "a"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, mustDecode(t, tt.body)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzDecodeProject(f *testing.F) {
	f.Add([]byte(projectJSON(`"version":"1.0","classifiers":["License :: X"],"requires_python":">=3"`)))
	f.Add([]byte(`{"info":{"name":"a","project_urls":{"Docs":"https://x/"}},"releases":{"1.0":[{"yanked":true,"upload_time":"2020-01-01T00:00:00"}],"x":[]}}`))
	f.Add([]byte(`{"info":{"name":"a","version":"1"},"urls":[{"upload_time_iso_8601":"0000-01-01T00:00:00+23:00"}]}`))
	f.Add([]byte(`{"releases":{"1":[{}],"1":[{}]},"info":[`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = decodePage(bytes.NewReader(body))
		p, err := decodeProject(bytes.NewReader(body))
		if err != nil {
			if diff := cmp.Diff(Project{}, p); diff != "" {
				t.Fatalf("an error and a value: %s", diff)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("no error for what is not JSON")
		}
		if p.Name == "" || p.DevelopmentStatus < 0 || p.DevelopmentStatus > 7 || p.Serial < 0 {
			t.Fatalf("%+v", p)
		}
		seen := map[string]bool{}
		for _, v := range p.Versions {
			if v.Version == "" || seen[v.Version] {
				t.Fatalf("version %q twice or empty", v.Version)
			}
			seen[v.Version] = true
		}
		if _, err := json.Marshal(p); err != nil {
			t.Fatalf("cannot be stored: %v", err)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	var body bytes.Buffer
	body.WriteString(`{"info":{"name":"demo","version":"30.9.0","requires_python":">=3.8","classifiers":["Development Status :: 5 - Production/Stable","License :: OSI Approved :: MIT License"],"description":"`)
	body.WriteString(strings.Repeat("All about it. ", 1000))
	body.WriteString(`"},"last_serial":1,"releases":{`)
	for i := range 300 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `"%d.%d.0":[`, 1+i/10, i%10)
		for j, kind := range []string{"sdist", "bdist_wheel", "bdist_wheel", "bdist_wheel", "bdist_wheel"} {
			if j > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"comment_text":"","digests":{"blake2b_256":"%064x","md5":"%032x","sha256":"%064x"},"downloads":-1,"filename":"demo-%d.tar.gz","has_sig":false,"md5_digest":"%032x","packagetype":%q,"python_version":"py3","requires_python":">=3.8","size":13414,"upload_time":"2022-01-09T09:34:31","upload_time_iso_8601":"2022-01-09T09:34:31.672852Z","url":"https://files.pythonhosted.org/packages/1f/44/%064x/demo-%d.tar.gz","yanked":false,"yanked_reason":null}`, i, i, i, i, i, kind, i, i)
		}
		body.WriteByte(']')
	}
	body.WriteString(`},"urls":[]}`)
	b.SetBytes(int64(body.Len()))
	b.ReportAllocs()
	for b.Loop() {
		p, err := decodeProject(bytes.NewReader(body.Bytes()))
		if err != nil || len(p.Versions) != 300 || p.Versions[0].Version != "30.9.0" {
			b.Fatal(err, len(p.Versions))
		}
	}
}
