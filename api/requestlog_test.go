package api

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestRequestLog: each request is logged, without secrets that were sent by mistake.
func TestRequestLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.Handle("/", handler(t))
		mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(1500 * time.Millisecond)
			w.(io.ReaderFrom).ReadFrom(strings.NewReader("12345"))
		})
		mux.HandleFunc("/silent", func(http.ResponseWriter, *http.Request) {})
		mux.HandleFunc("/broken", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		var log strings.Builder
		l := newPipeListener()
		s := NewServer(ServerOptions{
			Handler: mux, Log: zerolog.New(&log), MaxConnections: 10, LogRequests: true,
			TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		})
		go s.Serve(l)
		for _, tt := range []struct {
			address, method, target, header string
			want                            string
		}{
			{"192.0.2.1", "GET", "/livez", "", `"remote":"192.0.2.1:1234","method":"GET","path":"/livez","status":200,"bytes":2,"duration_ms":0,`},
			{"192.0.2.1", "GET", "/api/v4/packages/?token=CANARY&limit=1&CANARY=1&offset=900", "", `"path":"/api/v4/packages/?limit=1&offset=900","status":200,`},
			{"192.0.2.1", "GET", "/api/v4/search/?q=a+b&CANARY&&=CANARY&q%3D=CANARY", "", `"path":"/api/v4/search/?q=a+b","status":200,"bytes":2,`},
			{"192.0.2.1", "GET", "/nothing/?format=json", "Authorization: CANARY", `"path":"/nothing/?format=json","status":404,`},
			{"192.0.2.1", "HEAD", "/api/v4/packages/1609/", "Cookie: CANARY", `"method":"HEAD","path":"/api/v4/packages/1609/","status":200,"bytes":0,`},
			{"192.0.2.1", "GET", "/slow", "", `"path":"/slow","status":200,"bytes":5,"duration_ms":1500,`},
			{"192.0.2.1", "GET", "/silent", "", `"path":"/silent","status":200,"bytes":0,`},
			{"192.0.2.1", "GET", "/broken", "", `"path":"/broken","status":0,"bytes":0,`},
			{"10.0.0.1", "GET", "/livez", "X-Forwarded-For: 203.0.113.5", `"remote":"203.0.113.5",`},
			{"192.0.2.1", "GET", "/livez", "X-Forwarded-For: 203.0.113.5", `"remote":"192.0.2.1:1234",`},
		} {
			log.Reset()
			conn := l.dialFrom(tt.address)
			fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Other: 1\r\n%s\r\n\r\n", tt.method, tt.target, cmp.Or(tt.header, "X-Other: 2"))
			io.Copy(io.Discard, bufio.NewReader(conn))
			synctest.Wait()
			said := log.String()
			if !strings.Contains(said, tt.want) || strings.Count(said, "\n") != 1 || !strings.Contains(said, `"level":"info"`) || !json.Valid([]byte(said)) {
				t.Errorf("%s: the log is\n%swant %s", tt.target, said, tt.want)
			}
			if strings.Contains(said, "CANARY") {
				t.Errorf("%s: the log tells more than it may: %s", tt.target, said)
			}
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestNoRequestLog: there is none unless it is asked for.
func TestNoRequestLog(t *testing.T) {
	inCrowd(t, ServerOptions{MaxConnections: 10}, func(t *testing.T, c crowd, release chan struct{}) {
		if got := c.ask(c.l.dial(), "/livez"); got != 200 || c.log.Len() != 0 {
			t.Errorf("%d, logged:\n%s", got, c.log)
		}
		close(release)
	})
}
