package sim

import (
	"net/http"
	"strconv"
)

const (
	tooLargeMessage  = "The history or contributor list is too large to list contributors for this repository via the API."
	secondaryMessage = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
	rateLimitDocs    = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"
	secondaryDocs    = rateLimitDocs + "#about-secondary-rate-limits"
)

// docs are the pages that GitHub's errors refer to.
var docs = map[Endpoint]string{
	Repository:    "https://docs.github.com/rest/repos/repos#get-a-repository",
	Contributors:  "https://docs.github.com/rest/repos/repos#list-repository-contributors",
	CommitList:    "https://docs.github.com/rest/commits/commits#list-commits",
	Participation: "https://docs.github.com/rest/metrics/statistics#get-the-weekly-commit-count",
}

// block is the reason why GitHub withholds a repository.
type block struct {
	Reason  string  `json:"reason"`
	Created string  `json:"created_at"`
	URL     *string `json:"html_url"`
}

// charged answers with an error that is charged to the budget.
func (x *exchange) charged(status int, message, documentation string) {
	if x.charge(false) {
		x.gitHubError(status, message, documentation, nil)
	}
}

// gitHubError answers in the shape of GitHub's errors.
func (x *exchange) gitHubError(status int, message, documentation string, b *block) {
	if documentation == "" {
		documentation = "https://docs.github.com/rest"
	}
	if b != nil {
		x.send(status, jsonType, marshal(struct {
			Message string `json:"message"`
			Block   *block `json:"block"`
		}{message, b}))
		return
	}
	x.send(status, jsonType, marshal(struct {
		Message       string `json:"message"`
		Documentation string `json:"documentation_url"`
		Status        string `json:"status"`
	}{message, documentation, strconv.Itoa(status)}))
}

// blocked answers that GitHub withholds the repository: 403 because of its own terms of
// service, 451 for legal reasons.
func (x *exchange) blocked(reason string) {
	if !x.charge(false) {
		return
	}
	status, page := http.StatusUnavailableForLegalReasons, "https://github.com/github/dmca/blob/master/2021/04/2021-04-20-sim.md"
	if reason == "tos" {
		status, page = http.StatusForbidden, "https://github.com/tos"
	}
	x.gitHubError(status, "Repository access blocked", "", &block{reason, "2021-04-22T17:53:56Z", &page})
}
