package needle

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/cprs-go/cprs/core/eval"
)

// Plot draws one heat map a kind, depth against length, to an .svg, .png or .pdf file.
func (r *Report) Plot(path string) error {
	const (
		columns = 4
		size    = 6 * vg.Centimeter
		pad     = 3 * vg.Millimeter
	)
	m, err := colors()
	if err != nil {
		return err
	}
	plots := make([]*plot.Plot, 0, len(r.Kinds)+1)
	for _, k := range r.Kinds {
		plots = append(plots, r.panel(k, m))
	}
	plots = append(plots, scale(m))
	rows := (len(plots) + columns - 1) / columns
	panels := make([][]*plot.Plot, rows)
	for i := range panels {
		panels[i] = make([]*plot.Plot, columns)
		copy(panels[i], plots[i*columns:])
	}
	c, err := draw.NewFormattedCanvas(size*columns, size*vg.Length(rows), strings.TrimPrefix(filepath.Ext(path), "."))
	if err != nil {
		return fmt.Errorf("plotting to %s: %w", filepath.Base(path), err)
	}
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: pad, PadY: pad, PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad}
	for j, line := range plot.Align(panels, tiles, draw.New(c)) {
		for i, tile := range line {
			if panels[j][i] != nil {
				panels[j][i].Draw(tile)
			}
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := c.WriteTo(f); err != nil {
		f.Close()
		return fmt.Errorf("plotting to %s: %w", filepath.Base(path), err)
	}
	return f.Close()
}

// colors runs from dark, nothing, to yellow, everything; in grey it runs from dark to light too.
func colors() (palette.ColorMap, error) {
	m, err := moreland.NewLuminance([]color.Color{
		color.NRGBA{0x44, 0x01, 0x54, 0xff}, color.NRGBA{0x3b, 0x52, 0x8b, 0xff}, color.NRGBA{0x21, 0x91, 0x8c, 0xff},
		color.NRGBA{0x5e, 0xc9, 0x62, 0xff}, color.NRGBA{0xfd, 0xe7, 0x25, 0xff},
	})
	if err != nil {
		return nil, err
	}
	m.SetMin(0)
	m.SetMax(100)
	return m, nil
}

// panel is the heat map of one kind.
func (r *Report) panel(kind Kind, m palette.ColorMap) *plot.Plot {
	p := plot.New()
	eval.SansFonts(p)
	p.Title.Text = string(kind)
	p.X.Label.Text, p.Y.Label.Text = "tokens", "depth, %"
	h := plotter.NewHeatMap(grid{r, kind}, m.Palette(101))
	h.Min, h.Max = 0, 100
	p.Add(h)
	var lengths, depths []plot.Tick
	for i, l := range r.Lengths {
		lengths = append(lengths, plot.Tick{Value: float64(i), Label: lengthName(l)})
	}
	for i, d := range r.Depths {
		t := plot.Tick{Value: float64(len(r.Depths) - 1 - i)}
		if i == 0 || i == len(r.Depths)-1 || i == len(r.Depths)/2 {
			t.Label = fmt.Sprintf("%.0f", 100*d)
		}
		depths = append(depths, t)
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks(lengths), plot.ConstantTicks(depths)
	p.X.Min, p.X.Max = -0.5, float64(len(r.Lengths))-0.5
	p.Y.Min, p.Y.Max = -0.5, float64(len(r.Depths))-0.5
	return p
}

// scale explains the colours.
func scale(m palette.ColorMap) *plot.Plot {
	p := plot.New()
	eval.SansFonts(p)
	p.Title.Text = "score, %"
	p.Add(&plotter.ColorBar{ColorMap: m, Vertical: true})
	p.HideX()
	return p
}

// grid is the scores of one kind, lengths to the right, depths downwards.
type grid struct {
	r    *Report
	kind Kind
}

func (g grid) Dims() (c, r int) { return len(g.r.Lengths), len(g.r.Depths) }
func (g grid) X(c int) float64  { return float64(c) }
func (g grid) Y(r int) float64  { return float64(r) }
func (g grid) Z(c, r int) float64 {
	s, ok := g.r.score(g.kind, g.r.Lengths[c], g.r.Depths[len(g.r.Depths)-1-r])
	if !ok {
		return math.NaN()
	}
	return 100 * s
}
