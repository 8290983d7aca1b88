package bench

import (
	"context"
	"strings"
	"testing"

	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/model/hybrid/synth"
)

func TestRun(t *testing.T) {
	r, err := Run(context.Background(), Input{Text: Text(20_000)}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Tokens < 3000 || r.Windows < 10 || r.EndToEnd.Seconds <= 0 || r.EndToEndNext.TokensPerSecond <= 0 || r.Kernel == "" {
		t.Errorf("the report lacks figures:\n%v", r)
	}
}

// A hybrid critic counts its operations.
func TestRunHybrid(t *testing.T) {
	if b, err := backend.Open(backend.Go); err != nil {
		t.Skip(err)
	} else {
		b.Finalize()
	}
	dir := t.TempDir()
	if err := synth.Write(t.Context(), dir, "tiny", 1, nil); err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Input{Tokens: 1000, PeakTFLOPS: 0.5}, engine.Options{CriticDir: dir, Hybrid: engine.Hybrid{WindowTokens: 512}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Tokens != 1000 || r.Windows != 3 || r.TFLOPS <= 0 || r.Utilisation != r.TFLOPS/0.5 || !strings.Contains(r.String(), "% of the peak") {
		t.Errorf("the report lacks figures:\n%v", r)
	}
}

func TestTextIsTheSame(t *testing.T) {
	if a, b := Text(1000), Text(1000); a != b || len(a) < 1000 {
		t.Error("two texts differ")
	}
}
