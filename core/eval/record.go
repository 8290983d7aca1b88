package eval

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cprs-go/cprs/core"
	"github.com/cprs-go/cprs/core/unit"
)

// Record holds documents and questions on them.
type Record struct {
	ID      string  `json:"id"`
	Source  string  `json:"source"`
	Lang    string  `json:"lang"`
	Docs    []Doc   `json:"docs"`
	Queries []Query `json:"queries"`
}

// Doc is a document of a record.
type Doc struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// Query is a question on the documents of its record.
type Query struct {
	Text    string   `json:"q"`
	Spans   []Span   `json:"spans"`             // the evidence; none: the documents hold no answer
	Level   string   `json:"level"`             // grain of Spans: keyword, sentence, paragraph, line or turn
	Answers []string `json:"answers,omitempty"` // strings that stand in Spans
	Group   string   `json:"group,omitempty"`   // the same for one question at several levels
}

// Span is the evidence Docs[s[0]].Text[s[1]:s[2]], in bytes.
type Span [3]int

// Unit is the grain in which methods keep text for q: lines where the evidence are lines, turns or any part of a text
// that is written in lines, else sentences.
func (q *Query) Unit(r *Record) core.Unit {
	if q.Level == "line" || q.Level == "turn" {
		return core.UnitLine
	}
	for _, d := range r.Docs {
		if unit.Choose("", "", d.Text) == core.UnitLine {
			return core.UnitLine
		}
	}
	return core.UnitSentence
}

// Set is a file of records.
type Set struct {
	Name    string // of the file, without folder and endings
	Hash    string // SHA-256 of the file, hex
	Records []Record
}

// Load reads a JSONL file of records, gzipped if its name ends in ".gz". The error names the line at fault.
func Load(path string) (*Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".gz"), ".jsonl")
	hash := sha256.New()
	var in io.Reader = io.TeeReader(f, hash)
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	records, err := Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := io.Copy(hash, f); err != nil { // what gzip left unread
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Set{Name: name, Hash: hex.EncodeToString(hash.Sum(nil)), Records: records}, nil
}

// Read reads records, one a line.
func Read(in io.Reader) ([]Record, error) {
	var records []Record
	r := bufio.NewReader(in)
	for n := 1; ; n++ {
		line, err := r.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			var rec Record
			if err := json.Unmarshal([]byte(line), &rec); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			if err := rec.check(); err != nil {
				return nil, fmt.Errorf("line %d: record %s: %w", n, rec.ID, err)
			}
			records = append(records, rec)
		}
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
}

// check refuses spans that are not in their document: a wrong offset would show as a bad score.
func (r *Record) check() error {
	if len(r.Docs) == 0 {
		return errors.New("no documents")
	}
	for _, q := range r.Queries {
		if strings.TrimSpace(q.Text) == "" {
			return errors.New("empty question")
		}
		for _, s := range q.Spans {
			if s[0] < 0 || s[0] >= len(r.Docs) {
				return fmt.Errorf("%q: span %v: there are %d documents", q.Text, s, len(r.Docs))
			}
			text := r.Docs[s[0]].Text
			if s[1] < 0 || s[1] >= s[2] || s[2] > len(text) || !onBorder(text, s[1]) || !onBorder(text, s[2]) {
				return fmt.Errorf("%q: span %v is no range of characters of a text of %d bytes", q.Text, s, len(text))
			}
		}
	}
	return nil
}

func onBorder(text string, i int) bool { return i == len(text) || utf8.RuneStart(text[i]) }

// task is a record with the questions on it that were drawn.
type task struct {
	set     string
	record  *Record
	queries []*Query
}

// sample draws n questions with an answer from a set and n without; 0 draws all. Of the levels of one question it draws one.
// The draw depends on the seed and the set's name only, not on the sets beside it.
func sample(s *Set, n int, seed uint64) []task {
	rng := rand.New(rand.NewPCG(seed, nameHash(s.Name)))
	type place struct{ record, query int }
	groups := map[string][]place{}
	var keys []string // of groups, in order
	for i := range s.Records {
		for j, q := range s.Records[i].Queries {
			key := fmt.Sprintf("%d/%s", i, q.Group)
			if q.Group == "" {
				key = fmt.Sprintf("%d/%d", i, j)
			}
			if groups[key] == nil {
				keys = append(keys, key)
			}
			groups[key] = append(groups[key], place{i, j})
		}
	}
	rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var drawn []place
	left := map[bool]int{true: n, false: n} // by answerable
	for _, key := range keys {
		p := groups[key][rng.IntN(len(groups[key]))]
		answerable := len(s.Records[p.record].Queries[p.query].Spans) > 0
		if n > 0 && left[answerable] == 0 {
			continue
		}
		left[answerable]--
		drawn = append(drawn, p)
	}
	slices.SortFunc(drawn, func(a, b place) int { return cmp.Or(a.record-b.record, a.query-b.query) })
	var tasks []task
	for _, p := range drawn {
		r := &s.Records[p.record]
		if len(tasks) == 0 || tasks[len(tasks)-1].record != r {
			tasks = append(tasks, task{set: s.Name, record: r})
		}
		t := &tasks[len(tasks)-1]
		t.queries = append(t.queries, &r.Queries[p.query])
	}
	return tasks
}

func nameHash(name string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, name)
	return h.Sum64()
}
