package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"pkgmetad/internal/catalogue"
	"pkgmetad/internal/config"
	"pkgmetad/internal/daemon"
	"pkgmetad/internal/importer"
	"pkgmetad/internal/record"
	"pkgmetad/internal/strict"
	"pkgmetad/internal/upstream"
	"pkgmetad/store"
)

func newImportCommand() *cobra.Command {
	var path string
	var replace, sameHost bool
	cmd := &cobra.Command{
		Use:   "import --config FILE SOURCE",
		Short: "Import a catalogue and its records from another site or from a file",
		Long: `Import what SOURCE holds: write the catalogue file that the configuration
names, and put the records into the store, so that the daemon starts warm and
serves them as they were read. SOURCE is one of

  an API root   such as https://djangopackages.org/api/v4/: its categories, grids
                and packages are read page by page, one request at a time; run
                again, an interrupted import resumes where it was. A site that
                has only the older API is read from its root, such as
                https://djangopackages.org/api/v3/, which tells no ids: those of
                the present catalogue and store stay, others are given by age
  a snapshot    packages as the API serves them, one a line, plain or compressed
                with gzip or Zstandard: restores a daemon from its own snapshot
  a catalogue   .yaml, .yml, .json, .ndjson or .jsonl: used as it is

A site that does not answer is asked again for two minutes, and one that asks for a
pause, for up to ten, is given it; Ctrl-C ends either, and the same command resumes.

Importing the same SOURCE again changes nothing, and what the daemon has fetched
since stays. Invalid entries are reported with their ids and skipped. Packages of
the present catalogue that SOURCE does not have would vanish: without --replace,
that is refused. The previous catalogue is kept as .bak.

A site's links must lead to its own host. Where they carry another address of the
same site, such as an internal one that cannot be reached from here, --same-host
follows their paths on the host of SOURCE. No other host is ever asked.

The daemon must not be running: it holds the store. A host that is one of several
imports nothing: import before its configuration has the section cluster. The hosts then
begin with the store that has most packages.

Exit codes: 0 all of it is imported, 1 it failed, or entries were skipped or may
be missing because the site changed each time it was read.`,
		Example: `  pkgmetad import -c config.yaml https://djangopackages.org/api/v4/
  pkgmetad import -c config.yaml --same-host https://packages.example.org/api/v4/
  pkgmetad import -c config.yaml packages.ndjson.zst`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("import takes one SOURCE: an API root or a file")
			}
			if isURL(args[0]) {
				if _, err := upstream.ParseBaseURL(args[0]); err != nil {
					return fmt.Errorf("SOURCE is not an API root: %w", err)
				}
			} else if sameHost {
				return errors.New("--same-host is about the links of a site; SOURCE is a file")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := config.Load(path, os.Getenv)
			if err != nil {
				return failed(exitFailed, err)
			}
			i := importing{cfg: cfg, source: args[0], replace: replace, sameHost: sameHost, stdout: cmd.OutOrStdout(), stderr: cmd.ErrOrStderr()}
			return failed(exitFailed, i.run(cmd.Context()))
		},
	}
	addConfigFlag(cmd, &path)
	cmd.Flags().BoolVar(&sameHost, "same-host", false, "follow the paths of the site's links on the host of SOURCE, whatever host they name")
	cmd.Flags().BoolVar(&replace, "replace", false, "replace the present catalogue even where packages vanish or it cannot be read")
	return cmd
}

func isURL(source string) bool { return strings.Contains(source, "://") }

// importing is one run of the command.
type importing struct {
	cfg            *config.Config
	source         string
	replace        bool
	sameHost       bool
	stdout, stderr io.Writer

	bar     *progressbar.ProgressBar // nil where nobody looks on
	reading string                   // what the bar is of
}

func (i *importing) run(ctx context.Context) (err error) {
	if i.cfg.Cluster.Enabled() {
		return errors.New("this host is one of several, and what an import changes here the others would not have. Import before the section cluster is in the configuration: the hosts then begin with the store that has most packages. Afterwards, change the catalogue file on one host, and reload that")
	}
	if daemon.Dial(ctx, i.cfg) != nil {
		return errors.New("the daemon is running and holds the store; stop it, import, and start it again")
	}
	spool := i.cfg.Store.Path + ".import"
	for _, folder := range []string{filepath.Dir(i.cfg.Store.Path), filepath.Dir(i.cfg.Catalogue.Path), spool} {
		if err := daemon.CheckFolder(folder); err != nil && !(folder == spool && errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("%w; let the user that imports write there", err)
		}
	}
	// Opened first, and held to the end: two imports at once would be in each
	// other's way, and an hour of reading must not end at a locked door.
	st, err := daemon.OpenStore(i.cfg, i.note)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	present := catalogue.ReadPresent(i.cfg.Catalogue.Path)

	c, err := i.read(ctx, present, st)
	i.endProgress()
	if err != nil {
		return err
	}
	i.tell(&c.Collection)
	if len(c.catalogue.Packages) == 0 {
		return c.refused(fmt.Errorf("%s holds no package; nothing was changed", i.source))
	}
	if !i.replace {
		if err := present.Guard(c.catalogue); err != nil {
			return c.refused(err)
		}
	}
	file := catalogue.Unchanged(i.cfg.Catalogue.Path)
	if !sameFile(i.source, file.Path()) {
		if file, err = catalogue.Stage(file.Path(), c.catalogue); errors.As(err, new(*fs.PathError)) {
			return err // this machine's fault
		} else if err != nil {
			return c.refused(err)
		}
		defer file.Discard()
		c.catalogue.Digest = catalogue.Digest(file.Path(), i.cfg.GitHub.URLHost)
	}
	if ctx.Err() != nil {
		return errors.New("stopped; nothing was changed")
	}
	if err := i.takeOver(c, file, st); err != nil {
		return err
	}
	return c.complaint()
}

// takeOver changes the store, then the catalogue file. A kill in between leaves
// the old file beside the new records, and the same command run again completes
// it: the daemon, should it run before, buries what the old file does not list
// together with its data. The other way round it would find new packages without
// data, fetch them all, and call them modified at that time.
func (i *importing) takeOver(c *content, file *catalogue.Staged, st *store.Store) error {
	sequence, writes := st.Sequence(), file.Changes()
	report, err := st.Import(c.catalogue, c.Records, time.Now())
	if err != nil {
		return fmt.Errorf("%w; the catalogue file is as it was", err)
	}
	if err := file.Commit(); err != nil {
		return fmt.Errorf("%w; the records are in the store: import again", err)
	}
	if err := c.forget(); err != nil {
		fmt.Fprintf(i.stderr, "warning: the pages that were read cannot be removed: %v\n", err)
	}
	i.listed(report.Problems, "; the package is served, and this half of it never fetched")
	fmt.Fprintln(i.stdout, i.summary(c, writes, st.Sequence() != sequence))
	return nil
}

// content is what has been read.
type content struct {
	importer.Collection
	catalogue record.Catalogue
	forget    func() error // removes what was kept for going on
}

// refused returns err, which the content is to blame for. It may be put right
// where it came from, so that the next import has to read it again. Where this
// machine is to blame (a full disk) what was read is kept.
func (c *content) refused(err error) error { return errors.Join(err, c.forget()) }

func newContent(c *importer.Collection, present *catalogue.Present) *content {
	next := c.Catalogue()
	present.KeepStaleAfter(&next)
	return &content{Collection: *c, catalogue: next, forget: func() error { return nil }}
}

func (i *importing) read(ctx context.Context, present *catalogue.Present, st *store.Store) (*content, error) {
	if isURL(i.source) {
		return i.readSite(ctx, present, st)
	}
	snapshot, err := importer.OpenSnapshot(i.source)
	if errors.Is(err, importer.ErrNotSnapshot) {
		return i.readCatalogue(err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such file; the root of a site's API begins with https://, such as https://djangopackages.org/api/v4/", i.source)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i.source, strict.Cause(err))
	}
	defer snapshot.Close()
	snapshot.StaleAfter = i.cfg.Refresh.StaleAfter
	snapshot.Progress = func(read, size int64) { i.progress(filepath.Base(i.source), read, size, true) }
	collection, err := snapshot.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", i.source, err)
	}
	if err := nameCategoriesAndGrids(collection, present, st); err != nil {
		return nil, err
	}
	return newContent(collection, present), nil
}

func (i *importing) readSite(ctx context.Context, present *catalogue.Present, st *store.Store) (*content, error) {
	site := &importer.Site{
		Root: i.source, SameHost: i.sameHost, UserAgent: upstream.UserAgent(version, i.cfg.PyPI.Contact, ""), Spool: i.cfg.Store.Path + ".import", StaleAfter: i.cfg.Refresh.StaleAfter,
		Progress: func(list string, done, count int) { i.progress(list, int64(done), int64(count), false) },
		Note:     i.note,
		IDs:      func() (importer.IDs, error) { return knownIDs(present, st) },
	}
	if isTerminal(i.stderr) { // where a person waits for the first answer
		i.note(fmt.Sprintf("reading %s; Ctrl-C stops, and the same command then resumes", i.source))
	}
	collection, err := site.Read(ctx)
	if err != nil {
		return nil, err
	}
	c := newContent(collection, present)
	c.forget = site.Forget
	return c, nil
}

// readCatalogue reads SOURCE as a catalogue file, which it is unless its name
// says otherwise. noSnapshot is why it is nothing else.
func (i *importing) readCatalogue(noSnapshot error) (*content, error) {
	if !catalogue.NamesFormat(i.source) {
		return nil, fmt.Errorf("%s %w, and its name is not that of a catalogue: that ends in .yaml, .yml, .json, .ndjson or .jsonl", i.source, noSnapshot)
	}
	loaded, err := catalogue.Load(i.source)
	if err != nil {
		return nil, err
	}
	return &content{catalogue: loaded, forget: func() error { return nil }}, nil
}

// tell prints what a person should know before anything is changed.
func (i *importing) tell(c *importer.Collection) {
	for _, problem := range c.Problems {
		fmt.Fprintln(i.stderr, problem)
	}
	if more := c.Skipped + c.Dropped - len(c.Problems); more > 0 {
		fmt.Fprintf(i.stderr, "and %d more like these\n", more)
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(i.stderr, "warning:", w)
	}
	if !c.Zone.Is(i.cfg.HTTP.TimeZone) {
		fmt.Fprintf(i.stderr, "hint: the times of SOURCE are in a different zone from http.time_zone (%s); to serve the same bytes, set it to %s\n", i.cfg.HTTP.TimeZone, &c.Zone)
	}
}

// shownProblems is how many sources that cannot be asked are named.
const shownProblems = 20

func (i *importing) listed(problems []string, tail string) {
	for n, problem := range problems {
		if n == shownProblems {
			fmt.Fprintf(i.stderr, "and %d more like these\n", len(problems)-n)
			return
		}
		fmt.Fprintln(i.stderr, problem+tail)
	}
}

func (i *importing) summary(c *content, written, changed bool) string {
	s := fmt.Sprintf("imported %s, %s, %s from %s", record.Count(len(c.catalogue.Packages), "package", "packages"),
		record.Count(len(c.catalogue.Grids), "grid", "grids"), record.Count(len(c.catalogue.Categories), "category", "categories"), i.source)
	if c.Skipped > 0 {
		s += fmt.Sprintf(" (%d skipped)", c.Skipped)
	}
	switch {
	case written:
		return s + "; catalogue written to " + i.cfg.Catalogue.Path
	case changed:
		return s + "; the catalogue " + i.cfg.Catalogue.Path + " says the same already"
	}
	return s + "; nothing has changed"
}

// complaint is the error that an import ends with which left something out, or may have.
func (c *content) complaint() error {
	var parts []string
	if c.Skipped > 0 {
		parts = append(parts, record.Count(c.Skipped, "entry", "entries")+" skipped")
	}
	if c.Dropped > 0 {
		parts = append(parts, record.Count(c.Dropped, "reference", "references")+" dropped")
	}
	var errs []error
	if parts != nil {
		errs = append(errs, errors.New(strings.Join(parts, " and ")+" as invalid; everything else is imported"))
	}
	if c.Unsettled != nil {
		errs = append(errs, fmt.Errorf("%s may be missing, as the warning says; everything listed is imported: run the same command again", strings.Join(c.Unsettled, " and ")))
	}
	return errors.Join(errs...)
}

// progress shows how far the reading of one thing is, where a person looks on.
func (i *importing) progress(what string, done, total int64, bytes bool) {
	if total == 0 || !isTerminal(i.stderr) {
		return
	}
	if i.bar == nil || i.reading != what {
		i.endProgress()
		unit := progressbar.OptionShowCount()
		if bytes {
			unit = progressbar.OptionShowBytes(true)
		}
		i.bar, i.reading = progressbar.NewOptions64(total, unit,
			progressbar.OptionSetWriter(i.stderr), progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetDescription(fmt.Sprintf("%-24.24s", what)),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish()), what
	}
	i.bar.ChangeMax64(max(total, done))
	_ = i.bar.Set64(done) // a terminal that went away is no reason to stop
}

func (i *importing) endProgress() {
	if i.bar != nil {
		_ = i.bar.Finish()
		i.bar = nil
	}
}

// note prints a line beside the progress.
func (i *importing) note(sentence string) {
	if i.bar != nil {
		_ = i.bar.Clear()
	}
	fmt.Fprintln(i.stderr, sentence)
}
