package latejoin

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/cprs-go/cprs/core/kernel"
	"github.com/cprs-go/cprs/core/label"
	"github.com/cprs-go/cprs/core/model/bert"
	"github.com/cprs-go/cprs/core/prompt"
	"github.com/cprs-go/cprs/core/window"
)

// question is a header on its way through one call. The first worker that needs it prepares it.
type question struct {
	header  *prompt.Header
	request int64
	left    atomic.Int32 // jobs that have not ended

	once   sync.Once
	states []float32 // of the header, with segment[0] added, [tokens][hidden]
	pooled []float32 // what stands for the question, of length 1, [hidden]
	match  map[int32]bool
}

// worker is the working memory of one goroutine. It grows to what a job needs.
type worker struct {
	scratch bert.Scratch
	ids     []int32
	text    []byte // ids as bytes
	rows    [][]int32
	states  []states
	half    []uint16  // states that the cache does not take
	full    []float32 // the same, f32
	x       []float32 // joint input
	similar []float32
	lengths []int
	keep    []int
}

// run scores the windows of a job.
func (w *worker) run(c *Critic, j job, ws []window.Window, out []label.Scores) {
	q := j.question
	q.once.Do(func() { w.ask(c, q) })
	ws, out = ws[j.first:j.last], out[j.first:j.last]
	w.rows, w.ids = w.rows[:0], w.ids[:0]
	for i := range ws {
		from := len(w.ids)
		w.ids = concat(w.ids, &ws[i])
		w.rows = append(w.rows, w.ids[from:])
	}
	w.read(c, w.rows, q.request)
	x := w.join(c.Model, q, ws)
	for i, y := range c.joint {
		var keep []int
		if i == len(c.joint)-1 { // only what the heads read
			keep = w.keep
		}
		x = y.Forward(x, w.lengths, keep, &w.scratch)
	}
	w.judge(c.Model, ws, x, out)
	if q.left.Add(-1) == 0 {
		q.states, q.pooled, q.match = nil, nil, nil // a call with many questions holds few at a time
	}
}

// ask prepares a question.
func (w *worker) ask(c *Critic, q *question) {
	h, ids := c.cfg.Encoder.Hidden, q.header.IDs
	w.read(c, [][]int32{ids}, q.request)
	q.states = make([]float32, len(ids)*h)
	w.states[0].copyTo(q.states)
	q.pooled = c.pooled(q.states, q.header.Pool)
	q.match = map[int32]bool{}
	for i, id := range ids {
		kernel.Axpy(q.states[i*h:(i+1)*h], 1, c.segment[:h])
		if i > 0 && i < len(ids)-1 && !c.stop[id] { // [CLS] and [SEP] are in every row
			q.match[id] = true
		}
	}
}

// pooled is the sum of the header's states at the positions in pool, weighted by a softmax, and scaled to length 1.
func (m *Model) pooled(x []float32, pool []bool) []float32 {
	h := len(m.pool)
	var weight []float32
	for t, in := range pool {
		if in {
			weight = append(weight, kernel.Dot(x[t*h:(t+1)*h], m.pool))
		}
	}
	kernel.Softmax(weight)
	sum := make([]float32, h)
	for t, in := range pool {
		if in {
			kernel.Axpy(sum, weight[0], x[t*h:(t+1)*h])
			weight = weight[1:]
		}
	}
	unit := make([]float32, h)
	kernel.Axpy(unit, 1/length(sum), sum)
	return unit
}

// length is |x|, never 0.
func length(x []float32) float32 {
	return float32(math.Sqrt(max(1e-12, float64(kernel.Dot(x, x)))))
}

// read fills w.states with the encoder's states of rows, cached or computed.
func (w *worker) read(c *Critic, rows [][]int32, request int64) {
	h := c.cfg.Encoder.Hidden
	w.states = w.states[:0]
	var keys []rowKey
	var missing []int
	var todo [][]int32
	total := 0
	for i, ids := range rows {
		key := keyOf(ids, &w.text)
		s, ok := c.cache.get(key, request)
		if !ok {
			keys, missing, todo = append(keys, key), append(missing, i), append(todo, ids)
			total += len(ids) * h
		}
		w.states = append(w.states, s)
	}
	if len(todo) == 0 {
		return
	}
	x := c.encoder.States(todo, nil, &w.scratch)
	spare := w.spare(total, c.encoder.Quantised())
	for k, i := range missing {
		n := len(todo[k]) * h
		s := spare.cut(n)
		keep := c.cache.reserve(s.bytes(), request)
		if keep {
			s = newStates(n, c.encoder.Quantised())
		}
		s.set(x[:n])
		if keep {
			c.cache.put(keys[k], s, request)
		}
		w.states[i], x = s, x[n:]
	}
}

// spare is room for n numbers that is reused by the next job.
func (w *worker) spare(n int, half bool) states {
	if half {
		w.half = grow(w.half, n)
		return states{half: w.half}
	}
	w.full = grow(w.full, n)
	return states{full: w.full}
}

// join writes the input of the joint layers: for each window the rows of the header, then those of the window.
func (w *worker) join(m *Model, q *question, ws []window.Window) []float32 {
	h, header := m.cfg.Encoder.Hidden, len(q.header.IDs)
	w.lengths, w.keep, w.similar = w.lengths[:0], w.keep[:0], w.similar[:0]
	total := 0
	for i := range ws {
		first := total + header + len(ws[i].Before)
		w.keep = append(w.keep, total)
		for t := range ws[i].IDs {
			w.keep = append(w.keep, first+t)
		}
		w.lengths = append(w.lengths, header+ws[i].Len())
		total += header + ws[i].Len()
	}
	w.x = grow(w.x, total*h)
	x := w.x
	for i, n := range w.lengths {
		copy(x, q.states)
		unit := m.unit[unitRow(ws[i].Unit)*h:][:h]
		for t := range header {
			kernel.Axpy(x[t*h:(t+1)*h], 1, unit)
		}
		w.states[i].copyTo(x[header*h : n*h])
		for t, id := range w.rows[i] {
			row := x[(header+t)*h:][:h]
			similarity := kernel.Dot(row, q.pooled) / length(row)
			w.similar = append(w.similar, similarity)
			segment := 1
			if q.match[id] {
				segment = 2
			}
			kernel.Axpy(row, 1, m.segment[segment*h:(segment+1)*h])
			kernel.Axpy(row, similarity, m.similarity)
		}
		x = x[n*h:]
	}
	kernel.LayerNorm(w.x, m.gamma, m.beta, m.cfg.Encoder.Epsilon)
	return w.x
}

// judge reads the scores off the states x that join asked to keep.
func (w *worker) judge(m *Model, ws []window.Window, x []float32, out []label.Scores) {
	h, similar := m.cfg.Encoder.Hidden, w.similar
	for i := range ws {
		out[i].Relevance = sigmoid(kernel.Dot(x[:h], m.relevance) + m.relevantOff[0])
		x = x[h:]
		near := similar[:ws[i].Len()]
		similar = similar[len(near):]
		for t := range out[i].Probs {
			p := &out[i].Probs[t]
			direct := around(near, len(ws[i].Before)+t) - m.directBias[0]
			for k := range p {
				p[k] = kernel.Dot(x[:h], m.tag[k*h:(k+1)*h]) + m.tagBias[k] + m.direct[k]*direct
			}
			softmax(p)
			x = x[h:]
		}
	}
}

// directReach is how many positions on either side the direct path looks at.
const directReach = 8

// around is the mean of the values around position i.
func around(x []float32, i int) float32 {
	near := x[max(0, i-directReach):min(len(x), i+directReach+1)]
	var sum float32
	for _, v := range near {
		sum += v
	}
	return sum / float32(len(near))
}

func softmax(p *[4]float32) {
	top := max(p[0], p[1], p[2], p[3])
	var sum float32
	for k, v := range p {
		p[k] = float32(math.Exp(float64(v - top)))
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// grow is a slice of n elements that reuses s if it is large enough; what it held is lost.
func grow[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return make([]T, n)
}
