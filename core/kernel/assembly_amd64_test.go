package kernel

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestAVX2KernelsNeedNoMore guards against the generator's allocator, which would take registers of AVX-512 once the sixteen of AVX2
// are used up, and against moves of SSE among instructions of AVX, which cost hundreds of cycles.
func TestAVX2KernelsNeedNoMore(t *testing.T) {
	text, err := os.ReadFile("kernels_amd64.s")
	if err != nil {
		t.Skip("the test does not run where its source lies")
	}
	beyond := regexp.MustCompile(`\bZ\d+|\b[XYZ](1[6-9]|2\d|3[01])\b|\bK[0-7]\b`)
	sse := regexp.MustCompile(`^\t(MOVSS|MOVUPS|MOVAPS|XORPS)\b`)
	var function string
	for i, line := range strings.Split(string(text), "\n") {
		if name, ok := strings.CutPrefix(line, "TEXT ·"); ok {
			function, _, _ = strings.Cut(name, "(")
		}
		if !strings.HasSuffix(function, "AVX512") && beyond.MatchString(line) {
			t.Errorf("line %d: %s of %s needs AVX-512", i+1, strings.TrimSpace(line), function)
		}
		if sse.MatchString(line) {
			t.Errorf("line %d: %s of %s is SSE", i+1, strings.TrimSpace(line), function)
		}
	}
}
