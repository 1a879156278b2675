package sim

import "slices"

// An Endpoint is a kind of request, for [World.SetFault] and the statistics.
type Endpoint string

const (
	Repository    Endpoint = "repository"
	Contributors  Endpoint = "contributors"
	CommitList    Endpoint = "commits"
	Participation Endpoint = "participation"
	GraphQL       Endpoint = "graphql"
	AccessToken   Endpoint = "token"   // of an installation
	ProjectJSON   Endpoint = "project" // /pypi/<name>/json
	Simple        Endpoint = "simple"  // /simple/<name>/
	Index         Endpoint = "index"   // /simple/
	All           Endpoint = "all"     // every one of them

	rateLimitPath Endpoint = "rate_limit"
)

// endpointNames has "other" for requests that the clients never make.
var endpointNames = [...]Endpoint{Repository, Contributors, CommitList, Participation, GraphQL, AccessToken, ProjectJSON, Simple, Index, rateLimitPath, "other"}

func (e Endpoint) index() int {
	if i := slices.Index(endpointNames[:], e); i >= 0 {
		return i
	}
	return len(endpointNames) - 1
}

// service is one half of the world.
type service int

const (
	gitHub service = iota
	pyPI
)
