// Package rust is Hugging Face's own tokenizer, in Rust, for whatever tokenizer.json it reads. It needs cgo, the build tag rust and a
// static library that build-library.sh beside it makes; without the tag it is empty.
//
// The pure-Go tokenizers beside it need none of that, are faster and are what critics use; this one proves them, and reads files that
// they do not.
package rust
