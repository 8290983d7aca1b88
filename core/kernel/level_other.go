//go:build !amd64

package kernel

func levels() []*level { return []*level{portable} }

// Features returns the CPU features that the choice of level looks at and that this CPU has.
func Features() []string { return nil }
