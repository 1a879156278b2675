package main

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSocketActivation: the daemon serves on the socket that it is started with, not
// on http.listen; by systemd's own tool, and by what that tool does.
func TestSocketActivation(t *testing.T) {
	folder := t.TempDir()
	config := filepath.Join(folder, "config.yaml")
	write(t, config, `
store: {path: test.db}
http: {listen: "127.0.0.1:1"} # a port that nobody may have
catalogue: {path: catalogue.yaml}
github: {base_url: "http://127.0.0.1:1/"}
pypi: {base_url: "http://127.0.0.1:1/"}
`)
	write(t, filepath.Join(folder, "catalogue.yaml"), "packages: [{slug: one}]\n")

	// serves runs a command that ends up as a daemon that serves on an address.
	serves := func(t *testing.T, address string, c *exec.Cmd) {
		t.Helper()
		stderr, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = c.Process.Signal(os.Interrupt)
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
		}()
		lines := bufio.NewScanner(stderr)
		if c.ExtraFiles == nil { // the tool listens once it says so, and starts the daemon at the first connection
			for lines.Scan() && !strings.Contains(lines.Text(), "Listening on") {
			}
		}
		resp, err := http.Get("http://" + address + "/api/v4/packages/one/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("it answers %s", resp.Status)
		}
		for lines.Scan() {
			if strings.Contains(lines.Text(), "the socket on "+address+" is systemd's") {
				return
			}
		}
		t.Error("it did not say whose socket it is")
	}

	t.Run("by hand", func(t *testing.T) {
		listener, file := passed(t)
		c := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, "pkgmetad", "serve", "--config", config)
		c.ExtraFiles = []*os.File{file} // descriptor 3
		serves(t, listener.Addr().String(), c)
	})
	t.Run("by systemd-socket-activate", func(t *testing.T) {
		tool, err := exec.LookPath("systemd-socket-activate")
		if err != nil {
			t.Skip("systemd-socket-activate is not installed: apt-get install systemd")
		}
		pkgmetad, err := exec.LookPath("pkgmetad") // of this test, see TestMain
		if err != nil {
			t.Fatal(err)
		}
		address, err := freeAddress()
		if err != nil {
			t.Fatal(err)
		}
		serves(t, address, exec.Command(tool, "--listen", address, pkgmetad, "serve", "--config", config))
	})
	t.Run("two at once", func(t *testing.T) {
		_, first := passed(t)
		_, second := passed(t)
		c := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" "$@"`, "pkgmetad", "serve", "--config", config)
		c.ExtraFiles = []*os.File{first, second}
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "systemd passed 2 sockets") {
			t.Errorf("two sockets: %v, %s", err, out)
		}
	})
}

// passed returns a listener and a descriptor of it for another process.
func passed(t *testing.T) (net.Listener, *os.File) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close(); _ = listener.Close() })
	return listener, file
}
