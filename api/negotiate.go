package api

import (
	"slices"
	"strings"
)

// A renderer is a media type that the API can answer with. Its format is its
// name in ?format= and in path suffixes.
type renderer struct{ format, mainType, subType string }

// renderers are in order of preference.
var renderers = []renderer{
	{"json", "application", "json"},
	{"api", "text", "html"},
}

// A mediaType is one token of an Accept header.
type mediaType struct {
	mainType, subType string
	params            []field // names in lower case
}

// A representation is the form of an answer: an HTML page or JSON.
type representation struct {
	html   bool
	indent int // of JSON: spaces a level, 0 for the compact form
}

// negotiate chooses the representation for a request with the given Accept headers
// and format, "" for none. Its error, if no renderer satisfies them, is a *problem.
// As in DRF, the most specific media type wins, whatever its q-value; among equally
// specific ones, the one whose renderer is preferred.
func negotiate(accept []string, format string) (representation, error) {
	candidates := renderers
	if format != "" {
		i := slices.IndexFunc(renderers, func(r renderer) bool { return r.format == format })
		if i < 0 {
			return representation{}, errNotFound
		}
		candidates = renderers[i : i+1]
	}
	if len(accept) == 0 {
		return representation{html: candidates[0].format == "api"}, nil
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
					return representation{html: true}, nil
				}
				return representation{indent: m.indent()}, nil
			}
		}
	}
	return representation{}, errNotAcceptable
}

// parseMediaType reads a token such as "application/json; indent=4". Nothing is
// an error: a token that is not a media type matches no renderer.
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

// precedence returns how specific m is: 3 with parameters, 2 without, 1 for
// type/*, 0 for */*. A q-value does not count as a parameter.
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

// indent returns the value of the parameter indent, at most 8; 0, which is the
// compact form, if it is missing, negative or not a number.
func (m mediaType) indent() int {
	value, _ := query(m.params).get("indent")
	n, ok := parseInt(value)
	if !ok || n.Sign() < 0 {
		return 0
	}
	return min(clamp(n), 8)
}
