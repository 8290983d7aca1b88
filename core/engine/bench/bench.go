// Package bench times the stages of a compression on one text: cprs bench prints its report, and pytorch.py beside it
// compares that with PyTorch. It stands above core/engine.
package bench

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/engine"
	"github.com/cprs-go/cprs/core/tokenizer"
)

// Speed is what one stage does of the text's tokens.
type Speed struct {
	Seconds         float64 `json:"seconds"`
	TokensPerSecond float64 `json:"tokens_per_second"`
}

// Report holds the figures of one run.
type Report struct {
	Bytes   int `json:"bytes"`
	Tokens  int `json:"tokens"`
	Windows int `json:"windows"`

	Open         float64 `json:"open_seconds"`
	Tokenize     Speed   `json:"tokenize"`
	Critic       Speed   `json:"critic"`      // with the tokenizer, first question
	CriticNext   Speed   `json:"critic_next"` // with the tokenizer, another question on the same text
	Select       Speed   `json:"select"`      // choice and text
	EndToEnd     Speed   `json:"end_to_end"`  // Compress, first question
	EndToEndNext Speed   `json:"end_to_end_next"`
	WindowsPerS  float64 `json:"windows_per_second"`         // first question
	PeakRSS      int64   `json:"peak_rss_bytes"`             // of the process; 0 where the system does not say
	TFLOPS       float64 `json:"tflops,omitempty"`           // that the critic reached on the next question, its programs compiled; 0 where nobody counts them
	Utilisation  float64 `json:"flop_utilisation,omitempty"` // TFLOPS as a share of the peak, where that is given

	CPU      string   `json:"cpu,omitempty"`
	Threads  int      `json:"threads"`
	Kernel   string   `json:"kernel"`
	Features []string `json:"features"`
	Critics  string   `json:"critic_id"`
	Backend  string   `json:"backend"`
}

// Input is what Run reads.
type Input struct {
	Text       string
	Tokens     int     // above 0: that many tokens of generated prose instead, by the critic's tokenizer
	PeakTFLOPS float64 // of the device, in 10¹² operations a second, for the utilisation; 0: unknown
	Progress   func(done, total int64)
}

// Run times a first and a second question on a text, with an engine opened for it.
func Run(ctx context.Context, in Input, opts engine.Options) (*Report, error) {
	began := time.Now()
	e, err := engine.Open(ctx, &opts)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	info, text := e.Info(), in.Text
	r := &Report{Open: time.Since(began).Seconds(), CPU: cpu(), Threads: opts.Workers, Kernel: info.Kernel, Features: info.Features, Critics: info.Critic, Backend: info.Backend}
	if in.Tokens > 0 {
		text = textOf(e.Tokenizer(), in.Tokens)
	}
	r.Bytes = len(text)
	if r.Threads <= 0 {
		r.Threads = runtime.GOMAXPROCS(0)
	}
	began = time.Now()
	r.Tokens = tokenizer.Count(e.Tokenizer(), text)
	r.Tokenize = r.speed(time.Since(began))

	req := core.Request{Instruction: "Who repaired the clock of the harbour tower?", Unit: core.UnitSentence, Budget: core.Budget{Ratio: 0.1},
		Documents: []core.Document{{Text: text}}, Progress: in.Progress}
	res, err := e.Compress(ctx, req)
	if err != nil {
		return nil, err
	}
	r.Windows = res.Stats.Windows
	r.Critic, r.Select, r.EndToEnd = r.speed(res.Stats.Scoring), r.speed(res.Stats.Selecting), r.speed(res.Stats.Elapsed)
	r.WindowsPerS = float64(r.Windows) / max(1e-9, res.Stats.Scoring.Seconds())
	req.Instruction, req.Progress = "What was sold at the market in winter?", nil
	if res, err = e.Compress(ctx, req); err != nil {
		return nil, err
	}
	r.CriticNext, r.EndToEndNext = r.speed(res.Stats.Scoring), r.speed(res.Stats.Elapsed)
	r.operations(e, in.PeakTFLOPS)
	r.PeakRSS = peakRSS()
	return r, nil
}

// operations counts those of the second question. Windows are nearly equally long; the question in each is not counted.
func (r *Report) operations(e *engine.Engine, peak float64) {
	if r.Windows == 0 {
		return
	}
	r.TFLOPS = float64(r.Windows) * e.FLOPs(r.Tokens/r.Windows) / r.CriticNext.Seconds / 1e12
	if peak > 0 {
		r.Utilisation = r.TFLOPS / peak
	}
}

func (r *Report) speed(d time.Duration) Speed {
	s := max(1e-9, d.Seconds())
	return Speed{Seconds: s, TokensPerSecond: float64(r.Tokens) / s}
}

// String is the report for people.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "text      %d bytes, %d tokens, %d windows\n", r.Bytes, r.Tokens, r.Windows)
	fmt.Fprintf(&b, "critic    %s on %s, kernels %s (%s), %d threads\n", r.Critics, r.Backend, r.Kernel, strings.Join(r.Features, " "), r.Threads)
	if r.CPU != "" {
		fmt.Fprintf(&b, "cpu       %s\n", r.CPU)
	}
	fmt.Fprintf(&b, "open      %.0f ms\n\n", 1000*r.Open)
	for _, row := range []struct {
		name string
		s    Speed
	}{{"tokenize", r.Tokenize}, {"critic", r.Critic}, {"critic, next question", r.CriticNext}, {"select", r.Select}, {"end to end", r.EndToEnd}, {"end to end, next question", r.EndToEndNext}} {
		fmt.Fprintf(&b, "%-26s %10.0f tokens/s %9.3f s\n", row.name, row.s.TokensPerSecond, row.s.Seconds)
	}
	fmt.Fprintf(&b, "\n%.3g windows/s, peak memory %d MB\n", r.WindowsPerS, r.PeakRSS>>20)
	if r.TFLOPS > 0 {
		fmt.Fprintf(&b, "%.3g TFLOP/s on the next question", r.TFLOPS)
		if r.Utilisation > 0 {
			fmt.Fprintf(&b, ", %.1f %% of the peak", 100*r.Utilisation)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// cpu is the processor's name, where Linux tells it.
func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// The words of Text: sentences are drawn from a subject, a verb, an object and a place.
var (
	subjects = strings.Split("the old keeper|a young merchant|the captain of the ferry|an engineer from the north|the mayor|her brother|the committee|a travelling doctor|the librarian|two apprentices", "|")
	verbs    = strings.Split("repaired|described|sold|forgot|measured|carried|painted|discussed|returned|examined", "|")
	objects  = strings.Split("the clock of the tower|a box of letters|the winter harvest|an unusual map|the minutes of the meeting|several barrels of oil|the broken engine|a list of debts|the new regulations|a wooden bridge", "|")
	places   = strings.Split("in the harbour|before the storm|at the market|during the second week of May|without any help|near the railway station|after a long argument|for the price of 120 crowns|under the supervision of the court|because nobody else was willing", "|")
)

// Text is English-like prose of at least n bytes: paragraphs of sentences, the same on every run.
func Text(n int) string {
	rnd := rand.New(rand.NewPCG(1, 1))
	pick := func(words []string) string { return words[rnd.IntN(len(words))] }
	var b strings.Builder
	for b.Len() < n {
		for range 3 + rnd.IntN(5) {
			s := pick(subjects) + " " + pick(verbs) + " " + pick(objects) + " " + pick(places)
			if rnd.IntN(3) == 0 {
				s += ", and " + pick(subjects) + " " + pick(verbs) + " " + pick(objects)
			}
			b.WriteString(strings.ToUpper(s[:1]) + s[1:] + ". ")
		}
		b.WriteString("\n\n")
	}
	return b.String()
}

// textOf is prose of n tokens.
func textOf(tok tokenizer.Tokenizer, n int) string {
	for size := 8 * n; ; size *= 2 {
		text := Text(size)
		var e tokenizer.Encoding
		if tok.Encode(&e, text); len(e.IDs) >= n {
			return text[:e.Spans[n-1].End]
		}
	}
}
