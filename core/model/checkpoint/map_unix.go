//go:build unix

package checkpoint

import (
	"fmt"
	"math"
	"os"
	"syscall"
)

// mapFile maps a file read-only.
func mapFile(path string) (data []byte, unmap func() error, err error) {
	size, err := regularSize(path)
	if err != nil {
		return nil, nil, err
	}
	if size == 0 || size > math.MaxInt {
		return nil, nil, fmt.Errorf("cannot map a file of %d bytes", size)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	data, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping: %w", err)
	}
	return data, func() error { return syscall.Munmap(data) }, nil
}
