package api

import (
	"bytes"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestFailuresAreToldInModeration: a store that is damaged fills no disk with the log of
// how often it was asked.
func TestFailuresAreToldInModeration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h, err := New(Options{Store: &fakeStore{err: errors.New("page 17 is garbage")}, Log: zerolog.New(&log)})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(times int, path string) {
			for range times {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				if w.Code != 500 {
					t.Fatalf("%s: %d", path, w.Code)
				}
			}
		}
		ask(1000, "/api/v4/packages/1/")
		if n := strings.Count(log.String(), `"error":"page 17 is garbage","method":"GET","path":"/api/v4/packages/1/"`); n != toldAMinute || strings.Contains(log.String(), "left_out") {
			t.Errorf("%d lines in a minute:\n%s", n, &log)
		}
		time.Sleep(time.Minute)
		log.Reset()
		ask(2, "/api/v4/grids/1/")
		if lines := strings.Split(strings.TrimSpace(log.String()), "\n"); len(lines) != 2 || !strings.Contains(lines[0], `"left_out":990`) || strings.Contains(lines[1], "left_out") {
			t.Errorf("after a minute:\n%s", &log)
		}
	})
}
