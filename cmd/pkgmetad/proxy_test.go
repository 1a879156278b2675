package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"pkgmetad/internal/sim"
)

// proxyName is the name under which README's proxies serve.
const proxyName = "packages.example.org"

// proxyAhead is the example in README of one proxy, and how it is made to run here.
type proxyAhead struct {
	program, language string
	replace           func(p *proxied) []string              // pairs of what stands in the example, and what is put there
	around            string                                 // of the rest of its configuration; %s is the example
	start             func(p *proxied, file string) []string // its command line
}

var proxiesAhead = []proxyAhead{
	{
		program: "nginx", language: "nginx",
		replace: func(p *proxied) []string {
			return []string{"listen 443 ssl;", "listen " + p.address + " ssl;"}
		},
		around: `daemon off;
pid nginx.pid;
error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path temp;
	proxy_temp_path temp;
	fastcgi_temp_path temp;
	uwsgi_temp_path temp;
	scgi_temp_path temp;
%s
}
`,
		start: func(p *proxied, file string) []string { return []string{"-p", p.folder, "-c", file, "-e", "stderr"} },
	},
	{
		program: "caddy", language: "caddyfile",
		replace: func(p *proxied) []string {
			return []string{proxyName + " {", "https://" + proxyName + p.address[strings.LastIndex(p.address, ":"):] + " {", "# tls ", "tls "}
		},
		around: "{\n\tadmin off\n\tauto_https disable_redirects\n}\n%s",
		start: func(_ *proxied, file string) []string {
			return []string{"run", "--config", file, "--adapter", "caddyfile"}
		},
	},
}

// TestReverseProxies: README's examples of proxies, in front of a daemon with README's
// configuration.
func TestReverseProxies(t *testing.T) {
	for _, ahead := range proxiesAhead {
		t.Run(ahead.program, func(t *testing.T) {
			p := startProxied(t, ahead, readmeBlock(t, ahead.language, proxyName))
			for _, test := range []struct {
				name string
				run  func(*proxied, *testing.T)
			}{
				{"links", (*proxied).links},
				{"validators", (*proxied).validators},
				{"codings", (*proxied).codings},
				{"clients", (*proxied).clients},
			} {
				t.Run(test.name, func(t *testing.T) { test.run(p, t) })
			}
		})
	}
}

// proxied is a daemon behind a proxy.
type proxied struct {
	folder  string
	config  string // the daemon's file
	daemon  string // the address it listens on, host:port
	address string // the proxy's
	sim     string // URL of the world
	log     lockedBuffer
	roots   *x509.CertPool
}

// startProxied starts a daemon, and the proxy in front of it, configured by an example of
// README. Both end with the test.
func startProxied(t *testing.T, ahead proxyAhead, example string) *proxied {
	t.Helper()
	program, err := exec.LookPath(ahead.program)
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/" + ahead.program) // often not in PATH
	}
	if err != nil {
		if os.Getenv(readmeVariable) == "required" {
			t.Fatalf("README's example needs %s: %v", ahead.program, err)
		}
		t.Skipf("README's example needs %s: %v", ahead.program, err)
	}
	p := &proxied{folder: t.TempDir(), roots: x509.NewCertPool()}
	for _, address := range []*string{&p.daemon, &p.address} {
		if *address, err = freeAddress(); err != nil {
			t.Fatal(err)
		}
	}
	p.startDaemon(t)
	replaced := append(ahead.replace(p), "127.0.0.1:8080", p.daemon, "/etc/ssl/", p.folder+"/")
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(example, replaced[i]) {
			t.Fatalf("README's example has no %q:\n%s", replaced[i], example)
		}
	}
	p.writeCertificate(t)
	p.write(t, "proxy.conf", fmt.Sprintf(ahead.around, strings.NewReplacer(replaced...).Replace(example)))
	cmd := exec.CommandContext(t.Context(), program, ahead.start(p, filepath.Join(p.folder, "proxy.conf"))...)
	cmd.Dir = p.folder
	cmd.Env = append(os.Environ(), "HOME="+p.folder, "XDG_DATA_HOME="+p.folder, "XDG_CONFIG_HOME="+p.folder)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var said lockedBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { <-ended }) // after the test's context
	p.await(t, "the proxy", func() error {
		select {
		case <-ended:
			t.Fatalf("the proxy ended:\n%s", said.String())
		default:
		}
		_, _, err := p.get("127.0.0.1", "/livez")
		return err
	})
	return p
}

// startDaemon runs a daemon with README's configuration for one behind a proxy.
func (p *proxied) startDaemon(t *testing.T) {
	t.Helper()
	world := demoWorld(sim.Options{})
	t.Cleanup(func() { world.Close() })
	upstreams, err := startSim("127.0.0.1:0", world)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { upstreams.stop() })
	p.sim = upstreams.url
	if err := writeCatalogue(filepath.Join(p.folder, "catalogue.yaml"), world); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GITHUB_TOKEN", "test")
	settings := strings.Replace(readmeBlock(t, "yaml", "trusted_proxies:"), "listen: 127.0.0.1:8080", "listen: "+p.daemon, 1)
	p.config = p.write(t, "config.yaml", settings+fmt.Sprintf(`  max_connections_per_address: 2
store: {path: test.db}
catalogue: {path: catalogue.yaml}
github: {base_url: %q}
pypi: {base_url: %[1]q, contact: test@example.org, rate: 0}
log: {format: json}
`, p.sim))
	p.run(t, "refresh", "--config", p.config, "--all")
	ended := make(chan int, 1)
	go func() { ended <- run(t.Context(), []string{"serve", "--config", p.config}, io.Discard, &p.log) }()
	t.Cleanup(func() {
		if code := <-ended; code != 0 {
			t.Errorf("the daemon ended with %d:\n%s", code, p.log.String())
		}
	})
	p.await(t, "the daemon", func() error {
		resp, err := http.Get("http://" + p.daemon + "/snapshot/packages.ndjson")
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	})
}

// run runs a command of the program, which must succeed.
func (p *proxied) run(t *testing.T, args ...string) {
	t.Helper()
	var out bytes.Buffer
	if code := run(t.Context(), args, &out, &out); code != 0 {
		t.Fatalf("pkgmetad %q ended with %d:\n%s", args, code, &out)
	}
}

func (p *proxied) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(p.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeCertificate writes a certificate that only the clients of this test trust.
func (p *proxied) writeCertificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: proxyName}, DNSNames: []string{proxyName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
	p.roots.AppendCertsFromPEM(text)
	p.write(t, proxyName+".crt", string(text))
	p.write(t, proxyName+".key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private})))
}

// await waits until check returns nil.
func (p *proxied) await(t *testing.T, what string, check func() error) {
	t.Helper()
	(&readmeDemo{}).await(t, what, check)
}

// get asks the proxy over HTTPS, as a client with an address of its own; headers are names
// and values.
func (p *proxied) get(from, path string, headers ...string) (*http.Response, []byte, error) {
	transport := &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: p.roots, ServerName: proxyName},
		ForceAttemptHTTP2:  true,
		DisableKeepAlives:  true,
		DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			return dialer.DialContext(ctx, network, p.address)
		},
	}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodGet, "https://"+proxyName+path, nil)
	if err != nil {
		return nil, nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: transport, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

// must is get with an answer of that status.
func (p *proxied) must(t *testing.T, status int, from, path string, headers ...string) (http.Header, []byte) {
	t.Helper()
	resp, body, err := p.get(from, path, headers...)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s: %s\n%s", path, resp.Status, body)
	}
	return resp.Header, body
}

func (p *proxied) links(t *testing.T) {
	_, body := p.must(t, 200, "127.0.0.1", "/api/v4/packages/?limit=2")
	if want := `"next":"https://` + proxyName + `/api/v4/packages/?limit=2`; !bytes.Contains(body, []byte(want)) {
		t.Errorf("no %s in\n%s", want, body)
	}
	header, _ := p.must(t, 301, "127.0.0.1", "/api/v4/packages")
	if to := header.Get("Location"); to != "/api/v4/packages/" && to != "https://"+proxyName+"/api/v4/packages/" {
		t.Errorf("it is redirected to %s", to)
	}
}

func (p *proxied) validators(t *testing.T) {
	for _, path := range []string{"/api/v4/packages/1609/", "/api/v3/packages/djorm-ext-pgfulltext/", "/snapshot/packages.ndjson"} {
		for _, coding := range []string{"identity", "gzip"} {
			header, _ := p.must(t, 200, "127.0.0.1", path, "Accept-Encoding", coding)
			p.must(t, 304, "127.0.0.1", path, "Accept-Encoding", coding, "If-None-Match", header.Get("ETag"))
		}
	}
	header, part := p.must(t, 206, "127.0.0.1", "/snapshot/packages.ndjson", "Range", "bytes=0-9")
	if len(part) != 10 || !strings.HasPrefix(header.Get("Content-Range"), "bytes 0-9/") {
		t.Errorf("a range of 10 bytes is %q, %s", part, header.Get("Content-Range"))
	}
}

func (p *proxied) codings(t *testing.T) {
	for _, test := range []struct{ path, coding string }{
		{"/api/v4/packages/?limit=100", "gzip"},
		{"/snapshot/packages.ndjson", "gzip"},
		{"/snapshot/packages.ndjson", "zstd"},
	} {
		_, plain := p.must(t, 200, "127.0.0.1", test.path)
		header, coded := p.must(t, 200, "127.0.0.1", test.path, "Accept-Encoding", test.coding)
		if got := header.Get("Content-Encoding"); got != test.coding {
			t.Fatalf("%s: asked for %s, the answer is %q", test.path, test.coding, got)
		}
		var decoded io.Reader
		var err error
		if test.coding == "gzip" {
			decoded, err = gzip.NewReader(bytes.NewReader(coded))
		} else {
			decoded, err = zstd.NewReader(bytes.NewReader(coded))
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(decoded); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s in %s is not what it is without: %v", test.path, test.coding, err)
		}
	}
}

// clients: two clients behind the proxy count apart, by addresses that they cannot forge, and
// a long poll is answered when something changes, and not before.
func (p *proxied) clients(t *testing.T) {
	header, _ := p.must(t, 200, "127.0.0.2", "/snapshot/packages.ndjson")
	waits := "/changes/?wait=60&since=" + header.Get("Pkgmetad-Sequence")
	var polls sync.WaitGroup
	for range 2 { // as many as one address may have
		polls.Go(func() {
			if resp, body, err := p.get("127.0.0.2", waits); err != nil || resp.StatusCode != 200 || !bytes.Contains(body, []byte(`"kind":"upsert"`)) {
				t.Errorf("a long poll: %v %v %s", err, resp, body)
			}
		})
	}
	forged := []string{"X-Forwarded-For", "127.0.0.9"}
	p.await(t, "the address is told that it has enough", func() error {
		resp, _, err := p.get("127.0.0.2", "/livez", forged...)
		if err != nil || resp.StatusCode == http.StatusTooManyRequests {
			return err
		}
		return errors.New(resp.Status)
	})
	p.must(t, 200, "127.0.0.3", "/livez?wait=other", forged...)

	resp, err := http.Post(p.sim+"_sim/advance?days=30", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	p.run(t, "refresh", "--config", p.config, "--all")
	polls.Wait()
	for _, line := range []string{
		`"remote":"127.0.0.2","method":"GET","path":"` + waits + `","status":200`,
		`"remote":"127.0.0.3","method":"GET","path":"/livez?wait=other","status":200`,
	} {
		p.await(t, "the log", func() error {
			if !strings.Contains(p.log.String(), line) {
				return fmt.Errorf("no %s", line)
			}
			return nil
		})
	}
}

// TestSwitchedProxy: by README's lines, nginx takes the API from a site and leaves it the rest.
func TestSwitchedProxy(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the site") }))
	defer site.Close()
	ahead := proxiesAhead[0]
	const everything = "proxy_pass http://pkgmetad;"
	example := readmeBlock(t, ahead.language, proxyName)
	if strings.Count(example, everything) != 1 {
		t.Fatalf("README's example does not have one %s", everything)
	}
	example = strings.Replace(example, everything, "proxy_pass "+site.URL+";", 1)
	end := strings.LastIndexByte(example, '}')
	p := startProxied(t, ahead, example[:end]+readmeBlock(t, ahead.language, "location /api/v3/")+example[end:])

	for _, path := range []string{"/", "/packages/p/djorm-ext-pgfulltext/", "/static/site.css", "/api/v1/"} {
		if _, body := p.must(t, 200, "127.0.0.1", path); string(body) != "the site" {
			t.Errorf("%s: %s", path, body)
		}
	}
	for _, path := range []string{"/api/v4/packages/1609/", "/api/v3/packages/djorm-ext-pgfulltext/", "/changes/?since=0&limit=1000", "/snapshot/packages.ndjson"} {
		if _, body := p.must(t, 200, "127.0.0.1", path); !bytes.Contains(body, []byte("djorm-ext-pgfulltext")) {
			t.Errorf("%s: %s", path, body)
		}
	}
	_, page := p.must(t, 200, "127.0.0.1", "/api/v4/packages/1609/", "Accept", "text/html")
	style := regexp.MustCompile(`"(?:https://` + proxyName + `)?(/static/style-[^"]+)"`).FindSubmatch(page)
	if style == nil {
		t.Fatalf("the page has no style:\n%s", page)
	}
	if header, _ := p.must(t, 200, "127.0.0.1", string(style[1])); !strings.HasPrefix(header.Get("Content-Type"), "text/css") {
		t.Errorf("%s is %s", style[1], header.Get("Content-Type"))
	}
}

// TestProxyWaitsForChanges: nginx cuts off an answer that begins later than it is told; the
// longest wait, and the time to send the answer, have to fit in.
func TestProxyWaitsForChanges(t *testing.T) {
	_, after, _ := strings.Cut(readmeBlock(t, "nginx", proxyName), "proxy_read_timeout ")
	limit, err := time.ParseDuration(after[:strings.IndexByte(after, ';')])
	if err != nil || limit < 90*time.Second {
		t.Errorf("proxy_read_timeout is %s, %v", limit, err)
	}
}

// readmeBlock returns the block of README in a language that contains a text.
func readmeBlock(t *testing.T, language, contains string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range blocksIn(string(readme), language) {
		if strings.Contains(block, contains) {
			return block
		}
	}
	t.Fatalf("README has no block of %s with %q", language, contains)
	return ""
}

// lockedBuffer is a buffer that is written while others read it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
