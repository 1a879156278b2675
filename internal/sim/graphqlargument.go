package sim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// integer reads an argument.
func integer(v any) (n int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	}
	return 0, false
}

// date reads a GitTimestamp; it is zero if none is given.
func date(v any) (t time.Time, err error) {
	text, _ := v.(string)
	if text == "" {
		return t, nil
	}
	t, err = time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is not a date of ISO 8601", text)
	}
	return t, nil
}

// cursor reads a cursor of a history: the commit that it began at, and the position of one in it.
func cursor(v any) (from oid, position int, given bool, err error) {
	text, _ := v.(string)
	if text == "" {
		return from, 0, false, nil
	}
	first, second, _ := strings.Cut(text, " ")
	from, ok := parseOID(first)
	position, err = strconv.Atoi(second)
	if !ok || err != nil || position < 0 {
		return from, 0, true, fmt.Errorf("`%s` does not appear to be a valid cursor", text)
	}
	return from, position, true, nil
}
