package sim

import (
	"math"
	"net/http"
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
	case "faults":
		plain(rw, http.StatusOK, "%s", strings.Join(FaultNames(), "\n"))
	default:
		plain(rw, http.StatusNotFound, "the paths are /_sim/stats, /_sim/paths, /_sim/reset, /_sim/advance?days=N, /_sim/fault?repo=O/N&fault=NAME and /_sim/faults")
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
	times := 0
	if v := req.FormValue("times"); v != "" {
		if times, err = strconv.Atoi(v); err != nil || times < 0 {
			plain(rw, http.StatusBadRequest, "times=%q is not a whole number; 0 means for ever", v)
			return
		}
	}
	repo, project := req.FormValue("repo"), req.FormValue("project")
	if (repo == "") == (project == "") {
		plain(rw, http.StatusBadRequest, "name the target of the fault: either repo=OWNER/NAME or project=NAME; * means all")
		return
	}
	endpoint := Endpoint(req.FormValue("endpoint"))
	known := []Endpoint{All, Repository, Contributors, CommitList, Participation, GraphQL}
	if project != "" {
		known = []Endpoint{All, ProjectJSON, Simple, Index}
	}
	if !acceptable(endpoint, known) {
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

func acceptable(e Endpoint, known []Endpoint) bool {
	for _, k := range known {
		if e == k || e == "" {
			return true
		}
	}
	return false
}
