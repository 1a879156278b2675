package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// nginxConfig serves files at the paths of the API: a package from the file "body" in
// the folder of its path, a page from a file named after its query.
const nginxConfig = `%s
daemon off;
worker_processes auto;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	keepalive_timeout 120s;
	keepalive_requests 1000000;
	open_file_cache max=10000 inactive=10m;
	open_file_cache_valid 10m;
	default_type application/json;
	client_body_temp_path temp;
	proxy_temp_path temp;
	fastcgi_temp_path temp;
	uwsgi_temp_path temp;
	scgi_temp_path temp;
	server {
		listen %s;
		root %q;
		location /api/v4/packages/ { try_files ${uri}body =404; }
		location = /api/v4/packages/ { try_files /pages/$arg_limit-$arg_offset =404; }
		location /snapshot/ { default_type application/x-ndjson; gzip_static on; }
	}
}
`

// startNginx starts nginx with files of the same bytes; it returns nil if nginx is
// not installed.
func (b *bench) startNginx(ctx context.Context, answers []answer, snapshot string) (*process, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx" // often not in PATH
	}
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	folder, root := b.path("nginx"), b.path("nginx/files")
	if err := writeFiles(folder, root, answers, snapshot); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // so that the workers can read the files
	}
	config := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, nginxConfig, user, address, root), 0o600); err != nil {
		return nil, err
	}
	p, err := b.start(ctx, nginx, address, b.path("nginx.log"), nil, program, "-p", folder, "-c", config, "-e", "stderr")
	if err != nil {
		return nil, err
	}
	return p, p.waitFor(ctx, strings.SplitN(answers[0].Path, "?", 2)[0])
}

// writeFiles fills the folder of nginx and, below it, root, the folder of the files
// that it serves.
func writeFiles(folder, root string, answers []answer, snapshot string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	for _, dir := range []string{"temp", "files/pages", "files/snapshot"} {
		if err := os.MkdirAll(filepath.Join(folder, dir), 0o700); err != nil {
			return err
		}
	}
	for _, a := range answers {
		if a.File != "" {
			continue
		}
		u, err := url.Parse(a.Path)
		if err != nil {
			return err
		}
		name := filepath.Join(root, u.Path, "body")
		if u.RawQuery != "" {
			name = filepath.Join(root, "pages", u.Query().Get("limit")+"-"+u.Query().Get("offset"))
		}
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(name, a.Body, 0o600); err != nil {
			return err
		}
	}
	for _, suffix := range []string{"", ".gz"} { // links, so that the page cache holds the files once
		if err := os.Link(snapshot+suffix, filepath.Join(root, snapshotPath)+suffix); err != nil {
			return err
		}
	}
	return nil
}
