//go:build !unix

package source

// noWait is for systems where files below a folder are no named pipes.
const noWait = 0
