package bpe

import "math/bits"

// shortWord is the most bytes of a word whose pairs are all looked at for every merge; a heap finds them for longer ones.
const shortWord = 48

// none is no rank.
const none = ^uint32(0)

// symbol is a token on its way: size bytes, in a list from the first to the last. Size 0: merged into another.
type symbol struct {
	id            int32
	size          int32
	before, after int32
	rank          uint32 // of the merge with the symbol after it, mergeShort only
	merged        int32  // what that merge gives
}

// mergeTable finds the rank and result of a merge by the ids of its halves: a hash table with open addressing.
type mergeTable struct {
	entries []mergeEntry
	shift   int
}

type mergeEntry struct {
	pair uint64 // plus 1; 0: free
	rank uint32
	id   int32
}

func newMergeTable(n int) mergeTable {
	log := bits.Len(uint(n + n/2))
	return mergeTable{make([]mergeEntry, 1<<log), 64 - log}
}

func pairOf(left, right int32) uint64 { return (uint64(uint32(left))<<32 | uint64(uint32(right))) + 1 }

// find is the entry of a pair, or the free one where it belongs.
func (m *mergeTable) find(pair uint64) *mergeEntry {
	mask := uint64(len(m.entries) - 1)
	for at := pair * 0x9e3779b97f4a7c15 >> m.shift; ; at++ {
		if e := &m.entries[at&mask]; e.pair == pair || e.pair == 0 {
			return e
		}
	}
}

// merge is the rank and result of a merge, none if there is no such merge.
func (m *mergeTable) merge(left, right int32) (rank uint32, id int32) {
	e := m.find(pairOf(left, right))
	if e.pair == 0 {
		return none, 0
	}
	return e.rank, e.id
}

// mergeShort merges s.symbols until no merge is left: always the one of the lowest rank, of several the leftmost.
func mergeShort(s *scratch, m *mergeTable) {
	all := s.symbols
	for i := range all {
		all[i].rank = none
		if i+1 < len(all) {
			all[i].rank, all[i].merged = m.merge(all[i].id, all[i+1].id)
		}
	}
	for len(all) > 1 {
		best := 0
		for i := range all {
			if all[i].rank < all[best].rank {
				best = i
			}
		}
		if all[best].rank == none {
			break
		}
		y := &all[best]
		y.id, y.size = y.merged, y.size+all[best+1].size
		all = append(all[:best+1], all[best+2:]...)
		for _, i := range []int{best - 1, best} {
			if i >= 0 {
				all[i].rank = none
				if i+1 < len(all) {
					all[i].rank, all[i].merged = m.merge(all[i].id, all[i+1].id)
				}
			}
		}
	}
	s.symbols = all
}

// candidate is a merge that was possible when it was found.
type candidate struct {
	rank        uint32
	at          int32 // the left half
	left, right int32 // their ids then
	id          int32
}

func (c candidate) less(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// mergeLong does the same in time n log n.
func mergeLong(s *scratch, m *mergeTable) {
	all := s.symbols
	s.queue = s.queue[:0]
	for i := range all[1:] {
		s.push(m, int32(i))
	}
	for len(s.queue) > 0 {
		c := s.pop()
		left := &all[c.at]
		if left.size == 0 || left.id != c.left || int(left.after) >= len(all) || all[left.after].id != c.right {
			continue
		}
		right := &all[left.after]
		left.id, left.size, left.after = c.id, left.size+right.size, right.after
		right.size, right.id = 0, -1
		if int(left.after) < len(all) {
			all[left.after].before = c.at
			s.push(m, c.at)
		}
		if left.before >= 0 {
			s.push(m, left.before)
		}
	}
}

// push adds the merge of the symbol at i with the one after it, if there is one.
func (s *scratch) push(m *mergeTable, i int32) {
	left, right := &s.symbols[i], &s.symbols[s.symbols[i].after]
	rank, id := m.merge(left.id, right.id)
	if rank == none {
		return
	}
	q := append(s.queue, candidate{rank, i, left.id, right.id, id})
	for at := len(q) - 1; at > 0; {
		up := (at - 1) / 2
		if !q[at].less(q[up]) {
			break
		}
		q[at], q[up] = q[up], q[at]
		at = up
	}
	s.queue = q
}

// pop takes the best candidate.
func (s *scratch) pop() candidate {
	q := s.queue
	best, last := q[0], len(q)-1
	q[0] = q[last]
	q = q[:last]
	for at := 0; ; {
		down := 2*at + 1
		if down+1 < len(q) && q[down+1].less(q[down]) {
			down++
		}
		if down >= len(q) || !q[down].less(q[at]) {
			break
		}
		q[at], q[down] = q[down], q[at]
		at = down
	}
	s.queue = q
	return best
}
