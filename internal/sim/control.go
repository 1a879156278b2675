package sim

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const maxDays = 3650 // of one /_sim/advance

// control serves the paths under /_sim/, by GET or POST:
//
//	/_sim/stats                                 Stats as JSON
//	/_sim/reset                                 ResetStats
//	/_sim/paths                                 PathCounts as JSON
//	/_sim/advance?days=N                        Advance; fractions allowed
//	/_sim/fault?repo=O/N&fault=NAME[&endpoint=E][&times=N]
//	/_sim/fault?project=NAME&fault=NAME[&endpoint=E][&times=N]
//	/_sim/faults                                the names of faults
//	/_sim/batches?heavy=N&limit=N               SetBatchLimits
//	/_sim/credential?secret=S[&kind=K][&account=A][&limit=N][&points=N][&revoked=true][&blocked=true]
//
// repo=* and project=* mean all of them.
func (w *World) control(rw http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead && req.Method != http.MethodPost {
		rw.Header().Set("Allow", "GET, HEAD, POST")
		plain(rw, http.StatusMethodNotAllowed, "%s is not allowed here; use GET or POST", req.Method)
		return
	}
	switch strings.TrimPrefix(req.URL.Path, "/_sim/") {
	case "stats":
		sendJSON(rw, w.Stats())
	case "paths":
		sendJSON(rw, w.PathCounts())
	case "reset":
		w.ResetStats()
		sendJSON(rw, w.Stats())
	case "advance":
		w.controlAdvance(rw, req)
	case "fault":
		w.controlFault(rw, req)
	case "batches":
		w.controlBatches(rw, req)
	case "credential":
		w.controlCredential(rw, req)
	case "faults":
		plain(rw, http.StatusOK, "%s", strings.Join(FaultNames(), "\n"))
	default:
		plain(rw, http.StatusNotFound, "the paths are /_sim/stats, /_sim/paths, /_sim/reset, /_sim/advance?days=N, /_sim/fault?repo=O/N&fault=NAME, /_sim/faults, /_sim/batches?heavy=N&limit=N and /_sim/credential?secret=S&revoked=true")
	}
}

func sendJSON(rw http.ResponseWriter, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	_, _ = rw.Write(append(marshal(v), '\n')) // the client may have disconnected
}

func (w *World) controlAdvance(rw http.ResponseWriter, req *http.Request) {
	value := req.FormValue("days")
	days, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(days) || days <= 0 || days > maxDays {
		plain(rw, http.StatusBadRequest, "days=%q is not a number greater than 0 and at most %d", value, maxDays)
		return
	}
	w.Advance(time.Duration(days * float64(day)))
	sendJSON(rw, map[string]time.Time{"now": w.Now()})
}

func (w *World) controlFault(rw http.ResponseWriter, req *http.Request) {
	f, err := ParseFault(req.FormValue("fault"))
	if err != nil {
		plain(rw, http.StatusBadRequest, "%s", err)
		return
	}
	times, ok := formNumber(rw, req, "times") // 0 means for ever
	if !ok {
		return
	}
	repo, project := req.FormValue("repo"), req.FormValue("project")
	if (repo == "") == (project == "") {
		plain(rw, http.StatusBadRequest, "name the target of the fault: either repo=OWNER/NAME or project=NAME; * means all")
		return
	}
	endpoint := Endpoint(req.FormValue("endpoint"))
	known := []Endpoint{All, Repository, Contributors, CommitList, Participation, GraphQL, AccessToken}
	if project != "" {
		known = []Endpoint{All, ProjectJSON, Simple, Index}
	}
	if endpoint != "" && !slices.Contains(known, endpoint) {
		plain(rw, http.StatusBadRequest, "endpoint=%q is not one of %v", string(endpoint), known)
		return
	}
	if repo != "" {
		var r *Repo
		if repo != "*" {
			if r = w.Repo(repo); r == nil {
				plain(rw, http.StatusNotFound, "the world has no repository %q", repo)
				return
			}
		}
		w.SetFault(r, endpoint, f, times)
	} else {
		var p *Project
		if project != "*" {
			if p = w.Project(project); p == nil {
				plain(rw, http.StatusNotFound, "the world has no project %q", project)
				return
			}
		}
		w.SetProjectFault(p, endpoint, f, times)
	}
	sendJSON(rw, map[string]any{"fault": f, "repo": repo, "project": project, "endpoint": endpoint, "times": times})
}

func (w *World) controlBatches(rw http.ResponseWriter, req *http.Request) {
	heavy, ok := formNumber(rw, req, "heavy")
	if !ok {
		return
	}
	limit, ok := formNumber(rw, req, "limit")
	if !ok {
		return
	}
	w.SetBatchLimits(heavy, limit)
	sendJSON(rw, map[string]int{"heavy": heavy, "limit": limit})
}

func (w *World) controlCredential(rw http.ResponseWriter, req *http.Request) {
	secret := req.FormValue("secret")
	if secret == "" {
		plain(rw, http.StatusBadRequest, "name the credential: secret=TOKEN, or secret=ID:SECRET of an OAuth app")
		return
	}
	c := Credential{Kind: Kind(req.FormValue("kind")), Account: req.FormValue("account"), Revoked: req.FormValue("revoked") == "true", Blocked: req.FormValue("blocked") == "true"}
	if known := []Kind{"", Token, Installation, OAuthApp, Actions}; !slices.Contains(known, c.Kind) {
		plain(rw, http.StatusBadRequest, "kind=%q is not one of %q", string(c.Kind), known[1:])
		return
	}
	var ok bool
	if c.Limit, ok = formNumber(rw, req, "limit"); !ok {
		return
	}
	if c.Points, ok = formNumber(rw, req, "points"); !ok {
		return
	}
	w.SetCredential(secret, c)
	sendJSON(rw, w.Credential(secret))
}

// formNumber reads a number, 0 if it is not given. If it is none, it answers and ok is false.
func formNumber(rw http.ResponseWriter, req *http.Request, name string) (n int, ok bool) {
	text := req.FormValue(name)
	if text == "" {
		return 0, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		plain(rw, http.StatusBadRequest, "%s=%q is not a whole number", name, text)
		return 0, false
	}
	return n, true
}
