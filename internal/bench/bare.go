package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// serveBare serves the recorded answers in the file at path: the least that a server
// in Go has to do. It runs in a process of its own, as the daemon does.
func serveBare(ctx context.Context, address, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	var answers []answer
	err = errors.Join(gob.NewDecoder(f).Decode(&answers), f.Close())
	if err != nil {
		return fmt.Errorf("read the answers %s: %w", path, err)
	}
	handlers := make(map[string]http.HandlerFunc, len(answers))
	for _, a := range answers {
		handlers[a.Path] = a.serve
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if serve := handlers[r.RequestURI]; serve != nil {
				serve(w, r)
				return
			}
			http.NotFound(w, r)
		}),
		ReadHeaderTimeout: 5 * time.Second, // as pkgmetad's
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serve writes the answer, or a 304 if the client has it.
func (a answer) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	known := a.File == "" && r.Header.Get("If-None-Match") == a.Header.Get("Etag")
	for name, values := range a.Header {
		if !known || name != "Content-Type" && name != "Content-Length" {
			h[name] = values
		}
	}
	switch {
	case known:
		w.WriteHeader(http.StatusNotModified)
	case a.File == "":
		_, _ = w.Write(a.Body) // an error means that the client has gone
	default:
		f, err := os.Open(a.File)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer f.Close()
		http.ServeContent(w, r, "", time.Time{}, f)
	}
}

// startBare starts the bare server in a process of its own.
func (b *bench) startBare(ctx context.Context, answers []answer) (*process, error) {
	path := b.path("answers.gob")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(gob.NewEncoder(f).Encode(answers), f.Close()); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := b.start(ctx, bare, address, b.path("bare.log"), nil, self, bareCommand, address, path)
	if err != nil {
		return nil, err
	}
	return p, p.waitFor(ctx, answers[0].Path)
}
