package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cprs-go/cprs/core"
)

// each runs a test on a store of either kind, with a clock that stands still between sleeps.
func each(t *testing.T, opt *Options, test func(t *testing.T, s *Store)) {
	t.Run("memory", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, New(opt)) })
	})
	t.Run("file", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, filepath.Join(t.TempDir(), "store"), opt)
			defer s.Close()
			test(t, s)
		})
	})
}

func open(t *testing.T, path string, opt *Options) *Store {
	t.Helper()
	s, err := Open(path, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, principal string, docs ...core.Document) string {
	t.Helper()
	h, err := s.Put(principal, docs)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// sized is a document that is charged n bytes.
func sized(id string, n int) core.Document {
	return core.Document{ID: id, Text: strings.Repeat("x", n-docBytes-len(id))}
}

func code(err error) core.Code {
	var e *core.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestPutGet(t *testing.T) {
	each(t, nil, func(t *testing.T, s *Store) {
		docs := []core.Document{
			{ID: "a.md", Title: "A", Text: "one\r\n\x00two \xff\xfe", FirstLine: 7, Meta: map[string]any{"k": t}},
			{ID: "b.md"},
			{ID: "a.md", FirstLine: 20},
		}
		h := put(t, s, "ann", docs...)
		if len(h) != 26 || h != strings.ToLower(h) {
			t.Errorf("handle %q is not 128 bits of base32", h)
		}
		got, err := s.Get("ann", " "+strings.ToUpper(h)+"\n")
		docs[0].Meta = nil
		if err != nil || !reflect.DeepEqual(got, docs) {
			t.Errorf("got %+v, %v; want %+v", got, err, docs)
		}
		if ids, err := s.Sources("ann", h); err != nil || !reflect.DeepEqual(ids, []string{"a.md", "b.md"}) {
			t.Errorf("sources are %q, %v", ids, err)
		}
	})
}

func TestHandlesAreBoundToThePrincipal(t *testing.T) {
	each(t, nil, func(t *testing.T, s *Store) {
		doc := core.Document{ID: "a", Text: "secret"}
		ann, bob := put(t, s, "ann", doc), put(t, s, "bob", doc)
		if ann == bob {
			t.Error("two principals share a handle")
		}
		_, foreign := s.Get("bob", ann)
		_, unknown := s.Get("bob", strings.Repeat("a", 26))
		if code(foreign) != core.CodeNotFound || strings.ReplaceAll(foreign.Error(), ann, "") != strings.ReplaceAll(unknown.Error(), strings.Repeat("a", 26), "") {
			t.Errorf("another's handle: %v; no handle: %v", foreign, unknown)
		}
		time.Sleep(DefaultTTL)
		if _, err := s.Get("bob", ann); code(err) != core.CodeNotFound {
			t.Errorf("another's expired handle: %v", err)
		}
		if got := s.Handles("bob"); len(got) != 0 {
			t.Errorf("expired handles are listed: %q", got)
		}
	})
}

func TestEqualDocumentsShareAHandle(t *testing.T) {
	each(t, &Options{MaxBytes: 1000}, func(t *testing.T, s *Store) {
		a := put(t, s, "", sized("a", 600))
		time.Sleep(DefaultTTL - 1)
		if again := put(t, s, "", sized("a", 600)); again != a {
			t.Errorf("the same documents have handles %s and %s", a, again)
		}
		time.Sleep(DefaultTTL - 1) // counted from the second time
		if _, err := s.Get("", a); err != nil {
			t.Error(err)
		}
		line := sized("a", 600)
		line.FirstLine = 2
		if other := put(t, s, "", line); other == a {
			t.Error("other documents have the same handle")
		}
	})
}

func TestExpiry(t *testing.T) {
	each(t, &Options{TTL: time.Minute}, func(t *testing.T, s *Store) {
		h := put(t, s, "", core.Document{ID: "a.md"}, core.Document{ID: "b.md"})
		time.Sleep(time.Minute - 1)
		if _, err := s.Get("", h); err != nil {
			t.Errorf("one nanosecond before the end: %v", err)
		}
		time.Sleep(time.Nanosecond)
		_, err := s.Get("", h)
		var e *core.Error
		if !errors.As(err, &e) || e.Code != CodeExpiredHandle || !strings.Contains(e.Hint, "a.md, b.md") {
			t.Errorf("at the end: %v", err)
		}
		if s.bytes != 0 || len(s.byContent) != 0 || s.recent.Len() != 0 {
			t.Errorf("%d bytes are still kept", s.bytes)
		}
	})
}

func TestEviction(t *testing.T) {
	const most = 2000
	for _, over := range []int{-1, 0, 1} {
		each(t, &Options{MaxBytes: most}, func(t *testing.T, s *Store) {
			a, b := put(t, s, "", sized("a", 500)), put(t, s, "", sized("b", 500))
			if _, err := s.Get("", a); err != nil { // b is now the one used least recently
				t.Fatal(err)
			}
			c := put(t, s, "", sized("c", most-1000+over))
			want := []string{c, a, b}
			if over > 0 {
				want = []string{c, a}
			}
			if got := s.Handles(""); !reflect.DeepEqual(got, want) {
				t.Errorf("%+d bytes: %q are kept, want %q", over, got, want)
			}
			if _, err := s.Get("", b); over > 0 && code(err) != CodeExpiredHandle {
				t.Errorf("what was evicted: %v", err)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	each(t, &Options{MaxBytes: 1000}, func(t *testing.T, s *Store) {
		if _, err := s.Put("", nil); code(err) != core.CodeInvalidArgument {
			t.Errorf("no documents: %v", err)
		}
		a := put(t, s, "", sized("a", 1000))
		if _, err := s.Put("", []core.Document{sized("b", 1001)}); code(err) != core.CodeTooLarge {
			t.Errorf("one byte too large: %v", err)
		}
		if _, err := s.Get("", a); err != nil {
			t.Errorf("what was kept before: %v", err)
		}
	})
}

func TestWhatIsGoneIsForgottenInTheEnd(t *testing.T) {
	s := New(&Options{MaxBytes: 2*docBytes + 4})
	var first string
	for i := range goneHandles + 2 { // the last one is kept
		h := put(t, s, "", core.Document{ID: fmt.Sprint(i)}, core.Document{})
		if i == 0 {
			first = h
		}
		want := CodeExpiredHandle
		switch i {
		case 0:
			want = ""
		case goneHandles + 1:
			want = core.CodeNotFound
		}
		if _, err := s.Get("", first); code(err) != want {
			t.Fatalf("after %d more: %v, want %q", i, err, want)
		}
		if i > 0 {
			if _, err := s.Get("", h); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "store")
		s := open(t, path, nil)
		old := put(t, s, "", sized("old", 700))
		time.Sleep(DefaultTTL / 2)
		mid := put(t, s, "ann", sized("mid", 700))
		time.Sleep(time.Nanosecond)
		young := put(t, s, "", sized("young", 800))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, path, nil)
		if got := len(s.Handles("")); got != 2 {
			t.Errorf("%d handles survived, want 2", got)
		}
		if docs, err := s.Get("ann", mid); err != nil || !reflect.DeepEqual(docs, []core.Document{sized("mid", 700)}) {
			t.Errorf("after a restart: %d documents, %v", len(docs), err)
		}
		if again := put(t, s, "", sized("young", 800)); again != young {
			t.Error("the same documents have another handle after a restart")
		}
		s.Close()
		time.Sleep(DefaultTTL / 2)
		s = open(t, path, &Options{MaxBytes: 1400})
		defer s.Close()
		if _, err := s.Get("", old); code(err) != CodeExpiredHandle {
			t.Errorf("expired while the store was closed: %v", err)
		}
		if _, err := s.Get("ann", mid); code(err) != CodeExpiredHandle {
			t.Errorf("no room after a restart: %v", err)
		}
		if _, err := s.Get("", young); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "used"), nil)
	put(t, s, "", sized("a", 9000))
	whole, err := os.ReadFile(filepath.Join(dir, "used"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "used")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the store: %v, %v", info.Mode(), err)
	}
	for name, data := range map[string]string{"text": strings.Repeat("no database\n", 2000), "short": "x", "cut": string(whole[:100])} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"used", "text", "short", "cut", "no/such/folder"} {
		if s, err := Open(filepath.Join(dir, name), nil); code(err) != core.CodeUnreadable || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedFile overwrites the headers of pages: whatever the store then says, it does not panic.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := open(t, path, nil)
	h := put(t, s, "", sized("a", 9000), sized("b", 9000))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for i := range 24 {
		page := []int{0, 1, 2, 4, 5, 6, 7, 8}[i%8] // not the list of free pages: a wrong length there takes long to find out
		data := bytes.Clone(whole)
		for range 3 {
			data[page*os.Getpagesize()+r.IntN(40)] ^= byte(1 + r.IntN(255))
		}
		name := fmt.Sprint(path, i) // a name of its own: bbolt leaves the lock behind where it panics
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(name, nil)
		if err != nil {
			refused++
			continue
		}
		if _, err := s.Get("", h); err != nil {
			refused++
		}
		s.Put("", []core.Document{sized("c", 5000)})
		s.Close()
	}
	if refused == 0 {
		t.Error("no damage was found")
	}
}

func TestConcurrentUse(t *testing.T) {
	s := New(&Options{MaxBytes: 20_000})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			me := fmt.Sprint(w % 3)
			for i := range 200 {
				h, err := s.Put(me, []core.Document{sized(fmt.Sprint(i%40), 1000)})
				if err != nil {
					t.Error(err)
				}
				if docs, err := s.Get(me, h); err == nil && len(docs[0].Text)+len(docs[0].ID) != 1000-docBytes {
					t.Error("a handle opens to other documents")
				}
				s.Handles(me)
			}
		})
	}
	wg.Wait()
	if s.bytes > 20_000 || s.bytes != int64(s.recent.Len())*1000 {
		t.Errorf("%d bytes in %d entries", s.bytes, s.recent.Len())
	}
}
