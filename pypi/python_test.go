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
		"<3":                            false,
		"<3.0":                          false,
		"<3.0.0":                        false,
		"<3.*":                          false,
		"<3.0a1":                        false,
		"<3.0.dev0":                     false,
		"<=2.7":                         false,
		"<=2.99":                        false,
		"<=2.*":                         false,
		"==2.7.*":                       false,
		"==2.7":                         false,
		"===2.7.18":                     false,
		"~=2.7":                         false,
		"~=2.7.10":                      false,
		">=2.7,<3":                      false,
		">=2.6, !=3.*":                  false,
		">=2.7,!=3.*,<4":                false,
		">=4":                           false,
		">=4.0a1":                       false,
		">3.*":                          false,
		"==3.8.*,<3.8":                  false,
		">3.7,!=3.7.*,<3.8":             false,
		"==3.8,==3.9":                   false,
		">=3.8,<3.8":                    false,
		">=3.8,<=3.8,!=3.8":             false,
		"==1!3.8":                       false,
		"==3.8.*,!=3.8.*":               false,
		">3.8,<=3.8":                    false,
		"!=3.0,==3":                     false,
		">=3.10,<3.9":                   false,
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
		{"*", []string{tag + " :: 2"}, &no},
		{"~=3", []string{tag + " :: 2"}, &no},
		{">=3.6 <4", []string{tag + " :: 2"}, &no},
		{"=>3.6", nil, nil},
		{">=", nil, nil},
		{">=three", nil, nil},
		{"'>=3.6'", nil, nil},
		{">=3.6b1.*", nil, nil},
		{"===3.8.*", nil, nil},
		{"==1!3.*", nil, nil},
		{"==99999999999999999999.*", nil, nil},
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
	for _, s := range []string{">=3.6", "~=2.7", "!=3.0.*,>=2.7", "===3.8", ">=3.6.*", "<1!3.0a1", "== 18446744073709551615.*", "~=9223372036854775807.1", ">3.0+a_b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		yes, err := admitsPython3(s)
		if err != nil {
			return
		}
		// One more condition can only take versions away.
		if narrower, err := admitsPython3(s + ",<3"); err == nil && narrower {
			t.Errorf("%q with <3 admits Python 3", s)
		}
		if same, err := admitsPython3(s + ",>=3.0,<4.dev0"); err == nil && same != yes {
			t.Errorf("%q: %v, limited to Python 3: %v", s, yes, same)
		}
	})
}
