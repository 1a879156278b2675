package upstream

import "time"

// elsewhereAgain is how soon to look again at what another host uses.
const elsewhereAgain = 10 * time.Second

// Elsewhere returns the hold while usable says that this host may not ask, as another one
// does; zero where it may, or usable is nil. what is that which one host at a time uses,
// such as "this credential".
func Elsewhere(usable func() bool, what string) Hold {
	if usable == nil || usable() {
		return Hold{}
	}
	return Hold{Until: time.Now().Add(elsewhereAgain), Reason: "another host uses " + what, Elsewhere: true}
}
