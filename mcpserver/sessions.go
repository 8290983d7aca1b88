package mcpserver

import (
	"container/list"
	"crypto/rand"
	"errors"
	"sync"
	"time"
)

// mostSessions bounds the sessions that are known at a time.
const mostSessions = 10_000

// sessions knows the sessions of clients older than 2026-07-28, bounded in number and in time. mcp-go's own either accepts whatever
// looks like a session, ended ones too, or remembers every one for ever. It implements server.SessionIdManager.
type sessions struct {
	most int
	ttl  time.Duration

	mu     sync.Mutex
	byID   map[string]*list.Element
	recent *list.List // of *session, most recently used first
}

type session struct {
	id   string
	used time.Time
}

func newSessions(most int, ttl time.Duration) *sessions {
	return &sessions{most: most, ttl: ttl, byID: map[string]*list.Element{}, recent: list.New()}
}

var errNoSession = errors.New("there is no such session")

// Generate makes a session. The one that was not used for longest makes room.
func (s *sessions) Generate() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.recent.Len() > 0 && (s.recent.Len() >= s.most || s.expired(s.recent.Back())) {
		s.remove(s.recent.Back())
	}
	id := rand.Text()
	s.byID[id] = s.recent.PushFront(&session{id, time.Now()})
	return id
}

// Validate fails for a session that is not known or no longer.
func (s *sessions) Validate(id string) (terminated bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byID[id]
	if e != nil && s.expired(e) {
		s.remove(e)
		e = nil
	}
	if e == nil {
		return false, errNoSession
	}
	e.Value.(*session).used = time.Now()
	s.recent.MoveToFront(e)
	return false, nil
}

// Terminate ends a session.
func (s *sessions) Terminate(id string) (notAllowed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byID[id]; e != nil {
		s.remove(e)
	}
	return false, nil
}

func (s *sessions) expired(e *list.Element) bool { return time.Since(e.Value.(*session).used) > s.ttl }

func (s *sessions) remove(e *list.Element) {
	delete(s.byID, e.Value.(*session).id)
	s.recent.Remove(e)
}
