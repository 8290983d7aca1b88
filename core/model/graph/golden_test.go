package graph

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/gomlx/compute"

	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/unit"
	"github.com/cprs-go/cprs/core/window"
)

// golden is one case of goldens.json: what the reference program makes of one window.
type golden struct {
	Unit       int          `json:"unit"`
	Header     []int32      `json:"header_ids"`
	Pool       []int        `json:"pool_mask"`
	Context    []int32      `json:"context_ids"`
	Match      []int32      `json:"match"`
	Similarity []float32    `json:"similarity"`
	Tags       [][4]float32 `json:"tag_logits"`
	Relevance  float32      `json:"relevance_logit"`
}

// trained is the folder of the trained critic; without it the test is skipped.
func trained(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "shared", "critic"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip(err)
	}
	return dir
}

// openTrained is the trained critic on a backend.
func openTrained(t testing.TB, b compute.Backend, opts *Options) *Critic {
	t.Helper()
	ckpt, err := checkpoint.Open(trained(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	c, err := Open(ckpt, b, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestGoldens(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(trained(t), "goldens.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	units := []unit.Unit{unit.Phrase, unit.Sentence, unit.Paragraph, unit.Line}
	onBackends(t, func(t *testing.T, b compute.Backend) {
		c := openTrained(t, b, nil)
		for i, g := range cases {
			if b.Name() != "xla" && len(g.Context) > windowStep {
				continue // pure Go takes its time
			}
			h := &prompt.Header{IDs: g.Header}
			for _, p := range g.Pool {
				h.Pool = append(h.Pool, p != 0)
			}
			groups, err := c.group([]window.Window{{Header: h, Unit: units[g.Unit], IDs: g.Context}})
			if err != nil {
				t.Fatal(err)
			}
			q, r := groups[0].question, groups[0].rows[0]
			if err := c.ask(q); err != nil {
				t.Fatal(err)
			}
			defer q.free()
			for p, m := range g.Match {
				if r.segments[p] != m {
					t.Errorf("case %d: token %d is segment %d, want %d", i, p, r.segments[p], m)
				}
			}
			got, err := c.run(q, []*row{r})
			if err != nil {
				t.Fatal(err)
			}
			most := math.Abs(float64(got.relevance[0] - g.Relevance))
			for p, tags := range g.Tags {
				most = max(most, math.Abs(float64(got.similarity[p]-g.Similarity[p])))
				for k := range tags {
					most = max(most, math.Abs(float64(got.tags[4*p+k]-tags[k])))
				}
			}
			if most > 1e-3 {
				t.Errorf("case %d: off by %g", i, most)
			} else {
				t.Logf("case %d: off by %.2g", i, most)
			}
		}
	})
}
