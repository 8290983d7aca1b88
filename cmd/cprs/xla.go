//go:build xla

package main

import _ "github.com/cprs-go/cprs/core/backend/xla" // --backend xla:cpu and xla:cuda
