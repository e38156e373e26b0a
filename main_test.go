package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/accounts"
	"homeroom/core/topic"
	"homeroom/storage"
)

// asProgram in the environment makes the test binary the program itself, so
// that tests can start, signal and kill it.
const asProgram = "HOMEROOM_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// served is a running `homeroom serve`.
type served struct {
	t                 *testing.T
	cmd               *exec.Cmd
	data              string
	mqtt, mqtts, http string // ports
	claim             string
	errors            *bytes.Buffer
	once              sync.Once
}

// homeroom returns the program with arguments on a data folder.
func homeroom(data string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append(args, "--data", data)...)
	cmd.Env = append(os.Environ(), asProgram+"=1", "LANG=C", "LC_ALL=C", "DISPLAY=", "WAYLAND_DISPLAY=")
	return cmd
}

// serve starts the program without a window and waits for "ready".
func serve(t *testing.T, data string, args ...string) *served {
	t.Helper()
	s := &served{t: t, data: data, errors: &bytes.Buffer{}}
	s.cmd = homeroom(data, append([]string{"serve", "--mqtt", "127.0.0.1:0", "--mqtts", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args...)...)
	s.cmd.Stderr = s.errors
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch f := strings.Fields(lines.Text()); {
		case strings.HasPrefix(lines.Text(), "mqtt listening on 127.0.0.1:"):
			s.mqtt = strings.TrimPrefix(f[3], "127.0.0.1:")
		case strings.HasPrefix(lines.Text(), "mqtts listening on 127.0.0.1:"):
			s.mqtts = strings.TrimPrefix(f[3], "127.0.0.1:")
		case strings.HasPrefix(lines.Text(), "http listening on 127.0.0.1:"):
			s.http = strings.TrimPrefix(f[3], "127.0.0.1:")
		case strings.HasPrefix(lines.Text(), "claim code: "):
			s.claim = f[2]
		case lines.Text() == "ready":
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s
		}
	}
	s.end(syscall.SIGKILL)
	t.Fatalf("not ready; it said %s", s.errors)
	return nil
}

// end sends sig, once, and returns the exit code. Windows has no SIGTERM: there
// the program is killed, and the code is that of a clean end.
func (s *served) end(sig syscall.Signal) int {
	s.once.Do(func() {
		if runtime.GOOS == "windows" {
			sig = syscall.SIGKILL
		}
		_ = s.cmd.Process.Signal(sig)
		_ = s.cmd.Wait()
	})
	if runtime.GOOS == "windows" {
		return 0
	}
	return s.cmd.ProcessState.ExitCode()
}

// tool runs a command of the program and returns what it printed.
func tool(t *testing.T, data, in string, args ...string) string {
	t.Helper()
	out, errs, code := try(data, in, args...)
	if code != 0 {
		t.Fatalf("%v: exit %d: %s", args, code, errs)
	}
	return out
}

func try(data, in string, args ...string) (out, errs string, code int) {
	cmd := homeroom(data, args...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &o, &e
	_ = cmd.Run()
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

// mosquitto runs mosquitto_pub or mosquitto_sub and returns output and exit code.
func (s *served) mosquitto(name, user, password string, args ...string) (string, int) {
	s.t.Helper()
	out, code := s.start(name, user, password, args...)()
	return out, code
}

// start runs it in the background; the result waits for its end.
func (s *served) start(name, user, password string, args ...string) func() (string, int) {
	s.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			s.t.Fatalf("%s is missing: make deps installs it", name)
		}
		s.t.Skipf("%s is missing: make deps installs it", name)
	}
	args = append([]string{"-h", "127.0.0.1", "-p", s.mqtt, "-u", user, "-P", password}, args...)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	cmd := exec.CommandContext(ctx, path, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return func() (string, int) {
		defer cancel()
		_ = cmd.Wait()
		return out.String(), cmd.ProcessState.ExitCode()
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("never:", what)
}

// class makes the accounts of enrol in a folder where no program runs. (The
// command line does so in TestCommandLine; here it would take seconds a test.)
func class(t *testing.T, data string) map[string]string {
	t.Helper()
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := accounts.Open(t.Context(), accounts.Config{Store: db, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler), Strength: accounts.ForTests})
	if err != nil {
		t.Fatal(err)
	}
	secrets := enrol(t, s)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return secrets
}

// enrol makes a teacher, and kits of the teams blue and red; it returns their secrets.
func enrol(t *testing.T, s *accounts.Service) map[string]string {
	t.Helper()
	secrets := map[string]string{"teacher": "a good password"}
	if _, err := s.Claim(t.Context(), "teacher", "", secrets["teacher"]); err != nil {
		t.Fatal(err)
	}
	for _, team := range []topic.ID{"blue", "red"} {
		if err := s.AddTeam(t.Context(), core.Team{Name: team}); err != nil {
			t.Fatal(err)
		}
	}
	for kit, team := range map[topic.ID]topic.ID{"kit-1": "blue", "kit-2": "blue", "kit-3": "red"} {
		_, secret, err := s.Add(t.Context(), core.Account{Name: kit, Role: core.Kit, Team: team, Mounted: true}, "")
		if err != nil {
			t.Fatal(err)
		}
		secrets[string(kit)] = secret
	}
	return secrets
}

// TestClassroom is the main job with the clients that people have: right and
// wrong password, allowed and refused topics, QoS, retained, will, restart.
func TestClassroom(t *testing.T) {
	data := filepath.Join(t.TempDir(), "교실 numéro 1")
	secret := class(t, data)
	s := serve(t, data)
	pub := func(user, password string, args ...string) int {
		_, code := s.mosquitto("mosquitto_pub", user, password, args...)
		return code
	}
	if code := pub("kit-1", "wrong", "-i", "kit-1", "-t", "blue/x", "-m", "1"); code == 0 {
		t.Error("a wrong password was taken")
	}
	if code := pub("stranger", "wrong", "-t", "blue/x", "-m", "1"); code == 0 {
		t.Error("a stranger was taken")
	}
	for _, version := range []string{"mqttv31", "mqttv311", "mqttv5"} {
		for qos := range 3 {
			name := fmt.Sprintf("blue/lab/kit-1/%s-%d", version, qos)
			watch := s.start("mosquitto_sub", "kit-2", secret["kit-2"], "-V", version, "-q", "2", "-t", name, "-C", "1", "-W", "20", "-F", "%p q%q r%r")
			eventually(t, "the subscriber is there", func() bool {
				return pub("kit-1", secret["kit-1"], "-V", version, "-q", strconv.Itoa(qos), "-t", name, "-m", "21.5", "-r") == 0 && len(name) > 0
			})
			if out, code := watch(); code != 0 || !strings.HasPrefix(out, fmt.Sprintf("21.5 q%d", qos)) {
				t.Errorf("%s: got %q, exit %d", name, out, code)
			}
		}
	}
	// A kit of another team sees and says nothing here.
	if out, _ := s.mosquitto("mosquitto_sub", "kit-3", secret["kit-3"], "-V", "mqttv311", "-t", "blue/#", "-C", "1", "-W", "1"); !strings.Contains(out, "denied") {
		t.Errorf("red subscribed to blue: %q", out)
	}
	if code := pub("kit-3", secret["kit-3"], "-V", "mqttv5", "-q", "1", "-t", "blue/lamp/set", "-m", "on"); code != 0 {
		t.Errorf("refused publish: exit %d", code) // mosquitto_pub warns only
	}
	if out, _ := s.mosquitto("mosquitto_sub", "teacher", secret["teacher"], "-t", "blue/lamp/set", "-C", "1", "-W", "1"); strings.Contains(out, "on") {
		t.Error("red switched blue's lamp")
	}
	// A will, retained.
	dying := s.start("mosquitto_sub", "kit-1", secret["kit-1"], "-i", "kit-1", "-t", "blue/none", "--will-topic", "blue/lab/kit-1/$state", "--will-payload", "lost", "--will-qos", "1", "--will-retain", "-W", "5")
	eventually(t, "kit-1 is connected", func() bool {
		out, _ := s.mosquitto("mosquitto_sub", "teacher", secret["teacher"], "-t", "$SYS/broker/clients/connected", "-C", "1", "-W", "15")
		return strings.TrimSpace(out) != ""
	})
	if code := pub("kit-1", secret["kit-1"], "-i", "kit-1", "-t", "blue/took/over", "-m", "1"); code != 0 { // ends the other connection without a DISCONNECT
		t.Errorf("take-over: exit %d", code)
	}
	dying()
	check := func(s *served) {
		t.Helper()
		out, code := s.mosquitto("mosquitto_sub", "teacher", secret["teacher"], "-t", "blue/lab/kit-1/+", "-C", "10", "-W", "20", "-F", "%t=%p")
		lines := strings.Fields(out)
		slices.Sort(lines)
		want := []string{"blue/lab/kit-1/$state=lost"}
		for _, v := range []string{"mqttv31", "mqttv311", "mqttv5"} {
			for qos := range 3 {
				want = append(want, fmt.Sprintf("blue/lab/kit-1/%s-%d=21.5", v, qos))
			}
		}
		slices.Sort(want)
		if code != 0 || !slices.Equal(lines, want) {
			t.Errorf("retained: %q, exit %d, want %q", lines, code, want)
		}
	}
	check(s)
	// A durable session, over a restart.
	if _, code := s.mosquitto("mosquitto_sub", "kit-2", secret["kit-2"], "-i", "kit-2", "-c", "-q", "1", "-t", "blue/queue", "-E"); code != 0 {
		t.Fatal("cannot subscribe")
	}
	for i := range 5 {
		pub("kit-1", secret["kit-1"], "-q", "1", "-t", "blue/queue", "-m", strconv.Itoa(i))
	}
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM: exit %d, said %s", code, s.errors)
	}
	s = serve(t, data)
	check(s)
	if out, code := s.mosquitto("mosquitto_sub", "kit-2", secret["kit-2"], "-i", "kit-2", "-c", "-q", "1", "-t", "blue/queue", "-C", "5", "-W", "20"); code != 0 || strings.Join(strings.Fields(out), "") != "01234" {
		t.Errorf("queued over a restart: %q", out)
	}
	// Disabled from another process: gone within a second or so, and cannot come back.
	live := s.start("mosquitto_sub", "kit-3", secret["kit-3"], "-t", "red/#", "-W", "25")
	time.Sleep(300 * time.Millisecond)
	tool(t, data, "", "account", "disable", "kit-3")
	eventually(t, "kit-3 is refused", func() bool { return pub("kit-3", secret["kit-3"], "-t", "red/x", "-m", "1") != 0 })
	if out, code := live(); code == 27 {
		t.Errorf("kit-3 stayed connected until its own timeout: %q", out)
	}
	// What kits said stands in the history.
	csv := tool(t, data, "", "history", "export", "--filter", "blue/lab/#")
	if n := strings.Count(csv, ",21.5,"); n < 9 {
		t.Errorf("%d readings exported:\n%s", n, csv)
	}
}

// TestFirstRun claims a new installation over the page.
func TestFirstRun(t *testing.T) {
	s := serve(t, t.TempDir())
	if len(s.claim) != 8 {
		t.Fatalf("claim code %q", s.claim)
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+s.http)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	body, err := json.Marshal(map[string]string{"code": s.claim, "name": "teacher", "label": "Mme Müller 선생님", "password": "a good password"})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "POST /api/v1/claim HTTP/1.1\r\nHost: localhost:%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", s.http, len(body), body)
	answer, err := io.ReadAll(c)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200")) {
		t.Fatalf("%v %s", err, answer)
	}
	if out, code := s.mosquitto("mosquitto_pub", "teacher", "a good password", "-t", "anything", "-m", "1"); code != 0 {
		t.Errorf("the teacher cannot publish: %s", out)
	}
	if out := tool(t, s.data, "", "account", "list"); !strings.Contains(out, "Mme Müller 선생님") {
		t.Errorf("account list:\n%s", out)
	}
}

// TestOpen is the mode for the first lesson.
func TestOpen(t *testing.T) {
	s := serve(t, t.TempDir(), "--open")
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://127.0.0.1:" + s.mqtt))
	if token := c.Connect(); !token.WaitTimeout(10*time.Second) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	c.Disconnect(100)
	s.end(syscall.SIGTERM)
	if !strings.Contains(s.errors.String(), "OPEN: everybody") {
		t.Errorf("it did not say so: %q", s.errors)
	}
}

// TestWithoutDisplay is a double click where no window can be shown.
func TestWithoutDisplay(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can be without a display")
	}
	cmd := homeroom(t.TempDir(), "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:0")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			ready = true
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	_ = cmd.Wait()
	if !ready || cmd.ProcessState.ExitCode() != 0 || !strings.Contains(errs.String(), "http://127.0.0.1:") {
		t.Errorf("ready %v, exit %d, said %q", ready, cmd.ProcessState.ExitCode(), errs.String())
	}
}

func TestCommandLine(t *testing.T) {
	data := t.TempDir()
	s := serve(t, data)
	taken := "127.0.0.1:" + s.mqtt
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		data string
		in   string
		args []string
		code int
		says string
	}{
		{"second instance", data, "", []string{"serve"}, 1, "runs already with the data in"},
		{"taken mqtt port", t.TempDir(), "", []string{"serve", "--mqtt", taken, "--http", "127.0.0.1:0"}, 1, "Port " + s.mqtt + " is taken"},
		{"taken http port", t.TempDir(), "", []string{"serve", "--mqtt", "127.0.0.1:0", "--http", "127.0.0.1:" + s.http}, 1, "Port " + s.http + " is taken"},
		{"nonsense address", t.TempDir(), "", []string{"serve", "--mqtt", "nonsense"}, 1, "nonsense is not an address"},
		{"folder is a file", file, "", []string{"serve"}, 1, "cannot write in"},
		{"unknown command", data, "", []string{"dance"}, 2, "unexpected argument dance"},
		{"unknown flag", data, "", []string{"serve", "--loud"}, 2, "unknown flag --loud"},
		{"no role", data, "", []string{"account", "add", "x"}, 2, "--role"},
		{"bad role", data, "", []string{"account", "add", "x", "--role", "boss"}, 2, "teacher"},
		{"bad name", data, "a good password\n", []string{"account", "add", "Anna B", "--role", "student", "--password-stdin"}, 1, ""},
		{"no password", data, "", []string{"account", "add", "x", "--role", "teacher"}, 2, "--password-stdin"},
		{"empty password", data, "\n", []string{"account", "add", "x", "--role", "teacher", "--password-stdin"}, 2, "no password"},
		{"short password", data, "abc\n", []string{"account", "add", "x", "--role", "teacher", "--password-stdin"}, 1, ""},
		{"unknown account", data, "", []string{"account", "disable", "nobody"}, 1, "There is no account nobody"},
		{"bad moment", data, "", []string{"history", "export", "--from", "yesterday"}, 2, "yesterday is not a moment"},
		{"bad filter", data, "", []string{"history", "export", "--filter", "a#"}, 2, "a# is not a topic filter"},
		{"version", data, "", []string{"version"}, 0, ""},
		{"help", data, "", []string{"--help"}, 0, ""},
		{"list", data, "", []string{"account", "list"}, 0, ""},
	} {
		out, errs, code := try(c.data, c.in, c.args...)
		if code != c.code || !strings.Contains(errs, c.says) || code != 0 && errs == "" || code == 0 && out == "" {
			t.Errorf("%s: exit %d, out %q, err %q; want exit %d and %q", c.what, code, out, errs, c.code, c.says)
		}
	}
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("the first instance: exit %d, said %s", code, s.errors)
	}
}

// TestQuietAboutLanguage: a system without a language is no reason to complain.
func TestQuietAboutLanguage(t *testing.T) {
	for _, locale := range []string{"", "C", "POSIX", "C.UTF-8", "C.utf8", "POSIX.UTF-8", "de_DE@euro", "fr_FR.UTF-8"} {
		cmd := homeroom(t.TempDir(), "version")
		cmd.Env = append(cmd.Env, "LC_ALL=", "LC_MESSAGES=", "LANGUAGE=", "LANG="+locale)
		if said, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(said), "homeroom ") || strings.Count(string(said), "\n") != 1 {
			t.Errorf("LANG=%s: %v, said %s", locale, err, said)
		}
	}
}

// TestImports keeps the arrows of README's picture pointing one way.
func TestImports(t *testing.T) {
	const mod = "homeroom/"
	fenced := map[string][]string{ // who may import what
		"github.com/mochi-mqtt/":        {"core/broker"},
		"github.com/eclipse/paho":       {"core/broker", "core/sim"},
		"modernc.org/sqlite":            {"storage"},
		"github.com/pressly/goose":      {"storage"},
		"fyne.io/fyne/":                 {"ui"},
		"github.com/skip2/go-qrcode":    {"ui/widget"},
		"golang.org/x/crypto/argon2":    {"core/accounts"},
		"golang.org/x/image":            {"ui"},
		"github.com/alecthomas/kong":    {""},
		"github.com/gofrs/flock":        {""},
		"database/sql":                  {"storage"},
		"net/http":                      {"core/gateway"},
		"go.bug.st/serial":              {"core/kits/line"},
		"github.com/zalando/go-keyring": {"core/kits"},
		"github.com/golang-jwt/":        {"core/accounts"},
		"golang.org/x/net/":             {"core/mdns"},
		"github.com/danielgtaylor/huma": {"core/gateway"},
		"github.com/centrifugal/":       {"core/gateway"},
		"github.com/coder/websocket":    {"core/gateway"},
		"github.com/gorilla/websocket":  {"core/gateway"},
		"github.com/expr-lang/":         {"core/rules"},
	}
	out, err := exec.Command("go", "list", "-tags", "migrated_fynedo", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		pkg := strings.TrimPrefix(strings.TrimPrefix(f[0], "homeroom"), "/")
		if strings.HasSuffix(pkg, "/mqttlab") {
			continue // the instrument is a program of its own
		}
		for _, imp := range f[1:] {
			for dep, owners := range fenced {
				if strings.HasPrefix(imp, dep) && !slices.ContainsFunc(owners, func(o string) bool { return within(pkg, o) }) {
					t.Errorf("%s imports %s; only %v may, so that it can be changed in one place", name(pkg), imp, owners)
				}
			}
			local, ok := strings.CutPrefix(imp, mod)
			if !ok || pkg == "" { // main wires everything
				continue
			}
			vocabulary := local == "core" || local == "core/topic"
			words := local == "assets" || within(local, "assets")
			switch {
			case pkg == "core/topic":
				t.Errorf("core/topic imports %s; it is a leaf", local)
			case pkg == "core":
				if local != "core/topic" {
					t.Errorf("core imports %s; the vocabulary knows only core/topic", local)
				}
			case vocabulary:
			case strings.HasPrefix(pkg, "core/") && part(pkg) == part(local): // one part, in several packages
			case pkg == "ui" && (within(local, "ui") || words):
			case within(pkg, "ui/widget") && (within(local, "ui/widget") || words):
			case within(pkg, "ui") && (within(local, "ui/widget") || words || within(local, pkg)):
			case pkg == "storage" && within(local, "core"): // the parts' Store types; no part knows storage
			default:
				t.Errorf("%s imports %s; parts share only core and core/topic, screens only ui/widget and assets", name(pkg), local)
			}
		}
	}
}

func name(pkg string) string {
	if pkg == "" {
		return "main"
	}
	return pkg
}

// part returns the part of core that pkg belongs to.
func part(pkg string) string {
	f := strings.SplitN(pkg, "/", 3)
	return strings.Join(f[:min(2, len(f))], "/")
}

func within(pkg, dir string) bool {
	return pkg == dir || dir != "" && strings.HasPrefix(pkg, dir+"/")
}

// TestTopLevel keeps the first folder readable.
func TestTopLevel(t *testing.T) {
	allowed := regexp.MustCompile(`^(main(_\w+)?\.go|ui|core|storage|firmware|assets|docs|FyneApp\.toml|go\.(mod|sum)|Makefile|README\.md|LICENSE|CHANGELOG\.md|CONTRIBUTING\.md|\.ci|\.github|\.git|\.gitignore|\.gitattributes|\.editorconfig|staticcheck\.conf|build)$`)
	// Not by reading the folder: build changes in it, and Go would then run all tests of
	// this package again though nothing that they are about has.
	list, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Skip("this is no clone of the repository")
	}
	for line := range strings.Lines(string(list)) {
		if name, _, _ := strings.Cut(strings.TrimSpace(strings.Trim(line, "\"\n")), "/"); !allowed.MatchString(name) {
			t.Errorf("%s does not belong at the top level", name)
		}
	}
}

// TestTranslations finds every sentence that a person can see, and wants it in
// every language with the same places; and nothing that nobody says.
func TestTranslations(t *testing.T) {
	said := sentences(t)
	if len(said) < 100 {
		t.Fatalf("found only %d sentences", len(said))
	}
	places := regexp.MustCompile(`\{\w+\}`)
	for _, l := range []lang.Language{lang.French, lang.Korean} {
		table := lang.Table(l)
		for format, where := range said {
			translated, ok := table[format]
			if !ok {
				t.Errorf("%s: %s.json lacks %q", where, l, format)
				continue
			}
			a, b := places.FindAllString(format, -1), places.FindAllString(translated, -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(slices.Compact(a), slices.Compact(b)) {
				t.Errorf("%s: %s.json has %q with other places: %q", where, l, format, translated)
			}
		}
		for format := range table {
			if said[format] == "" {
				t.Errorf("%s.json has %q, which nobody says", l, format)
			}
		}
	}
}

// sources returns the paths of all Go files but tests, for whatever system.
func sources(t *testing.T) (paths []string) {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .IgnoredGoFiles}}{{$d}}/{{.}}
{{end}}{{range .CgoFiles}}{{$d}}/{{.}}
{{end}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if path := strings.TrimSpace(line); path != "" && !strings.HasSuffix(path, "_test.go") {
			paths = append(paths, path)
		}
	}
	return paths
}

// sentences returns every English format in the code and the page, with its place.
func sentences(t *testing.T) map[string]string {
	t.Helper()
	said := map[string]string{}
	argument := map[string]int{"L": 0, "Say": 0, "Fail": 1} // which argument is the format
	for _, path := range sources(t) {
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			i, ok := argument[f.Sel.Name]
			if x, isName := f.X.(*ast.Ident); !ok || !isName || len(call.Args) <= i || x.Name != "lang" && x.Name != "core" && x.Name != "l" {
				return true
			}
			lit, ok := call.Args[i].(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			if format, err := strconv.Unquote(lit.Value); err == nil && format != "{reason}" {
				said[format] = fset.Position(lit.Pos()).String()
			}
			return true
		})
	}
	js, err := os.ReadFile("assets/page/page.js")
	if err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile("assets/page/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`L\("([^"]+)"`).FindAllStringSubmatch(string(js), -1) {
		said[m[1]] = "assets/page/page.js"
	}
	for _, m := range regexp.MustCompile(`data-l="([^"]+)"`).FindAllStringSubmatch(string(html), -1) {
		said[m[1]] = "assets/page/index.html"
	}
	return said
}

func TestMoment(t *testing.T) {
	for s, want := range map[string]time.Time{
		"":                          {},
		"2026-03-01":                time.Date(2026, 3, 1, 0, 0, 0, 0, time.Local),
		"2026-03-01T08:00":          time.Date(2026, 3, 1, 8, 0, 0, 0, time.Local),
		"2026-03-01 08:00":          time.Date(2026, 3, 1, 8, 0, 0, 0, time.Local),
		"2026-03-01T08:00:05":       time.Date(2026, 3, 1, 8, 0, 5, 0, time.Local),
		"2026-03-01T08:00:05+09:00": time.Date(2026, 2, 28, 23, 0, 5, 0, time.UTC),
	} {
		if got, err := moment(s); err != nil || !got.Equal(want) {
			t.Errorf("%q = %v, %v", s, got, err)
		}
	}
	if _, err := moment("soon"); !errors.Is(err, errUsage) {
		t.Errorf("err = %v", err)
	}
}

func TestHosts(t *testing.T) {
	for bound, want := range map[string]string{"127.0.0.1:5": "127.0.0.1:5", "192.168.7.7:5": "192.168.7.7:5"} {
		if got := hosts(bound); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v", bound, got)
		}
	}
	all := hosts("[::]:1883")
	if all[len(all)-1] != "localhost:1883" {
		t.Errorf("[::]:1883: %v", all)
	}
}
