//go:build !386 && !arm && !mips && !mipsle

package backend

import _ "github.com/gomlx/compute/gobackend" // does not compile for 32-bit processors
