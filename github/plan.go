package github

import (
	"sync"
	"sync/atomic"
	"time"
)

// plan compares what is going to be asked with what may be. Requests are spread over the
// time until the reset only where it does not fit.
type plan struct {
	crowded atomic.Bool // it does not fit

	mu   sync.Mutex
	left int     // questions that have not begun
	each float64 // what one costs, on average over the latest
}

// newPlan returns a plan of nothing. each is what a question costs until that is known.
func newPlan(each float64) *plan { return &plan{each: each} }

// expect sets how many questions are going to be put.
func (p *plan) expect(questions int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = questions
}

// cost returns what so many questions cost.
func (p *plan) cost(questions int) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return float64(questions) * p.each
}

// begin notes that a question begins, while so many units may still be spent.
func (p *plan) begin(units float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.crowded.Store(float64(p.left)*p.each > units)
	p.left = max(p.left-1, 0)
}

// learn notes what a question has cost.
func (p *plan) learn(cost int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.each += (float64(cost) - p.each) / 32
}

// Plan tells the client how many questions its caller is about to put, instead of what it
// was told before, and returns how long they will take: see [Client.Takes]. Where the
// budgets do not suffice for them, requests are spread evenly over the time until the
// resets. Otherwise, and without a plan, requests are sent as fast as GitHub's secondary
// limits allow.
func (c *Client) Plan(questions int) time.Duration {
	c.questions.expect(questions)
	return c.Takes(questions)
}

// PlanQueries is Plan for queries to GraphQL, whose points are spread likewise.
func (c *Client) PlanQueries(queries int) { c.queries.expect(queries) }

// Takes returns about how long so many questions take, as far as the budgets decide: 0
// where what is left of them suffices.
func (c *Client) Takes(questions int) time.Duration {
	cost, o := c.questions.cost(questions), c.outlook((*credential).rest)
	if cost <= o.units || o.perHour <= 0 {
		return 0
	}
	return time.Duration((cost-o.units)/o.perHour*float64(time.Hour)) + o.within
}

// outlook sums up what the budgets of the credentials that work here allow, until the first
// reset.
func (c *Client) outlook(of func(*credential) *limits) outlook {
	now, sum := time.Now(), outlook{within: window}
	for _, cr := range c.credentials {
		if l := of(cr); l != nil && cr.gate.Fault() == "" && cr.elsewhere().Until.IsZero() {
			o := l.outlook(now)
			sum = outlook{sum.units + o.units, min(sum.within, o.within), sum.perHour + o.perHour}
		}
	}
	return sum
}
