package fetcher_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"pkgmetad/internal/record"
)

// largeUpstreams answers for GitHub and PyPI about invented packages, with bodies as
// large as those of the best known ones, compressed.
type largeUpstreams map[string]largeAnswer // by path

type largeAnswer struct {
	body []byte // compressed
	link string
}

func newLargeUpstreams(b *testing.B, packages int) largeUpstreams {
	b.Helper()
	u := largeUpstreams{}
	put := func(path, body, link string) {
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		if _, err := io.WriteString(w, body); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		u[path] = largeAnswer{compressed.Bytes(), link}
	}
	for n := range packages {
		name := fmt.Sprintf("large-%d", n)
		repo := "/repos/acme/" + name
		put(repo, largeRepo(n, name), "")
		put(repo+"/contributors", largeContributors(n), "")
		put(repo+"/commits", largeCommits(n), `<http://sim/x?per_page=1&page=2>; rel="next", <http://sim/x?per_page=1&page=4321>; rel="last"`)
		put(repo+"/stats/participation", `{"all":[`+strings.Repeat("3,", 51)+`4],"owner":[`+strings.Repeat("1,", 51)+`0]}`, "")
		put("/pypi/"+name+"/json", largeProject(n, name), "")
	}
	return u
}

func (u largeUpstreams) catalogue() (c record.Catalogue) {
	for n := range len(u) / 5 {
		name := fmt.Sprintf("large-%d", n)
		repo, project := "https://github.com/acme/"+name, "https://pypi.org/project/"+name+"/"
		c.Packages = append(c.Packages, record.Entry{ID: n + 1, Slug: name, Title: name, RepoURL: &repo, PyPIURL: &project})
	}
	return c
}

func (u largeUpstreams) RoundTrip(req *http.Request) (*http.Response, error) {
	answer, found := u[req.URL.Path]
	if !found {
		return nil, fmt.Errorf("nobody knows %s", req.URL.Path)
	}
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Content-Encoding": {"gzip"}}
	if answer.link != "" {
		header.Set("Link", answer.link)
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(answer.body)), ContentLength: int64(len(answer.body)), Request: req,
	}, nil
}

// largeUser has the 18 fields that GitHub gives of a user, and more.
func largeUser(id int, login, more string) string {
	var s strings.Builder
	fmt.Fprintf(&s, `{"login":%q,"id":%d,"node_id":"MDQ6VXNlcj%d","avatar_url":"https://avatars.sim/u/%d?v=4","gravatar_id":""`, login, id, id, id)
	for _, link := range []string{"url", "html_url", "followers_url", "following_url{/other_user}", "gists_url{/gist_id}", "starred_url{/owner}{/repo}",
		"subscriptions_url", "organizations_url", "repos_url", "events_url{/privacy}", "received_events_url"} {
		name, _, _ := strings.Cut(link, "{")
		fmt.Fprintf(&s, `,%q:"https://api.sim/users/%s/%s"`, name, login, link)
	}
	fmt.Fprintf(&s, `,"type":"User","site_admin":false%s}`, more)
	return s.String()
}

func largeRepo(n int, name string) string {
	var links strings.Builder
	for i := range 45 {
		fmt.Fprintf(&links, `,"link_%d_url":"https://api.sim/repos/acme/%s/part%d{/number}"`, i, name, i)
	}
	return fmt.Sprintf(`{"id":%d,"node_id":"R_%d","name":%q,"full_name":"acme/%s","private":false,"owner":%s%s,"stargazers_count":%d,"forks_count":12,`+
		`"description":"A package that many people use","archived":false,"disabled":false,"topics":["web","orm","api"],"pushed_at":"2026-05-06T07:08:09Z","default_branch":"main"}`,
		1000+n, n, name, name, largeUser(7, "acme", ""), links.String(), n)
}

func largeContributors(n int) string {
	var users []string
	for i := range 100 {
		users = append(users, largeUser(n*1000+i, fmt.Sprintf("contributor-%d-%d", n, i), fmt.Sprintf(`,"user_view_type":"public","contributions":%d`, 500-i)))
	}
	return "[" + strings.Join(users, ",") + "]"
}

func largeCommits(n int) string {
	author := largeUser(n, "ada", "")
	return fmt.Sprintf(`[{"sha":"%040d","node_id":"C_%d","commit":{"author":{"name":"Ada","email":"ada@example.org","date":"2026-05-06T07:08:09Z"},`+
		`"committer":{"name":"Ada","email":"ada@example.org","date":"2026-05-06T07:08:09Z"},"message":%q,"comment_count":0,`+
		`"verification":{"verified":false,"reason":"unsigned","signature":null,"payload":null}},"author":%s,"committer":%s,"parents":[{"sha":"%040d"}]}]`,
		n, n, strings.Repeat("Say more of what it does. ", 20), author, author, n+1)
}

func largeProject(n int, name string) string {
	file := func(version, kind string, release int) string {
		return fmt.Sprintf(`{"comment_text":"","digests":{"blake2b_256":"%064x","md5":"%032x","sha256":"%064x"},"downloads":-1,"filename":"%s-%s%s",`+
			`"has_sig":false,"md5_digest":"%032x","packagetype":"bdist_wheel","python_version":"py3","requires_python":">=3.9","size":%d,`+
			`"upload_time":"20%02d-%02d-03T04:05:06","upload_time_iso_8601":"20%02d-%02d-03T04:05:06.789012Z",`+
			`"url":"https://files.sim/packages/aa/bb/%060x/%s-%s%s","yanked":false,"yanked_reason":null}`,
			release, release, release, name, version, kind, release, 12345+release, 10+release/24, 1+release/2%12, 10+release/24, 1+release/2%12, release, name, version, kind)
	}
	var releases []string
	version := ""
	for i := range 300 {
		version = fmt.Sprintf("%d.%d.%d", i/60, i/10%6, i%10)
		switch i % 25 {
		case 23:
			version += "rc1"
		case 24:
			version += ".post1"
		}
		releases = append(releases, fmt.Sprintf("%q:[%s,%s]", version, file(version, "-py3-none-any.whl", i), file(version, ".tar.gz", i)))
	}
	return fmt.Sprintf(`{"info":{"author":"Ada","author_email":"ada@example.org","bugtrack_url":null,`+
		`"classifiers":["Development Status :: 5 - Production/Stable","Framework :: Django","License :: OSI Approved :: BSD License","Programming Language :: Python :: 3"],`+
		`"description":%q,"description_content_type":"text/markdown","docs_url":null,"download_url":"","home_page":"","keywords":"web","license":"BSD",`+
		`"name":%q,"package_url":"https://pypi.sim/project/%s/","project_urls":{"Documentation":"https://%s.example.org/","Source":"https://sim/acme/%s"},`+
		`"requires_dist":["Django>=4.2","sqlparse>=0.3"],"requires_python":"<4,>=3.9","summary":"A package","version":%q,"yanked":false,"yanked_reason":null},`+
		`"last_serial":%d,"releases":{%s},"urls":[%s],"vulnerabilities":[]}`,
		strings.Repeat("# What it does\n\nIt does *one* thing \"well\", and says so at length.\n", 200), name, name, name, name, version, 9_000_000+n,
		strings.Join(releases, ","), file(version, ".tar.gz", n))
}
