package train

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"

	"github.com/cprs-go/cprs/core/eval"
)

// logFile is the log: one line a step, and one for each development score.
const logFile = "log.csv"

var logHead = []string{"step", "loss", "tags", "relevance", "rank", "gradient", "rate", "tokens", "tokens_per_second", "dev_recall", "dev_false_keep"}

// csvLog is the log of a training, in memory too for the plot.
type csvLog struct {
	path string
	rows [][]string
	file *os.File
	csv  *csv.Writer
}

// openLog opens the log in dir and drops what it says of steps after the given one: they are made again. A kill may have torn the last
// of them.
func openLog(dir string, step int) (*csvLog, error) {
	l := &csvLog{path: filepath.Join(dir, logFile)}
	old, err := os.Open(l.path)
	if err == nil {
		r := csv.NewReader(old)
		r.FieldsPerRecord = -1
		rows, err := r.ReadAll()
		if err = errors.Join(err, old.Close()); err != nil {
			return nil, fmt.Errorf("reading %s: %w", l.path, err)
		}
		for _, r := range rows[min(1, len(rows)):] {
			if n, err := strconv.Atoi(r[0]); err == nil && n <= step && len(r) == len(logHead) {
				l.rows = append(l.rows, r)
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if l.file, err = os.Create(l.path); err != nil {
		return nil, err
	}
	l.csv = csv.NewWriter(l.file)
	return l, l.csv.WriteAll(append([][]string{logHead}, l.rows...))
}

func (l *csvLog) add(row []string) error {
	l.rows = append(l.rows, row)
	return l.csv.Write(row)
}

func (l *csvLog) step(p Progress) error {
	f := func(v float64, digits int) string { return strconv.FormatFloat(v, 'g', digits, 64) }
	return l.add([]string{strconv.Itoa(p.Step), f(p.Loss.Total, 6), f(p.Loss.Tags, 6), f(p.Loss.Relevance, 6), f(p.Loss.Rank, 6), f(p.Loss.Norm, 4),
		f(p.Rate, 4), strconv.Itoa(p.Tokens), f(p.PerSecond, 4), "", ""})
}

func (l *csvLog) score(step int, s Score) error {
	row := make([]string, len(logHead))
	row[0], row[9], row[10] = strconv.Itoa(step), fmt.Sprintf("%.4f", s.Recall), fmt.Sprintf("%.4f", s.FalseKeep)
	return errors.Join(l.add(row), l.flush())
}

func (l *csvLog) flush() error {
	l.csv.Flush()
	return l.csv.Error()
}

func (l *csvLog) close() error { return errors.Join(l.flush(), l.file.Close()) }

// plot draws losses, averaged over some steps, and development recall.
func (l *csvLog) plot(path string) error {
	p := plot.New()
	eval.SansFonts(p)
	p.Title.Text, p.X.Label.Text = "Training", "step"
	p.Add(plotter.NewGrid())
	p.Legend.Top = true
	smooth := max(1, len(l.rows)/100)
	for i, c := range []struct {
		column, smooth int
	}{{2, smooth}, {3, smooth}, {4, smooth}, {9, 1}} {
		points := l.points(c.column, c.smooth)
		if len(points) == 0 {
			continue
		}
		line, err := plotter.NewLine(points)
		if err != nil {
			return fmt.Errorf("plotting: %w", err)
		}
		line.Color, line.Dashes = plotutil.Color(i), plotutil.Dashes(i)
		p.Add(line)
		p.Legend.Add(logHead[c.column], line)
	}
	if err := p.Save(18*vg.Centimeter, 12*vg.Centimeter, path); err != nil {
		return fmt.Errorf("plotting to %s: %w", filepath.Base(path), err)
	}
	return nil
}

// points are the means of so many rows of a column, at the step of the last.
func (l *csvLog) points(column, smooth int) (all plotter.XYs) {
	sum, n := 0.0, 0
	for _, r := range l.rows {
		v, err := strconv.ParseFloat(r[column], 64)
		if err != nil {
			continue
		}
		sum += v
		if n++; n == smooth {
			step, _ := strconv.Atoi(r[0])
			all = append(all, plotter.XY{X: float64(step), Y: sum / float64(n)})
			sum, n = 0, 0
		}
	}
	return all
}
