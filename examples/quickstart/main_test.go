package main

import (
	"path/filepath"
	"testing"
)

func Test(t *testing.T) {
	if err := run(filepath.Join("..", "documents", "distributor-agreement.txt")); err != nil {
		t.Error(err)
	}
}
