package pypi_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"pkgmetad/pypi"
)

// A project is found by the URL that a person gave and asked about twice. The second
// time nothing has changed, and PyPI sends no body.
func Example() {
	index := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		switch {
		case r.URL.Path != "/pypi/tide-forms/json":
			http.NotFound(w, r)
		case r.Header.Get("If-None-Match") == `"1"`:
			w.WriteHeader(http.StatusNotModified)
		default:
			fmt.Fprint(w, `{"info": {"name": "Tide-Forms", "version": "1.10", "requires_python": ">=3.8"},
				"releases": {"1.10": [], "1.9": []}, "last_serial": 7}`)
		}
	}))
	defer index.Close()

	client, err := pypi.New(pypi.Options{BaseURL: index.URL, UserAgent: "example/1 (ops@example.org)"})
	if err != nil {
		fmt.Println(err)
		return
	}
	name, err := pypi.ParseURL("https://pypi.org/project/Tide_Forms/")
	if err != nil {
		fmt.Println(err)
		return
	}
	q := pypi.Question{Name: name}
	a := client.Fetch(context.Background(), q)
	fmt.Println(pypi.Normalize(name), a.Outcome, a.Project.Latest, *a.Project.Python3)

	q.ETag, q.Serial = a.ETag, a.Project.Serial
	a = client.Fetch(context.Background(), q)
	fmt.Println(a.Outcome, a.Requests)
	// Output:
	// tide-forms fresh 1.10 true
	// unchanged 1
}
