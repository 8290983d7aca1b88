//go:build unix

package source

import "syscall"

// noWait makes opening a named pipe return at once; without it a caller could hold up a server.
const noWait = syscall.O_NONBLOCK
