// Package batch answers requests in JSON, one a line, in their order. It stands between core/wire and the command.
package batch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
)

// alone is how many bytes of text a request may hold and still be worked on beside others: a small request keeps one
// processor busy, a large one all of them.
const alone = 1 << 20

// Count says what became of the requests.
type Count struct{ Answered, Failed int }

// Run answers the requests of r on w, each by one line that is written in one piece as soon as the lines before it are. At
// most atOnce requests are held at a time, and one more that was read ahead. A request that fails is answered by a wire.Failure;
// the error is that of r, of w or of ctx. answered, if not nil, is told how many requests have been answered.
//
// Run may return while a Read of r is still waiting; r is not to be used afterwards.
func Run(ctx context.Context, c core.Compressor, r io.Reader, w io.Writer, atOnce int, answered func(int)) (Count, error) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()

	var count Count
	var waiting []*job // under way or done, in the order of the requests
	var next *job      // read and not begun
	read, end := requests(ctx, r), error(nil)
	for free := atOnce; ; {
		if next != nil && next.need(atOnce) <= free {
			j := next
			work.Go(func() { j.line <- answer(ctx, c, j) })
			free -= j.need(atOnce)
			waiting, next = append(waiting, j), nil
		}
		var more <-chan *job
		if next == nil {
			more = read
		}
		var line <-chan []byte
		if len(waiting) > 0 {
			line = waiting[0].line
		} else if more == nil {
			return count, end
		}
		select {
		case j := <-more:
			if next = j; j.end != nil {
				read, next, end = nil, nil, eof(j.end)
			}
		case l := <-line:
			if err := ctx.Err(); err != nil {
				return count, err
			}
			if _, err := w.Write(l); err != nil {
				return count, err
			}
			count.Answered++
			if waiting[0].failed {
				count.Failed++
			}
			if answered != nil {
				answered(count.Answered)
			}
			free += waiting[0].need(atOnce)
			waiting = waiting[1:]
		case <-ctx.Done():
			return count, ctx.Err()
		}
	}
}

// A job is one request on its way.
type job struct {
	req  *wire.Request
	err  error // why req cannot be worked on
	end  error // why there are no more requests; nothing else is set
	line chan []byte

	failed bool // set before line is
}

// need is how many of atOnce places j takes.
func (j *job) need(atOnce int) int {
	n := 0
	for _, d := range j.req.Documents {
		n += len(d.Text)
	}
	if n > alone {
		return atOnce
	}
	return 1
}

// requests reads r until its end or that of ctx.
func requests(ctx context.Context, r io.Reader) <-chan *job {
	out := make(chan *job)
	go func() {
		in := wire.NewReader(r)
		for {
			j := &job{line: make(chan []byte, 1)}
			if j.req, j.err = in.Next(); j.req == nil {
				j.end = j.err
			}
			select {
			case out <- j:
			case <-ctx.Done():
				return
			}
			if j.end != nil {
				return
			}
		}
	}()
	return out
}

// answer is the line that answers j.
func answer(ctx context.Context, c core.Compressor, j *job) []byte {
	res, err := (*core.Result)(nil), j.err
	if err == nil {
		res, err = c.Compress(ctx, j.req.Request)
	}
	var line bytes.Buffer
	if err == nil {
		err = wire.Write(&line, wire.NewResult(j.req.ID, j.req.Documents, res))
	}
	if err != nil {
		j.failed = true
		line.Reset()
		wire.Write(&line, wire.NewFailure(j.req.ID, err)) // strings only: this cannot fail
	}
	return line.Bytes()
}

func eof(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
