package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/model/embedded"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, and which critic is inside",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, _, err := embedded.Load()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "cprs %s %s/%s %s\ncritic %s %s\nkernels %s\n",
				version(), runtime.GOOS, runtime.GOARCH, runtime.Version(), m.ID(), m.Hash(), kernel.Level())
			return err
		},
	}
}

// version is what the module was built as.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
