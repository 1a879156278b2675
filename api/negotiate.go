package api

import (
	"slices"
	"strings"
)

// A renderer is a form that the API can answer in, by the name that ?format=
// and the suffix of a path give it.
type renderer struct{ format, mainType, subType string }

// renderers stand in the order of preference.
var renderers = []renderer{
	{"json", "application", "json"},
	{"api", "text", "html"},
}

// A mediaType is one token of an Accept header.
type mediaType struct {
	mainType, subType string
	params            []field // names in lower case
}

// A form is what an answer comes in: a page for people, or JSON with so many
// spaces a level, 0 for the compact form.
type form struct {
	html   bool
	indent int
}

// negotiate finds how to answer a request with these Accept headers that asks
// for a format, "" for none, or a *problem where no renderer satisfies it. As in
// DRF, a more specific media type goes first, q-values do not count, and of
// media types equally specific the preferred renderer's wins.
func negotiate(accept []string, format string) (form, error) {
	candidates := renderers
	if format != "" {
		i := slices.IndexFunc(renderers, func(r renderer) bool { return r.format == format })
		if i < 0 {
			return form{}, errNotFound
		}
		candidates = renderers[i : i+1]
	}
	if len(accept) == 0 {
		return form{html: candidates[0].format == "api"}, nil
	}
	var byPrecedence [4][]mediaType
	for token := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		m := parseMediaType(token)
		p := m.precedence()
		byPrecedence[p] = append(byPrecedence[p], m)
	}
	for _, accepted := range slices.Backward(byPrecedence[:]) {
		for _, r := range candidates {
			for _, m := range accepted {
				if !m.matches(r) {
					continue
				}
				if r.format != "json" {
					return form{html: true}, nil
				}
				return form{indent: m.indent()}, nil
			}
		}
	}
	return form{}, errNotAcceptable
}

// parseMediaType reads a token such as "application/json; indent=4". Nothing is
// an error: what is no media type matches no renderer.
func parseMediaType(token string) mediaType {
	fullType, rest := cutParam(token)
	var m mediaType
	m.mainType, m.subType, _ = strings.Cut(strings.ToLower(fullType), "/")
	for rest != "" {
		var param string
		param, rest = cutParam(rest)
		name, value, ok := strings.Cut(param, "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			value = strings.ReplaceAll(value[1:n-1], `\\`, `\`)
			value = strings.ReplaceAll(value, `\"`, `"`)
		}
		m.params = append(m.params, field{strings.ToLower(strings.TrimSpace(name)), value})
	}
	return m
}

// cutParam cuts s at the first ";" outside quotes.
func cutParam(s string) (param, rest string) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"' && (i == 0 || s[i-1] != '\\'):
			quoted = !quoted
		case s[i] == ';' && !quoted:
			return strings.TrimSpace(s[:i]), s[i+1:]
		}
	}
	return strings.TrimSpace(s), ""
}

// precedence says how specific m is: 3 with parameters, 2 without, 1 for
// type/*, 0 for */*. A q-value is no parameter.
func (m mediaType) precedence() int {
	switch {
	case m.mainType == "*":
		return 0
	case m.subType == "*":
		return 1
	case slices.ContainsFunc(m.params, func(f field) bool { return f.key != "q" }):
		return 3
	}
	return 2
}

func (m mediaType) matches(r renderer) bool {
	return (m.mainType == "*" || m.mainType == r.mainType) &&
		(m.subType == "*" || m.subType == r.subType)
}

// indent reads the parameter of that name: 1 to 8 spaces, or 0 for the compact
// form, which any number below stands for too.
func (m mediaType) indent() int {
	value, _ := query(m.params).get("indent")
	n, ok := parseInt(value)
	if !ok || n.Sign() < 0 {
		return 0
	}
	return min(clamp(n), 8)
}
