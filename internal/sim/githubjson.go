package sim

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const api = "https://api.github.com"

// renderRepo writes the body that k names.
func (w *World) renderRepo(k cacheKey, now time.Time) *rendered {
	r := w.repoAt(k.repo, now)
	if r == nil { // it was removed just now
		return &rendered{instant: instant{until: now}, status: http.StatusNotFound}
	}
	out := &rendered{instant: instant{until: never}, status: http.StatusOK}
	if !r.until.IsZero() {
		out.until = r.until
	}
	if k.endpoint == Repository {
		pushed, until := w.pushed(r, now)
		out.until = earlier(out.until, until)
		out.body = r.repositoryJSON(pushed)
		return out
	}
	g := w.graph(r, now)
	out.until = earlier(out.until, g.until)
	if g.head != none {
		out.head = g.nodes[g.head].oid
	}
	switch k.endpoint {
	case Contributors:
		if g.head == none && len(r.Extra) == 0 {
			out.status = http.StatusNoContent
			break
		}
		list := r.contributors(g)
		from, to := window(k, len(list), out)
		var b object
		b.array(to-from, func(i int) { b.contributor(list[from+i]) })
		out.body = b.buf
	case CommitList:
		if g.head == none {
			out.status = http.StatusConflict
			break
		}
		_, n := g.reachable(g.head)
		from, to := window(k, n, out)
		commits := g.walk(g.head)
		for range from { // at most n
			commits.next()
		}
		var b object
		b.array(to-from, func(int) { r.commitJSON(&b, g, commits.next()) })
		out.body = b.buf
	case Participation:
		out.until = earlier(out.until, midnight(now).Add(day))
		all, owner := r.weeks(g, now, w.counting)
		out.body = marshal(struct {
			All   [52]int `json:"all"`
			Owner [52]int `json:"owner"`
		}{all, owner})
	}
	return out
}

// window returns which of n items are on the page of k, and notes the last page.
func window(k cacheKey, n int, out *rendered) (from, to int) {
	out.last = max((n+k.perPage-1)/k.perPage, 1)
	from = min((min(k.page, out.last+1)-1)*k.perPage, n)
	return from, min(from+k.perPage, n)
}

func (r *Repo) repositoryJSON(pushed time.Time) []byte {
	url := api + "/repos/" + r.FullName
	var b object
	b.open()
	b.add("id", r.ID, "node_id", r.NodeID, "name", r.Name(), "full_name", r.FullName, "private", false)
	b.key("owner")
	b.user(r.Owner(), r.Organization)
	b.close()
	b.add("html_url", r.URL(), "description", r.Description, "fork", false, "url", url)
	for _, u := range repositoryURLs {
		b.add(u[0], url+u[1])
	}
	b.add("created_at", stamp(r.Created), "updated_at", stamp(pushed), "pushed_at", stamp(pushed),
		"git_url", "git://github.com/"+r.FullName+".git", "ssh_url", "git@github.com:"+r.FullName+".git",
		"clone_url", r.URL()+".git", "svn_url", r.URL(), "homepage", r.Homepage, "size", r.ID%5000,
		"stargazers_count", r.Stars, "watchers_count", r.Stars, "language", "Python", "has_issues", true, "has_projects", true,
		"has_downloads", true, "has_wiki", true, "has_pages", false, "has_discussions", false, "forks_count", r.Forks,
		"mirror_url", (*string)(nil), "archived", r.Archived, "disabled", r.Disabled, "open_issues_count", r.Forks/2)
	if r.License == "" {
		b.add("license", (*string)(nil))
	} else {
		key := strings.ToLower(r.License)
		b.key("license")
		b.open()
		b.add("key", key, "name", r.License+" License", "spdx_id", r.License, "url", api+"/licenses/"+key, "node_id", nodeID("7:License", strconv.Itoa(len(key))))
		b.close()
	}
	b.add("allow_forking", true, "is_template", false, "web_commit_signoff_required", false)
	b.key("topics")
	b.array(0, nil)
	b.add("visibility", "public", "forks", r.Forks, "open_issues", r.Forks/2, "watchers", r.Stars, "default_branch", r.DefaultBranch,
		"temp_clone_token", (*string)(nil), "network_count", r.Forks, "subscribers_count", r.Subscribers)
	b.close()
	return b.buf
}

var repositoryURLs = [][2]string{
	{"forks_url", "/forks"}, {"keys_url", "/keys{/key_id}"}, {"collaborators_url", "/collaborators{/collaborator}"},
	{"teams_url", "/teams"}, {"hooks_url", "/hooks"}, {"issue_events_url", "/issues/events{/number}"}, {"events_url", "/events"},
	{"assignees_url", "/assignees{/user}"}, {"branches_url", "/branches{/branch}"}, {"tags_url", "/tags"},
	{"blobs_url", "/git/blobs{/sha}"}, {"git_tags_url", "/git/tags{/sha}"}, {"git_refs_url", "/git/refs{/sha}"},
	{"trees_url", "/git/trees{/sha}"}, {"statuses_url", "/statuses/{sha}"}, {"languages_url", "/languages"},
	{"stargazers_url", "/stargazers"}, {"contributors_url", "/contributors"}, {"subscribers_url", "/subscribers"},
	{"subscription_url", "/subscription"}, {"commits_url", "/commits{/sha}"}, {"git_commits_url", "/git/commits{/sha}"},
	{"comments_url", "/comments{/number}"}, {"issue_comment_url", "/issues/comments{/number}"}, {"contents_url", "/contents/{+path}"},
	{"compare_url", "/compare/{base}...{head}"}, {"merges_url", "/merges"}, {"archive_url", "/{archive_format}{/ref}"},
	{"downloads_url", "/downloads"}, {"issues_url", "/issues{/number}"}, {"pulls_url", "/pulls{/number}"},
	{"milestones_url", "/milestones{/number}"}, {"notifications_url", "/notifications{?since,all,participating}"},
	{"labels_url", "/labels{/name}"}, {"releases_url", "/releases{/id}"}, {"deployments_url", "/deployments"},
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// user opens a user object, which the caller closes.
func (b *object) user(login string, organization bool) {
	id, url, kind := userID(login), api+"/users/"+login, "User"
	if organization {
		kind = "Organization"
	} else if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	b.open()
	b.add("login", login, "id", id, "node_id", legacyID(nodeUser, id, ""),
		"avatar_url", "https://avatars.githubusercontent.com/u/"+strconv.FormatInt(id, 10)+"?v=4", "gravatar_id", "",
		"url", url, "html_url", "https://github.com/"+login, "followers_url", url+"/followers",
		"following_url", url+"/following{/other_user}", "gists_url", url+"/gists{/gist_id}",
		"starred_url", url+"/starred{/owner}{/repo}", "subscriptions_url", url+"/subscriptions",
		"organizations_url", url+"/orgs", "repos_url", url+"/repos", "events_url", url+"/events{/privacy}",
		"received_events_url", url+"/received_events", "type", kind, "user_view_type", "public", "site_admin", false)
}

func (b *object) contributor(c Contributor) {
	b.user(c.Login, false)
	b.add("contributions", c.Contributions)
	b.close()
}

// commitJSON writes the commit with the index i.
func (r *Repo) commitJSON(b *object, g *graph, i int32) {
	c, author := g.nodes[i], g.login(g.nodes[i].author)
	sha, url := c.oid.String(), api+"/repos/"+r.FullName
	name, mail := signature(author)
	message := "Change no. " + strconv.Itoa(int(i)+1)
	if c.parents[1] != none {
		message = "Merge pull request #" + strconv.Itoa(int(i)+1)
	}
	b.open()
	b.add("sha", sha, "node_id", legacyID(nodeCommit, r.ID, sha))
	b.key("commit")
	b.open()
	for _, who := range []struct {
		role string
		date int64
	}{{"author", c.authored}, {"committer", c.committed}} {
		b.key(who.role)
		b.open()
		b.add("name", name, "email", mail, "date", stamp(time.Unix(who.date, 0)))
		b.close()
	}
	b.add("message", message)
	b.key("tree")
	b.open()
	b.add("sha", sha, "url", url+"/git/trees/"+sha)
	b.close()
	b.add("url", url+"/git/commits/"+sha, "comment_count", 0)
	b.key("verification")
	b.open()
	b.add("verified", false, "reason", "unsigned", "signature", (*string)(nil), "payload", (*string)(nil))
	b.close()
	b.close()
	b.add("url", url+"/commits/"+sha, "html_url", r.URL()+"/commit/"+sha, "comments_url", url+"/commits/"+sha+"/comments")
	for _, who := range []string{"author", "committer"} {
		if author == "" {
			b.add(who, (*string)(nil))
			continue
		}
		b.key(who)
		b.user(author, false)
		b.close()
	}
	var parents []string
	for _, p := range c.parents {
		if p != none {
			parents = append(parents, g.nodes[p].oid.String())
		}
	}
	b.key("parents")
	b.array(len(parents), func(i int) {
		b.open()
		b.add("sha", parents[i], "url", url+"/commits/"+parents[i], "html_url", r.URL()+"/commit/"+parents[i])
		b.close()
	})
	b.close()
}
