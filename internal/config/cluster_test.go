package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pkgmetad/internal/strict/stricttest"
)

const clusterSecret = "0123456789abcdef"

// loadCluster loads a configuration with the section, in which SECRET is the path of a
// file that holds clusterSecret.
func loadCluster(t *testing.T, section string, env map[string]string) (*Config, error) {
	t.Helper()
	section = strings.ReplaceAll(section, "SECRET", stricttest.WriteFile(t, "secret", clusterSecret))
	text := leastConfig + "http: {public_url: \"https://packages.example.org\"}\ncluster: " + section + "\n"
	return Load(stricttest.WriteFile(t, "c.yaml", text), func(name string) string { return env[name] })
}

func TestClusterRoles(t *testing.T) {
	const three = "servers: {a: 127.0.0.1:1, b: 127.0.0.1:2, c: 127.0.0.1:3}, secret_file: SECRET"
	for _, tt := range []struct {
		section string
		member  bool
		role    string
	}{
		{"{name: b, " + three + "}", true, "this host is b, one of the servers of its cluster (a, b, c)"},
		{"{name: B, " + three + "}", false, "this host is B, which only connects to the servers of its cluster (a, b, c)"},
		{"{name: a, url: [tls://nats.example.org]}", false, "this host is a, which connects to a cluster that is run elsewhere"},
	} {
		cfg, err := loadCluster(t, tt.section, nil)
		if err != nil || cfg.Warnings != nil {
			t.Errorf("%s: %v, %q", tt.section, err, cfg.Warnings)
			continue
		}
		if cl := &cfg.Cluster; !cl.Enabled() || cl.Member() != tt.member || cl.Role() != tt.role {
			t.Errorf("%s: enabled %t, member %t, %q", tt.section, cl.Enabled(), cl.Member(), cl.Role())
		}
		if err := cfg.Cluster.Ready(); err != nil {
			t.Errorf("%s: %v", tt.section, err)
		}
	}
}

// TestNoCluster: an empty section, as config.example.yaml has it, is none.
func TestNoCluster(t *testing.T) {
	for _, section := range []string{"", "{}", "{name: \"\", servers: {}, secret_file: \"\", tls: {cert: \"\", key: \"\", ca: \"\"}, url: []}"} {
		cfg, err := Load(stricttest.WriteFile(t, "c.yaml", leastConfig+"cluster: "+section+"\n"), nil)
		if err != nil || cfg.Cluster.Enabled() || cfg.Cluster.Member() || cfg.Cluster.Name != "" || cfg.Cluster.Ready() != nil {
			t.Errorf("%q: %v, %+v", section, err, cfg.Cluster)
		}
	}
}

func TestClusterNameIsThatOfTheMachine(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want, _, _ := strings.Cut(host, ".")
	cfg, err := loadCluster(t, "{url: [tls://nats.example.org]}", nil)
	if !hostLabel.MatchString(want) {
		if err == nil || !strings.Contains(err.Error(), "cluster.name") {
			t.Errorf("the machine is called %q, which is no name for a host: %v", host, err)
		}
		return
	}
	if err != nil || cfg.Cluster.Name != want {
		t.Errorf("the name is %q, not %q; error %v", cfg.Cluster.Name, want, err)
	}
}

func TestNumberOfServers(t *testing.T) {
	for n, want := range []string{1: "", 2: "two servers survive the loss of neither", 3: "", 4: "4 servers survive the loss of no more than 3 do, 1", 5: "", 6: "6 servers survive the loss of no more than 5 do, 2", 7: "7 servers are more than are of use"} {
		if n == 0 {
			continue
		}
		var servers []string
		for i := range n {
			servers = append(servers, fmt.Sprintf("h%d: 127.0.0.1:%d", i, i+1))
		}
		cfg, err := loadCluster(t, "{name: a, secret_file: SECRET, servers: {"+strings.Join(servers, ", ")+"}}", nil)
		got := strings.Join(cfg.Warnings, "\n")
		if err != nil || !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%d: %v, %s", n, err, got)
		}
	}
}

func TestReadHost(t *testing.T) {
	for workers, want := range map[string]bool{"0": true, "256": true, "-1": false, "257": false} {
		text := leastConfig + "http: {public_url: \"https://packages.example.org\"}\ncluster: {name: a, url: [tls://nats.example.org]}\nrefresh: {workers: " + workers + "}\n"
		cfg, err := Load(stricttest.WriteFile(t, "c.yaml", text), nil)
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "a value from 0 to 256") {
			t.Errorf("%s: %v, %d", workers, err, cfg.Refresh.Workers)
		}
	}
}

func TestClusterSecret(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"good": " " + clusterSecret + "\n", "short": "CANARY012345678\n", "lines": "CANARY0123456789\nCANARY", "own/cluster-secret": "from-a-credential", "bad/cluster-secret": "CANARY", "none/x": ""} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		file, credentials string
		secret            string
		ready             bool
		problem, warning  string
	}{
		{file: "good", credentials: "own", secret: clusterSecret, ready: true},
		{credentials: "own", secret: "from-a-credential", ready: true},
		{file: "$CREDENTIALS_DIRECTORY/cluster-secret", credentials: "own", secret: "from-a-credential", ready: true},
		{warning: "cluster.secret_file: the secret that all hosts of the cluster know is not here; write"}, // a command beside the service
		{file: "$CREDENTIALS_DIRECTORY/cluster-secret", warning: "there is no $CREDENTIALS_DIRECTORY here"},
		{credentials: "none", problem: ":6:60: cluster.secret_file: the secret that all hosts of the cluster know is not here; write"},
		{credentials: "bad", problem: "$CREDENTIALS_DIRECTORY/cluster-secret: what it holds has 6 characters, less than 16"},
		{file: "short", problem: ":6:60: cluster.secret_file: what it holds has 15 characters"},
		{file: "lines", problem: "has more than one line"},
		{file: "missing.secret", problem: "cannot be opened: no such file"},
	} {
		env := map[string]string{}
		if tt.credentials != "" {
			env["CREDENTIALS_DIRECTORY"] = filepath.Join(folder, tt.credentials)
		}
		file := tt.file
		if file != "" && !strings.HasPrefix(file, "$") {
			file = filepath.Join(folder, file)
		}
		cfg, err := loadCluster(t, "{name: a, servers: {a: 127.0.0.1:1}, secret_file: \""+file+"\"}", env)
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) || strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%+v: %v", tt, err)
			}
			continue
		}
		got := strings.Join(cfg.Warnings, "\n")
		if err != nil || cfg.Cluster.Secret.Reveal() != tt.secret || !strings.Contains(got, tt.warning) || (got == "") != (tt.warning == "") {
			t.Errorf("%+v: %v, %q, %s", tt, err, cfg.Cluster.Secret.Reveal(), got)
		}
		if err := cfg.Cluster.Ready(); (err == nil) != tt.ready || err != nil && !strings.Contains(err.Error(), "/etc/credstore/pkgmetad.cluster-secret") {
			t.Errorf("%+v: ready: %v", tt, err)
		}
	}
}

// TestClusterURLIsNotShown: it may hold a password.
func TestClusterURLIsNotShown(t *testing.T) {
	const address = "nats://CANARY:CANARY@127.0.0.1:4222"
	cfg, err := loadCluster(t, "{name: a, url: [\""+address+"\", \"tls://[::1]/\"]}", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Cluster.URL[0].Reveal(); got != address {
		t.Errorf("the URL is %s", got)
	}
	for _, shown := range []string{fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg.Cluster), cfg.Cluster.Role(), strings.Join(cfg.Warnings, "")} {
		if strings.Contains(shown, "CANARY") {
			t.Errorf("shown: %s", shown)
		}
	}
}

func TestKeptDeletionsInACluster(t *testing.T) {
	for keep, want := range map[string]bool{"720h": false, "48h": true} {
		text := "store: {path: p.db, keep_deletions: " + keep + "}\ncatalogue: {path: c.yaml}\nhttp: {public_url: \"https://packages.example.org\"}\ncluster: {name: a, url: [tls://nats.example.org]}\n"
		cfg, err := Load(stricttest.WriteFile(t, "c.yaml", text), nil)
		if err != nil || strings.Contains(strings.Join(cfg.Warnings, "\n"), "store.keep_deletions: has no effect") != want {
			t.Errorf("%s: %v, %q", keep, err, cfg.Warnings)
		}
	}
}

// TestServerIsNotAlsoHTTP: this host cannot listen twice at one port; of another one nothing is
// known.
func TestServerIsNotAlsoHTTP(t *testing.T) {
	for _, tt := range []struct{ listen, admin, server, problem string }{
		{"127.0.0.1:8081", "", "127.0.0.1:8081", "cluster.servers.a: collides with http.listen: this host listens on port 8081, and on 9081"},
		{"localhost:9081", "", "127.0.0.1:8081", "cluster.servers.a: collides with http.listen"},
		{":8081", "", "127.0.0.1:8081", "cluster.servers.a: collides with http.listen"},
		{"127.0.0.1:80", "127.0.0.1:9081", "127.0.0.1:8081", "cluster.servers.a: collides with http.admin_listen"},
		{"127.0.0.2:8081", "", "127.0.0.1:8081", ""},
		{"127.0.0.1:6223", "", "127.0.0.1:8081", ""}, // b's, which may be on another machine
	} {
		text := leastConfig + "http: {public_url: \"https://packages.example.org\", listen: \"" + tt.listen + "\", admin_listen: \"" + tt.admin + "\"}\n" +
			"cluster: {name: a, servers: {a: \"" + tt.server + "\", b: \"127.0.0.1:6223\", c: \"127.0.0.1:6224\"}}\n"
		_, err := Load(stricttest.WriteFile(t, "c.yaml", text), nil)
		if (err != nil) != (tt.problem != "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}
