package pypi

import (
	"strings"
	"testing"
)

func TestAdmitsPython3(t *testing.T) {
	for specifiers, want := range map[string]bool{
		"<3.7.post1,>=3.7":      true,
		"==3.8.10":              true,
		"~=3.9.1":               true,
		"~=3.6":                 true,
		"~=3.0":                 true,
		">=3.15":                true,
		">=3.999999":            true,
		"!=3.0.*,>=2.7":         true,
		">3":                    true,
		">3.8":                  true,
		"<4":                    true,
		"<4.0":                  true,
		"<=3":                   true,
		"==3.*":                 true,
		"==3":                   true,
		"===3.8":                true,
		">=3":                   true,
		">=2.7":                 true,
		">2.7":                  true,
		">=3.6.*":               true,
		">= 3.6, <4":            true,
		" >=3.6 , ":             true,
		">=3.6,<3.7.*":          true,
		"<3.1.*":                true,
		"<=3.9.*":               true,
		">3.6.*":                true,
		"~=3.6.*":               true,
		">=2.7,!=3.0.*,!=3.1.*": true,
		">=2.7, !=3.0.*, !=3.1.*, !=3.2.*, !=3.3.*, !=3.4.*": true,
		"!=3.0":                         true,
		"!=2.7":                         true,
		"!=4.*":                         true,
		">=3.7.0b1":                     true,
		">=3.0a1":                       true,
		"<4.0a1":                        true,
		"==3.12.0rc1":                   true,
		">=v3.6":                        true,
		">=3.6,<3.99999999999999999999": true,
		">=3.8,!=3.9.0,!=3.9.1,<3.13":   true,
		"<3.0.1":                        true,
		// Not PEP 440, but there is no doubt about what they mean.
		"3":                        true,
		"3.6":                      true,
		"3.*":                      true,
		"2.7, 3.6":                 true,
		"^3.6":                     true,
		"^3.6.1":                   true,
		"~3.6":                     true,
		"=3.6":                     true,
		">=3.6 <4":                 true,
		">=3.6.,<4":                true,
		">=3.6*":                   true,
		">=3.6b1.*":                true,
		"===3.8.*":                 true,
		">=3.8,<=3.*":              true,
		">=2.7,<3 || >=3.6":        true,
		"3.6+":                     true,
		"3.6+, <4":                 true,
		"3+":                       true,
		"2.7+":                     true,
		"2.7,3.3+":                 true,
		"2.7, 3.3+":                true,
		"2.7 || >=3.4":             true,
		">=3.4 || 2.7":             true,
		"2.7 || 3.x":               true,
		"<3 || >=4":                false,
		">=3.6;":                   true,
		">=3.6;<4":                 true,
		">=2.7;<3":                 false,
		"=>3.6":                    true,
		"=> 3.6, =< 3.9":           true,
		"=>2.7, <3":                false,
		"3.x":                      true,
		"3.X":                      true,
		"3.6.x":                    true,
		"3.x.x":                    true,
		">=3.x":                    true,
		">=2.7,<3.x":               false,
		"~=3":                      true,
		"~=2":                      false,
		"(>=3.6)":                  true,
		"(>=3.6,<4)":               true,
		"(>=2.7,<3)":               false,
		"'>=3.6'":                  true,
		`">=3.6"`:                  true,
		`">=3.6","<4"`:             true,
		`'<3'`:                     false,
		"3.6 - 3.9":                true,
		"2.6 - 3.4":                true,
		"3.6 - 3.x":                true,
		"~=3.*":                    true,
		">=3.6+":                   true,
		"2.6 - 2.7":                false,
		"2.6 - 2.7 || 3.6 - 3.9":   true,
		"4+":                       false,
		"^2.7":                     false,
		"~2.7":                     false,
		"=2.7":                     false,
		">=2.7 <3":                 false,
		">=2.7.,<3":                false,
		"==1!3.*":                  false,
		"==99999999999999999999.*": false,
		// Gaps between what is asked about.
		">3.8,<3.8.2":          true,
		">=3.8,!=3.8.0,<3.8.2": true,
		"==3.8.17":             true,
		"~=3.8.17":             true,
		">3.60":                true,
		">=3.70,!=3.70.*":      true,
		">3.999.*":             true,
		"<3":                   false,
		"<3.0":                 false,
		"<3.0.0":               false,
		"<3.*":                 false,
		"<3.0a1":               false,
		"<3.0.dev0":            false,
		"<=2.7":                false,
		"<=2.99":               false,
		"<=2.*":                false,
		"==2.7.*":              false,
		"==2.7":                false,
		"===2.7.18":            false,
		"~=2.7":                false,
		"~=2.7.10":             false,
		">=2.7,<3":             false,
		">=2.6, !=3.*":         false,
		">=2.7,!=3.*,<4":       false,
		">=4":                  false,
		">=4.0a1":              false,
		">3.*":                 false,
		"==3.8.*,<3.8":         false,
		">3.7,!=3.7.*,<3.8":    false,
		"==3.8,==3.9":          false,
		">=3.8,<3.8":           false,
		">=3.8,<=3.8,!=3.8":    false,
		"==1!3.8":              false,
		"==3.8.*,!=3.8.*":      false,
		">3.8,<=3.8":           false,
		"!=3.0,==3":            false,
		">=3.10,<3.9":          false,
	} {
		got, err := admitsPython3(specifiers)
		if err != nil || got != want {
			t.Errorf("admitsPython3(%q) = %v, %v; want %v", specifiers, got, err, want)
		}
	}
}

func TestPython3(t *testing.T) {
	const tag = "Programming Language :: Python"
	yes, no := true, false
	for _, tt := range []struct {
		requires    string
		classifiers []string
		want        *bool
	}{
		{"", nil, nil},
		{"", []string{tag, "Topic :: 3"}, nil},
		{"", []string{tag + " :: 3"}, &yes},
		{"", []string{tag + " :: 3.12"}, &yes},
		{"", []string{tag + " :: 3 :: Only"}, &yes},
		{"", []string{tag + " :: 2.7", tag + " :: 3.5"}, &yes},
		{"", []string{tag + " :: 2", tag + " :: 2.7"}, &no},
		{"", []string{tag + " :: 2 :: Only"}, &no},
		{"", []string{tag + " :: 30", tag + " :: Implementation :: CPython"}, nil},
		{"  ", []string{tag + " :: 2"}, &no},
		{">=3.6", []string{tag + " :: 2 :: Only"}, &yes},
		{"<3", []string{tag + " :: 3"}, &no},
		// Unreadable, so that the classifiers decide.
		{",", []string{tag + " :: 3"}, &yes},
		{"2.7", []string{tag + " :: 3"}, &yes},
		{"2.7", []string{tag + " :: 2"}, &no},
		{"2.7", nil, nil},
		{"2.*", nil, nil},
		{"3.6 or so", nil, nil},
		{"Python 3.6", nil, nil},
		{"*", []string{tag + " :: 2"}, &no},
		{"2.x", nil, nil},
		{"2.7 || 2.6", nil, nil},
		{"2.7 || >=three", nil, nil},
		{"||", []string{tag + " :: 3"}, &yes},
		{"();", nil, nil},
		{"3.6 -", nil, nil},
		{"x", nil, nil},
		{">=", nil, nil},
		{">=three", nil, nil},
		{">=3" + strings.Repeat(",!=3.1", 100), nil, nil}, // longer than anybody means it
	} {
		got := python3(tt.requires, tt.classifiers)
		if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
			t.Errorf("python3(%q, %q) = %v; want %v", tt.requires, tt.classifiers, word(got), word(tt.want))
		}
	}
}

func word(b *bool) string {
	switch {
	case b == nil:
		return "unknown"
	case *b:
		return "yes"
	}
	return "no"
}

func FuzzPython3(f *testing.F) {
	for _, s := range []string{">=3.6", "~=2.7", "!=3.0.*,>=2.7", "===3.8", ">=3.6.*", "<1!3.0a1", "== 18446744073709551615.*", "~=9223372036854775807.1", ">3.0+a_b", "^3.6", "~3", ">=3.6 <4", ">=3.6.,<4", "2.7, 3.6", "2.7 || >=3.5", "<=3.*", "3.6+", "2.7,3.3+", "3.6 - 3.9", "(>=3.x);", "~=3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		yes, err := admitsPython3(s)
		if err != nil {
			return
		}
		if strings.Contains(s, "||") || specifier.FindString(normalSpelling(s)) == "" {
			return
		}
		// One more condition can only take versions away. It comes first, as what
		// follows a number may belong to it.
		if narrower, err := admitsPython3("<3," + s); err == nil && narrower && !bareSpecifier(s) {
			t.Errorf("%q with <3 admits Python 3", s)
		}
		if narrower, err := admitsPython3(">=3.0,<4.dev0," + s); err == nil && yes && !narrower {
			t.Errorf("%q admits Python 3, but not with >=3.0,<4.dev0", s)
		}
	})
}

// bareSpecifier reports whether s has a version without an operator, which
// counts by itself.
func bareSpecifier(s string) bool {
	for _, m := range specifier.FindAllStringSubmatch(normalSpelling(s), -1) {
		if m[1] == "" {
			return true
		}
	}
	return false
}
