package eval

import (
	"fmt"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// Plot draws recall against the share kept, a line a method, to an .svg, .png or .pdf file.
func (r *Report) Plot(path string) error {
	p := plot.New()
	SansFonts(p)
	p.Title.Text = "Evidence recall, mean over sets"
	p.X.Label.Text = "tokens kept, %"
	p.Y.Label.Text = "evidence kept, %"
	p.X.Min, p.Y.Min, p.Y.Max = 0, 0, 100
	p.Legend.Top, p.Legend.Left = false, false
	p.Add(plotter.NewGrid())
	shares := slices.Sorted(slices.Values(r.Shares))
	for i, m := range r.Methods {
		var line plotter.XYs
		for _, s := range shares {
			if g := r.Find("", "", m, s, true); g != nil {
				line = append(line, plotter.XY{X: 100 * s, Y: 100 * g.Metrics["recall"].Mean})
			}
		}
		if len(line) == 0 {
			continue
		}
		l, points, err := plotter.NewLinePoints(line)
		if err != nil {
			return fmt.Errorf("plotting %s: %w", m, err)
		}
		l.Color, l.Dashes = plotutil.Color(i), plotutil.Dashes(i)
		points.Color, points.Shape = plotutil.Color(i), plotutil.Shape(i)
		if i == 0 {
			l.Width, l.Dashes = vg.Points(2.5), nil
		}
		p.Add(l, points)
		p.Legend.Add(m, l, points)
	}
	if err := p.Save(18*vg.Centimeter, 12*vg.Centimeter, path); err != nil {
		return fmt.Errorf("plotting to %s: %w", filepath.Base(path), err)
	}
	return nil
}

// SansFonts sets all text of a plot in a sans-serif font.
func SansFonts(p *plot.Plot) {
	for _, f := range []*font.Font{
		&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font,
	} {
		f.Variant = "Sans"
	}
}
