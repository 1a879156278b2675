package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAssets(t *testing.T) {
	h := Assets()
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	v := templateData{}
	for path, mediaType := range map[string]string{v.Style(): "text/css; charset=utf-8", v.Icon(): "image/svg+xml"} {
		w := ask("GET", path)
		if w.Code != http.StatusOK || w.Body.Len() == 0 || w.Header().Get("Content-Type") != mediaType ||
			w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if w := ask("HEAD", path); w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
		if w := ask("POST", path); w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
	for _, path := range []string{"/static/", "/static/style.css", "/static/../web.go"} {
		if w := ask("GET", path); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
}

// TestAssetsNeedNothing: the policy would keep it out.
func TestAssetsNeedNothing(t *testing.T) {
	for _, never := range []string{"url(", "@import", "@font-face", "//"} {
		if strings.Contains(string(styleSheet), never) {
			t.Errorf("the style sheet holds %s", never)
		}
	}
	for _, never := range []string{"<style", "style=", "<script", "href"} {
		if strings.Contains(string(iconImage), never) {
			t.Errorf("the icon holds %s", never)
		}
	}
}

func TestPagesReferToTheAssets(t *testing.T) {
	for name, page := range samples(t) {
		if !strings.Contains(page, `href="/facts`+(templateData{}).Style()+`"`) || !strings.Contains(page, `href="/facts`+(templateData{}).Icon()+`"`) {
			t.Errorf("%s does not refer to the assets", name)
		}
	}
}
