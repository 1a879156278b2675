package api

import (
	"math/big"
	"net/http"

	"pkgmetad/internal/render"
)

// A pageV3 is the part of a list of API v3 that ?limit= and ?offset= ask for. Unlike a page,
// it may be empty or have a negative limit, which asks for nothing.
type pageV3 struct {
	limit, offset *big.Int
}

// newPageV3 reads a page from a query. What is not a number counts as missing. It is a
// problem if the page would begin or end before the list does.
func newPageV3(q query) (pageV3, error) {
	p := pageV3{limit: intOr(q, "limit", pageSize), offset: intOr(q, "offset", 0)}
	if p.offset.Sign() < 0 || p.end().Sign() < 0 {
		return p, &problem{http.StatusBadRequest, "limit and offset must not be negative."}
	}
	return p, nil
}

// intOr returns the number that a query has under a name; fallback if it has none.
func intOr(q query, name string, fallback int64) *big.Int {
	s, _ := q.get(name)
	if n, ok := parseInt(s); ok {
		return n
	}
	return big.NewInt(fallback)
}

func (p pageV3) end() *big.Int { return new(big.Int).Add(p.offset, p.limit) }

// window returns the page as ints, for a store, with a limit of maxLimit at most unless that
// is 0.
func (p pageV3) window(maxLimit int) (offset, limit int) {
	if p.limit.Sign() > 0 {
		limit = clamp(p.limit)
	}
	if maxLimit > 0 {
		limit = min(limit, maxLimit)
	}
	return clamp(p.offset), limit
}

// part returns the items of a list that are on the page.
func part[T any](all []T, p pageV3, maxLimit int) []T {
	offset, limit := p.window(maxLimit)
	offset = min(offset, len(all))
	return all[offset:min(offset+limit, len(all))]
}

// begin writes a page of a list of total items up to them: the numbers, and the links to the
// next and the previous page, which repeat nothing else of the query. The limit is shown as
// it was asked for unless maxLimit cuts the page short: then the next page begins there.
func (p pageV3) begin(e *render.Encoder, rq *request, maxLimit, total int) {
	if offset, limit := p.window(maxLimit); limit == maxLimit && maxLimit > 0 && total-offset > maxLimit {
		p.limit = big.NewInt(int64(maxLimit))
	}
	e.Open('{')
	e.Key("meta")
	e.Open('{')
	e.Key("limit")
	e.JSON([]byte(p.limit.String()))
	e.Key("next")
	if end := p.end(); end.Cmp(big.NewInt(int64(total))) < 0 {
		p.link(e, rq, end)
	} else {
		e.Null()
	}
	e.Key("offset")
	e.JSON([]byte(p.offset.String()))
	e.Key("previous")
	if p.offset.Sign() > 0 {
		start := new(big.Int).Sub(p.offset, p.limit)
		if start.Sign() < 0 {
			start.SetInt64(0)
		}
		p.link(e, rq, start)
	} else {
		e.Null()
	}
	e.Key("total_count")
	e.Int(total)
	e.Close('}')
}

func (p pageV3) link(e *render.Encoder, rq *request, offset *big.Int) {
	e.String(rq.path + "?limit=" + p.limit.String() + "&offset=" + offset.String())
}
