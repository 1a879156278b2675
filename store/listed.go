package store

import (
	"cmp"
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"pkgmetad/internal/record"
)

// In a value of the states bucket, what lists sort and filter by is behind the states: three
// numbers of 8 bytes, nine of 4 and two of 1, then the length of the licence, the licence and
// the name, both in lower case and clipped.
const (
	listedLen      = 3*8 + 9*4 + 2 + 1
	longestLicence = 64  // bytes that licences are sorted by
	longestName    = 128 // bytes that names are sorted by
)

// numbers are the numbers of l that are stored, by their size.
func numbers(l *record.Listed) (long [2]*uint64, short [9]*uint32, bytes [2]*uint8) {
	return [2]*uint64{&l.Version, &l.Djangos},
		[9]*uint32{&l.Stars, &l.Forks, &l.Participants, &l.Commits, &l.Updated, &l.LastRelease, &l.Released, &l.Python, &l.Django},
		[2]*uint8{&l.Maturity, &l.Flags}
}

// appendListed appends what lists sort and filter p by.
func appendListed(value []byte, p *record.Package) []byte {
	l := p.Listed()
	value = binary.BigEndian.AppendUint64(value, uint64(l.Category))
	long, short, bytes := numbers(&l)
	for _, n := range long {
		value = binary.BigEndian.AppendUint64(value, *n)
	}
	for _, n := range short {
		value = binary.BigEndian.AppendUint32(value, *n)
	}
	for _, n := range bytes {
		value = append(value, *n)
	}
	licence := sortable(p.Project.Licence, longestLicence)
	value = append(append(value, byte(len(licence))), licence...)
	return append(value, sortable(cmp.Or(p.Title, p.Slug), longestName)...)
}

// listedIn reads a value of the states bucket, which lacks the places in the orders of all
// packages. ok is false if it is damaged.
func listedIn(value []byte) (l record.Listed, licence, name string, ok bool) {
	if len(value) < 2*stateLen+listedLen {
		return l, "", "", false
	}
	value = value[2*stateLen:]
	l.Category = int(number(value[:8]))
	value = value[8:]
	long, short, bytes := numbers(&l)
	for _, n := range long {
		*n, value = binary.BigEndian.Uint64(value), value[8:]
	}
	for _, n := range short {
		*n, value = binary.BigEndian.Uint32(value), value[4:]
	}
	for _, n := range bytes {
		*n, value = value[0], value[1:]
	}
	length := int(value[0])
	if value = value[1:]; len(value) < length {
		return l, "", "", false
	}
	return l, string(value[:length]), string(value[length:]), true
}

// sortable returns a text as it is sorted: whatever its case, and by its first bytes.
func sortable(s string, most int) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
