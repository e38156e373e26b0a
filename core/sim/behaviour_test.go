package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

const firmware = "../../firmware"

// paper is a board that writes down what the kit does.
type paper struct {
	sent []string
	lit  bool
	line string
}

func (p *paper) publish(name topic.Name, payload string, retain bool) {
	line := "< " + string(name) + " " + payload
	if retain {
		line += " retain"
	}
	p.sent = append(p.sent, line)
}

func (p *paper) light(_ topic.ID, on bool) { p.lit = on }
func (p *paper) print(line string)         { p.line = line }

// TestTranscripts replays the same files as firmware/host/replay.cpp.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob(firmware + "/testdata/*.txt")
	if err != nil || len(files) < 5 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := replay(string(text)); err != nil {
				t.Error(err)
			}
		})
	}
}

// replay says where a transcript and the behaviour differ.
func replay(text string) error { return perform(text, nil) }

// perform is replay, or where record is not nil writes down what happens.
func perform(text string, record *strings.Builder) error {
	var place core.Place
	designed := map[topic.Name]core.Topic{}
	hold := uint32(0)
	p := &paper{}
	var b *behaviour
	var now uint32
	for i, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		fail := func(format string, args ...any) error {
			return fmt.Errorf("line %d: %s: %s", i+1, line, fmt.Sprintf(format, args...))
		}
		arg := func(i int, or string) string {
			if i < len(f) {
				return f[i]
			}
			return or
		}
		if f[0] == "<" {
			if len(p.sent) == 0 || p.sent[0] != line {
				return fail("it sent %q", p.sent)
			}
			p.sent = p.sent[1:]
			continue
		}
		if len(p.sent) > 0 {
			return fail("before this it sent %q", p.sent)
		}
		if record != nil && slices.Contains([]string{"kit", "port", "hold"}, f[0]) {
			fmt.Fprintln(record, line)
		}
		switch f[0] {
		case "kit":
			place = core.Place{Name: topic.Name(f[2]), Kind: core.KitPlace, Role: core.KitRole(f[1])}
			continue
		case "port":
			x, d := readPort(line, f)
			place.Ports = append(place.Ports, x)
			designed[d.Name] = d
			continue
		case "hold":
			n, err := strconv.ParseUint(f[1], 10, 32)
			if err != nil {
				return fail("%v", err)
			}
			hold = uint32(n)
			continue
		}
		if b == nil {
			b = newBehaviour(p, place, func(n topic.Name) (core.Topic, bool) { d, ok := designed[n]; return d, ok })
			if hold > 0 {
				b.choice.hold = hold
			}
		}
		at := func(slot topic.ID) *port {
			return b.ports[slices.IndexFunc(b.ports, func(x *port) bool { return x.Slot == slot })]
		}
		switch f[0] {
		case "clock":
			n, err := strconv.ParseUint(f[1], 10, 32)
			if err != nil {
				return fail("%v", err)
			}
			now = uint32(n)
			b.tick(now)
		case "connect":
			b.connected(now)
		case "disconnect":
			b.disconnected()
		case "stop":
			b.stopping()
		case "refused":
			b.refused()
		case ">":
			name, payload, _ := strings.Cut(line[2:], " ")
			b.received(topic.Name(name), []byte(payload), now)
		case "press", "release":
			b.contact(at(topic.ID(arg(1, "button"))), f[0] == "press", now)
			b.tick(now)
		case "brightness":
			v, err := strconv.Atoi(f[1])
			if err != nil {
				return fail("%v", err)
			}
			at("brightness").set(float64(v))
			b.tick(now)
		case "presence":
			at("presence").known, at("presence").on = true, f[1] == "on"
			b.tick(now)
		case "led":
			if p.lit != (f[1] == "on") {
				return fail("it is not")
			}
		case "|":
			if got := strings.TrimRight("| "+p.line, " "); got != strings.TrimRight(line, " ") {
				return fail("it printed %s", got)
			}
		case "subscribes":
			var got []string
			for _, x := range b.ports {
				if x.subscribe != "" {
					got = append(got, string(x.subscribe))
				}
			}
			if !slices.Equal(got, f[1:]) {
				return fail("to %q", got)
			}
		default:
			return fail("what is that?")
		}
		if record != nil {
			fmt.Fprintln(record, line)
			for _, sent := range p.sent {
				fmt.Fprintln(record, sent)
			}
			if p.lit {
				fmt.Fprintln(record, "led on")
			} else {
				fmt.Fprintln(record, "led off")
			}
			fmt.Fprintln(record, "|", p.line)
			p.sent = nil
		}
	}
	if len(p.sent) > 0 {
		return fmt.Errorf("at the end it sent %q", p.sent)
	}
	return nil
}

func readPort(line string, f []string) (core.Port, core.Topic) {
	x := core.Port{Slot: topic.ID(f[1]), Action: core.Action(f[2]), Topic: topic.Name(f[3])}
	d := core.Topic{Name: x.Topic, Kind: usual(x.Slot)}
	if line, words, ok := strings.Cut(line, " words "); ok {
		d.Options = strings.Split(words, "|")
		f = strings.Fields(line)
	}
	for i, w := range f[4:] {
		switch w {
		case "toggle":
			x.Toggle = true
		case "writable":
			d.Writable = true
		case "retain":
			d.Retain = true
		case "range":
			d.Min, _ = strconv.ParseFloat(f[4+i+1], 64)
			d.Max, _ = strconv.ParseFloat(f[4+i+2], 64)
		}
	}
	return x, d
}

// TestTranscriptsCanFail changes each expectation of each transcript and wants
// the replay to see it.
func TestTranscriptsCanFail(t *testing.T) {
	files, _ := filepath.Glob(firmware + "/testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for i, line := range lines {
			wrong := slices.Clone(lines)
			switch {
			case strings.HasPrefix(line, "< "), strings.HasPrefix(line, "| "), strings.HasPrefix(line, "subscribes"):
				wrong[i] += " no"
			case line == "led on":
				wrong[i] = "led off"
			case line == "led off":
				wrong[i] = "led on"
			default:
				continue
			}
			if replay(strings.Join(wrong, "\n")) == nil {
				t.Errorf("%s:%d: %q is not checked", file, i+1, wrong[i])
			}
			if strings.HasPrefix(line, "< ") && replay(strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "\n")) == nil {
				t.Errorf("%s:%d: can be left out", file, i+1)
			}
		}
	}
}

// TestFirmware has the kit's own code do the same, on this PC.
func TestFirmware(t *testing.T) {
	program := buildReplay(t)
	t.Run("transcripts", func(t *testing.T) { sameTranscripts(t, program) })
	t.Run("chance", func(t *testing.T) { sameByChance(t, program) })
}

func sameTranscripts(t *testing.T, program string) {
	files, _ := filepath.Glob(firmware + "/testdata/*.txt")
	out, err := exec.Command(program, files...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d transcripts", len(files))) {
		t.Errorf("%v\n%s", err, out)
	}
	// And it sees where one is wrong.
	text, err := os.ReadFile(firmware + "/testdata/light.txt")
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "wrong.txt")
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(text), "light On retain", "light Off retain", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, wrong).CombinedOutput(); err == nil {
		t.Errorf("a wrong transcript passes: %s", out)
	}
}

// sameByChance lets the behaviour do what chance wants, and the firmware the same.
func sameByChance(t *testing.T, program string) {
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	var files []string
	for i := range 300 {
		var in, out strings.Builder
		line := func(parts ...any) { fmt.Fprintln(&in, parts...) }
		role := pick("choice", "all")
		line("kit", role, "a/kit")
		if role == "choice" {
			line("hold", 1+random.IntN(5000))
			line("port brightness subscribe a/brightness")
			line("port button subscribe button", pick("", "words turn on|turn off"))
			line("port presence subscribe presence")
			line("port light publish", pick("light", "b/light writable", "a/kit/light retain"), pick("", "words On|Off"))
		} else {
			if shared := pick("", "state "); shared != "" { // one topic has one design
				shared += strings.Join([]string{pick("", "writable"), pick("", "retain"), pick("", "words Ein|Aus", "words off|on", "words Allumé|Éteint")}, " ")
				line("port button publish", shared)
				line("port led subscribe", shared)
			} else {
				line("port button publish a/kit/button", pick("", "toggle"), pick("", "retain"), pick("", "words 1|0"))
				line("port led subscribe a/kit/led", pick("", "writable"), pick("", "retain"), pick("", "words Ein|Aus"))
			}
			line("port brightness publish a/kit/brightness", pick("", "range 0 1023", "range -40 125"), pick("", "retain"))
			line("port presence publish a/kit/presence", pick("", "retain"))
		}
		clock := random.Uint32()
		for range 200 {
			switch random.IntN(10) {
			case 0:
				line(pick("connect", "connect", "disconnect", "refused", "stop"))
			case 1, 2, 3:
				clock += uint32(random.IntN(1 << random.IntN(14)))
				line("clock", clock)
			default:
				number := fmt.Sprint(random.IntN(140)-20, pick("", "", ".5", ".", ".9999", "%", "e1"))
				message := strings.TrimSuffix("> "+pick("a/brightness", "button", "presence", "state", "a/kit/led/set", "a/kit/led", "x")+" "+
					pick(number, number, "turn on", "TURN OFF", " true", "false ", "On", "off", "1", "0", "Yes", "closed", "Ein", "Aus", "ein ", "\tan", "\von\f", "\v30", "\u00a0on", "30\u00a0", "K", "oN", "ALLUMÉ", "Allumé", "ALLUMé", "éteint", "ÉTEINT", "59.99999999999999999999999999", "-0", "", "-", "+.", "\x01\xff", strings.Repeat("9", 70)), "\n")
				if role == "choice" || random.IntN(3) == 0 {
					line(message)
					continue
				}
				line(pick("press", "release", fmt.Sprint("brightness ", random.IntN(1100)-50), "presence on", "presence off"))
			}
		}
		if err := perform(in.String(), &out); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprintf("%d.txt", i))
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if out, err := exec.Command(program, files...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%.2000s", err, out)
	}
}

// FuzzReceived gives every role what it does not expect.
func FuzzReceived(f *testing.F) {
	f.Add("light", "On", uint32(0))
	f.Add("brightness", "59.9", ^uint32(0))
	f.Fuzz(func(t *testing.T, slot, payload string, now uint32) {
		for _, role := range core.KitRoles {
			p := core.Place{Name: "k", Kind: core.KitPlace, Role: role}
			for i := range 5 { // the kinds
				x := core.Port{Slot: topic.ID(slot), Topic: topic.Name(fmt.Sprint("k/", i)), Action: core.Subscribe}
				p.Ports = append(p.Ports, x, core.Port{Slot: x.Slot, Topic: x.Topic, Action: core.Publish})
			}
			b := newBehaviour(&paper{}, p, func(n topic.Name) (core.Topic, bool) {
				kind := core.Kind(n[len(n)-1] - '0')
				return core.Topic{Name: n, Kind: kind, Options: []string{"a", "b"}, Writable: true, Step: 0.1}, true
			})
			b.connected(now)
			for _, q := range b.ports {
				b.received(q.subscribe, []byte(payload), now)
				if q.job == lamp && q.known && q.kind == core.Number && (q.num < q.min || q.num > q.max || q.num != q.num) {
					t.Errorf("%v out of range after %q", q.num, payload)
				}
				b.due(now)
			}
			b.stopping()
		}
	})
}

// buildReplay compiles firmware/host/replay.cpp with all the warnings and watches.
func buildReplay(t *testing.T) string {
	t.Helper()
	gxx, err := exec.LookPath("g++")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("g++ is missing: make deps installs it")
		}
		t.Skip("g++ is missing: make deps installs it")
	}
	program := filepath.Join(t.TempDir(), "replay")
	out, err := exec.Command(gxx, "-std=c++17", "-Os", "-g", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-fno-exceptions", "-fno-rtti",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", program, firmware+"/host/replay.cpp", firmware+"/kit/src/core/roles.cpp").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}
