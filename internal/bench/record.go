package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"pkgmetad/internal/record"
	"strings"
	"time"
)

const firstGenerated = 10_000_000 // id, higher than any of the simulator's

// groups are what the simulator's catalogue sorts packages by.
type groups struct {
	categories []record.Category
	grids      []record.Grid
}

// generate returns package number n as if fetched at now, of the size and shape of
// real records. It is the same for the same arguments.
func generate(n int, g groups, now time.Time) record.Package {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	name := fmt.Sprintf("django-%s-%s-%d", word(r), word(r), n)
	if r.IntN(4) == 0 {
		name = fmt.Sprintf("%s-%s-%d", word(r), word(r), n)
	}
	owner := login(r)
	rec := record.Package{Entry: record.Entry{
		ID: firstGenerated + n, Slug: name, Title: name,
		Category: g.categories[min(int(r.ExpFloat64()*0.7), len(g.categories)-1)].ID,
		RepoURL:  new("https://github.com/" + owner + "/" + name),
		PyPIURL:  new("https://pypi.org/project/" + name + "/"),
		Created:  ago(r, now, 14*365),
	}}
	for range r.IntN(5) {
		if grid := g.grids[r.IntN(len(g.grids))].ID; len(rec.Grids) == 0 || rec.Grids[len(rec.Grids)-1] < grid {
			rec.Grids = append(rec.Grids, grid) // ascending, and so without duplicates
		}
	}
	if r.IntN(5) < 2 {
		rec.DocumentationURL = new("https://" + name + ".readthedocs.io/")
	}
	rec.Repo.Stars = int(math.Pow(r.Float64(), 6)*6000) + r.IntN(40)
	rec.Repo.Forks = rec.Repo.Stars/6 + r.IntN(5)
	text := "A Django app"
	for end := 60 + r.IntN(41); len(text) < end; {
		text += " " + word(r)
	}
	rec.Repo.Description = text
	owners := map[string]bool{}
	for range min(1+int(r.ExpFloat64()*12), 100) { // 12 on average, at most 100
		if login := login(r); !owners[login] {
			owners[login] = true
			rec.Repo.Participants = append(rec.Repo.Participants, login)
		}
	}
	pace := math.Pow(r.Float64(), 4) * 20
	rec.Repo.Commits52 = make([]int, 52)
	for i := range rec.Repo.Commits52 {
		rec.Repo.Commits52[i] = int(r.ExpFloat64() * pace)
	}
	rec.Repo.LastCommit = new(ago(r, now, 3*365).Truncate(time.Second))
	rec.Project.Version = new(fmt.Sprintf("%d.%d.%d", r.IntN(6), r.IntN(20), r.IntN(10)))
	rec.Modified = ago(r, now, 30)
	rec.LastFetched = now
	fetched := record.Status{State: record.StateOK, LastAttempt: now, LastSuccess: now, NextDue: now.Add(stale)}
	rec.GitHub, rec.PyPI = fetched, fetched
	return rec
}

func ago(r *rand.Rand, now time.Time, days int) time.Time {
	return now.Add(-time.Duration(r.Int64N(int64(days) * int64(24*time.Hour)))).Truncate(time.Microsecond)
}

// word returns a random word, frequent or rare as in a natural language.
func word(r *rand.Rand) string { return spell(int(math.Pow(60_000, r.Float64()))) }

func login(r *rand.Rand) string { return spell(r.IntN(400_000)) + fmt.Sprint(r.IntN(100)) }

func spell(n int) string {
	const consonants, vowels = "bcdfgjklmnprstvwz", "aeiou"
	var b strings.Builder
	for n += 85; n > 0; n /= 85 { // two syllables at least
		b.WriteByte(consonants[n%17])
		b.WriteByte(vowels[n/17%5])
	}
	return b.String()
}
