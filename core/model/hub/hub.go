// Package hub fetches model folders from the Hugging Face hub, or from a mirror that speaks its HTTP interface: only what a critic is
// made of, with resume and checksums. Nothing else of this module opens a connection to fetch a model; every folder can be brought by
// hand instead. The package stands beside core/model/checkpoint, which reads what it brings.
//
// It speaks HTTP itself: github.com/gomlx/go-huggingface v0.4.0 neither resumes a file nor checks its SHA-256.
package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// DefaultEndpoint is the hub.
const DefaultEndpoint = "https://huggingface.co"

// ErrChecksum is wrapped by errors about a file that is not what the hub says it is.
var ErrChecksum = errors.New("wrong checksum")

// maxListing bounds the hub's answer about a model, in bytes.
const maxListing = 16 << 20

// Options say where from. Nil and zero values mean the defaults.
type Options struct {
	Endpoint string // empty: DefaultEndpoint
	Revision string // branch, tag or commit; empty: main
	Token    string // for models that are not public
	Client   *http.Client
	Progress func(done, total int64) // is told how many bytes of all are there
}

// modelID is the form of the names of models.
var modelID = regexp.MustCompile(`^[\w-][\w.-]*/[\w-][\w.-]*$`)

// file is one file of a model.
type file struct {
	Name string `json:"rfilename"`
	Size int64  `json:"size"`
	Blob string `json:"blobId"` // SHA-1 of git
	LFS  *struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	} `json:"lfs"`
}

// Pull fetches the model called id ("owner/name") to dir and returns the commit that it is of. Files that are there already, whole and
// with the right checksum, are left; those that an earlier call left in pieces are gone on with.
func Pull(ctx context.Context, id, dir string, opts *Options) (commit string, err error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	if o.Revision == "" {
		o.Revision = "main"
	}
	if o.Client == nil {
		o.Client = http.DefaultClient
	}
	if !modelID.MatchString(id) {
		return "", fmt.Errorf("%q is no model id: want owner/name", id)
	}
	p := &puller{Options: o, id: id, dir: dir}
	commit, files, err := p.list(ctx)
	if err != nil {
		return "", fmt.Errorf("asking for the files of %s: %w", id, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, f := range files {
		p.total += f.size()
	}
	p.Revision = commit // what is fetched belongs together even if the branch moves
	for _, f := range files {
		if err := p.fetch(ctx, f); err != nil {
			return "", fmt.Errorf("fetching %s of %s: %w", f.Name, id, err)
		}
	}
	return commit, nil
}

func (f *file) size() int64 {
	if f.LFS != nil {
		return f.LFS.Size
	}
	return f.Size
}

// newHash is the hash that the hub knows of f, and what it must come to.
func (f *file) newHash() (h hash.Hash, want string) {
	if f.LFS != nil {
		return sha256.New(), f.LFS.SHA256
	}
	h = sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.Size)
	return h, f.Blob
}

// puller is one call of Pull.
type puller struct {
	Options
	id, dir     string
	done, total int64
}

// list gives the commit of the revision and the files that make up a critic.
func (p *puller) list(ctx context.Context) (commit string, files []*file, err error) {
	res, err := p.get(ctx, "/api/models/"+p.id+"/revision/"+url.PathEscape(p.Revision)+"?blobs=true", 0)
	if err != nil {
		return "", nil, err
	}
	defer res.Body.Close()
	var answer struct {
		Commit string  `json:"sha"`
		Files  []*file `json:"siblings"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxListing)).Decode(&answer); err != nil {
		return "", nil, fmt.Errorf("reading the answer: %w", err)
	}
	if answer.Commit == "" || strings.Trim(answer.Commit, "0123456789abcdef") != "" {
		return "", nil, fmt.Errorf("the answer names no commit, but %.80q", answer.Commit)
	}
	weights := 0
	for _, f := range answer.Files {
		if wanted(f.Name) {
			files = append(files, f)
		}
		if strings.HasSuffix(f.Name, ".safetensors") {
			weights++
		}
	}
	if weights == 0 {
		return "", nil, errors.New("it has no safetensors files")
	}
	return answer.Commit, files, nil
}

// wanted says which files make up a critic: those at the top that hold configuration, tokenizer and weights, and the licence.
func wanted(name string) bool {
	if name != path.Base(name) || !filepath.IsLocal(name) || strings.HasPrefix(name, ".") {
		return false
	}
	return strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".json") || strings.HasPrefix(strings.ToUpper(name), "LICENSE")
}

// get asks for a path of the endpoint, from byte start on.
func (p *puller) get(ctx context.Context, path string, start int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.Endpoint, "/")+path, nil)
	if err != nil {
		return nil, err
	}
	if p.Token != "" {
		req.Header.Set("Authorization", "Bearer "+p.Token)
	}
	if start > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", start))
	}
	res, err := p.Client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK && (start == 0 || res.StatusCode != http.StatusPartialContent) {
		res.Body.Close()
		return nil, fmt.Errorf("the server answers %s", res.Status)
	}
	return res, nil
}

// fetch brings one file. It grows under another name, so that a file with its own name is always whole.
func (p *puller) fetch(ctx context.Context, f *file) error {
	target := filepath.Join(p.dir, f.Name)
	before := p.done
	if p.check(ctx, target, f) == nil {
		return nil
	}
	p.done = before
	part := target + ".part"
	out, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(p.download(ctx, out, f), out.Close()); err != nil {
		return err
	}
	p.done = before
	if err := p.check(ctx, part, f); err != nil {
		if errors.Is(err, ErrChecksum) {
			err = errors.Join(err, os.Remove(part)) // going on with it would never help
		}
		return err
	}
	return os.Rename(part, target)
}

// download appends what is missing of f to out.
func (p *puller) download(ctx context.Context, out *os.File, f *file) error {
	start, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if start > f.size() {
		start = 0
	}
	if start == f.size() && start > 0 {
		return nil
	}
	res, err := p.get(ctx, "/"+p.id+"/resolve/"+p.Revision+"/"+url.PathEscape(f.Name), start)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		start = 0 // the server sends all of it
	}
	if err := out.Truncate(start); err != nil {
		return err
	}
	if _, err := out.Seek(start, io.SeekStart); err != nil {
		return err
	}
	p.done += start
	n, err := io.Copy(io.MultiWriter(out, progress{p}), io.LimitReader(res.Body, f.size()-start+1))
	if err != nil {
		return err
	}
	if start+n != f.size() {
		return fmt.Errorf("%d bytes came, %d were announced", start+n, f.size())
	}
	return nil
}

// check reads a file and compares size and checksum.
func (p *puller) check(ctx context.Context, name string, f *file) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || info.Size() != f.size() {
		return errors.Join(err, fmt.Errorf("%w: another size", ErrChecksum))
	}
	h, want := f.newHash()
	if _, err := io.Copy(io.MultiWriter(h, progress{p}), contextReader{ctx, in}); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%w: it is %s, not %s", ErrChecksum, got, want)
	}
	return nil
}

// progress counts what is written to it.
type progress struct{ p *puller }

func (w progress) Write(b []byte) (int, error) {
	if w.p.done += int64(len(b)); w.p.Progress != nil {
		w.p.Progress(min(w.p.done, w.p.total), w.p.total)
	}
	return len(b), nil
}

// contextReader ends reading when ctx does.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
