package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report is what was found out.
type report struct {
	generator string
	ready     time.Duration
	heap      int // MiB, the largest
	memories  [][]string
	results   []result
	passes    []passed
}

// result is what was measured of one comparison.
type result struct {
	comparison
	rates map[string][]float64 // by server, a round each: requests/s, or bytes/s
	costs map[string][]float64 // likewise: seconds of CPU for a request, or a byte
}

const (
	measured, bare, nginx = "the daemon", "bare net/http", "nginx"

	maxReady = 3 * time.Second
	maxHeap  = 400 // MiB
	maxSlow  = 2.0 // times p99 at rest
)

// median returns the median of at least one figure.
func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// figures tells the median and, in brackets, the lowest and the highest.
func figures(all []float64, scale float64, format string) string {
	if len(all) == 0 {
		return "–"
	}
	f := func(x float64) string { return fmt.Sprintf(format, x/scale) }
	return f(median(all)) + " (" + f(slices.Min(all)) + "–" + f(slices.Max(all)) + ")"
}

// ratio returns the ratio of the medians, 0 where one was not measured.
func (r result) ratio(other string) float64 {
	if len(r.rates[other]) == 0 {
		return 0
	}
	return median(r.rates[measured]) / median(r.rates[other])
}

func share(ratio float64) string {
	if ratio == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", ratio)
}

// table writes rows as a table in Markdown that reads well as plain text too.
func table(w io.Writer, rows ...[]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	for i, row := range rows {
		fmt.Fprintln(t, "| "+strings.Join(row, "\t| ")+"\t|")
		if i == 0 {
			fmt.Fprintln(t, strings.Repeat("|---\t", len(row))+"|")
		}
	}
	fmt.Fprintln(t)
	return t.Flush()
}

// write writes the report.
func (r *report) write(w io.Writer, b *bench) error {
	fmt.Fprintf(w, "%d packages; %d CPUs, %s; load: %s, %d connections; medians of %d rounds of %s, lowest and highest in brackets\n\n",
		b.packages, runtime.NumCPU(), runtime.Version(), r.generator, b.connections, b.rounds, b.length)
	costs := [][]string{{"CPU of the server", "µs for a", "pkgmetad", bare, nginx}}
	rows := [][]string{{"", "a second", "pkgmetad", bare, nginx, "of bare", "of nginx"}}
	var reached [][]string
	reach := func(what, got, wanted string, met bool) {
		verdict := "met"
		if !met {
			verdict = "MISSED"
		}
		reached = append(reached, []string{what, got, wanted, verdict})
	}
	for _, c := range r.results {
		unit, scale, format := "requests", 1.0, "%.0f"
		if c.stream {
			unit, scale, format = "MiB", 1<<20, "%.0f"
		}
		rows = append(rows, []string{c.name, unit, figures(c.rates[measured], scale, format), figures(c.rates[bare], scale, format),
			figures(c.rates[nginx], scale, format), share(c.ratio(bare)), share(c.ratio(nginx))})
		unit = strings.TrimSuffix(unit, "s")
		costs = append(costs, []string{c.name, unit, figures(c.costs[measured], 1e-6/scale, "%.1f"), figures(c.costs[bare], 1e-6/scale, "%.1f"), figures(c.costs[nginx], 1e-6/scale, "%.1f")})
		for _, target := range []struct {
			other string
			least float64
		}{{bare, c.ofBare}, {nginx, c.ofNginx}} {
			if target.least > 0 && len(c.rates[target.other]) > 0 {
				got := c.ratio(target.other)
				reach(c.name+", of "+target.other, share(got), fmt.Sprintf("≥ %.2f", target.least), got >= target.least)
			}
		}
	}
	if err := errors.Join(table(w, rows...), table(w, costs...)); err != nil {
		return err
	}
	if len(r.passes) > 0 {
		rows = [][]string{{"one package", "p99, ms", "of p99 at rest", "requests a second", "requests of the passes a second"}}
		for _, m := range r.passes {
			rows = append(rows, []string{m.situation, figures(m.p99, 1e-3, "%.2f"), share(median(m.p99) / median(r.passes[0].p99)),
				figures(m.rates, 1, "%.0f"), figures(m.asked, 1, "%.0f")})
		}
		if err := table(w, rows...); err != nil {
			return err
		}
		slow := median(r.passes[1].p99) / median(r.passes[0].p99)
		reach("p99 while it runs passes, of that at rest", share(slow), fmt.Sprintf("≤ %.2f", maxSlow), slow <= maxSlow)
	}
	rows = append([][]string{{"memory", "Go heap (at collections)", "anonymous (RssAnon)", "resident, mapped store included (VmRSS)"}}, r.memories...)
	if err := table(w, rows...); err != nil {
		return err
	}
	reach("from the start to the first 200 of /readyz", r.ready.Round(time.Millisecond).String(), "< "+maxReady.String(), r.ready < maxReady)
	reach("Go heap", fmt.Sprintf("%d MiB", r.heap), fmt.Sprintf("< %d MiB", maxHeap), r.heap < maxHeap)
	return table(w, append([][]string{{"to reach", "is", "should be", ""}}, reached...)...)
}
