package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// report collects the results of a run.
type report struct {
	generator string
	ready     time.Duration
	heap      int // MiB, the largest
	memories  [][]string
	results   []result
	passes    []passResult
}

// result is what was measured of one comparison.
type result struct {
	comparison
	rates map[string][]float64 // by server and round: requests/s, or bytes/s
	costs map[string][]float64 // by server and round: seconds of CPU for a request, or a byte
}

const (
	measured, bare, nginx = "the daemon", "bare net/http", "nginx"

	maxReady = 3 * time.Second
	maxHeap  = 400 // MiB
	maxSlow  = 1.5 // times p99 at rest
)

// median returns the median of at least one figure.
func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// figures writes the median and, in brackets, the lowest and the highest figure.
func figures(all []float64, scale float64, format string) string {
	if len(all) == 0 {
		return "–"
	}
	f := func(x float64) string { return fmt.Sprintf(format, x/scale) }
	return f(median(all)) + " (" + f(slices.Min(all)) + "–" + f(slices.Max(all)) + ")"
}

// ratio returns the ratio of the daemon's median rate to that of another server, 0 if
// that was not measured.
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

// table writes rows as a Markdown table that is also readable as plain text.
func table(w io.Writer, rows [][]string) error {
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

// write writes the report: a line on the run, and tables.
func (r *report) write(w io.Writer, b *bench) error {
	fmt.Fprintf(w, "%d packages; %d CPUs, %s; load: %s, %d connections; medians of %d rounds of %s, lowest and highest in brackets\n\n",
		b.packages, runtime.NumCPU(), runtime.Version(), r.generator, b.connections, b.rounds, b.length)
	tables := [][][]string{r.rateTable(), r.costTable()}
	if len(r.passes) > 0 {
		tables = append(tables, r.passTable())
	}
	for _, rows := range append(tables, r.memoryTable(), r.targetTable()) {
		if err := table(w, rows); err != nil {
			return err
		}
	}
	return nil
}

// unit returns the unit that results are shown in, and how many requests or bytes it
// stands for.
func (r result) unit() (name string, scale float64) {
	if r.stream {
		return "MiB", 1 << 20
	}
	return "request", 1
}

func (r *report) rateTable() [][]string {
	rows := [][]string{{"", "a second", "pkgmetad", bare, nginx, "of bare", "of nginx"}}
	for _, c := range r.results {
		unit, scale := c.unit()
		if !c.stream {
			unit += "s"
		}
		row := []string{c.name, unit}
		for _, server := range []string{measured, bare, nginx} {
			row = append(row, figures(c.rates[server], scale, "%.0f"))
		}
		rows = append(rows, append(row, share(c.ratio(bare)), share(c.ratio(nginx))))
	}
	return rows
}

func (r *report) costTable() [][]string {
	rows := [][]string{{"CPU of the server", "µs for a", "pkgmetad", bare, nginx}}
	for _, c := range r.results {
		unit, scale := c.unit()
		row := []string{c.name, unit}
		for _, server := range []string{measured, bare, nginx} {
			row = append(row, figures(c.costs[server], 1e-6/scale, "%.1f"))
		}
		rows = append(rows, row)
	}
	return rows
}

func (r *report) passTable() [][]string {
	rows := [][]string{{"one package", "p99, ms", "of p99 at rest", "requests a second", "requests of the passes a second"}}
	for i, m := range r.passes {
		rows = append(rows, []string{m.situation, figures(m.p99, 1e-3, "%.2f"), share(r.slowdown(i)),
			figures(m.rates, 1, "%.0f"), figures(m.upstream, 1, "%.0f")})
	}
	return rows
}

// slowdown returns the ratio of p99 in a situation to that at rest, the first one.
func (r *report) slowdown(situation int) float64 {
	return median(r.passes[situation].p99) / median(r.passes[0].p99)
}

func (r *report) memoryTable() [][]string {
	return append([][]string{{"memory", "Go heap (at collections)", "anonymous (RssAnon)", "resident, mapped store included (VmRSS)"}}, r.memories...)
}

// targetTable compares the results with their targets. What was not measured is left
// out.
func (r *report) targetTable() [][]string {
	rows := [][]string{{"target", "is", "should be", ""}}
	add := func(what, got, wanted string, met bool) {
		verdict := "met"
		if !met {
			verdict = "MISSED"
		}
		rows = append(rows, []string{what, got, wanted, verdict})
	}
	for _, c := range r.results {
		for _, server := range []struct {
			name  string
			least float64
		}{{bare, c.ofBare}, {nginx, c.ofNginx}} {
			if server.least > 0 && len(c.rates[server.name]) > 0 {
				got := c.ratio(server.name)
				add(c.name+", of "+server.name, share(got), fmt.Sprintf("≥ %.2f", server.least), got >= server.least)
			}
		}
	}
	if len(r.passes) > 0 {
		slow := r.slowdown(1)
		add("p99 while it runs passes, of that at rest", share(slow), fmt.Sprintf("≤ %.2f", maxSlow), slow <= maxSlow)
	}
	add("from the start to the first 200 of /readyz", r.ready.Round(time.Millisecond).String(), "< "+maxReady.String(), r.ready < maxReady)
	add("Go heap", fmt.Sprintf("%d MiB", r.heap), fmt.Sprintf("< %d MiB", maxHeap), r.heap < maxHeap)
	return rows
}
