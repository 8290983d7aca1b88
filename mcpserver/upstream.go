package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/cprs-go/cprs/core"
)

// Upstream is the server that a Proxy stands in front of: a program on stdio, or a URL of streamable HTTP. Exactly one of Command and
// URL is set.
type Upstream struct {
	Command []string          // program and arguments
	Env     []string          // variables for the program beside those that every program needs: NAME is passed on, NAME=VALUE is set
	Stderr  io.Writer         // of the program; nil: thrown away
	URL     string            // of the MCP endpoint
	Headers map[string]string // of every request to the URL. Headers of the host's own requests are never passed on
}

// passedOn are the variables that a program is given in any case. All others, tokens among them, are not.
var passedOn = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "TMPDIR", "TZ",
	"SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "USERNAME", "TEMP", "TMP",
}

func (u *Upstream) environ() []string {
	var env []string
	for _, name := range append(passedOn, u.Env...) {
		if strings.Contains(name, "=") {
			env = append(env, name)
		} else if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// The time limit of a start, and how long to wait between two.
const (
	startTime  = 30 * time.Second
	firstPause = time.Second
	mostPause  = 30 * time.Second
)

// link is the connection to an upstream; it is made anew when it breaks.
type link struct {
	up     Upstream
	logger *slog.Logger
	notify func(mcp.JSONRPCNotification) // called for every notification of the upstream
	again  func(ctx context.Context)     // called after the connection was made anew

	life   context.Context // of the connection
	cancel context.CancelFunc
	ids    atomic.Int64
	wait   sync.WaitGroup

	mu       sync.Mutex
	c        *client.Client // nil while there is no connection
	restarts bool           // a start is under way
}

// connect starts the upstream and shakes hands.
//
// The handshake is that of 2025-11-25, which every server knows: older ones leave the newer handshake unanswered, and would make every start
// wait for it.
func (l *link) connect(ctx context.Context) (*mcp.InitializeResult, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	tr, err := l.transport()
	if err != nil {
		return nil, err
	}
	c := client.NewClient(tr, client.WithProtocolVersion(mcp.LATEST_LEGACY_PROTOCOL_VERSION))
	c.OnNotification(l.notify)
	if err := c.Start(l.life); err != nil {
		return nil, fmt.Errorf("starting the upstream server: %w", err)
	}
	info, err := c.Initialize(ctx, mcp.InitializeRequest{Params: mcp.InitializeParams{ClientInfo: implementation()}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("shaking hands with the upstream server: %w", err), c.Close())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.c = c
	return info, nil
}

func (l *link) transport() (transport.Interface, error) {
	switch {
	case l.up.URL != "" && l.up.Command == nil:
		//lint:ignore SA1019 the stream that it opens is how servers of that handshake tell of changed lists
		return transport.NewStreamableHTTP(l.up.URL, transport.WithHTTPHeaders(l.up.Headers), transport.WithContinuousListening(), transport.WithHTTPLogger(l.logger))
	case l.up.URL == "" && len(l.up.Command) > 0:
		stderr := l.up.Stderr
		if stderr == nil {
			stderr = io.Discard
		}
		return transport.NewStdioWithOptions(l.up.Command[0], nil, l.up.Command[1:], transport.WithCommandLogger(l.logger), transport.WithCommandStderrWriter(stderr),
			transport.WithCommandFunc(func(ctx context.Context, name string, _, args []string) (*exec.Cmd, error) {
				cmd := exec.CommandContext(ctx, name, args...)
				cmd.Env = l.up.environ()
				return cmd, nil
			})), nil
	}
	return nil, &core.Error{Code: core.CodeInvalidArgument, Message: "there is not one upstream server", Hint: "give the command that starts it, or its URL"}
}

var errDown = errors.New("there is no connection to the upstream server; it is being started")

// request sends a request and gives back the result as it came. If ctx ends first, the upstream is told.
func (l *link) request(ctx context.Context, method mcp.MCPMethod, params any) (json.RawMessage, error) {
	l.mu.Lock()
	c := l.c
	l.mu.Unlock()
	if c == nil {
		return nil, errDown
	}
	id := mcp.NewRequestId(fmt.Sprintf("cprs-%d", l.ids.Add(1)))
	res, err := c.GetTransport().SendRequest(ctx, transport.JSONRPCRequest{JSONRPC: mcp.JSONRPC_VERSION, ID: id, Method: string(method), Params: params})
	switch {
	case err == nil && res.Error != nil:
		return nil, res.Error.AsError()
	case err == nil:
		return res.Result, nil
	case ctx.Err() != nil:
		l.wait.Go(func() { l.sayCancelled(c, id) })
		return nil, ctx.Err()
	}
	if l.life.Err() == nil && (errors.Is(err, transport.ErrTransportClosed) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, transport.ErrSessionTerminated)) {
		l.lost(c)
	}
	return nil, err
}

func (l *link) sayCancelled(c *client.Client, id mcp.RequestId) {
	ctx, cancel := context.WithTimeout(l.life, time.Second)
	defer cancel()
	n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION}
	n.Method = string(mcp.MethodNotificationCancelled)
	n.Params.AdditionalFields = map[string]any{"requestId": id}
	if err := c.GetTransport().SendNotification(ctx, n); err != nil {
		l.logger.Debug("telling the upstream server of a cancellation", "err", err)
	}
}

// lost starts the upstream anew, once at a time, with growing pauses.
func (l *link) lost(c *client.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.c != c || l.restarts {
		return
	}
	l.c, l.restarts = nil, true
	l.logger.Warn("the connection to the upstream server is lost")
	l.wait.Go(func() {
		c.Close() // what is broken need not close well
		for pause := firstPause; ; pause = min(2*pause, mostPause) {
			_, err := l.connect(l.life)
			if err == nil {
				break
			}
			l.logger.Warn("the upstream server does not start", "err", err, "again in", pause)
			select {
			case <-time.After(pause):
			case <-l.life.Done():
				return
			}
		}
		l.mu.Lock()
		l.restarts = false
		l.mu.Unlock()
		l.again(l.life)
	})
}

// close ends the connection and what was started.
func (l *link) close() {
	l.mu.Lock()
	c := l.c
	l.c = nil
	l.mu.Unlock()
	if c != nil {
		c.Close() // a program that is told to end by closing its input may end with any status
	}
	l.cancel()
	l.wait.Wait()
}

// list fetches all pages of a list: field of the results of method, as raw JSON.
func (l *link) list(ctx context.Context, method mcp.MCPMethod, field string) ([]json.RawMessage, error) {
	const mostPages = 1000
	var all []json.RawMessage
	cursor := ""
	for range mostPages {
		params := map[string]any{}
		if cursor != "" {
			params["cursor"] = cursor
		}
		res, err := l.request(ctx, method, params)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
		var page map[string]json.RawMessage
		var items []json.RawMessage
		if err = json.Unmarshal(res, &page); err == nil && page[field] != nil {
			err = json.Unmarshal(page[field], &items)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
		all = append(all, items...)
		next := ""
		if page["nextCursor"] != nil {
			if err := json.Unmarshal(page["nextCursor"], &next); err != nil {
				return nil, fmt.Errorf("%s: %w", method, err)
			}
		}
		if next == "" || next == cursor {
			break
		}
		cursor = next
	}
	return all, nil
}
