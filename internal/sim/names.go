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

// projectName is the i-th name of a world. The names of a world are distinct.
func projectName(seed uint64, i int) string {
	combinations := len(adjectives) * len(nouns) * len(suffixes)
	d := roll(seed, 11)
	// 104729 is a prime that does not divide the length of any list, so every combination
	// occurs once.
	n := (d.below(combinations) + i%combinations*104729) % combinations
	name := adjectives[n%len(adjectives)] + "-"
	n /= len(adjectives)
	name += nouns[n%len(nouns)] + suffixes[n/len(nouns)]
	if lap := i / combinations; lap > 0 {
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
