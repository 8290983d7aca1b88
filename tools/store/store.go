// Package store keeps the originals of results behind handles, bounded by bytes and by time, in memory or in a file.
//
// A handle is 128 random bits in base32. It opens only to the principal that it was made for; anybody else learns no more than
// from a handle that never was. When space is needed, what was used least recently goes first. The package stands
// under tools, which hands the handles out.
package store

import (
	"container/list"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cprs-go/cprs/core"
)

// CodeExpiredHandle is the code of a handle whose originals are no longer kept.
const CodeExpiredHandle core.Code = "expired_handle"

// The defaults of Options.
const (
	DefaultMaxBytes = 128 << 20
	DefaultTTL      = time.Hour
)

// What is charged for a document beside its text and names, and how much is remembered of what is gone.
const (
	docBytes    = 256
	goneHandles = 1024
	goneSources = 8 // of each
)

// Options bound a store.
type Options struct {
	MaxBytes int64         // of all originals; 0: DefaultMaxBytes
	TTL      time.Duration // from when a result was made, or made again; 0: DefaultTTL
}

// Store keeps documents behind handles. It is safe for concurrent use.
type Store struct {
	opt  Options
	kept keeper

	mu        sync.Mutex
	entries   map[string]*entry // by handle
	byContent map[[sha256.Size]byte]*entry
	recent    *list.List // of *entry, most recently used first
	aging     *list.List // of *entry, first to expire first
	bytes     int64
	gone      map[string]*record // by handle
	goneOrder []string           // oldest first
}

// record is what is known of a handle beside its documents.
type record struct {
	Handle    string
	Principal string
	Content   [sha256.Size]byte
	Bytes     int64
	Expires   time.Time
	Sources   []string // ids of the documents, each once
}

type entry struct {
	record
	recent, aging *list.Element
}

// keeper holds the documents of the handles.
type keeper interface {
	save(r *record, docs []core.Document) error
	renew(r *record) error
	load(handle string) ([]core.Document, error)
	drop(handle string) error
	close() error
}

// New is a store in memory. Nil options are the defaults.
func New(opt *Options) *Store { return newStore(opt, memory{}) }

func newStore(opt *Options, kept keeper) *Store {
	s := &Store{
		kept: kept, entries: map[string]*entry{}, byContent: map[[sha256.Size]byte]*entry{},
		recent: list.New(), aging: list.New(), gone: map[string]*record{},
	}
	if opt != nil {
		s.opt = *opt
	}
	if s.opt.MaxBytes <= 0 {
		s.opt.MaxBytes = DefaultMaxBytes
	}
	if s.opt.TTL <= 0 {
		s.opt.TTL = DefaultTTL
	}
	return s
}

// TTL is how long a handle lasts.
func (s *Store) TTL() time.Duration { return s.opt.TTL }

// Put keeps docs, without their Meta, for principal. The same documents have the same handle while it lasts, and last
// anew. Documents that exceed the whole store are refused with a *core.Error.
func (s *Store) Put(principal string, docs []core.Document) (handle string, err error) {
	r := record{Principal: principal, Content: digest(principal, docs)}
	docs = slices.Clone(docs)
	seen := map[string]bool{}
	for i := range docs {
		docs[i].Meta = nil
		r.Bytes += int64(len(docs[i].Text)+len(docs[i].ID)+len(docs[i].Title)) + docBytes
		if id := docs[i].ID; !seen[id] {
			seen[id] = true
			r.Sources = append(r.Sources, id)
		}
	}
	if len(docs) == 0 {
		return "", &core.Error{Code: core.CodeInvalidArgument, Message: "there is no original to keep", Hint: "give at least one document"}
	}
	if r.Bytes > s.opt.MaxBytes {
		return "", &core.Error{Code: core.CodeTooLarge, Message: fmt.Sprintf("the originals take %d bytes, the store holds %d", r.Bytes, s.opt.MaxBytes),
			Hint: "send less text at once"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.expire(); err != nil {
		return "", err
	}
	r.Expires = time.Now().Add(s.opt.TTL)
	if e := s.byContent[r.Content]; e != nil {
		e.Expires = r.Expires
		s.recent.MoveToFront(e.recent)
		s.aging.MoveToBack(e.aging)
		return e.Handle, s.kept.renew(&e.record)
	}
	for s.bytes+r.Bytes > s.opt.MaxBytes {
		if err := s.remove(s.recent.Back().Value.(*entry)); err != nil {
			return "", err
		}
	}
	r.Handle = strings.ToLower(rand.Text())
	if err := s.kept.save(&r, docs); err != nil {
		return "", fmt.Errorf("keeping the originals of a result: %w", err)
	}
	s.add(r)
	return r.Handle, nil
}

// Get returns the documents behind a handle of principal. For one that never was, or is another's, the error is a
// *core.Error with CodeNotFound; for one that is no longer kept, with CodeExpiredHandle.
func (s *Store) Get(principal, handle string) ([]core.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(principal, handle)
	if err != nil {
		return nil, err
	}
	docs, err := s.kept.load(e.Handle)
	if err != nil {
		return nil, fmt.Errorf("reading the originals behind a handle: %w", err)
	}
	s.recent.MoveToFront(e.recent)
	return docs, nil
}

// Sources lists the ids of the documents behind a handle of principal, each once; the errors are those of Get.
func (s *Store) Sources(principal, handle string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.find(principal, handle)
	if err != nil {
		return nil, err
	}
	return slices.Clone(e.Sources), nil
}

// Handles lists the handles of principal, most recently used first.
func (s *Store) Handles(principal string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	now := time.Now()
	for el := s.recent.Front(); el != nil; el = el.Next() {
		if e := el.Value.(*entry); e.Principal == principal && now.Before(e.Expires) {
			out = append(out, e.Handle)
		}
	}
	return out
}

// Close releases the store. A store in memory forgets everything.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.close()
}

// find is the live entry of a handle.
func (s *Store) find(principal, handle string) (*entry, error) {
	if err := s.expire(); err != nil {
		return nil, err
	}
	handle = strings.ToLower(strings.TrimSpace(handle))
	if e := s.entries[handle]; e != nil && e.Principal == principal {
		return e, nil
	}
	if r := s.gone[handle]; r != nil && r.Principal == principal {
		return nil, &core.Error{Code: CodeExpiredHandle, Message: fmt.Sprintf("handle %q is no longer kept", handle),
			Hint: "it held " + strings.Join(r.Sources, ", ") + ": read that again"}
	}
	if len(handle) > 40 {
		handle = strings.ToValidUTF8(handle[:40], "") + "…"
	}
	return nil, &core.Error{Code: core.CodeNotFound, Message: fmt.Sprintf("there is no handle %q", handle),
		Hint: "copy it from an answer to the letter; those of long ago are forgotten"}
}

// add enters a handle whose documents are kept.
func (s *Store) add(r record) {
	e := &entry{record: r}
	e.recent, e.aging = s.recent.PushFront(e), s.aging.PushBack(e)
	s.entries[r.Handle], s.byContent[r.Content] = e, e
	s.bytes += r.Bytes
}

// expire removes what has expired.
func (s *Store) expire() error {
	now := time.Now()
	for s.aging.Len() > 0 {
		e := s.aging.Front().Value.(*entry)
		if now.Before(e.Expires) {
			return nil
		}
		if err := s.remove(e); err != nil {
			return err
		}
	}
	return nil
}

// remove drops the documents of e and remembers what they were.
func (s *Store) remove(e *entry) error {
	if err := s.kept.drop(e.Handle); err != nil {
		return fmt.Errorf("dropping originals: %w", err)
	}
	s.recent.Remove(e.recent)
	s.aging.Remove(e.aging)
	delete(s.entries, e.Handle)
	delete(s.byContent, e.Content)
	s.bytes -= e.Bytes
	s.bury(e.record)
	return nil
}

// bury remembers a handle that is gone.
func (s *Store) bury(r record) {
	if n := len(r.Sources); n > goneSources {
		r.Sources = append(slices.Clone(r.Sources[:goneSources]), fmt.Sprintf("%d more", n-goneSources))
	}
	s.gone[r.Handle] = &r
	s.goneOrder = append(s.goneOrder, r.Handle)
	if len(s.goneOrder) > goneHandles {
		delete(s.gone, s.goneOrder[0])
		s.goneOrder = s.goneOrder[1:]
	}
}

// digest names the documents of one principal.
func digest(principal string, docs []core.Document) [sha256.Size]byte {
	h := sha256.New()
	field := func(s string) {
		binary.Write(h, binary.LittleEndian, uint64(len(s)))
		io.WriteString(h, s)
	}
	field(principal)
	for i := range docs {
		field(docs[i].ID)
		field(docs[i].Title)
		field(docs[i].Text)
		binary.Write(h, binary.LittleEndian, uint64(docs[i].FirstLine))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// memory keeps documents in memory.
type memory map[string][]core.Document

func (m memory) save(r *record, docs []core.Document) error {
	m[r.Handle] = docs
	return nil
}
func (m memory) renew(*record) error                         { return nil }
func (m memory) load(handle string) ([]core.Document, error) { return slices.Clone(m[handle]), nil }
func (m memory) drop(handle string) error                    { delete(m, handle); return nil }
func (m memory) close() error                                { clear(m); return nil }
