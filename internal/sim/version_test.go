package sim

import "testing"

func TestVersionOrder(t *testing.T) {
	ordered := []string{"not a version", "zzz", "0.9", "0.10.dev1", "0.10.dev2", "0.10a1.dev1", "0.10a1", "0.10b2", "0.10rc1", "0.10", "0.10+local", "0.10+local.2",
		"0.10+3", "0.10.post1.dev1", "0.10.post1", "0.10-2", "0.10.1", "1.0", "1.1", "v1.2", "2019.4", "1!0.1"}
	for i, a := range ordered {
		for j, b := range ordered {
			got := parseVersion(a).compare(parseVersion(b))
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s against %s: %d", a, b, got)
			}
		}
	}
	for _, same := range [][2]string{{"1", "1.0.0"}, {"1.0alpha1", "1.0a1"}, {"1.0-1", "1.0.post1"}, {"1.0RC1", "1.0c1"}, {"0.0", "0"}, {"1.0.dev", "1.0dev0"}} {
		if parseVersion(same[0]).compare(parseVersion(same[1])) != 0 {
			t.Errorf("%v differ", same)
		}
	}
	for v, want := range map[string]bool{"1.0": false, "1.0.post1": false, "1.0a1": true, "1.0.dev1": true, "1.0.post1.dev1": true, "junk": false} {
		if parseVersion(v).isPre != want {
			t.Errorf("%s: pre-release %v", v, !want)
		}
	}
}

func FuzzVersion(f *testing.F) {
	for _, s := range []string{"1.0", "1!2.0a1.post3.dev4+x.5", "", "..", "99999999999999999999999", "1.0-", "v1"} {
		f.Add(s, "1.0")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := parseVersion(a), parseVersion(b)
		if x.compare(x) != 0 || sign(x.compare(y)) != -sign(y.compare(x)) {
			t.Errorf("%q and %q: no order", a, b)
		}
	})
}

func sign(n int) int { return max(min(n, 1), -1) }
