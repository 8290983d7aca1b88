package store

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/cprs-go/cprs/core"
)

// lockWait is how long Open waits for another process to close the file.
const lockWait = time.Second

var (
	recordBucket = []byte("records")
	textBucket   = []byte("texts")
)

// Open is a store in the file at path, which is made if it does not exist, with permissions for its owner alone. One process
// at a time can hold it. Handles survive a restart. The file does not shrink; the space of what is gone is used again.
func Open(path string, opt *Options) (*Store, error) {
	db, err := openFile(path)
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return nil, &core.Error{Code: core.CodeUnreadable, Message: fmt.Sprintf("the store %q is in use", path),
			Hint: "give each server a store of its own, or none", Err: err}
	case err != nil:
		return nil, damaged(path, err)
	}
	f := file{db}
	s := newStore(opt, f)
	records, err := f.records()
	if err == nil {
		err = s.restore(records)
	}
	if err != nil {
		return nil, errors.Join(damaged(path, err), f.close())
	}
	return s, nil
}

func openFile(path string) (db *bbolt.DB, err error) {
	defer guard(&err)()
	return bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait})
}

func damaged(path string, err error) error {
	return &core.Error{Code: core.CodeUnreadable, Message: fmt.Sprintf("the store %q cannot be read", path),
		Hint: "if it is damaged, delete it: it holds copies only", Err: err}
}

// restore enters the records of an earlier run and drops what no longer fits.
func (s *Store) restore(records []record) error {
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Handle, b.Handle))
	})
	for _, r := range records {
		s.add(r)
	}
	if err := s.expire(); err != nil {
		return err
	}
	for s.bytes > s.opt.MaxBytes {
		if err := s.remove(s.recent.Back().Value.(*entry)); err != nil {
			return err
		}
	}
	return nil
}

// file keeps documents in a bbolt database. What bbolt panics or faults on, a damaged file, is an error here.
type file struct{ db *bbolt.DB }

func (f file) update(change func(tx *bbolt.Tx) error) (err error) {
	defer guard(&err)()
	return f.db.Update(change)
}

// guard makes faults of reading mapped memory panics, until the function that it returns turns any panic into *err.
func guard(err *error) func() {
	before := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(before)
		if p := recover(); p != nil {
			*err = fmt.Errorf("the file is damaged: %v", p)
		}
	}
}

func (f file) records() (out []record, err error) {
	err = f.update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(textBucket); err != nil {
			return err
		}
		b, err := tx.CreateBucketIfNotExists(recordBucket)
		if err != nil {
			return err
		}
		return b.ForEach(func(handle, data []byte) error {
			var r record
			if err := decode(data, &r); err != nil {
				return fmt.Errorf("record of handle %s: %w", handle, err)
			}
			out = append(out, r)
			return nil
		})
	})
	return out, err
}

func (f file) save(r *record, docs []core.Document) error {
	text, err := encode(docs)
	if err != nil {
		return err
	}
	head, err := encode(r)
	if err != nil {
		return err
	}
	return f.update(func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket(textBucket).Put([]byte(r.Handle), text), tx.Bucket(recordBucket).Put([]byte(r.Handle), head))
	})
}

func (f file) renew(r *record) error {
	head, err := encode(r)
	if err != nil {
		return err
	}
	return f.update(func(tx *bbolt.Tx) error { return tx.Bucket(recordBucket).Put([]byte(r.Handle), head) })
}

func (f file) load(handle string) (docs []core.Document, err error) {
	defer guard(&err)()
	err = f.db.View(func(tx *bbolt.Tx) error { return decode(tx.Bucket(textBucket).Get([]byte(handle)), &docs) })
	return docs, err
}

func (f file) drop(handle string) error {
	return f.update(func(tx *bbolt.Tx) error {
		return errors.Join(tx.Bucket(textBucket).Delete([]byte(handle)), tx.Bucket(recordBucket).Delete([]byte(handle)))
	})
}

func (f file) close() (err error) {
	defer guard(&err)()
	return f.db.Close()
}

// encode writes v as gob, which keeps every byte of a string.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func decode(data []byte, v any) error { return gob.NewDecoder(bytes.NewReader(data)).Decode(v) }
