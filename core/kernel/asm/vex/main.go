// Command vex rewrites assembly for CPUs that have VPDPBUSD in AVX-VNNI and not in AVX-512: Go's assembler knows the
// instruction in its EVEX encoding alone. In functions whose name ends in AVXVNNI it becomes bytes of the VEX encoding.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"regexp"
	"strconv"
)

var (
	function = regexp.MustCompile(`^TEXT ·(\w+)\(SB\)`)
	dot      = regexp.MustCompile(`^\tVPDPBUSD\s+Y(\d+), Y(\d+), Y(\d+)$`)
)

func main() {
	log.SetFlags(0)
	for _, name := range os.Args[1:] {
		if err := rewrite(name); err != nil {
			log.Fatalf("rewriting %s: %v", name, err)
		}
	}
}

func rewrite(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	lines := bytes.Split(text, []byte("\n"))
	inside := false
	for i, line := range lines {
		if m := function.FindSubmatch(line); m != nil {
			inside = bytes.HasSuffix(m[1], []byte("AVXVNNI"))
		}
		if !inside || !bytes.Contains(line, []byte("VPDPBUSD")) {
			continue
		}
		m := dot.FindSubmatch(line)
		if m == nil {
			return fmt.Errorf("line %d: not of three Y registers: %s", i+1, line)
		}
		code, err := encode(m[1], m[2], m[3])
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		lines[i] = fmt.Appendf(nil, "\tLONG $0x%02x%02x%02x%02x; BYTE $0x%02x // VPDPBUSD Y%s, Y%s, Y%s", code[3], code[2], code[1], code[0], code[4], m[1], m[2], m[3])
	}
	return os.WriteFile(name, bytes.Join(lines, []byte("\n")), 0o666)
}

// encode returns VEX.256.66.0F38.W0 50 /r, with operands in Go's order: signed bytes, unsigned bytes, sums.
func encode(signed, unsigned, sums []byte) (code [5]byte, err error) {
	var r [3]byte
	for i, s := range [][]byte{signed, unsigned, sums} {
		n, err := strconv.Atoi(string(s))
		if err != nil || n > 15 {
			return code, fmt.Errorf("VEX has no register Y%s", s)
		}
		r[i] = byte(n)
	}
	code[0] = 0xc4
	code[1] = 0x42 | ^r[2]>>3&1<<7 | ^r[0]>>3&1<<5 // R and B, inverted, X set; 0F38
	code[2] = ^r[1]&15<<3 | 1<<2 | 1               // vvvv inverted, 256 bits, 66
	code[3] = 0x50
	code[4] = 3<<6 | r[2]&7<<3 | r[0]&7
	return code, nil
}
