package config

import (
	"strings"
	"testing"
)

func TestCheckListen(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "", ":8080": "", "[::1]:0": "", "localhost:80": "", "host.example.org:80": "",
		"8080":                  `"8080" is a port without an address; write "127.0.0.1:8080" for this machine alone, or ":8080" for all its addresses`,
		"localhost":             `"localhost" has no port; write "localhost:8080"`,
		"10.0.0.1":              `"10.0.0.1" has no port; write "10.0.0.1:8080"`,
		"::1":                   `"::1" has no port; write "[::1]:8080"`,
		"":                      "is not an address to listen on; write host:port",
		"70000":                 "is not an address to listen on; write host:port",
		"http://127.0.0.1:8080": "is not an address to listen on; write host:port",
		"127.0.0.1:70000":       `"70000" is not a port from 0 to 65535; write host:port`,
		"a b:80":                `"a b" is not a host; write host:port`,
	} {
		err := CheckListen(address)
		if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", address, err, want)
		}
	}
}
