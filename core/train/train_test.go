package train

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/backend"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/eval"
	"github.com/cprs-go/cprs/core/model/checkpoint"
)

// TestOverfit holds that the loss on one batch falls, steadily and far.
func TestOverfit(t *testing.T) {
	opt := quick(t, "")
	opt.Frozen, opt.Average, opt.WarmUp, opt.Steps = -1, 0, 0, 1000
	start, err := openStart(tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSampler(opt.Recipe, opt.Data, start.cfg, start.tok, &opt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.batch(0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range backends(t) {
		be, err := backend.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer be.Finalize()
		o, err := newOptimizer(be, start.cfg, start.weights, &opt)
		if err != nil {
			t.Fatal(err)
		}
		defer o.close()
		var losses []float64
		for i := range 60 {
			l, err := o.step(i, b)
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, l.Total)
		}
		first, last := losses[0], losses[len(losses)-1]
		if last > 0.1*first {
			t.Errorf("%s: the loss went from %.3f to %.3f only", name, first, last)
		}
		for i := 10; i < len(losses); i += 10 {
			if losses[i] > losses[i-10] {
				t.Errorf("%s: the loss rose from %.3f to %.3f in steps %d to %d", name, losses[i-10], losses[i], i-10, i)
			}
		}
	}
}

// TestBFloat16 holds that the loss in bfloat16 is that in float32, about, where a backend computes in it.
func TestBFloat16(t *testing.T) {
	for _, name := range backends(t) {
		losses := map[bool][]float64{}
		for _, narrow := range []bool{false, true} {
			opt := quick(t, t.TempDir())
			opt.Backend, opt.BFloat16 = name, narrow
			opt.Progress = func(p Progress) { losses[narrow] = append(losses[narrow], p.Loss.Total) }
			err := Run(t.Context(), opt)
			if name == backend.Go && narrow {
				wantFault(t, err, "XLA")
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for i, got := range losses[true] {
			if want := losses[false][i]; got < 0.9*want-0.05 || got > 1.1*want+0.05 {
				t.Errorf("%s: step %d: loss %.3f, in float32 %.3f", name, i+1, got, want)
			}
		}
	}
}

// backends are those that this build and machine have.
func backends(t *testing.T) []string {
	t.Helper()
	if b, err := backend.Open("xla:cpu"); err == nil {
		b.Finalize()
		return []string{backend.Go, "xla:cpu"}
	} else if os.Getenv("REQUIRE_XLA") == "1" {
		t.Fatal(err)
	}
	return []string{backend.Go}
}

// TestResume holds that a training that was interrupted and went on ends with the same bytes as one that was not.
func TestResume(t *testing.T) {
	whole, parts := t.TempDir(), t.TempDir()
	if err := Run(t.Context(), quick(t, whole)); err != nil {
		t.Fatal(err)
	}
	opt := quick(t, parts)
	for i := range 3 { // two interruptions
		ctx, cancel := context.WithCancel(t.Context())
		opt.Resume = i > 0
		opt.Progress = func(p Progress) {
			if p.Step == 2*(i+1) && i < 2 {
				cancel()
			}
		}
		if err := Run(ctx, opt); i < 2 && !errors.Is(err, context.Canceled) || i == 2 && err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	sameFiles(t, whole, parts, 7)

	// What is there is not overwritten, and not gone on with otherwise.
	opt = quick(t, parts)
	wantFault(t, Run(t.Context(), opt), "--resume")
	opt.Resume, opt.JointRate = true, 1e-3
	wantFault(t, Run(t.Context(), opt), "the same ones")
}

// killed names the folder that TestKill trains in when it is the process to be killed.
const killed = "CPRS_TEST_TRAIN_KILLED"

// TestKill holds that a training that is killed at any time, with no chance to save, goes on to the same bytes.
func TestKill(t *testing.T) {
	train := func(out string, saveEvery time.Duration) {
		opt := quick(t, out)
		opt.Steps, opt.SaveEvery, opt.Resume = 40, saveEvery, true
		if err := Run(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
	}
	if out := os.Getenv(killed); out != "" {
		train(out, time.Nanosecond)
		return
	}
	whole, parts := t.TempDir(), t.TempDir()
	train(whole, time.Hour)
	for i := range 4 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), killed+"="+parts)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for begin := time.Now(); ; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(filepath.Join(parts, stateFile)); err == nil {
				break
			}
			if time.Since(begin) > time.Minute {
				t.Fatal("no state after a minute")
			}
		}
		time.Sleep(time.Duration(100+41*i) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		t.Log(cmd.Wait())
	}
	// The worst place to be torn: within a line of the log.
	log, err := os.OpenFile(filepath.Join(parts, logFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString("4,0.5"); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	train(parts, time.Hour)
	sameFiles(t, whole, parts, 41)
}

// sameFiles compares the results of two trainings, and counts the lines of the second one's log.
func sameFiles(t *testing.T, whole, parts string, lines int) {
	t.Helper()
	for _, file := range []string{stateFile, filepath.Join(bestFolder, checkpoint.WeightsFile), filepath.Join(lastFolder, checkpoint.WeightsFile)} {
		a, err1 := os.ReadFile(filepath.Join(whole, file))
		b, err2 := os.ReadFile(filepath.Join(parts, file))
		if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v, %v", file, err1, err2)
		}
	}
	log, err := os.ReadFile(filepath.Join(parts, logFile))
	if err != nil || bytes.Count(log, []byte("\n")) != lines {
		t.Errorf("the log is %q, %v", log, err)
	}
}

// A kill while the state is written leaves the old state.
func TestSaveIsAtomic(t *testing.T) {
	path := filepath.Join(t.TempDir(), stateFile)
	for _, text := range []string{"old", "new"} {
		if err := replaceFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := replaceFile(filepath.Join(path, "no", "folder"), nil); err == nil {
		t.Error("a file was written nowhere")
	}
}

// TestFromEncoder starts from an encoder, with either way to name its tensors, and opens what comes of it.
func TestFromEncoder(t *testing.T) {
	for _, prefix := range []string{"", "bert."} {
		opt := quick(t, t.TempDir())
		opt.From, opt.Steps = writeEncoder(t, prefix), 1
		opt.Dev, opt.DevEvery, opt.DevPerSet = []*eval.Set{ferries("dev", 3)}, 1, 3
		scored := 0
		opt.Scored = func(_ int, s Score, best bool) {
			if scored++; s.Recall < 0 || s.Recall > 1 {
				t.Errorf("score %v", s)
			}
		}
		if err := Run(t.Context(), opt); err != nil {
			t.Fatal(err)
		}
		if scored != 1 {
			t.Errorf("%d scores", scored)
		}
		for _, folder := range []string{lastFolder, fastFolder} {
			e, err := engine.Open(t.Context(), &engine.Options{CriticDir: filepath.Join(opt.Out, folder)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := e.Compress(t.Context(), core.Request{Query: "When?", Documents: []core.Document{{Text: "A dog is off. Bread is sold."}}}); err != nil {
				t.Error(err)
			}
			e.Close()
		}
	}
}

func TestEncoderWithoutUse(t *testing.T) {
	dir := writeEncoder(t, "")
	if err := os.WriteFile(filepath.Join(dir, checkpoint.ConfigFile), []byte(`{"hidden_size": 3}`), 0o644); err != nil {
		t.Fatal(err)
	}
	opt := quick(t, t.TempDir())
	for _, from := range []string{dir, t.TempDir()} {
		opt.From = from
		wantFault(t, Run(t.Context(), opt), "give a folder with")
	}
}

// TestPatience holds that a training stops when scores get no better, and that a plot is there.
func TestPatience(t *testing.T) {
	opt := quick(t, t.TempDir())
	opt.Dev, opt.DevEvery, opt.DevPerSet, opt.Patience = []*eval.Set{ferries("dev", 2)}, 1, 1, 2
	opt.Steps, opt.JointRate, opt.EncoderRate = 50, 0, 0
	last := 0
	opt.Progress = func(p Progress) { last = p.Step }
	if err := Run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	if last > 5 {
		t.Errorf("it stopped after step %d", last)
	}
	plot, err := os.ReadFile(filepath.Join(opt.Out, "plot.svg"))
	if err != nil || !bytes.Contains(plot, []byte("<svg")) {
		t.Errorf("plot of %d bytes, %v", len(plot), err)
	}
}

// TestFrozen holds that frozen tensors are the same numbers afterwards, and others are not.
func TestFrozen(t *testing.T) {
	opt := quick(t, t.TempDir())
	opt.Steps, opt.EncoderRate = 4, 1e-2
	if err := Run(t.Context(), opt); err != nil {
		t.Fatal(err)
	}
	before, err1 := checkpoint.Open(tiny)
	after, err2 := checkpoint.Open(filepath.Join(opt.Out, lastFolder))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	defer before.Close()
	defer after.Close()
	for _, name := range before.Names() {
		a, b := must(t, before, name), must(t, after, name)
		moved := false
		for i := range a {
			moved = moved || a[i]-b[i] > 1e-3 || b[i]-a[i] > 1e-3 // more than half precision moves it
		}
		frozen := strings.Contains(name, "embeddings") || strings.Contains(name, "layer.0.")
		if strings.HasSuffix(name, ".weight") && moved == frozen {
			t.Errorf("%s moved: %v", name, moved)
		}
	}
}

func must(t *testing.T, c *checkpoint.Checkpoint, name string) []float32 {
	t.Helper()
	tensor, _ := c.Tensor(name)
	data, err := tensor.Floats()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestFromEmbedded holds that the embedded critic can be trained: its int8 weights become floats again.
func TestFromEmbedded(t *testing.T) {
	s, err := openStart("", 1)
	if err != nil {
		t.Fatal(err)
	}
	if name := "joint.0.attention.self.query.weight"; len(s.weights[name]) != 384*384 || s.weights[name][0] == 0 {
		t.Errorf("%s has %d elements", name, len(s.weights[name]))
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no folder":   func(o *Options) { o.Out = "" },
		"no steps":    func(o *Options) { o.Steps = 0 },
		"small batch": func(o *Options) { o.BatchTokens = 63 },
		"rate":        func(o *Options) { o.JointRate = 1 },
		"ranking":     func(o *Options) { o.Ranking = -1 },
		"average":     func(o *Options) { o.Average = 1 },
		"backend":     func(o *Options) { o.Backend = "abacus" },
		"no data":     func(o *Options) { o.Data = nil },
	} {
		t.Run(name, func(t *testing.T) {
			opt := quick(t, filepath.Join(t.TempDir(), "out"))
			change(&opt)
			wantFault(t, Run(t.Context(), opt), "")
		})
	}
}

// wantFault checks for an *core.Error whose hint holds hint.
func wantFault(t *testing.T, err error, hint string) {
	t.Helper()
	var fault *core.Error
	if !errors.As(err, &fault) || fault.Hint == "" || !strings.Contains(fault.Hint, hint) {
		t.Errorf("%v is no fault with the hint %q", err, hint)
	}
}

func TestSchedule(t *testing.T) {
	o := Options{Steps: 110, WarmUp: 10}
	for _, tt := range []struct {
		step int
		want float64
	}{{0, 1.0 / 11}, {9, 10.0 / 11}, {10, 1}, {60, 0.5}, {110, 0}, {200, 0}} {
		if got := o.schedule(tt.step); got < tt.want-1e-9 || got > tt.want+1e-9 {
			t.Errorf("step %d: %v, want %v", tt.step, got, tt.want)
		}
	}
}
