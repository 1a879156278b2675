package api

import (
	"math"
	"math/big"
)

// pageSize is the number of records on a page without ?limit=.
const pageSize = 20

// A page is the part of a list that ?limit= and ?offset= ask for. The numbers may
// have any size, because the links to the next and previous page repeat them.
type page struct {
	limit, offset *big.Int
}

// newPage reads a page from a query. A limit below 1 or an offset below 0 counts
// as missing. The limit is capped at maxLimit, unless that is 0.
func newPage(q query, maxLimit int) page {
	p := page{limit: big.NewInt(pageSize), offset: new(big.Int)}
	if s, ok := q.get("limit"); ok {
		if n, ok := parseInt(s); ok && n.Sign() > 0 {
			p.limit = n
		}
	}
	if most := big.NewInt(int64(maxLimit)); maxLimit > 0 && p.limit.Cmp(most) > 0 {
		p.limit = most
	}
	if s, ok := q.get("offset"); ok {
		if n, ok := parseInt(s); ok && n.Sign() > 0 {
			p.offset = n
		}
	}
	return p
}

// window returns the page as ints, for a store. They are capped far beyond
// the length of any list.
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
// on the query q that asked for p; ok is false if p reaches the end.
func (p page) next(q query, count int) (encoded string, ok bool) {
	end := new(big.Int).Add(p.offset, p.limit)
	if end.Cmp(big.NewInt(int64(count))) >= 0 {
		return "", false
	}
	return p.query(q, end), true
}

// previous returns the query of the page before p, without an offset if that is
// the first page; ok is false if p is the first page.
func (p page) previous(q query) (encoded string, ok bool) {
	if p.offset.Sign() == 0 {
		return "", false
	}
	start := new(big.Int).Sub(p.offset, p.limit)
	if start.Sign() <= 0 {
		start = nil
	}
	return p.query(q, start), true
}

// query returns q with limit and offset replaced; nil for no offset.
func (p page) query(q query, offset *big.Int) string {
	q = append(q.without("limit", "offset"), field{"limit", p.limit.String()})
	if offset != nil {
		q = append(q, field{"offset", offset.String()})
	}
	return q.encode()
}
