// Package behaviour is the conformance suite for MQTT servers: what versions
// 3.1, 3.1.1 and 5.0 demand, byte by byte over TCP, with a packet writer and
// reader of its own so that no codec is trusted. Each check is named by the
// statement of the specification that it is about: of MQTT 5.0 where the check
// runs in that version, of 3.1.1 otherwise; by the section where no statement is
// numbered. Where servers differ, the specification decides.
package behaviour

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Capability is something that an engine may lack. What needs it is skipped.
type Capability string

// What an engine may lack.
const (
	Accounts  Capability = "accounts"               // a wrong password is refused
	Denial    Capability = "topics that are denied" // see Engine.Denied
	Retained  Capability = "retained messages"
	Shared    Capability = "shared subscriptions"
	Present   Capability = "a choice of members that are there" // in shared subscriptions, which the specification leaves open
	Aliases   Capability = "topic aliases"
	Limits    Capability = "limits that are told" // Receive Maximum and Maximum Packet Size of the server
	Sys       Capability = "$SYS"                 // state of the server in retained messages
	Restarts  Capability = "restart"              // see Engine.Restart
	Reasons   Capability = "told reasons"         // before it closes for an error: SHOULD and MAY (MQTT 5.0, section 4.13.1)
	Version31 Capability = "MQTT 3.1"
	Version5  Capability = "MQTT 5"
)

// Engine is the server under test. It has to be empty, but for $SYS.
type Engine struct {
	Addr string // host:port
	// Login returns with what a client signs in, always the same for a Client
	// Identifier. It may use all topics but Denied. nil sends neither.
	Login func(client string) (user, password string)
	// Denied is a topic that no login may publish to or read; needs no Lacks where empty.
	Denied string
	// Restart stops the server cleanly, starts it again with what it had stored
	// and returns its address; needs no Lacks where nil.
	Restart func() (addr string)
	Lacks   []Capability
	// Differs says of checks, by name, why this engine is known to fail them.
	// That one of them passes is a failure.
	Differs map[string]string
}

func (e *Engine) lacks(c Capability) bool {
	switch c {
	case Accounts:
		return e.Login == nil || slices.Contains(e.Lacks, c)
	case Denial:
		return e.Denied == "" || slices.Contains(e.Lacks, c)
	case Present:
		return e.lacks(Shared) || slices.Contains(e.Lacks, c)
	case Restarts:
		return e.Restart == nil || slices.Contains(e.Lacks, c)
	}
	return slices.Contains(e.Lacks, c)
}

// check is one thing that the specification demands.
type check struct {
	statement string
	versions  string // of "3", "4" and "5"
	say       string
	needs     Capability
	run       func(*exam)
}

var versionNames = map[byte]string{3: "v3.1", 4: "v3.1.1", 5: "v5"}

const (
	together = 24              // checks that run at once
	patience = 5 * time.Second // for an answer
	hurry    = 2 * time.Second // where none is expected: see Engine.Differs
)

// Run checks an engine: one subtest for each check and version. Those that
// restart it come last.
func Run(t *testing.T, e Engine) {
	seen := map[string]bool{}
	var wg sync.WaitGroup
	places := make(chan struct{}, together)
	var last []func()
	for _, c := range slices.Concat(connecting, sessions, wills, publishing, retaining, subscribing, sharing, malformed, restarting) {
		for _, v := range []byte(c.versions) {
			v -= '0'
			name := fmt.Sprintf("MQTT-%s/%s/%s", c.statement, versionNames[v], c.say)
			if seen[name] {
				t.Errorf("two checks are named %q", name)
			}
			seen[name] = true
			one := func() { t.Run(name, func(t *testing.T) { e.check(t, c, v, name) }) }
			if c.needs == Restarts {
				last = append(last, one)
				continue
			}
			wg.Go(func() {
				places <- struct{}{}
				one()
				<-places
			})
		}
	}
	wg.Wait()
	for _, one := range last {
		one()
	}
	for name := range e.Differs {
		if !seen[name] {
			t.Errorf("no check is named %q", name)
		}
	}
}

func (e *Engine) check(t *testing.T, c check, version byte, name string) {
	for need, wanted := range map[Capability]bool{c.needs: c.needs != "", Version31: version == 3, Version5: version == 5} {
		if wanted && e.lacks(need) {
			t.Skip("the engine has no ", need)
		}
	}
	x := &exam{Engine: e, v: version, prefix: fmt.Sprintf("%s%d", era, count.Add(1)), patience: patience}
	why, differs := e.Differs[name]
	if differs {
		x.patience = hurry
	}
	failed := x.sit(c.run)
	switch {
	case failed != "" && differs:
		t.Skipf("as known: %s (%s)", why, failed)
	case failed != "":
		t.Errorf("%s\n\t%s", failed, strings.Join(x.trace, "\n\t"))
	case differs:
		t.Errorf("it passes, but is listed as different: %s", why)
	}
}

var (
	era   = "c" + strconv.FormatInt(time.Now().UnixMilli()%(36*36*36*36), 36) + "x" // an engine may remember an earlier run
	count atomic.Int64
)

// exam is one check of one version under way. All of it runs on one goroutine.
type exam struct {
	*Engine
	v        byte
	prefix   string // of topics and client identifiers; "~/" in what is sent
	clients  []*client
	helper   *client // publishes
	watcher  *client // sees clients go
	trace    []string
	marks    int
	patience time.Duration
}

type failure string

// sit runs the check and returns what failed.
func (x *exam) sit(run func(*exam)) (failed string) {
	defer func() {
		for _, c := range x.clients {
			_ = c.conn.Close()
		}
		switch r := recover().(type) {
		case nil:
		case failure:
			failed = string(r)
		default:
			panic(r)
		}
	}()
	run(x)
	return ""
}

// fail ends the check. It says where in the check that was.
func (x *exam) fail(format string, args ...any) {
	where := ""
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		file := f.File[strings.LastIndex(f.File, "/")+1:]
		if strings.HasPrefix(file, "check_") {
			where = fmt.Sprintf("%s:%d: ", file, f.Line)
			break
		}
		if !more {
			break
		}
	}
	panic(failure(where + fmt.Sprintf(format, args...)))
}

func (x *exam) must(ok bool, format string, args ...any) {
	if !ok {
		x.fail(format, args...)
	}
}

// note keeps the last packets for the report of a failure.
func (x *exam) note(line string) {
	if x.trace = append(x.trace, line); len(x.trace) > 24 {
		x.trace = x.trace[1:]
	}
}

// full puts the prefix where "~/" stands.
func (x *exam) full(s string) string { return strings.ReplaceAll(s, "~/", x.prefix+"/") }
