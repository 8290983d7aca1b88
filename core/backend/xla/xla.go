//go:build xla

package xla

import "github.com/gomlx/go-xla/compute/xla"

// Importing go-xla registers its backend. Its installer would fetch a plug-in at the first use, even where one is found;
// this product downloads nothing on its own.
func init() { xla.EnableAutoInstall(false) }
