package github

import (
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pkgmetad/internal/record"
	"pkgmetad/internal/upstream"
)

func usersPage(n int) string {
	if n == 1 {
		return usersURI
	}
	return fmt.Sprintf("/repos/o/n/contributors?page=%d&per_page=100", n)
}

// userPages sets n pages of contributors, tagged "t1", "t2", each with one
// login of its own and one that all have.
func (f *fake) userPages(n int) *fake {
	for p := 1; p <= n; p++ {
		f.set(usersPage(p), userPage(p, p < n))
	}
	return f
}

func userPage(p int, more bool) reply {
	r := ok(fmt.Sprintf(`[{"login":"u%d"},{"login":"all"}]`, p)).with("ETag", fmt.Sprintf(`"t%d"`, p))
	if more {
		r = r.with("Link", fmt.Sprintf(`<https://api.test/repositories/7/contributors?per_page=100&page=%d>; rel="next", <https://api.test/x?page=9>; rel="last"`, p+1))
	}
	return r
}

func userTags(pages ...int) Validators {
	v := Validators{}
	for _, p := range pages {
		v[pageName(p)] = fmt.Sprintf(`"t%d"`, p)
	}
	return v
}

func TestContributorsPages(t *testing.T) {
	p := usersPage
	tag := func(n int) string { return fmt.Sprintf(`%s if "t%d"`, p(n), n) }
	old := func(n int) string { return p(n) + ` if "old"` }
	stale := func(v Validators, pages ...int) Validators {
		for _, n := range pages {
			v[pageName(n)] = `"old"`
		}
		return v
	}
	for _, tt := range []struct {
		name    string
		fake    *fake
		known   Validators
		outcome upstream.Outcome
		logins  []string
		asked   []string
		tags    Validators
		charged int
	}{
		{"three pages, cold", newFake().userPages(3), nil, fresh,
			[]string{"u1", "all", "u2", "u3"}, []string{p(1), p(2), p(3)}, userTags(1, 2, 3), 3},
		{"more pages than are documented", newFake().userPages(7), nil, fresh,
			[]string{"u1", "all", "u2", "u3", "u4", "u5"}, []string{p(1), p(2), p(3), p(4), p(5)}, userTags(1, 2, 3, 4, 5), 5},
		{"all unchanged", newFake().userPages(3), userTags(1, 2, 3), unchanged,
			nil, []string{tag(1), tag(2), tag(3)}, userTags(1, 2, 3), 0},
		{"all five unchanged", newFake().userPages(7), userTags(1, 2, 3, 4, 5), unchanged,
			nil, []string{tag(1), tag(2), tag(3), tag(4), tag(5)}, userTags(1, 2, 3, 4, 5), 0},
		{"first page changed", newFake().userPages(3), stale(userTags(2, 3), 1), fresh,
			[]string{"u1", "all", "u2", "u3"}, []string{old(1), p(2), p(3)}, userTags(1, 2, 3), 3},
		{"middle page changed", newFake().userPages(3), stale(userTags(1, 3), 2), fresh,
			[]string{"u1", "all", "u2", "u3"}, []string{tag(1), old(2), p(1), p(3)}, userTags(1, 2, 3), 3},
		{"last page changed", newFake().userPages(3), stale(userTags(1, 2), 3), fresh,
			[]string{"u1", "all", "u2", "u3"}, []string{tag(1), tag(2), old(3), p(1), p(2)}, userTags(1, 2, 3), 3},
		{"list became shorter", newFake().userPages(1), stale(Validators{}, 1, 2, 3), fresh,
			[]string{"u1", "all"}, []string{old(1)}, userTags(1), 1},
		{"list outgrew its last page", newFake().userPages(2), userTags(1), fresh,
			[]string{"u1", "all", "u2"}, []string{tag(1), p(1), p(2)}, userTags(1, 2), 2},
		{"a gap in the tags", newFake().userPages(3), userTags(1, 3), fresh,
			[]string{"u1", "all", "u2", "u3"}, []string{tag(1), p(1), p(2), p(3)}, userTags(1, 2, 3), 3},
		{"no first tag", newFake().userPages(2), userTags(2), fresh,
			[]string{"u1", "all", "u2"}, []string{p(1), p(2)}, userTags(1, 2), 2},
		{"second page fails", newFake().userPages(3).set(p(2), refuse(500, "")), stale(userTags(2, 3), 1), failed,
			nil, []string{old(1), p(2)}, stale(userTags(2, 3), 1), 2},
		{"second page limited", newFake().userPages(3).set(p(2), refuse(429, "")), nil, limited,
			nil, []string{p(1), p(2)}, Validators{}, 2},
		{"known page fails", newFake().userPages(3).set(p(2), reply{err: io.ErrUnexpectedEOF}), userTags(1, 2, 3), failed,
			nil, []string{tag(1), tag(2)}, userTags(1, 2, 3), 1},
		{"known page is gone", newFake().userPages(1).set(p(2), ok(`[]`)), userTags(1, 2), fresh,
			[]string{"u1", "all"}, []string{tag(1), tag(2), p(1)}, userTags(1), 2},
		{"a page without a tag", newFake().userPages(2).set(p(2), ok(`[{"login":"x"}]`)), stale(Validators{}, 1), fresh,
			[]string{"u1", "all", "x"}, []string{old(1), p(2)}, Validators{}, 2},
		{"pages in a circle", newFake().set(p(1), userPage(0, true)), nil, failed,
			nil, []string{p(1)}, Validators{}, 1},
		{"a page is skipped", newFake().set(p(1), userPage(2, true)), nil, failed,
			nil, []string{p(1)}, Validators{}, 1},
		{"204 without more", newFake().set(p(1), refuse(204, "")), stale(Validators{}, 1, 2), unsure,
			nil, []string{old(1), p(1)}, Validators{}, 2},
		{"became empty", newFake().set(p(1), refuse(409, "")), stale(Validators{}, 1, 2), noneThere,
			nil, []string{old(1)}, Validators{}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newClient(t, tt.fake).Fetch(t.Context(), Question{Ref: Ref{"o", "n"}, Parts: PartContributors, Known: tt.known})
			if a.Contributors.Outcome != tt.outcome {
				t.Errorf("outcome %q, want %q: %v", a.Contributors.Outcome, tt.outcome, a.Contributors.Err)
			}
			if d := cmp.Diff(tt.logins, record.Logins(a.Contributors.Value), cmpopts.EquateEmpty()); d != "" {
				t.Error("logins: -want +got\n", d)
			}
			if d := cmp.Diff(tt.asked, tt.fake.asked); d != "" {
				t.Error("requests: -want +got\n", d)
			}
			if d := cmp.Diff(tt.tags, a.Validators); d != "" {
				t.Error("validators: -want +got\n", d)
			}
			if a.Requests != len(tt.asked) || a.Charged != tt.charged {
				t.Errorf("%d requests, %d charged; want %d, %d", a.Requests, a.Charged, len(tt.asked), tt.charged)
			}
		})
	}
}
