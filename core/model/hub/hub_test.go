package hub

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const commit = "d67742a0000000000000000000000000000000ab"

// fakeHub serves one model.
type fakeHub struct {
	files    map[string][]byte
	lfs      map[string]bool
	requests []string // of files, with their ranges
	damage   string   // a file that is sent with another byte
	cut      string   // a file that is sent by half, once
	noRange  bool
}

func (h *fakeHub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/api/models/lab/critic/revision/main" {
		var files []map[string]any
		for name, data := range h.files {
			f := map[string]any{"rfilename": name, "size": len(data), "blobId": fmt.Sprintf("%x", sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...)))}
			if h.lfs[name] {
				f["lfs"] = map[string]any{"sha256": fmt.Sprintf("%x", sha256.Sum256(data)), "size": len(data)}
			}
			files = append(files, f)
		}
		json.NewEncoder(w).Encode(map[string]any{"sha": commit, "siblings": files})
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/lab/critic/resolve/"+commit+"/")
	data, known := h.files[name]
	if !ok || !known || r.Header.Get("Authorization") != "Bearer secret" {
		http.NotFound(w, r)
		return
	}
	h.requests = append(h.requests, strings.TrimSpace(name+" "+r.Header.Get("Range")))
	if name == h.damage {
		data = append(bytes.Clone(data[:len(data)-1]), 'x')
	}
	if name == h.cut {
		h.cut = ""
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		w.Write(data[:len(data)/2])
		return
	}
	if h.noRange {
		w.Write(data)
		return
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

func newHub() *fakeHub {
	return &fakeHub{
		files: map[string][]byte{
			"config.json": []byte(`{"model_type":"qwen2"}`), "tokenizer.json": []byte("{}"), "LICENSE": []byte("Apache"),
			"model-00001-of-00001.safetensors": bytes.Repeat([]byte("weights!"), 20_000),
			"README.md":                        []byte("no"), "pytorch_model.bin": []byte("no"), "sub/config.json": []byte("no"), "../../evil.json": []byte("no"),
		},
		lfs: map[string]bool{"model-00001-of-00001.safetensors": true},
	}
}

func pull(t *testing.T, h *fakeHub, dir string) error {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	got, err := Pull(t.Context(), "lab/critic", dir, &Options{Endpoint: server.URL, Token: "secret"})
	if err == nil && got != commit {
		t.Errorf("commit %s", got)
	}
	return err
}

func TestPull(t *testing.T) {
	h, dir := newHub(), filepath.Join(t.TempDir(), "critic")
	if err := pull(t, h, dir); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if data, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil || !bytes.Equal(data, h.files[e.Name()]) {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
	h.requests = nil // what is there is not fetched again
	if err := pull(t, h, dir); err != nil || len(h.requests) != 0 {
		t.Errorf("%v, %v", h.requests, err)
	}
}

// A connection that broke is gone on with where it broke, or from the start where the server cannot.
func TestPullResumes(t *testing.T) {
	const weights = "model-00001-of-00001.safetensors"
	for _, noRange := range []bool{false, true} {
		h, dir := newHub(), t.TempDir()
		h.cut, h.noRange = weights, noRange
		if err := pull(t, h, dir); err == nil {
			t.Fatal("half a file is taken for whole")
		}
		if _, err := os.Stat(filepath.Join(dir, weights)); err == nil {
			t.Error("half a file has the name of the whole")
		}
		if err := pull(t, h, dir); err != nil {
			t.Fatal(err)
		}
		if last := h.requests[len(h.requests)-1]; !noRange && !strings.Contains(strings.Join(h.requests, "|"), weights+" bytes=80000-") {
			t.Errorf("requests %v, the last %s", h.requests, last)
		}
		if data, _ := os.ReadFile(filepath.Join(dir, weights)); !bytes.Equal(data, h.files[weights]) {
			t.Error("the file is not what the hub has")
		}
	}
}

func TestPullChecksums(t *testing.T) {
	for _, name := range []string{"config.json", "model-00001-of-00001.safetensors"} {
		h, dir := newHub(), t.TempDir()
		h.damage = name
		if err := pull(t, h, dir); !errors.Is(err, ErrChecksum) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		h.damage = ""
		if err := pull(t, h, dir); err != nil {
			t.Errorf("%s, sent whole later: %v", name, err)
		}
	}
}

func TestPullRefuses(t *testing.T) {
	for _, id := range []string{"critic", "a/b/c", "../x", "a/..", "/x", "a/b?c", ""} {
		if _, err := Pull(t.Context(), id, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "owner/name") {
			t.Errorf("%q: %v", id, err)
		}
	}
	h := newHub()
	delete(h.files, "model-00001-of-00001.safetensors")
	if err := pull(t, h, t.TempDir()); err == nil || !strings.Contains(err.Error(), "safetensors") {
		t.Error(err)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := Pull(t.Context(), "lab/none", t.TempDir(), &Options{Endpoint: server.URL}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Pull(ctx, "lab/none", t.TempDir(), &Options{Endpoint: server.URL}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
