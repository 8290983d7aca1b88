package bench

import (
	"context"
	"testing"

	"github.com/cprs-go/cprs/core/engine"
)

func TestRun(t *testing.T) {
	r, err := Run(context.Background(), Text(20_000), engine.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Tokens < 3000 || r.Windows < 10 || r.EndToEnd.Seconds <= 0 || r.EndToEndNext.TokensPerSecond <= 0 || r.Kernel == "" {
		t.Errorf("the report lacks figures:\n%v", r)
	}
}

func TestTextIsTheSame(t *testing.T) {
	if a, b := Text(1000), Text(1000); a != b || len(a) < 1000 {
		t.Error("two texts differ")
	}
}
