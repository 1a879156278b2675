package sim

import "net/http"

// rateLimits answers GET /rate_limit, which costs nothing.
func (x *exchange) rateLimits() {
	if !x.admitted() {
		return
	}
	if x.w.opt.NoLimits {
		x.gitHubError(http.StatusNotFound, "Rate limiting is not enabled.", rateLimitDocs, nil)
		return
	}
	type state struct {
		Limit     int   `json:"limit"`
		Remaining int   `json:"remaining"`
		Reset     int64 `json:"reset"`
		Used      int   `json:"used"`
	}
	states := map[string]state{}
	for r, name := range resourceNames {
		now, _ := x.w.spend(x.account, resource(r), 0)
		states[name] = state{now.limit, now.limit - now.used, now.reset.Unix(), now.used}
	}
	x.send(http.StatusOK, jsonType, marshal(map[string]any{"resources": states, "rate": states["core"]}))
}
