package sim

import (
	"strconv"
	"strings"
)

var adjectives = strings.Fields(`amber ashen brackish bramble brindled candid cinder clovered cobalt copper crooked
	dappled drowsy dusky elder feral fickle flinty frosted gilded gnarled hazy hollow humble indigo jagged jaunty
	knotty lanky lilting lunar marbled mellow mildewed mossy murky nimble ochre ornery pebbled piebald plucky quaint
	ragged rusted saffron scarlet shaggy silken sleety smoky spindly spry sullen tawny thorny tidal umber velvet
	wandering waxen whorled wily zesty`)

var nouns = strings.Fields(`otter lantern thimble badger kettle walnut heron satchel anvil marmot pebble bobbin
	juniper magpie saucer turnip weevil bellows cricket dormouse ferret goblet hamper ibis jackdaw kestrel ladle
	mitten newt oriole pannier quiver rudder sorrel trowel urchin vole whisk yarrow zither acorn barnacle cobbler
	dipper earwig fennel gosling hedgehog inkwell jerkin kipper limpet mallet nettle oxbow parsnip quince rivet
	spindle teasel`)

// suffixes turn the names into ones that do not exist.
var suffixes = strings.Fields(`ling wick fold mere kin thorpe garth combe beck holt stead wold shaw rigg dale lea`)

var prefixes = []string{"django-", "django-", "django-", "django-", "dj-", "drf-", "wagtail-", ""}

func combinations() int { return len(adjectives) * len(nouns) * len(suffixes) }

// nameStep is a prime that does not divide the length of any list, so every combination occurs
// once.
const nameStep = 104729

// projectName is the i-th name of a world. The names of a world are distinct.
func projectName(seed uint64, i int) string {
	d := roll(seed, 11)
	n := (d.below(combinations()) + i%combinations()*nameStep) % combinations()
	name := adjectives[n%len(adjectives)] + "-"
	n /= len(adjectives)
	name += nouns[n%len(nouns)] + suffixes[n/len(nouns)]
	if lap := i / combinations(); lap > 0 {
		name += "-" + strconv.Itoa(lap+1)
	}
	d = roll(seed, 12, uint64(i))
	return pick(&d, prefixes) + name
}

// loginName is the n-th person or organization of a world.
func loginName(seed uint64, n uint64) string {
	d := roll(seed, 13, n)
	name := pick(&d, adjectives) + pick(&d, []string{"", "-", ""}) + pick(&d, nouns)
	if d.chance(0.2) {
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	return name + strconv.Itoa(d.below(9000)+10)
}

func sentence(d *dice, title string) string {
	return pick(d, []string{"Adds", "Brings", "A drop-in for", "Reusable", "Tools for", "Everything about", "Minimal"}) + " " +
		pick(d, []string{"audit trails", "tagging", "“rich” text", "feature flags", "queues & workers", "tenants", "<form> widgets", "search", "e-mail", "caching", "cafés and menus", "permissions"}) +
		pick(d, []string{" in Django", " for the admin", " with HTMX", " on PostgreSQL", ""}) + " (" + title + ")" + pick(d, []string{".", "", "!", " 🚀"})
}

// renamed are what is added to a name when a repository gets another.
var renamed = []string{"-ng", "-next", "-core"}

// nameIndex finds the number of a name of projectName, for a seed.
type nameIndex struct {
	first   int            // of the combinations
	inverse int            // of nameStep, modulo the number of combinations
	words   map[string]int // noun and suffix, and adjectives, to their numbers
}

// indexNames makes the index of a world's names.
func indexNames(seed uint64) *nameIndex {
	d := roll(seed, 11)
	x := &nameIndex{first: d.below(combinations()), inverse: 1, words: map[string]int{}}
	for x.inverse*nameStep%combinations() != 1 {
		x.inverse++
	}
	for n, noun := range nouns {
		for s, suffix := range suffixes {
			x.words[noun+suffix] = n + s*len(nouns)
		}
	}
	for a, adjective := range adjectives {
		x.words[adjective] = a
	}
	return x
}

// find returns the number of a name. The caller compares: a name that is none of the world's
// may have one too.
func (x *nameIndex) find(name string) (i int, ok bool) {
	for _, prefix := range prefixes {
		if rest, found := strings.CutPrefix(name, prefix); found {
			name = rest
			break
		}
	}
	adjective, rest, _ := strings.Cut(name, "-")
	word, lap, _ := strings.Cut(rest, "-")
	a, ok1 := x.words[adjective]
	w, ok2 := x.words[word]
	if !ok1 || !ok2 || a >= len(adjectives) {
		return 0, false
	}
	i = (a + w*len(adjectives) - x.first + combinations()) % combinations() * x.inverse % combinations()
	if lap != "" {
		n, err := strconv.Atoi(lap)
		if err != nil || n < 2 || n > 1<<20 {
			return 0, false
		}
		i += (n - 1) * combinations()
	}
	return i, true
}
