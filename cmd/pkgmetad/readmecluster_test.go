package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"pkgmetad/internal/daemon"
)

// threeHosts is the example of three hosts on one machine.
func threeHosts(d *readmeDemo, block string) error {
	ports, err := consecutive("127.0.0.1:0", 4)
	if err != nil {
		return err
	}
	var replace []string
	for i, port := range []string{"9000", "8081", "8082", "8083"} {
		_, free, err := net.SplitHostPort(ports[i])
		if err != nil {
			return err
		}
		replace = append(replace, port, free)
	}
	servers, err := daemon.LoopbackServers([]string{"127.0.0.1:6222", "127.0.0.1:6223", "127.0.0.1:6224"})
	if err != nil {
		return err
	}
	for address, free := range servers {
		replace = append(replace, address, free)
	}
	script := strings.NewReplacer(replace...).Replace(block)
	// What is wrong at first, on a slow machine, is nothing to stop at.
	script = strings.Replace(script, "pkgmetad status -c c/config.yaml ", "pkgmetad status -c c/config.yaml || true", 1)
	// Whatever fails, nothing goes on running.
	script = "trap 'kill $(cat sim.pid ?/pid) 2>/dev/null || true; wait' EXIT\n" + script
	ctx, cancel := context.WithTimeout(d.ctx, 2*time.Minute)
	defer cancel()
	cmd := d.shell(ctx, script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	sums := regexp.MustCompile(`(?m)^[0-9a-f]{64}`).FindAllString(string(out), -1)
	if len(sums) != 3 || sums[0] != sums[1] || sums[0] != sums[2] {
		return fmt.Errorf("the hosts do not serve the same:\n%s", out)
	}
	if !strings.Contains(string(out), `"djorm-ext-pgfulltext"`) || !regexp.MustCompile(`(?m)^host b `).Match(out) {
		return fmt.Errorf("the others do not serve, or the status does not list the hosts:\n%s", out)
	}
	return nil
}

// certificates is the example that makes the certificates of three machines, which have to
// fit README's configuration. Here the machines are three addresses of this one.
func certificates(d *readmeDemo, block string) error {
	here := strings.NewReplacer("10.0.0.", "127.0.0.")
	if _, err := d.output(here.Replace(block)); err != nil {
		return err
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		return err
	}
	settings := ""
	for _, b := range blocksIn(string(readme), "yaml") {
		if strings.Contains(b, "cluster-key") {
			settings = here.Replace(b)
		}
	}
	if err := os.WriteFile(filepath.Join(d.folder, "catalogue.yaml"), []byte("packages: [{slug: one}]\n"), 0o600); err != nil {
		return err
	}
	var errs []error
	for i, name := range []string{"a", "b", "c"} {
		own := strings.NewReplacer("name: a", "name: "+name, "cert: a.crt", "cert: "+name+".crt", "listen: 127.0.0.1:", "listen: 127.0.0."+strconv.Itoa(i+1)+":")
		config := own.Replace(settings) + "store: {path: x.db}\ncatalogue: {path: catalogue.yaml}\npypi: {contact: me@example.org}\n"
		if err := os.WriteFile(filepath.Join(d.folder, "config.yaml"), []byte(config), 0o600); err != nil {
			return err
		}
		out, err := d.output(fmt.Sprintf("mkdir credentials; cp %s.key credentials/cluster-key; cp cluster.secret credentials/cluster-secret\n", name) +
			"GITHUB_TOKEN=test CREDENTIALS_DIRECTORY=$PWD/credentials pkgmetad config check -c config.yaml 2>&1; rm -r credentials")
		if err == nil && (!strings.Contains(out, "this host is "+name+", one of the servers") || strings.Contains(out, "warning")) {
			err = fmt.Errorf("host %s: %s", name, out)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
