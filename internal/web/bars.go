package web

import "strconv"

// A share is a part of a total, drawn as a segment of a bar with its numbers beside
// it.
type share struct {
	Label string
	Class string // CSS class of the segment and of its mark in the legend
	Count int
	From  string // where the segment begins, in per cent of the bar
	Width string // of the segment, in per cent of the bar
	Part  string // of the total, in words such as "< 1 %"
}

// place sets where the segments are, one after the other, and Part.
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

// percent writes a length or a position in a picture.
func percent(p float64) string {
	return strconv.FormatFloat(p, 'f', 3, 64) + "%"
}

// wordedPercent writes a percentage for people. Only nothing is 0 %, and only
// everything is 100 %.
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
