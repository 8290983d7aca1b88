package latejoin

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/prompt"
)

// rowKey is the content of a row.
type rowKey [sha256.Size]byte

// keyOf hashes ids; buf is reused.
func keyOf(ids []int32, buf *[]byte) rowKey {
	b := (*buf)[:0]
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	*buf = b
	return sha256.Sum256(b)
}

// cache holds the encoder's states of rows, up to a number of bytes. It is safe for concurrent use; a nil cache holds
// nothing.
//
// The least recently used rows go first, but a request never pushes out what it has used itself. So the first part of a text
// that is larger than the cache is still there for the next question on it, where plain recency would have lost all.
type cache struct {
	mu     sync.Mutex
	limit  int64
	used   int64 // reserved bytes included
	rows   map[rowKey]*list.Element
	recent list.List // of *cached, the last used first

	hits, misses int64

	// A request is known by its header. The last few are remembered, since several may be under way.
	headers [8]*prompt.Header
	orders  [8]int64 // of headers: the number of the request
	order   int64
}

type cached struct {
	key    rowKey
	states states
	order  int64 // of the last request that used the row
}

// overhead is about what a row costs beside its states, in bytes.
const overhead = 256

func newCache(limit int64) *cache {
	if limit <= 0 {
		return nil
	}
	return &cache{limit: limit, rows: map[rowKey]*list.Element{}}
}

// request is the number of the request that h belongs to. Later requests have higher numbers.
func (c *cache) request(h *prompt.Header) int64 {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := 0
	for i, known := range c.headers {
		if known == h {
			return c.orders[i]
		}
		if c.orders[i] < c.orders[oldest] {
			oldest = i
		}
	}
	c.order++
	c.headers[oldest], c.orders[oldest] = h, c.order
	return c.order
}

// stats are the figures of c; all zero for a nil cache.
func (c *cache) stats() critic.CacheStats {
	if c == nil {
		return critic.CacheStats{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return critic.CacheStats{Hits: c.hits, Misses: c.misses, Bytes: c.used}
}

// get returns the states of a row for a request.
func (c *cache) get(key rowKey, request int64) (states, bool) {
	if c == nil {
		return states{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.rows[key]
	if !ok {
		c.misses++
		return states{}, false
	}
	c.hits++
	row := el.Value.(*cached)
	row.order = max(row.order, request)
	c.recent.MoveToFront(el)
	return row.states, true
}

// reserve makes room for the states of a row and reports whether there is any. put must follow.
func (c *cache) reserve(size int64, request int64) bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if size += overhead; size > c.limit {
		return false
	}
	for c.used+size > c.limit {
		last := c.recent.Back()
		if last == nil || last.Value.(*cached).order >= request {
			return false
		}
		c.remove(last)
	}
	c.used += size
	return true
}

// put keeps the states of a row, for which room was reserved.
func (c *cache) put(key rowKey, s states, request int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.rows[key]; ok { // another worker was faster
		c.used -= s.bytes() + overhead
		return
	}
	c.rows[key] = c.recent.PushFront(&cached{key, s, request})
}

func (c *cache) remove(el *list.Element) {
	row := c.recent.Remove(el).(*cached)
	delete(c.rows, row.key)
	c.used -= row.states.bytes() + overhead
}
