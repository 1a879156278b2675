package web

import "strconv"

// A share is a part of a whole, drawn as a stretch of a bar and told in
// numbers beside it.
type share struct {
	Label string
	Class string // of the stretch and of its mark in the legend
	Count int
	From  string // where the stretch begins, in per cent of the whole
	Width string // of the stretch, in per cent of the whole
	Part  string // of the whole, for people
}

// place lays the shares out one after the other.
func place(shares []share) []share {
	total := 0.0
	for _, s := range shares {
		total += float64(max(s.Count, 0))
	}
	at := 0.0
	for i := range shares {
		s := &shares[i]
		part := 0.0
		if total > 0 {
			part = 100 * float64(max(s.Count, 0)) / total
		}
		s.From, s.Width, s.Part = percent(at), percent(part), wordedPercent(part)
		at += part
	}
	return shares
}

// percent writes a length or a place in a picture.
func percent(p float64) string {
	return strconv.FormatFloat(p, 'f', 3, 64) + "%"
}

// wordedPercent writes a part of a whole: neither something for nothing, nor all for
// less than that.
func wordedPercent(p float64) string {
	switch {
	case p <= 0:
		return "0 %"
	case p < 1:
		return "< 1 %"
	case p > 99 && p < 99.9999:
		return "> 99 %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}
