package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// newManCommand is for packaging/release. What help says is laid out already, so the
// pages show it as it stands; cobra's own generator would fill its lines anew.
func newManCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Short:  "Write the man pages, one for each command",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return failed(exitFailed, writeManPages(cmd.Root(), args[0]))
		},
	}
}

func writeManPages(cmd *cobra.Command, folder string) error {
	if err := os.WriteFile(filepath.Join(folder, manName(cmd)+".1"), []byte(manPage(cmd)), 0o644); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			if err := writeManPages(sub, folder); err != nil {
				return err
			}
		}
	}
	return nil
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage returns the page of a command, in the language of man(7).
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	asIs := func(section, text string) {
		if text = strings.Trim(text, "\n"); text != "" {
			fmt.Fprintf(&b, ".SH %s\n.nf\n%s\n.fi\n", section, roff(text))
		}
	}
	date := ""
	if _, day := revision(); len(day) > len("2006-01-02") && day[4] == '-' {
		date = day[:len("2006-01-02")]
	}
	fmt.Fprintf(&b, ".TH %s 1 %q %q pkgmetad\n", strings.ToUpper(roff(manName(cmd))), date, "pkgmetad "+version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(cmd)), roff(cmd.Short))
	asIs("SYNOPSIS", cmd.UseLine())
	asIs("DESCRIPTION", cmp.Or(cmd.Long, cmd.Short+"."))
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	asIs("OPTIONS", cmd.LocalFlags().FlagUsagesWrapped(72))
	asIs("EXAMPLES", cmd.Example)

	others := []*cobra.Command{}
	if cmd.HasParent() {
		others = append(others, cmd.Parent())
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			others = append(others, sub)
		}
	}
	b.WriteString(".SH SEE ALSO\n")
	for i, other := range others {
		end := ","
		if i == len(others)-1 {
			end = ""
		}
		fmt.Fprintf(&b, ".BR %s (1)%s\n", roff(manName(other)), end)
	}
	return b.String()
}

// roff escapes what man(7) would take for its own.
func roff(text string) string {
	lines := strings.Split(strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
