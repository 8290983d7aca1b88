package httpapi

import (
	"net/http"

	"github.com/cprs-go/cprs/core"
)

// Observer watches what a server does, for metrics and traces. What it returns does the work of what it was given.
type Observer interface {
	// Endpoint watches the requests to a path.
	Endpoint(path string, next http.Handler) http.Handler
	// Compressor watches the calls that these requests make.
	Compressor(c core.Compressor) core.Compressor
}

// Recorder is a ResponseWriter that remembers the status of the answer.
type Recorder struct {
	http.ResponseWriter
	status int
}

// NewRecorder records what is written to w.
func NewRecorder(w http.ResponseWriter) *Recorder { return &Recorder{ResponseWriter: w} }

// Status is the status of the answer; StatusGone if there was none.
func (r *Recorder) Status() int {
	if r.status == 0 {
		return StatusGone
	}
	return r.status
}

// WriteHeader implements http.ResponseWriter.
func (r *Recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *Recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (r *Recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
