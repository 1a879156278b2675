package daemon

import (
	"fmt"
	"strings"
	"time"

	"pkgmetad/github"
)

// tellCredentials logs what GitHub is asked with, and how long a round over all
// repositories takes with that.
func (r *refresher) tellCredentials() {
	now := r.settings.Load()
	if now.cfg.Refresh.Workers == 0 {
		r.log.Info().Msg("this host fetches nothing, and serves what other hosts fetch")
		return
	}
	names := []string{"no credential"}
	if all := credentials(now.cfg.GitHub); len(all) > 0 {
		names = names[:0]
		for _, c := range all {
			names = append(names, fmt.Sprintf("%s (%s)", c.Name, c.Source))
		}
	}
	text := "GitHub is asked with " + strings.Join(names, ", ")
	if takes := r.fullRound(now.github); takes > 0 {
		text += fmt.Sprintf("; a full round over all repositories takes about %s", roughly(takes))
	}
	r.log.Info().Msg(text)
}

// everything is so far ahead that each source is due by then.
const everything = 100 * 365 * 24 * time.Hour

// fullRound returns how long it takes to ask about all repositories; 0 where the budget of
// the present hour suffices, or they cannot be counted.
func (r *refresher) fullRound(client *github.Client) time.Duration {
	stats, err := r.store.Stats(time.Now().Add(everything))
	if err != nil {
		return 0 // readiness and status tell that
	}
	return client.Takes(stats.DueRepos)
}

// roughly writes a duration as exactly as a person wants to know it.
func roughly(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", (d+12*time.Hour)/(24*time.Hour))
	}
	return strings.TrimSuffix(max(d.Round(10*time.Minute), 10*time.Minute).String(), "0s")
}
