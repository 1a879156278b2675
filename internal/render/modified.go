package render

import "bytes"

var modifiedKey = []byte(`"modified":"`) // not in any string, whose quotes are escaped

// Modified returns the time of the last change in a template, as it is served; "" if it is
// null. It spares those who need no more of a record than that from decoding it.
func Modified(body []byte) string {
	_, rest, found := bytes.Cut(body, modifiedKey)
	value, _, ended := bytes.Cut(rest, []byte{'"'})
	if !found || !ended {
		return ""
	}
	return string(value)
}
