package tokenizer

import "fmt"

// FormatError says what is wrong with a tokenizer.json. The Parse of every tokenizer gives it.
type FormatError struct {
	Field string // where, for example "model.vocab"; empty: the file as a whole
	Err   error
}

// Error names the field and what is wrong with it.
func (e *FormatError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("reading tokenizer.json: %v", e.Err)
	}
	return fmt.Sprintf("reading tokenizer.json: %s: %v", e.Field, e.Err)
}

// Unwrap is the cause.
func (e *FormatError) Unwrap() error { return e.Err }
