package rest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
	"github.com/cprs-go/cprs/tools/httpapi"
)

// progressEvery is the least time between two events of progress; a stream is kept alive by a comment where nothing else
// was sent for keepAlive.
const (
	progressEvery = 250 * time.Millisecond
	keepAlive     = 15 * time.Second
)

// decode reads the body. The request is not nil.
func decode(r *http.Request) (*wire.Request, error) {
	body, err := io.ReadAll(r.Body) // in memory already
	if err != nil {
		return new(wire.Request), &core.Error{Code: core.CodeUnreadable, Message: "the body cannot be read", Hint: "send it again"}
	}
	return wire.Decode(body)
}

// wantsEvents reports whether the Accept header names text/event-stream and does not refuse it.
func wantsEvents(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(header, ",") {
			kind, params, err := mime.ParseMediaType(part)
			if err != nil || kind != "text/event-stream" {
				continue
			}
			q, err := strconv.ParseFloat(params["q"], 64)
			return err != nil || q > 0
		}
	}
	return false
}

// progress is how many bytes of all documents have been read.
type progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// stream answers by server-sent events: progress, whose numbers grow, and last a result or an error. What fails before anything was sent is
// answered by its status instead, as without a stream.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, req *wire.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	latest := make(chan progress, 1)
	req.Progress = func(done, total int64) { // never waits for the client: it leaves the latest
		select {
		case <-latest:
		default:
		}
		latest <- progress{done, total}
	}
	type answer struct {
		res *core.Result
		err error
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if fault := recover(); fault != nil {
				a.err = fmt.Errorf("panic: %T", fault)
			}
			done <- a
		}()
		a.res, a.err = s.c.Compress(ctx, req.Request)
	}()

	e := &events{w: w, last: time.Now()}
	pause := time.NewTicker(progressEvery)
	defer pause.Stop()
	for {
		select {
		case a := <-done:
			select {
			case p := <-latest:
				if a.err == nil || e.begun {
					e.send("progress", p) // the client may be gone
				}
			default:
			}
			s.finish(e, r, req, a.res, a.err)
			return
		case <-pause.C:
		}
		var err error
		select {
		case p := <-latest:
			err = e.send("progress", p)
		default:
			err = e.keepAlive()
		}
		if err != nil { // the client is gone
			cancel()
			<-done
			return
		}
	}
}

// finish sends what is last.
func (s *Server) finish(e *events, r *http.Request, req *wire.Request, res *core.Result, err error) {
	if err == nil {
		e.send("result", wire.NewResult(req.ID, req.Documents, res))
		return
	}
	status, f := httpapi.Failure(r.Context(), req.ID, err)
	s.logFault(status, err)
	if !e.begun {
		httpapi.Respond(e.w, status, f)
		return
	}
	e.send("error", f)
}

// logFault logs a fault of ours, by its kind: its message may quote a text.
func (s *Server) logFault(status int, err error) {
	if status == http.StatusInternalServerError {
		s.opt.Logger.Error("a request failed", "type", fmt.Sprintf("%T", err), "outcome", wire.NewFailure(nil, err).Error.Code)
	}
}

// events writes server-sent events. The answer begins with the first.
type events struct {
	w     http.ResponseWriter
	begun bool
	last  time.Time // when something was sent, or the request came
}

// send writes an event with a line of JSON.
func (e *events) send(name string, v any) error {
	var b bytes.Buffer
	b.WriteString("event: " + name + "\ndata: ")
	if err := wire.Write(&b, v); err != nil { // it ends the line
		return err
	}
	b.WriteByte('\n')
	return e.write(b.Bytes())
}

// keepAlive writes a comment if nothing was sent for long.
func (e *events) keepAlive() error {
	if time.Since(e.last) < keepAlive {
		return nil
	}
	return e.write([]byte(": reading\n\n"))
}

// write sends p at once.
func (e *events) write(p []byte) error {
	if !e.begun {
		h := e.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-store")
		h.Set("X-Accel-Buffering", "no") // for proxies on the way
		e.begun = true
	}
	limits := http.NewResponseController(e.w) // a recorder of a test has no limits
	limits.SetWriteDeadline(time.Now().Add(httpapi.WriteTime))
	defer limits.SetWriteDeadline(time.Time{})
	if _, err := e.w.Write(p); err != nil {
		return err
	}
	e.last = time.Now()
	return limits.Flush()
}
