package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/embedded"
	"github.com/cprs-go/cprs/core/model/latejoin"
)

func newModelCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "Look into critics"}
	cmd.AddCommand(newInspectCommand())
	return cmd
}

func newInspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect [FOLDER]",
		Short: "Show a critic's architecture, tensors and memory",
		Long:  "Show a critic's architecture, tensors and memory: the one in FOLDER, or the embedded one.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			i, err := inspect(args)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(i)
			}
			return i.write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// inspection is what can be said of a critic.
type inspection struct {
	ID         string          `json:"id"`
	Hash       string          `json:"hash"`
	Source     string          `json:"source"`
	Licence    string          `json:"licence,omitempty"`
	Parameters int             `json:"parameters"`
	Bytes      int             `json:"bytes"`
	Config     latejoin.Config `json:"config"`
	Tensors    []tensor        `json:"tensors"`
}

type tensor struct {
	Name  string           `json:"name"`
	DType checkpoint.DType `json:"dtype"`
	Shape []int            `json:"shape"`
	Bytes int              `json:"bytes"`
}

func inspect(args []string) (*inspection, error) {
	i := &inspection{Source: "embedded", Licence: "Apache-2.0; sources in core/model/embedded/NOTICE.md"}
	open := embedded.Checkpoint
	if len(args) == 1 {
		i.Source, i.Licence = args[0], ""
		open = func() (*checkpoint.Checkpoint, error) { return checkpoint.Open(args[0]) }
	}
	ckpt, err := open()
	if err != nil {
		return nil, foreign(i.Source, err)
	}
	defer ckpt.Close()
	m, err := latejoin.Load(ckpt, "")
	if err != nil {
		return nil, foreign(i.Source, err)
	}
	i.ID, i.Hash, i.Config = m.ID(), m.Hash(), m.Config()
	for _, name := range ckpt.Names() {
		t, _ := ckpt.Tensor(name)
		i.Tensors = append(i.Tensors, tensor{t.Name, t.DType, t.Shape, len(t.Data)})
		i.Parameters += t.Len()
		i.Bytes += len(t.Data)
	}
	return i, nil
}

func foreign(source string, err error) error {
	return &core.Error{Code: core.CodeCriticFailed, Message: fmt.Sprintf("%s holds no critic that can be read", source),
		Hint: "give a folder with config.json and model.safetensors of a late-join critic", Err: err}
}

func (i *inspection) write(w io.Writer) error {
	c := i.Config
	licence := i.Licence
	if licence == "" {
		licence = "see the folder"
	}
	_, err := fmt.Fprintf(w, `critic      %s
hash        %s
from        %s
licence     %s
parameters  %d in %d tensors, %.1f MB
encoder     %d layers, hidden %d, %d heads, feed-forward %d, vocabulary %d
joint       %d layers over question and text
windows     %d tokens, headers %d, titles %d
units       %v
tags        %v

`, i.ID, i.Hash, i.Source, licence, i.Parameters, len(i.Tensors), float64(i.Bytes)/1e6, c.Encoder.Layers, c.Encoder.Hidden, c.Encoder.Heads,
		c.Encoder.Intermediate, c.Encoder.Vocab, c.JointLayers, c.WindowTokens, c.HeaderTokens, c.TitleTokens, c.Units, c.Labels)
	for _, t := range i.Tensors {
		if err == nil {
			_, err = fmt.Fprintf(w, "%-64s %-4s %-14s %10d bytes\n", t.Name, t.DType, fmt.Sprint(t.Shape), t.Bytes)
		}
	}
	return err
}
