package core

import "fmt"

// Code is a stable name for a kind of fault, for machines.
type Code string

// The codes of faults that a caller can mend.
const (
	CodeInvalidArgument Code = "invalid_argument" // a request that contradicts itself or lacks something
	CodeNotFound        Code = "not_found"        // no such file, handle or document
	CodeOutsideRoots    Code = "outside_roots"    // a path that the caller may not read
	CodeTooLarge        Code = "too_large"        // an input above a limit
	CodeUnreadable      Code = "unreadable"       // a file that cannot be read, is no text, or changed while it was read
	CodePinsExceed      Code = "pins_exceed_budget"
	CodeCriticFailed    Code = "critic_failed" // the model could not be loaded or run
	CodeDeadline        Code = "deadline"      // the deadline passed before anything was read
)

// Error is a fault that a caller can mend: what is wrong, and what to do.
type Error struct {
	Code    Code
	Message string // what is wrong, where, with which value
	Hint    string // what to do next
	Err     error  // the cause, if any
}

// Error is the message with its cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Message, e.Err)
	}
	return e.Message
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }
