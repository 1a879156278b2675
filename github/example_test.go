package github_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"pkgmetad/github"
	"pkgmetad/internal/record"
)

// A repository is found by the URL that a person gave and asked about twice. The
// second time nothing has changed, which costs no part of the budget.
func Example() {
	mux := http.NewServeMux()
	serve := func(path, body string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"1"`)
			if r.Header.Get("If-None-Match") == `"1"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			fmt.Fprint(w, body)
		})
	}
	serve("/repos/tidepool/kelp", `{"id": 7, "full_name": "tidepool/kelp", "stargazers_count": 2718, "forks_count": 31}`)
	serve("/repos/tidepool/kelp/contributors", `[{"login": "otter"}, {"login": "heron"}]`)
	api := httptest.NewServer(mux)
	defer api.Close()

	client, err := github.New(github.Options{BaseURL: api.URL, Token: "secret", UserAgent: "example/1 (+ops@example.org)"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ref, err := github.ParseURL("git@github.com:tidepool/kelp.git", github.GitHubHost)
	if err != nil {
		fmt.Println(err)
		return
	}
	q := github.Question{Ref: ref, Parts: github.PartRepository | github.PartContributors}
	a := client.Fetch(context.Background(), q)
	fmt.Println(ref.Key(github.GitHubHost), a.Repository.Value.Stars, record.Logins(a.Contributors.Value))
	fmt.Println(a.Repository.Outcome, a.Requests, a.Charged)

	q.Known, q.Participants = a.Validators, len(a.Contributors.Value)
	a = client.Fetch(context.Background(), q)
	fmt.Println(a.Repository.Outcome, a.Requests, a.Charged)
	// Output:
	// github.com/tidepool/kelp 2718 [otter heron]
	// fresh 2 2
	// unchanged 2 0
}

func ExampleParseURL() {
	ref, err := github.ParseURL("git@github.com:django/django.git", github.GitHubHost)
	fmt.Println(ref, err)
	_, err = github.ParseURL("https://gitlab.com/o/n", github.GitHubHost)
	fmt.Println(err)
	_, err = github.ParseURL("https://github.com/o/n", "ghe.example")
	fmt.Println(err)
	// Output:
	// django/django <nil>
	// repository URL "https://gitlab.com/o/n": the host is not github.com
	// repository URL "https://github.com/o/n": the host is not ghe.example, the GitHub server that is asked
}
