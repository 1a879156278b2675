package sim

import "strings"

// repoURL writes a repository's URL in one of the forms that people paste.
func repoURL(d *dice, fullName string) string {
	if d.chance(0.7) {
		return "https://github.com/" + fullName
	}
	return strings.ReplaceAll(pick(d, []string{
		"https://github.com/R/", "https://github.com/R.git", "http://github.com/R", "https://www.github.com/R",
		"git@github.com:R.git", "git://github.com/R.git", "ssh://git@github.com/R.git", "git+https://github.com/R.git",
		"github.com/R", "https://github.com/R/tree/main", "https://github.com/R/issues", "https://GitHub.com/R",
		"  https://github.com/R ", "https://github.com/R#readme", "https://github.com/R?tab=readme-ov-file",
		"HTTPS://GITHUB.COM/R", "https://github.com/R/blob/master/README.md",
	}), "R", fullName)
}

// projectURL writes a project's URL in one of the forms that people paste.
func projectURL(d *dice, name string) string {
	if d.chance(0.6) {
		return "https://pypi.org/project/" + name + "/"
	}
	return strings.ReplaceAll(pick(d, []string{
		"http://pypi.python.org/pypi/N", "http://pypi.python.org/pypi/N/", "https://pypi.python.org/pypi/N/0.1.0",
		"https://pypi.org/project/N", "https://pypi.org/p/N", "https://pypi.org/pypi/N/json", "https://pypi.org/simple/N/",
		"https://www.pypi.org/project/N/", "https://pypi.io/project/N/", "https://warehouse.python.org/project/N/",
		"https://pypi.org/project/N/0.1.0/", "http://pypi.python.org/pypi?name=N&:action=display", "pypi.org/project/N",
		" https://pypi.org/project/N/\n", "https://pypi.org/project/N/#history", "N", "HTTPS://PyPI.org/project/N/",
	}), "N", name)
}
