package latejoin

import (
	"testing"

	"github.com/cprs-go/cprs/core/critic"
	"github.com/cprs-go/cprs/core/prompt"
)

// key is a row of one id.
func key(id int32) rowKey {
	var buf []byte
	return keyOf([]int32{id}, &buf)
}

// use looks row id up for a request and stores it if it is not there.
func use(c *cache, id int32, request int64) (hit bool) {
	if _, ok := c.get(key(id), request); ok {
		return true
	}
	s := newStates(100, true)
	if c.reserve(s.bytes(), request) {
		c.put(key(id), s, request)
	}
	return false
}

const rowBytes = 200 + overhead

func TestCacheKeepsFirstPart(t *testing.T) {
	c := newCache(10 * rowBytes)
	for request := range int64(3) {
		hits := 0
		for id := range int32(25) { // a text two and a half times as large as the cache
			if use(c, id, request+1) {
				hits++
			}
		}
		if want := 10 * min(1, int(request)); hits != want {
			t.Errorf("request %d: %d hits, want %d", request, hits, want)
		}
	}
	for id := range int32(10) { // another text takes the room of the first
		use(c, 100+id, 9)
	}
	for id := range int32(10) {
		if !use(c, 100+id, 10) {
			t.Errorf("row %d of the second text is gone", id)
		}
	}
	if c.used != 10*rowBytes || len(c.rows) != 10 || c.recent.Len() != 10 {
		t.Errorf("%d bytes, %d rows, %d in the list", c.used, len(c.rows), c.recent.Len())
	}
	if got, want := c.stats(), (critic.CacheStats{Hits: 30, Misses: 65, Bytes: 10 * rowBytes}); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

func TestCacheForgetsLeastRecent(t *testing.T) {
	c := newCache(2 * rowBytes)
	use(c, 1, 1)
	use(c, 2, 1)
	use(c, 1, 2)
	use(c, 3, 3) // pushes out 2
	if _, ok := c.get(key(2), 3); ok {
		t.Error("2 is still there")
	}
	if _, ok := c.get(key(1), 3); !ok {
		t.Error("1 is gone")
	}
}

func TestCacheBounds(t *testing.T) {
	c := newCache(rowBytes - 1)
	if use(c, 1, 1); c.used != 0 || use(c, 1, 2) {
		t.Errorf("a row larger than the cache was kept: %d bytes", c.used)
	}
	c = newCache(rowBytes)
	s := newStates(100, true)
	if !c.reserve(s.bytes(), 1) || c.reserve(s.bytes(), 1) {
		t.Error("room for one row")
	}
	c.put(key(1), s, 1)
	c.reserve(s.bytes(), 2) // pushes it out
	c.put(key(1), s, 2)
	if c.used != rowBytes {
		t.Errorf("%d bytes", c.used)
	}
	c = newCache(3 * rowBytes)
	c.reserve(s.bytes(), 1)
	c.reserve(s.bytes(), 1) // two workers encode the same row
	c.put(key(1), s, 1)
	c.put(key(1), s, 1)
	if c.used != rowBytes || len(c.rows) != 1 {
		t.Errorf("%d bytes in %d rows", c.used, len(c.rows))
	}
	var off *cache
	if use(off, 1, off.request(nil)) || use(off, 1, 1) {
		t.Error("no cache gave a row")
	}
}

func TestCacheRequests(t *testing.T) {
	c := newCache(1)
	var hs [9]*prompt.Header
	for i := range hs {
		hs[i] = &prompt.Header{}
		if n := c.request(hs[i]); n != int64(i+1) {
			t.Errorf("header %d is request %d", i, n)
		}
	}
	for i := 1; i < len(hs); i++ { // several requests take turns
		if n := c.request(hs[i]); n != int64(i+1) {
			t.Errorf("header %d becomes request %d", i, n)
		}
	}
	if n := c.request(hs[0]); n != 10 {
		t.Errorf("a header of long ago is request %d", n)
	}
}

func TestStates(t *testing.T) {
	x := []float32{1, -2.5, 1e-3, 70000}
	for _, half := range []bool{false, true} {
		s := newStates(6, half)
		first := s.cut(4)
		first.set(x)
		got := make([]float32, 4)
		first.copyTo(got)
		if got[0] != 1 || got[1] != -2.5 || half == (got[2] == 1e-3) {
			t.Errorf("half %v: %v", half, got)
		}
		if size := map[bool]int64{false: 8, true: 4}[half]; s.bytes() != size || first.bytes() != 2*size {
			t.Errorf("half %v: %d and %d bytes", half, s.bytes(), first.bytes())
		}
	}
}
