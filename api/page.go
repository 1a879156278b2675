package api

import (
	"math"
	"math/big"
)

// pageSize is how many records a list holds where ?limit= does not say.
const pageSize = 20

// A page is the stretch of a list that ?limit= and ?offset= ask for. The
// numbers may have any size: they come back in the links to the pages beside.
type page struct {
	limit, offset *big.Int
}

// newPage reads a page from a query. A limit that is not above zero counts as
// none given, and so does an offset below it. A limit that was given is at most
// maxLimit, unless that is 0.
func newPage(q query, maxLimit int) page {
	p := page{limit: big.NewInt(pageSize), offset: new(big.Int)}
	if s, ok := q.get("limit"); ok {
		if n, ok := parseInt(s); ok && n.Sign() > 0 {
			p.limit = n
			if most := big.NewInt(int64(maxLimit)); maxLimit > 0 && n.Cmp(most) > 0 {
				p.limit = most
			}
		}
	}
	if s, ok := q.get("offset"); ok {
		if n, ok := parseInt(s); ok && n.Sign() > 0 {
			p.offset = n
		}
	}
	return p
}

// window returns the page in numbers that a store can count with. No list is so
// long that they would differ.
func (p page) window() (offset, limit int) {
	return clamp(p.offset), clamp(p.limit)
}

func clamp(n *big.Int) int {
	if !n.IsInt64() || n.Int64() > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(n.Int64())
}

// next returns the query of the page after p of a list of count records, built
// on the query q that asked for p; ok is false where p reaches the end.
func (p page) next(q query, count int) (link string, ok bool) {
	end := new(big.Int).Add(p.offset, p.limit)
	if end.Cmp(big.NewInt(int64(count))) >= 0 {
		return "", false
	}
	return p.query(q, end), true
}

// previous returns the query of the page before p; ok is false where p is the
// first. The first page is linked to without an offset.
func (p page) previous(q query) (link string, ok bool) {
	if p.offset.Sign() == 0 {
		return "", false
	}
	start := new(big.Int).Sub(p.offset, p.limit)
	if start.Sign() <= 0 {
		start = nil
	}
	return p.query(q, start), true
}

// query replaces limit and offset in q; a nil offset stands for none.
func (p page) query(q query, offset *big.Int) string {
	q = append(q.without("limit", "offset"), field{"limit", p.limit.String()})
	if offset != nil {
		q = append(q, field{"offset", offset.String()})
	}
	return q.encode()
}
