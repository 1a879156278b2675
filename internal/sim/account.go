package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// account returns the account that a request is charged to, and what was declared of its
// credential.
func (w *World) account(req *http.Request) (*account, Credential) {
	l := &w.limits
	l.mu.Lock()
	defer l.mu.Unlock()
	secret, kind := presented(req)
	if strings.HasPrefix(req.URL.Path, "/app/") {
		secret, kind = "the JSON Web Token of an app", App // each is used once
	}
	id := secretID(secret)
	c, declared := l.declared[id]
	if !declared || c.Kind == "" {
		c.Kind = kind
	}
	if kind == Anonymous {
		id = sha256.Sum256([]byte("a:" + address(req)))
	}
	if c.Account != "" {
		id = sha256.Sum256([]byte("u:" + c.Account))
	}
	a := l.accounts[id]
	if a == nil {
		if l.accounts == nil || len(l.accounts) >= maxAccounts {
			l.accounts = map[[sha256.Size]byte]*account{}
		}
		a = &account{id: id, kind: c.Kind}
		l.accounts[id] = a
	}
	a.primary[core].limit, a.primary[graphQL].limit = w.hourly(c)
	return a, c
}

// hourly returns the primary limits.
func (w *World) hourly(c Credential) (requests, points int) {
	switch c.Kind {
	case Anonymous:
		return w.opt.AnonymousLimit, 0
	case OAuthApp:
		requests = w.opt.Limit
	case Actions:
		requests, points = 1000, 1000
	default:
		requests, points = w.opt.Limit, w.opt.PointLimit
	}
	if c.Limit > 0 {
		requests = c.Limit
	}
	if c.Points > 0 {
		points = c.Points
	}
	return requests, points
}

// CredentialStats is what one account has asked of GitHub.
type CredentialStats struct {
	ID             string           `json:"id"` // of the account, from a hash of the credential
	Kind           Kind             `json:"kind"`
	Requests       int64            `json:"requests"`
	Charged        int64            `json:"charged"` // REST requests, at what they cost
	Free           int64            `json:"free"`
	Points         int64            `json:"points"` // of GraphQL
	OverBudget     int64            `json:"over_budget"`
	Violations     int64            `json:"violations"`
	ViolationKinds map[string]int64 `json:"violation_kinds"`
	Hosts          map[string]int64 `json:"hosts,omitempty"` // requests, by the host that the User-Agent names
	REST           BudgetStats      `json:"rest"`
	GraphQL        BudgetStats      `json:"graphql"`
}

// BudgetStats is the state of a primary limit.
type BudgetStats struct {
	Limit int       `json:"limit"`
	Used  int       `json:"used"`
	Reset time.Time `json:"reset"`
}

// stats is called with mu held.
func (a *account) stats() CredentialStats {
	s := a.counted
	s.ID, s.Kind = hex.EncodeToString(a.id[:6]), a.kind
	s.ViolationKinds, s.Hosts = map[string]int64{}, maps.Clone(s.Hosts)
	for kind, n := range a.violation {
		s.ViolationKinds[kind] = n
	}
	for r, to := range []*BudgetStats{&s.REST, &s.GraphQL} {
		b := a.primary[r]
		*to = BudgetStats{b.limit, min(b.used, b.limit), b.reset.UTC()}
	}
	return s
}

// Credential returns what was asked with a credential: a token, or "id:secret" of an OAuth app.
// If it shares an account, it is what was asked with any of them.
func (w *World) Credential(secret string) CredentialStats {
	w.limits.mu.Lock()
	defer w.limits.mu.Unlock()
	id := secretID(secret)
	if c := w.limits.declared[id]; c.Account != "" {
		id = sha256.Sum256([]byte("u:" + c.Account))
	}
	if a := w.limits.accounts[id]; a != nil {
		return a.stats()
	}
	return CredentialStats{ViolationKinds: map[string]int64{}}
}

func (l *limits) stats() []CredentialStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]CredentialStats, 0, len(l.accounts))
	for _, a := range l.accounts {
		list = append(list, a.stats())
	}
	slices.SortFunc(list, func(a, b CredentialStats) int { return strings.Compare(a.ID, b.ID) })
	return list
}

func (l *limits) resetStats() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.accounts {
		a.counted, a.violation = CredentialStats{}, nil
	}
}
