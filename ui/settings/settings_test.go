package settings

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"fyne.io/fyne/v2/test"

	"homeroom/core"
	"homeroom/ui/widget/widgettest"
)

type store struct {
	set  core.Settings
	fail error
}

func (s *store) Settings() core.Settings { return s.set }
func (s *store) Usage() (int64, int64)   { return 2048, 3 << 30 }
func (s *store) SetSettings(_ context.Context, v core.Settings) error {
	if s.fail == nil {
		s.set = v
	}
	return s.fail
}

func open(t *testing.T, info core.Info) (*Screen, *store, *widgettest.Shell) {
	t.Helper()
	shell := widgettest.New(t)
	st := &store{set: core.DefaultSettings()}
	s := New(st, info, shell)
	shell.Win.SetContent(s.Content())
	load(t, s)
	return s, st, shell
}

func load(t *testing.T, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

func TestShowsWhatIsSet(t *testing.T) {
	s, st, _ := open(t, core.Info{})
	for name, c := range map[string][2]string{
		"language": {s.language.Selected, "As the system"},
		"theme":    {s.theme.Selected, "As the system"},
		"scale":    {s.scale.Selected, "As the system"},
		"days":     {s.days.Selected, "365 days"},
		"size":     {s.size.Selected, "4 GB"},
		"mqtt":     {s.mqtt.Text, "1883"},
		"page":     {s.page.Text, "8080"},
		"usage":    {s.usage.Text, "Accounts and settings: 2 KB. Readings: 3 GB."},
	} {
		if c[0] != c[1] {
			t.Errorf("%s shows %q, want %q", name, c[0], c[1])
		}
	}
	// Somebody else set what is none of the choices.
	st.set = core.Settings{Language: "ko", Theme: "dark", Scale: 1.3, KeepDays: 12, KeepBytes: 5 << 20, MQTT: "127.0.0.1:1884", HTTP: ":80"}
	load(t, s)
	for name, c := range map[string][2]string{
		"language": {s.language.Selected, "한국어"},
		"theme":    {s.theme.Selected, "Dark"},
		"scale":    {s.scale.Selected, "130 %"},
		"days":     {s.days.Selected, "12 days"},
		"size":     {s.size.Selected, "5 MB"},
		"mqtt":     {s.mqtt.Text, "1884"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s shows %q, want %q", name, c[0], c[1])
		}
	}
}

func TestChoicesSaveAtOnce(t *testing.T) {
	s, st, shell := open(t, core.Info{})
	s.language.SetSelected("Français")
	s.theme.SetSelected("Dark")
	s.scale.SetSelected("150 %")
	s.days.SetSelected("for ever")
	s.size.SetSelected("1 GB")
	want := core.Settings{Language: "fr", Theme: "dark", Scale: 1.5, MQTT: ":1883", HTTP: ":8080", KeepDays: 0, KeepBytes: 1 << 30}
	if st.set != want {
		t.Errorf("saved %+v, want %+v", st.set, want)
	}
	if shell.Err != nil {
		t.Error(shell.Err)
	}
}

func TestWhatWasNotSavedIsNotShown(t *testing.T) {
	s, st, shell := open(t, core.Info{})
	st.fail = errors.New("the disk is full")
	s.theme.SetSelected("Dark")
	if shell.Err == nil {
		t.Error("the failure was not told")
	}
	load(t, s)
	if s.theme.Selected != "As the system" {
		t.Errorf("the theme shows %q", s.theme.Selected)
	}
}

func TestPortProblem(t *testing.T) {
	for _, c := range []struct {
		mqtt, page string
		ok         bool
	}{
		{"1883", "8080", true}, {"1", "65535", true},
		{"0", "8080", false}, {"65536", "8080", false}, {"", "8080", false}, {"http", "8080", false},
		{"-5", "8080", false}, {"01883", "8080", false}, {"1883", " 80", false}, {"1883", "1883", false}, {"+1883", "8080", false},
	} {
		if got := portProblem(c.mqtt, c.page); (got == "") != c.ok {
			t.Errorf("portProblem(%q, %q) = %q", c.mqtt, c.page, got)
		}
	}
}

func TestPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, freePort, _ := net.SplitHostPort(free.Addr().String())
	free.Close()
	_, takenPort, _ := net.SplitHostPort(taken.Addr().String())

	s, st, shell := open(t, core.Info{MQTT: "127.0.0.1:1883", Page: "127.0.0.1:8080"})
	st.set.MQTT, st.set.HTTP = "127.0.0.1:1883", "127.0.0.1:8080"
	load(t, s)
	if !s.savePorts.Disabled() {
		t.Error("there is nothing to save")
	}
	s.mqtt.SetText("nonsense")
	if !s.savePorts.Disabled() || !s.problem.Visible() {
		t.Error("nonsense can be saved")
	}

	s.mqtt.SetText(takenPort)
	test.Tap(s.savePorts)
	if st.set.MQTT != "127.0.0.1:1883" || !s.problem.Visible() || !strings.Contains(s.problem.Text.Text, takenPort) {
		t.Errorf("saved %q, told %q", st.set.MQTT, s.problem.Text.Text)
	}

	s.mqtt.SetText(freePort)
	test.Tap(s.savePorts)
	if st.set.MQTT != "127.0.0.1:"+freePort || st.set.HTTP != "127.0.0.1:8080" {
		t.Errorf("saved %q and %q", st.set.MQTT, st.set.HTTP)
	}
	if !s.savePorts.Disabled() || len(shell.Told) != 1 || !strings.Contains(shell.Told[0], "next start") {
		t.Errorf("told %q", shell.Told)
	}

	// The ports that Homeroom itself holds now are not taken by another program.
	_, mine, _ := net.SplitHostPort(taken.Addr().String())
	s.info.MQTT = net.JoinHostPort("127.0.0.1", mine)
	s.mqtt.SetText(mine)
	test.Tap(s.savePorts)
	if st.set.MQTT != "127.0.0.1:"+mine {
		t.Errorf("saved %q; told %q", st.set.MQTT, s.problem.Text.Text)
	}
}

func TestFileURLPath(t *testing.T) {
	if got := fileURLPath("/home/민준/homeroom data"); got != "/home/민준/homeroom data" {
		t.Errorf("got %q", got)
	}
	if got := fileURLPath("C:/Users/민준"); got != "/C:/Users/민준" {
		t.Errorf("got %q", got)
	}
}

// TestLettingOthersIn: who once bound Homeroom to this PC can undo it here.
func TestLettingOthersIn(t *testing.T) {
	s, st, _ := open(t, core.Info{MQTT: "127.0.0.1:1883", Page: "127.0.0.1:8080"})
	st.set.MQTT, st.set.HTTP = "127.0.0.1:1883", "127.0.0.1:8080"
	load(t, s)
	if s.network.Checked || !s.savePorts.Disabled() {
		t.Fatal("it does not show that only this PC may connect")
	}
	test.Tap(s.network)
	test.Tap(s.savePorts)
	if st.set.MQTT != ":1883" || st.set.HTTP != ":8080" || !s.savePorts.Disabled() {
		t.Errorf("saved %q and %q", st.set.MQTT, st.set.HTTP)
	}
	test.Tap(s.network)
	test.Tap(s.savePorts)
	if st.set.MQTT != "127.0.0.1:1883" || st.set.HTTP != "127.0.0.1:8080" {
		t.Errorf("alone again: %q and %q", st.set.MQTT, st.set.HTTP)
	}
}
