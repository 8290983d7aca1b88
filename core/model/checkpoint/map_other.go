//go:build !unix

package checkpoint

import "os"

// mapFile reads a file, where the system has no mapping in the standard library.
func mapFile(path string) (data []byte, unmap func() error, err error) {
	if _, err := regularSize(path); err != nil {
		return nil, nil, err
	}
	data, err = os.ReadFile(path)
	return data, func() error { return nil }, err
}
