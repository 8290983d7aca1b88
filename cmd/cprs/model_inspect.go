package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/cprs-go/cprs/core/model/checkpoint"
	"github.com/cprs-go/cprs/core/model/embedded"
	"github.com/cprs-go/cprs/core/model/hybrid"
	"github.com/cprs-go/cprs/core/model/latejoin"
)

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
	ID         string   `json:"id"`
	Hash       string   `json:"hash"`
	Source     string   `json:"source"`
	Licence    string   `json:"licence,omitempty"`
	Parameters int      `json:"parameters"`
	Bytes      int      `json:"bytes"`
	Config     any      `json:"config"`
	Memory     []memory `json:"memory,omitempty"` // of hybrid critics
	Tensors    []tensor `json:"tensors"`

	about string // the lines that only its kind has
}

// memory is what a hybrid critic takes on a device that reads some windows of full length at a time.
type memory struct {
	Windows   int   `json:"windows"`
	Weights   int64 `json:"weights_bytes"`
	F32       int64 `json:"f32_bytes"`        // activations
	BF16Fused int64 `json:"bf16_fused_bytes"` // activations where the backend has attention of its own
}

type tensor struct {
	Name  string           `json:"name"`
	DType checkpoint.DType `json:"dtype"`
	Shape []int            `json:"shape"`
	Bytes int              `json:"bytes"`
}

func inspect(args []string) (*inspection, error) {
	i := &inspection{Source: "embedded", Licence: "Apache-2.0; sources in core/model/embedded/NOTICE.md"}
	open, kind := embedded.Checkpoint, latejoin.ModelType
	if len(args) == 1 {
		i.Source, i.Licence = args[0], "see the folder"
		open = func() (*checkpoint.Checkpoint, error) { return checkpoint.Open(args[0]) }
		var err error
		if kind, err = checkpoint.ModelType(args[0]); err != nil {
			return nil, foreign(i.Source, err)
		}
	}
	ckpt, err := open()
	if err != nil {
		return nil, foreign(i.Source, err)
	}
	defer ckpt.Close()
	for _, name := range ckpt.Names() {
		t, _ := ckpt.Tensor(name)
		i.Tensors = append(i.Tensors, tensor{t.Name, t.DType, t.Shape, len(t.Data)})
		i.Parameters += t.Len()
		i.Bytes += len(t.Data)
	}
	if kind == hybrid.ModelType {
		err = i.hybrid(ckpt)
	} else {
		err = i.lateJoin(ckpt)
	}
	if err != nil {
		return nil, foreign(i.Source, err)
	}
	return i, nil
}

func (i *inspection) lateJoin(ckpt *checkpoint.Checkpoint) error {
	m, err := latejoin.Load(ckpt, "")
	if err != nil {
		return err
	}
	c := m.Config()
	i.ID, i.Hash, i.Config = m.ID(), m.Hash(), c
	i.about = fmt.Sprintf(`encoder     %d layers, hidden %d, %d heads, feed-forward %d, vocabulary %d
joint       %d layers over question and text
windows     %d tokens, headers %d, titles %d
units       %v
tags        %v
`, c.Encoder.Layers, c.Encoder.Hidden, c.Encoder.Heads, c.Encoder.Intermediate, c.Encoder.Vocab, c.JointLayers,
		c.WindowTokens, c.HeaderTokens, c.TitleTokens, c.Units, c.Labels)
	return nil
}

func (i *inspection) hybrid(ckpt *checkpoint.Checkpoint) error {
	c, err := hybrid.Check(ckpt)
	if err != nil {
		return err
	}
	window := min(hybrid.DefaultWindow, c.Positions)
	i.ID, i.Hash, i.Config = c.ID(), ckpt.Hash(), c
	i.about = fmt.Sprintf(`layers      %d causal, then %d bidirectional over the whole window
attention   %d heads of %d numbers, %d for keys and values
hidden      %d, feed-forward %d, vocabulary %d
windows     %d tokens, header included, of %d positions
tags        %s
`, c.CausalLayers(), c.Layers-c.CausalLayers(), c.Heads, c.HeadSize, c.KVHeads, c.Hidden, c.Intermediate, c.Vocab, window, c.Positions, c.Labels)
	for _, n := range []int{1, 4, 16} {
		m := memory{n, int64(i.Bytes), c.ActivationBytes(n, window, hybrid.F32, false), c.ActivationBytes(n, window, hybrid.BF16, true)}
		i.Memory = append(i.Memory, m)
		i.about += fmt.Sprintf("memory      %2d windows at a time: %s weights + %s in f32, or + %s in bf16 with fused attention\n",
			n, gigabytes(m.Weights), gigabytes(m.F32), gigabytes(m.BF16Fused))
	}
	return nil
}

func gigabytes(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }

func (i *inspection) write(w io.Writer) error {
	_, err := fmt.Fprintf(w, `critic      %s
hash        %s
from        %s
licence     %s
parameters  %d in %d tensors, %.1f MB
%s
`, i.ID, i.Hash, i.Source, i.Licence, i.Parameters, len(i.Tensors), float64(i.Bytes)/1e6, i.about)
	for _, t := range i.Tensors {
		if err == nil {
			_, err = fmt.Fprintf(w, "%-64s %-4s %-14s %10d bytes\n", t.Name, t.DType, fmt.Sprint(t.Shape), t.Bytes)
		}
	}
	return err
}
