// Package xla makes the backends "xla:cpu" and "xla:cuda" known to core/backend, in programs built with cgo and the tag
// xla; without the tag it is empty.
//
// Commands import it for its effect alone, under the same tag. The PJRT plug-in is a shared library that the user installs;
// install-cpu-plugin.sh fetches one for CPUs.
package xla
