package wordpiece

import (
	"errors"
	"fmt"
	"math/bits"
)

// trie holds the tokens of a vocabulary, byte by byte. Its edges lie in one open-addressing hash table; a node is the place of
// the edge that leads to it, so a step costs one look-up and there is nothing else to follow.
type trie struct {
	edges []edge // a power of two, never full
	shift int    // from a 32-bit hash to a place in edges
}

// node is a place in edges plus 2, so that no key is 0.
type node uint32

const (
	dead node = 0 // has no children
	root node = 1
)

// edge leads from its parent to a child by one byte. The zero edge is a free place.
type edge struct {
	key   uint32 // parent<<8 | byte
	token int32  // id of the token that ends at the child, plus 1; 0: none
}

// maxTrieBytes keeps every node, shifted by a byte, below 1<<32.
const maxTrieBytes = 1 << 22

// newTrie is an empty trie with room for tokens of size bytes in all.
func newTrie(size int) (*trie, error) {
	if size > maxTrieBytes {
		return nil, fmt.Errorf("its tokens have %d bytes, more than %d", size, maxTrieBytes)
	}
	log := bits.Len(uint(size + size/4))
	return &trie{edges: make([]edge, 1<<log), shift: 32 - log}, nil
}

// find is the place of the edge from n by b, or the free place where it belongs.
func (t *trie) find(n node, b byte) uint32 {
	key := uint32(n)<<8 | uint32(b)
	mask := uint32(len(t.edges) - 1)
	at := key * 0x9e3779b1 >> t.shift
	for ; t.edges[at&mask].key != key && t.edges[at&mask].key != 0; at++ {
	}
	return at & mask
}

// step goes from n by b. It returns the child, dead if there is none, and the token that ends there, plus 1.
func (t *trie) step(n node, b byte) (node, int32) {
	at := t.find(n, b)
	if e := t.edges[at]; e.key != 0 {
		return node(at + 2), e.token
	}
	return dead, 0
}

// add makes id the id of token.
func (t *trie) add(token string, id int32) error {
	if token == "" {
		return errors.New("a token is empty")
	}
	n, at := root, uint32(0)
	for i := range len(token) {
		at = t.find(n, token[i])
		t.edges[at].key = uint32(n)<<8 | uint32(token[i])
		n = node(at + 2)
	}
	if t.edges[at].token != 0 {
		return fmt.Errorf("token %q occurs twice", token)
	}
	t.edges[at].token = id + 1
	return nil
}

// walk is the node that s leads to, dead if there is none, and the token that ends there, plus 1.
func (t *trie) walk(s string) (node, int32) {
	n, token := root, int32(0)
	for i := 0; i < len(s) && n != dead; i++ {
		n, token = t.step(n, s[i])
	}
	return n, token
}
