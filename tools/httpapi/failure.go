package httpapi

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/wire"
)

// The codes of refusals beside those of packages core and wire.
const (
	CodeForbidden    core.Code = "forbidden"
	CodeUnauthorized core.Code = "unauthorized"
	CodeBusy         core.Code = "busy"
	CodeNotReady     core.Code = "not_ready"
	CodeMethod       core.Code = "method_not_allowed"
)

// ErrStopping is the cause with which Serve cancels the calls that are still under way when it stops.
var ErrStopping = errors.New("the server is stopping")

// StatusGone is the status that is logged of a call whose client did not wait for the answer.
const StatusGone = 499

// statuses of the codes. What is not here is a fault of ours.
var statuses = map[core.Code]int{
	core.CodeInvalidArgument: http.StatusUnprocessableEntity,
	core.CodePinsExceed:      http.StatusUnprocessableEntity,
	core.CodeUnreadable:      http.StatusUnprocessableEntity,
	core.CodeNotFound:        http.StatusNotFound,
	core.CodeOutsideRoots:    http.StatusForbidden,
	core.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	core.CodeDeadline:        http.StatusGatewayTimeout,
	core.CodeCriticFailed:    http.StatusInternalServerError,
	wire.CodeCancelled:       StatusGone,
	CodeForbidden:            http.StatusForbidden,
	CodeUnauthorized:         http.StatusUnauthorized,
	CodeBusy:                 http.StatusTooManyRequests,
	CodeNotReady:             http.StatusServiceUnavailable,
	CodeMethod:               http.StatusMethodNotAllowed,
}

// Failure is what the client of ctx is told of err, with the HTTP status. A fault of ours is not told in detail.
func Failure(ctx context.Context, id wire.ID, err error) (status int, f *wire.Failure) {
	f = wire.NewFailure(id, err)
	if f.Error.Code == wire.CodeCancelled && errors.Is(context.Cause(ctx), ErrStopping) {
		f.Error = wire.Error{Code: CodeNotReady, Message: ErrStopping.Error(), Hint: "send the request again, to another server or later"}
	}
	status, known := statuses[f.Error.Code]
	if !known {
		return http.StatusInternalServerError, &wire.Failure{ID: id, Error: wire.Error{Code: wire.CodeInternal, Message: "the server failed"}}
	}
	return status, f
}

// Refuse answers with a failure.
func Refuse(w http.ResponseWriter, status int, code core.Code, message, hint string) {
	Respond(w, status, &wire.Failure{Error: wire.Error{Code: code, Message: message, Hint: hint}})
}

// WriteTime is how long a client may take to read an answer, or an event of one.
const WriteTime = time.Minute

// Respond answers with v as one line of JSON. The client may be gone: then nothing is lost but the answer.
func Respond(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	if err := wire.Write(&body, v); err != nil {
		status = http.StatusInternalServerError
		body.Reset()
		body.WriteString(`{"error":{"code":"internal","message":"the server failed"}}` + "\n")
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1")
	}
	w.WriteHeader(status)
	limits := http.NewResponseController(w) // a recorder of a test has no limits
	limits.SetWriteDeadline(time.Now().Add(WriteTime))
	w.Write(body.Bytes())
	limits.Flush()
	limits.SetWriteDeadline(time.Time{})
}
