package api

import (
	"net/http"
	"path"
	"strings"

	"pkgmetad/internal/render"
	"pkgmetad/internal/web"
)

// root is the path of the API below the public URL.
const root = render.Root

// routes maps the paths to the views. As in Django, every path of the API ends
// in a slash or in a format suffix such as ".json", and a path without either is
// redirected to the one with a slash.
func (a *api) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.unknown)
	mux.HandleFunc("/{$}", a.index)
	mux.HandleFunc("/livez", a.livez)
	mux.HandleFunc("/readyz", a.readyz)

	rootView := view{
		name:        "Api Root",
		description: "The default basic root view for DefaultRouter",
		get:         a.getRoot,
		page:        a.rootPage,
	}
	mux.HandleFunc(root+"{$}", a.serve(rootView))
	mux.HandleFunc(strings.TrimSuffix(root, "/"), a.appendSlash)

	lists := map[string]view{"": rootView, "search": a.search()} // by the name before a format suffix
	mux.HandleFunc(root+"search/{$}", a.serve(lists["search"]))
	mux.HandleFunc(root+"search", a.appendSlash)
	for _, c := range []collection{a.packages(), a.grids(), a.categories()} {
		lists[c.path] = c.list
		mux.HandleFunc(root+c.path+"/{$}", a.serve(c.list))
		mux.HandleFunc(root+c.path, a.appendSlash)
		mux.HandleFunc(root+c.path+"/{key}/{$}", a.instance(c.instance))
		mux.HandleFunc(root+c.path+"/{key}", a.instance(c.instance))
	}
	mux.HandleFunc(root+"{file}/{$}", a.suffixed(lists))
	mux.HandleFunc(root+"{file}", a.suffixed(lists))

	a.routesV3(mux)
	a.routesOfOldPages(mux)
	mux.HandleFunc(robotsPath, a.robots)
	a.routesOfSitemap(mux)

	mux.HandleFunc(changesPath+"{$}", a.serveChanges)
	mux.HandleFunc(statusPath+"{$}", a.serve(a.status()))
	mux.HandleFunc(statusPath+"packages/{key}/{$}", a.instance(a.packageStatus()))
	mux.HandleFunc(statusPath+"packages/{key}", a.instance(a.packageStatus()))
	for _, path := range []string{changesPath, statusPath} {
		mux.HandleFunc(strings.TrimSuffix(path, "/"), a.appendSlash)
	}
	mux.HandleFunc(openAPIPath, a.openAPI)
	mux.Handle("/static/", web.Assets())
	mux.HandleFunc("/static", a.unknown)
	// Where a browser shows JSON, nothing names the icon, and it asks for the default path.
	mux.Handle("/favicon.ico", http.RedirectHandler(a.base.prefix+web.IconPath(), http.StatusMovedPermanently))
	if a.snapshots != nil {
		mux.HandleFunc(snapshotPath, a.snapshot)
	}
	return onlyCleanPaths(mux, a.unknown)
}

// onlyCleanPaths answers paths with an empty, "." or ".." segment by unknown;
// ServeMux would redirect them to the cleaned path.
func onlyCleanPaths(next http.Handler, unknown http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.EscapedPath(); p != "/" {
			p = strings.TrimSuffix(p, "/")
			if p == "/" || p != path.Clean(p) || p[0] != '/' {
				unknown(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// instance serves one record of a collection, whose path has three forms:
// key/, key (redirected), and key.format with or without a slash.
func (a *api) instance(v view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, suffix, ok := cutSuffix(r.PathValue("key"))
		switch {
		case !ok || key == "":
			a.unknown(w, r)
		case suffix == "" && !strings.HasSuffix(r.URL.Path, "/"):
			a.appendSlash(w, r)
		default:
			a.answer(w, r, v, key, suffix)
		}
	}
}

// suffixed serves a list by its path with a format suffix: packages.json.
func (a *api) suffixed(lists map[string]view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, suffix, ok := cutSuffix(r.PathValue("file"))
		v, known := lists[name]
		if !ok || !known || suffix == "" {
			a.unknown(w, r)
			return
		}
		a.answer(w, r, v, "", suffix)
	}
}

// cutSuffix splits a path segment into the name and the format suffix, "" if it
// has none. ok is false if the segment has a slash, or a dot that does not begin
// a format suffix.
func cutSuffix(segment string) (name, suffix string, ok bool) {
	name, suffix, dotted := strings.Cut(segment, ".")
	if strings.Contains(name, "/") || dotted && suffix == "" {
		return "", "", false
	}
	for i := range len(suffix) {
		if c := suffix[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9') {
			return "", "", false
		}
	}
	return name, suffix, true
}

// querySafe are the characters that Django does not escape in a query.
const querySafe = "/#%[]=:;$&()+,!?*@'"

// appendSlash redirects to the same path with a slash at its end, whatever the
// method, and keeps the query.
func (a *api) appendSlash(w http.ResponseWriter, r *http.Request) {
	// The characters that Django does not escape in a path.
	location := a.base.prefix + quote(r.URL.Path, "/:@&+$,!*'()") + "/"
	if r.URL.RawQuery != "" {
		location += "?" + quote(r.URL.RawQuery, querySafe)
	}
	h := w.Header()
	h.Set("Location", location)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusMovedPermanently)
}
