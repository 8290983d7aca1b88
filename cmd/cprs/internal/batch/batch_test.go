package batch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/cprs-go/cprs/core"
)

// slow echoes texts, after a while, and remembers how many it held at a time.
type slow struct{ now, most, mostBesideLarge atomic.Int32 }

func (s *slow) Compress(ctx context.Context, req core.Request) (*core.Result, error) {
	n := s.now.Add(1)
	defer s.now.Add(-1)
	s.most.Store(max(s.most.Load(), n))
	text := req.Documents[0].Text
	if len(text) > alone {
		s.mostBesideLarge.Store(max(s.mostBesideLarge.Load(), n))
	}
	select {
	case <-time.After(rand.N(2 * time.Millisecond)):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if text == "bad" {
		return nil, &core.Error{Code: core.CodePinsExceed, Message: "no room"}
	}
	return &core.Result{Text: text[:min(len(text), 9)]}, nil
}

func request(id int, text string) string {
	return fmt.Sprintf(`{"id":%d,"query":"q","documents":[{"text":%q}]}`+"\n", id, text)
}

func TestRunKeepsOrder(t *testing.T) {
	large := strings.Repeat("x", alone+1)
	var in strings.Builder
	for i := range 200 {
		switch i % 50 {
		case 7:
			in.WriteString(request(i, large))
		case 8:
			in.WriteString(request(i, "bad"))
		case 9:
			fmt.Fprintf(&in, "{\"id\":%d,\"x\":1}\n\n", i)
		default:
			in.WriteString(request(i, fmt.Sprint("text ", i)))
		}
	}
	for _, atOnce := range []int{1, 3} {
		var c slow
		var out strings.Builder
		told := 0
		count, err := Run(context.Background(), &c, strings.NewReader(in.String()), &out, atOnce, func(n int) { told = n })
		if err != nil || count != (Count{200, 8}) || told != 200 {
			t.Errorf("%d at once: %+v, told %d, %v", atOnce, count, told, err)
		}
		for i, m := range regexp.MustCompile(`(?m)^{"id":(\d+),`).FindAllStringSubmatch(out.String(), -1) {
			if m[1] != fmt.Sprint(i) {
				t.Fatalf("%d at once: answer %d is to request %s", atOnce, i, m[1])
			}
		}
		if n := strings.Count(out.String(), "\n"); n != 200 {
			t.Errorf("%d at once: %d lines", atOnce, n)
		}
		if int(c.most.Load()) > atOnce || c.mostBesideLarge.Load() != 1 {
			t.Errorf("%d at once: held %d, and %d beside a large one", atOnce, c.most.Load(), c.mostBesideLarge.Load())
		}
	}
}

// An answer does not wait for the next request.
func TestRunAnswersAtOnce(t *testing.T) {
	requests, toBatch := io.Pipe()
	fromBatch, answers := io.Pipe()
	go func() {
		_, err := Run(context.Background(), new(slow), requests, answers, 2, nil)
		answers.CloseWithError(err)
	}()
	buf := make([]byte, 1<<10)
	for i := range 3 {
		io.WriteString(toBatch, request(i, "text"))
		n, err := fromBatch.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), fmt.Sprintf(`{"id":%d`, i)) {
			t.Fatalf("request %d: %q, %v", i, buf[:n], err)
		}
	}
	toBatch.Close()
	if _, err := fromBatch.Read(buf); err != io.EOF {
		t.Fatal(err)
	}
}

func TestRunFaults(t *testing.T) {
	fault := errors.New("pulled the plug")
	good := request(1, "text")

	count, err := Run(context.Background(), new(slow), io.MultiReader(strings.NewReader(good), iotest.ErrReader(fault)), io.Discard, 2, nil)
	if count.Answered != 1 || err != fault {
		t.Errorf("reading fails: %+v, %v", count, err)
	}
	closed, w := io.Pipe()
	closed.CloseWithError(fault)
	if _, err = Run(context.Background(), new(slow), strings.NewReader(good), w, 2, nil); err != fault {
		t.Errorf("writing fails: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	waiting, _ := io.Pipe() // nothing ever comes
	time.AfterFunc(time.Millisecond, cancel)
	if _, err = Run(ctx, new(slow), io.MultiReader(strings.NewReader(good), waiting), io.Discard, 2, nil); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}
