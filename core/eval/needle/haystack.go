package needle

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
)

// LoadHaystack reads the texts of a file, gzipped if its name ends in ".gz": one, or several parted by lines that hold a form feed.
func LoadHaystack(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var texts []string
	for text := range strings.SplitSeq(string(data), "\n\f\n") {
		if strings.TrimSpace(text) != "" {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s: no text", path)
	}
	return texts, nil
}
