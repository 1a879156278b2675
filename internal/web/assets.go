package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// assetRoot is the path of the assets, below the prefix.
const assetRoot = "/static/"

var (
	//go:embed static/style.css
	styleSheet []byte
	//go:embed static/icon.svg
	iconImage []byte

	styleName = digested("style", "css", styleSheet)
	iconName  = digested("icon", "svg", iconImage)
)

// digested returns a file name with a digest of the content.
func digested(name, extension string, content []byte) string {
	sum := sha256.Sum256(content)
	return name + "-" + hex.EncodeToString(sum[:8]) + "." + extension
}

// IconPath is the path of the icon, below the prefix.
func IconPath() string { return assetRoot + iconName }

// Assets serves the files that pages refer to, below /static/. Their names contain
// a digest of the content, so they may be cached for ever.
func Assets() http.Handler {
	assets := map[string]struct {
		mediaType string
		content   []byte
	}{
		styleName: {"text/css; charset=utf-8", styleSheet},
		iconName:  {"image/svg+xml", iconImage},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _ := strings.CutPrefix(r.URL.Path, assetRoot)
		asset, ok := assets[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are answered here", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", asset.mediaType)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", Policy)
		h.Set("ETag", `"`+name+`"`)
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(asset.content))
	})
}

// Style and Icon are the addresses of the assets.
func (d templateData) Style() string { return d.Prefix + assetRoot + styleName }
func (d templateData) Icon() string  { return d.Prefix + assetRoot + iconName }
