package prompt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/critic/critictest"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// words is "w1 w2 … wn" with the prefix given.
func words(prefix string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s%d ", prefix, i+1)
	}
	return b.String()
}

func ids(text string) []int32 {
	var e tokenizer.Encoding
	critictest.Tokenizer{}.Encode(&e, text)
	return e.IDs
}

// TestHeader goes around the constants: 62 ids of room, 24 ids of either end of a long query.
func TestHeader(t *testing.T) {
	p := critictest.Layout(256)
	tests := []struct {
		instruction, query int // words
		keptInst, keptAsk  int // of them
	}{
		{0, 5, 0, 5},
		{5, 0, 5, 0},
		{5, 6, 5, 6},
		{14, 48, 14, 48},
		{15, 48, 14, 48},
		{14, 49, 14, 48},
		{0, 62, 0, 62},
		{0, 63, 0, 48},
		{61, 0, 61, 0},
		{62, 0, 62, 0},
		{63, 0, 62, 0},
		{100, 10, 52, 10},
		{3, 500, 3, 48},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d+%d", tt.instruction, tt.query), func(t *testing.T) {
			inst, ask := words("i", tt.instruction), words("q", tt.query)
			h, err := p.Header(inst, ask)
			if err != nil {
				t.Fatal(err)
			}
			wantInst, wantAsk := ids(inst), ids(ask)
			if tt.query > tt.keptAsk {
				wantAsk = append(slices.Clone(wantAsk[:24]), wantAsk[len(wantAsk)-24:]...)
			}
			if tt.query == 0 && tt.instruction > tt.keptInst {
				wantInst = append(slices.Clone(wantInst[:31]), wantInst[len(wantInst)-31:]...)
			}
			want := slices.Concat([]int32{0}, wantInst[:tt.keptInst], wantAsk, []int32{1})
			if !slices.Equal(h.IDs, want) {
				t.Errorf("ids are %v, want %v", h.IDs, want)
			}
			if want := tt.instruction + tt.query - tt.keptInst - tt.keptAsk; h.Dropped != want {
				t.Errorf("%d ids dropped, want %d", h.Dropped, want)
			}
			for i, pooled := range h.Pool {
				isAsk := i > tt.keptInst && i < len(h.IDs)-1
				if want := tt.instruction == 0 || tt.query == 0 || isAsk; pooled != want {
					t.Errorf("position %d is pooled: %v, want %v", i, pooled, want)
				}
			}
		})
	}
}

func TestFrame(t *testing.T) {
	p := critictest.Layout(256)
	tests := []struct {
		title string
		want  []int32
	}{
		{"", []int32{0}},
		{" ", []int32{0}},
		{"Lease", slices.Concat([]int32{0}, ids("lease"), []int32{2})},
		{words("t", 8), slices.Concat([]int32{0}, ids(words("t", 8)), []int32{2})},
		{words("t", 9), slices.Concat([]int32{0}, ids(words("t", 8)), []int32{2})},
		{strings.Repeat("é", 80), slices.Concat([]int32{0}, ids(strings.Repeat("é", 80)), []int32{2})},
		{strings.Repeat("é", 81), slices.Concat([]int32{0}, ids(strings.Repeat("é", 80)), []int32{2})},
	}
	for _, tt := range tests {
		before, after := p.Frame(tt.title)
		if !slices.Equal(before, tt.want) || !slices.Equal(after, []int32{1}) {
			t.Errorf("frame of %q is %v, %v, want %v", tt.title, before, after, tt.want)
		}
	}
}

var _ prompt.Layout = (*prompt.Pair)(nil)
