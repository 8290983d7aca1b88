package eval

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Markdown writes the report as tables: all sets together, each metric, each set, each length, the threshold.
func (r *Report) Markdown(out io.Writer) error {
	w := bufio.NewWriter(out)
	r.provenance(w)
	r.recallTable(w)
	r.leadTable(w)
	for _, share := range r.Shares {
		r.metricTable(w, share)
	}
	for _, share := range r.Shares {
		r.setTable(w, share)
	}
	for _, share := range r.Shares {
		r.lengthTable(w, share)
	}
	r.thresholdTable(w)
	return w.Flush()
}

func (r *Report) provenance(w io.Writer) {
	p := r.Provenance
	if p.Command != "" {
		fmt.Fprintf(w, "    %s\n\n", p.Command)
	}
	if p.Critic != "" {
		fmt.Fprintf(w, "Critic %s, SHA-256 %.12s, backend %s, %d threads, %s kernels. ", p.Critic, p.CriticHash, p.Backend, p.Threads, p.Kernel)
	}
	fmt.Fprintf(w, "Tokens of %s. Per set at most %s with an answer and as many without, drawn by seed %d. "+
		"In per cent, with 95 %% intervals from %d bootstrap samples of the questions. Most tokens above a budget: %d.\n\n",
		p.Tokenizer, perSet(p.PerSet), p.Seed, p.Resamples, r.Over)
	rows := [][]string{{"set", "with an answer", "without", "SHA-256 of the file"}}
	for _, s := range r.Sets {
		rows = append(rows, []string{s.Name, fmt.Sprint(s.Answerable), fmt.Sprint(s.Unanswerable), fmt.Sprintf("%.12s", s.Hash)})
	}
	table(w, rows)
}

func perSet(n int) string {
	if n == 0 {
		return "all questions"
	}
	return fmt.Sprintf("%d questions", n)
}

// recallTable is the main table: a row a method, a column a share.
func (r *Report) recallTable(w io.Writer) {
	fmt.Fprintf(w, "## Evidence recall, mean over sets\n\n")
	header := []string{"kept at most"}
	for _, s := range r.Shares {
		header = append(header, percentName(s))
	}
	rows := [][]string{header}
	for _, m := range r.Methods {
		row := []string{m}
		for _, s := range r.Shares {
			row = append(row, r.cell(r.Find("", "", m, s, true), "recall", true))
		}
		rows = append(rows, row)
	}
	table(w, rows)
}

func (r *Report) leadTable(w io.Writer) {
	if len(r.Leads) == 0 {
		return
	}
	fmt.Fprintf(w, "## Lead of %s in recall, points on the same questions\n\n", r.Methods[0])
	header := []string{"over"}
	for _, s := range r.Shares {
		header = append(header, percentName(s))
	}
	rows := [][]string{header}
	for _, d := range r.Leads {
		if d.Over != rows[len(rows)-1][0] {
			rows = append(rows, []string{d.Over})
		}
		last := len(rows) - 1
		rows[last] = append(rows[last], fmt.Sprintf("%+.1f (%+.1f to %+.1f)", 100*d.Lead.Mean, 100*d.Lead.Low, 100*d.Lead.High))
	}
	table(w, rows)
}

func (r *Report) metricTable(w io.Writer, share float64) {
	fmt.Fprintf(w, "## All figures at %s, mean over sets\n\n", percentName(share))
	rows := [][]string{{"", "evidence recall", "all evidence kept", "answer kept", "precision", "F2", "tokens kept"}}
	for _, m := range r.Methods {
		g := r.Find("", "", m, share, true)
		row := []string{m}
		for _, name := range []string{"recall", "full", "survival", "precision", "f2", "kept"} {
			row = append(row, r.cell(g, name, false))
		}
		rows = append(rows, row)
	}
	table(w, rows)
}

func (r *Report) setTable(w io.Writer, share float64) {
	fmt.Fprintf(w, "## Evidence recall by set at %s\n\n", percentName(share))
	rows := [][]string{append([]string{"set"}, r.Methods...)}
	for _, s := range r.Sets {
		if s.Answerable == 0 {
			continue
		}
		row := []string{s.Name}
		for i, m := range r.Methods {
			row = append(row, r.cell(r.Find(s.Name, "", m, share, true), "recall", i == 0))
		}
		rows = append(rows, row)
	}
	table(w, rows)
}

func (r *Report) lengthTable(w io.Writer, share float64) {
	fmt.Fprintf(w, "## Evidence recall by length at %s, mean over sets\n\n", percentName(share))
	rows := [][]string{append([]string{"tokens of the record", "questions"}, r.Methods...)}
	for _, l := range lengths {
		var row []string
		for i, m := range r.Methods {
			g := r.Find("", l.name, m, share, true)
			if g == nil {
				continue
			}
			if row == nil {
				row = []string{l.name, fmt.Sprint(g.Questions)}
			}
			row = append(row, r.cell(g, "recall", i == 0))
		}
		if row != nil {
			rows = append(rows, row)
		}
	}
	table(w, rows)
}

// thresholdTable shows the methods that choose by themselves how much to keep.
func (r *Report) thresholdTable(w io.Writer) {
	for _, m := range r.Methods {
		all := r.Find("", "", m, Threshold, true)
		if all == nil {
			continue
		}
		fmt.Fprintf(w, "## %s at its own threshold\n\n", m)
		rows := [][]string{{"set", "recall", "all evidence kept", "precision", "F2", "tokens kept", "refused", "tokens kept without an answer", "refused without an answer"}}
		names := []string{""}
		for _, s := range r.Sets {
			names = append(names, s.Name)
		}
		for _, set := range names {
			name := set
			if set == "" {
				name = "mean over sets"
			}
			with, without := r.Find(set, "", m, Threshold, true), r.Find(set, "", m, Threshold, false)
			row := []string{name}
			for _, metric := range []string{"recall", "full", "precision", "f2", "kept", "refused"} {
				row = append(row, r.cell(with, metric, set == "" && metric != "full"))
			}
			rows = append(rows, append(row, r.cell(without, "kept", set == ""), r.cell(without, "refused", set == "")))
		}
		table(w, rows)
	}
}

// cell is a figure in per cent; empty where it does not apply.
func (r *Report) cell(g *Group, metric string, interval bool) string {
	if g == nil {
		return ""
	}
	e, ok := g.Metrics[metric]
	switch {
	case !ok:
		return ""
	case interval:
		return fmt.Sprintf("%.1f (%.1f to %.1f)", 100*e.Mean, 100*e.Low, 100*e.High)
	}
	return fmt.Sprintf("%.1f", 100*e.Mean)
}

func percentName(share float64) string { return fmt.Sprintf("%g %%", 100*share) }

// table writes rows as a Markdown table; the first row is the header.
func table(w io.Writer, rows [][]string) {
	for i, row := range rows {
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	fmt.Fprintln(w)
}
