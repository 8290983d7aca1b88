package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/mcpserver"
	"github.com/cprs-go/cprs/mcpserver/bundle"
	"github.com/cprs-go/cprs/mcpserver/hosts"
)

// hostFlags name the configuration file of a host.
type hostFlags struct {
	host, scope, config, name string
}

func (f *hostFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.host, "host", "", "claude-desktop, claude-code, vscode, cursor, codex or gemini")
	fs.StringVar(&f.scope, "scope", "user", "user, or project for the current folder")
	fs.StringVar(&f.config, "config", "", "configuration file; default: that of the host and scope")
	fs.StringVar(&f.name, "name", mcpserver.Name, "name of the server in the host")
	cmd.RegisterFlagCompletionFunc("host", cobra.FixedCompletions(hosts.Names(), cobra.ShellCompDirectiveNoFileComp))
	cmd.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{"user", "project"}, cobra.ShellCompDirectiveNoFileComp))
}

// find is the host and its file.
func (f *hostFlags) find() (*hosts.Host, string, error) {
	if f.host == "" {
		return nil, "", invalid(errors.New("there is no host"), "give --host")
	}
	h, err := hosts.Find(f.host)
	if err != nil {
		return nil, "", err
	}
	if f.scope != "user" && f.scope != "project" {
		return nil, "", invalid(fmt.Errorf("there is no scope %q", f.scope), "give user or project")
	}
	if f.config != "" {
		return h, f.config, nil
	}
	path, err := h.Path(f.scope == "project")
	return h, path, err
}

func newMCPInstallCommand() *cobra.Command {
	var f hostFlags
	var roots []string
	var show bool
	cmd := &cobra.Command{
		Use:   "install --host HOST [--root FOLDER]... [-- FLAG...]",
		Short: "Write the server into the configuration of a host",
		Long: `Write the server into the configuration file of a host. The rest of the file keeps its bytes, comments too; what it was is kept beside it, with
the ending ` + hosts.BackupSuffix + `. Doing it again changes nothing. What follows -- are more flags for cprs mcp.`,
		Example: `  cprs mcp install --host claude-desktop --root ~/Documents
  cprs mcp install --host vscode --scope project
  cprs mcp install --host codex --root . --print`,
		RunE: func(cmd *cobra.Command, args []string) error {
			h, path, err := f.find()
			if err != nil {
				return err
			}
			entry, err := f.entry(h, roots, args)
			if err != nil {
				return err
			}
			if show {
				text, err := h.Snippet(f.name, entry)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "for %s, in %s:\n", h.Title, path)
				_, err = io.WriteString(cmd.OutOrStdout(), text)
				return err
			}
			changed, err := h.Install(path, f.name, entry)
			return tell(cmd, changed, err, fmt.Sprintf("%s starts %s: %s. Restart it.", h.Title, f.name, path), fmt.Sprintf("%s starts %s already: %s", h.Title, f.name, path))
		},
	}
	f.register(cmd)
	cmd.Flags().StringArrayVar(&roots, "root", nil, "folder below which files may be read; default in a project: its folder")
	cmd.Flags().BoolVar(&show, "print", false, "only show what to write")
	return cmd
}

// entry is how the host starts this program. Hosts with a window have a short PATH and another current folder: so paths are absolute, but in a
// project's file, which others share.
func (f *hostFlags) entry(h *hosts.Host, roots, flags []string) (*hosts.Entry, error) {
	command, err := os.Executable()
	if err != nil {
		return nil, err
	}
	project := f.scope == "project"
	if _, err := exec.LookPath("cprs"); project && err == nil {
		command = "cprs"
	}
	if project && len(roots) == 0 {
		roots = []string{h.Root}
	}
	e := &hosts.Entry{Command: command, Args: []string{"mcp"}}
	for _, root := range roots {
		if !project {
			if root, err = filepath.Abs(root); err != nil {
				return nil, err
			}
			if info, err := os.Stat(root); err != nil || !info.IsDir() {
				return nil, invalid(fmt.Errorf("%s is no folder", root), "name a folder whose files may be read")
			}
		}
		e.Args = append(e.Args, "--root", root)
	}
	e.Args = append(e.Args, flags...)
	return e, nil
}

// tell says what a change of a file came to.
func tell(cmd *cobra.Command, changed bool, err error, done, nothing string) error {
	switch {
	case err != nil:
		return err
	case changed:
		fmt.Fprintln(cmd.ErrOrStderr(), done)
	default:
		fmt.Fprintln(cmd.ErrOrStderr(), nothing)
	}
	return nil
}

func newMCPUninstallCommand() *cobra.Command {
	var f hostFlags
	cmd := &cobra.Command{
		Use:   "uninstall --host HOST",
		Short: "Take the server out of the configuration of a host",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, path, err := f.find()
			if err != nil {
				return err
			}
			changed, err := h.Uninstall(path, f.name)
			return tell(cmd, changed, err, fmt.Sprintf("%s no longer starts %s: %s. Restart it.", h.Title, f.name, path), fmt.Sprintf("%s does not start %s: %s", h.Title, f.name, path))
		},
	}
	f.register(cmd)
	return cmd
}

func newMCPStatusCommand() *cobra.Command {
	var f hostFlags
	cmd := &cobra.Command{
		Use:   "status [--host HOST]",
		Short: "Show which hosts start the server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names := hosts.Names()
			if f.host != "" {
				names = []string{f.host}
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, name := range names {
				one := f
				one.host = name
				h, path, err := one.find()
				if err != nil && f.host == "" {
					continue // no file for this scope
				}
				if err != nil {
					return err
				}
				got, err := h.Status(path, f.name)
				state := "not installed"
				if entry, ok := got.(map[string]any); ok {
					state = fmt.Sprintf("installed: %v %v", entry["command"], entry["args"])
				}
				if err != nil {
					state = "unreadable: " + err.Error()
				}
				fmt.Fprintf(w, "%s\t%s\t%s\n", name, path, state)
			}
			return w.Flush()
		},
	}
	f.register(cmd)
	return cmd
}

func newMCPBundleCommand() *cobra.Command {
	var binaries map[string]string
	var output string
	cmd := &cobra.Command{
		Use:   "bundle [-o FILE]",
		Short: "Pack an MCPB bundle, which Claude Desktop opens",
		Long: `Pack an MCPB bundle, which Claude Desktop opens: with this program, or with the programs for several kinds of machines, of which the right one is
started.`,
		Example: `  cprs mcp bundle
  cprs mcp bundle --binary linux/amd64=out/cprs-linux --binary darwin/arm64=out/cprs-mac --binary windows/amd64=out/cprs.exe`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			o, err := bundleOptions(binaries)
			if err != nil {
				return err
			}
			file, err := os.Create(output)
			if err != nil {
				return err
			}
			sum := sha256.New()
			if err := errors.Join(bundle.Write(io.MultiWriter(file, sum), o), file.Close()); err != nil {
				return errors.Join(err, os.Remove(output))
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s  %s\n", hex.EncodeToString(sum.Sum(nil)), output)
			return err
		},
	}
	fs := cmd.Flags()
	fs.StringVarP(&output, "output", "o", "cprs.mcpb", "file to write")
	fs.StringToStringVar(&binaries, "binary", nil, "program for a kind of machine, such as linux/amd64=FILE; default: this one")
	return cmd
}

// bundleOptions describe a bundle of programs by OS/ARCH; of this program if there are none.
func bundleOptions(binaries map[string]string) (*bundle.Options, error) {
	o := &bundle.Options{Version: mcpserver.Version()}
	if len(binaries) == 0 {
		this, err := os.Executable()
		if err != nil {
			return nil, err
		}
		binaries = map[string]string{runtime.GOOS + "/" + runtime.GOARCH: this}
	}
	for machine, file := range binaries {
		goos, goarch, _ := strings.Cut(machine, "/")
		o.Programs = append(o.Programs, bundle.Program{GOOS: goos, GOARCH: goarch, File: file})
	}
	all, err := mcpserver.Tools()
	for _, t := range all {
		o.Tools = append(o.Tools, bundle.Tool{Name: t.Name, Description: t.Title})
	}
	return o, err
}

func newMCPRegistryCommand() *cobra.Command {
	var name string
	var sums map[string]string
	cmd := &cobra.Command{
		Use:   "registry --bundle URL=SHA256...",
		Short: "Write the server.json for the MCP registry",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var packages []bundle.Package
			for url, sum := range sums {
				packages = append(packages, bundle.Package{URL: url, SHA256: sum})
			}
			slices.SortFunc(packages, func(a, b bundle.Package) int { return strings.Compare(a.URL, b.URL) })
			text, err := bundle.Registry(name, mcpserver.Version(), packages)
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "io.github.cprs-go/cprs", "name in the registry")
	cmd.Flags().StringToStringVar(&sums, "bundle", nil, "URL of a published bundle and its SHA-256 in hex")
	cmd.MarkFlagRequired("bundle")
	return cmd
}
