package settings

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/core"
	"homeroom/ui/widget/widgettest"
)

type store struct {
	set    core.Settings
	secure Secure
	fail   error
	// restarts counts how often the program was to start again.
	restarts int
}

func (s *store) Settings() core.Settings { return s.set }
func (s *store) Usage() (int64, int64)   { return 2048, 3 << 30 }
func (s *store) Secure() Secure          { return s.secure }
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
	s := New(st, info, func() { st.restarts++ }, shell)
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
		"mqtts":    {s.mqtts.Text, "8883"},
		"page":     {s.page.Text, "8080"},
		"usage":    {s.usage.Text, "Accounts and settings: 2 KB. Readings: 3 GB."},
	} {
		if c[0] != c[1] {
			t.Errorf("%s shows %q, want %q", name, c[0], c[1])
		}
	}
	// Somebody else set what is none of the choices.
	st.set = core.Settings{Language: "ko", Theme: "dark", Scale: 1.3, KeepDays: 12, KeepBytes: 5 << 20, MQTT: "127.0.0.1:1884", MQTTS: "-", HTTP: ":80", Limits: core.Limits{Messages: 7}}
	load(t, s)
	for name, c := range map[string][2]string{
		"language": {s.language.Selected, "한국어"},
		"theme":    {s.theme.Selected, "Dark"},
		"scale":    {s.scale.Selected, "130 %"},
		"days":     {s.days.Selected, "12 days"},
		"size":     {s.size.Selected, "5 MB"},
		"mqtt":     {s.mqtt.Text, "1884"},
		"mqtts":    {s.mqtts.Text, ""},
		"messages": {s.limits.all[0].entry.Text, "7"},
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
	want := core.DefaultSettings()
	want.Language, want.Theme, want.Scale, want.KeepDays, want.KeepBytes = "fr", "dark", 1.5, 0, 1<<30
	if st.set != want {
		t.Errorf("saved %+v, want %+v", st.set, want)
	}
	if shell.Err != nil {
		t.Error(shell.Err)
	}
}

// TestNamed: the name is shown, and its switch saves at once.
func TestNamed(t *testing.T) {
	s, st, _ := open(t, core.Info{})
	st.secure.Name = "homeroom-1a2b3c.local"
	load(t, s)
	if !s.named.Checked || !s.name.Visible() || !strings.Contains(s.name.Text, "homeroom-1a2b3c.local") {
		t.Errorf("the switch shows %v, and below it %q", s.named.Checked, s.name.Text)
	}
	s.named.SetChecked(false)
	if st.set.Named {
		t.Error("it still answers")
	}
	load(t, s)
	if s.name.Visible() {
		t.Error("it says that others find it by a name that it does not answer to")
	}
	st.set.Named, st.set.MQTT = true, "127.0.0.1:1883"
	load(t, s)
	if s.name.Visible() {
		t.Error("it says so of a PC that nobody reaches")
	}
	st.set, st.secure.Name = core.DefaultSettings(), ""
	load(t, s)
	if s.name.Visible() || !s.named.Disabled() {
		t.Error("started with --no-mdns, it can be switched on")
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
		mqtt, mqtts, page string
		ok                bool
	}{
		{"1883", "8883", "8080", true}, {"1", "2", "65535", true}, {"1883", "", "8080", true},
		{"0", "8883", "8080", false}, {"65536", "8883", "8080", false}, {"", "8883", "8080", false}, {"http", "8883", "8080", false},
		{"-5", "8883", "8080", false}, {"01883", "8883", "8080", false}, {"1883", "8883", " 80", false}, {"+1883", "8883", "8080", false},
		{"1883", "8883", "", false}, {"1883", "-", "8080", false}, {"1883", "0", "8080", false},
		{"1883", "8883", "1883", false}, {"1883", "1883", "8080", false}, {"1883", "8080", "8080", false},
	} {
		if got := portProblem(c.mqtt, c.mqtts, c.page); (got == "") != c.ok {
			t.Errorf("portProblem(%q, %q, %q) = %q", c.mqtt, c.mqtts, c.page, got)
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
	answer(t, shell, "Cancel")
	if st.restarts != 0 {
		t.Error("it started again unasked")
	}

	// The ports that Homeroom itself holds now are not taken by another program.
	_, mine, _ := net.SplitHostPort(taken.Addr().String())
	s.info.MQTT = net.JoinHostPort("127.0.0.1", mine)
	s.mqtt.SetText(mine)
	test.Tap(s.savePorts)
	if st.set.MQTT != "127.0.0.1:"+mine {
		t.Errorf("saved %q; told %q", st.set.MQTT, s.problem.Text.Text)
	}
	answer(t, shell, "Start again")
	if st.restarts != 1 {
		t.Errorf("it started again %d times, want once", st.restarts)
	}
}

// answer presses a button of what is asked over the window, which ends it.
func answer(t *testing.T, shell *widgettest.Shell, text string) {
	t.Helper()
	over := shell.Win.Canvas().Overlays()
	if over.Top() == nil {
		t.Fatal("nothing is asked")
	}
	for _, o := range test.LaidOutObjects(over.Top()) {
		if b, ok := o.(*fw.Button); ok && b.Text == text {
			test.Tap(b)
		}
	}
	if over.Top() != nil {
		t.Fatalf("it still asks after %s", text)
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

// TestTLSPort: TLS can be switched off and on, and follows who may connect.
func TestTLSPort(t *testing.T) {
	s, st, _ := open(t, core.Info{MQTT: "127.0.0.1:1883", MQTTS: "127.0.0.1:8883", Page: "127.0.0.1:8080"})
	for _, c := range []struct{ port, saved string }{{"", "-"}, {"8883", ":8883"}} {
		s.mqtts.SetText(c.port)
		test.Tap(s.savePorts)
		if st.set.MQTTS != c.saved || st.set.MQTT != ":1883" || !s.savePorts.Disabled() {
			t.Errorf("%q saved %q; told %q", c.port, st.set.MQTTS, s.problem.Text.Text)
		}
	}
	test.Tap(s.network)
	test.Tap(s.savePorts)
	if st.set.MQTTS != "127.0.0.1:8883" {
		t.Errorf("alone, but TLS is at %q", st.set.MQTTS)
	}
}

func TestSecure(t *testing.T) {
	s, st, shell := open(t, core.Info{})
	if !s.secure.off.Visible() || s.secure.on.Visible() || !strings.Contains(s.secure.off.Text.Text, "TLS is off") {
		t.Errorf("without TLS it says %q", s.secure.off.Text.Text)
	}
	st.secure.Problem = core.Fail(core.ErrConflict, "the port is taken")
	load(t, s)
	if !s.secure.off.Visible() || s.secure.off.Text.Text != "the port is taken" {
		t.Errorf("with a problem it says %q", s.secure.off.Text.Text)
	}
	st.secure = Secure{Addresses: []string{"192.168.1.20:8883", "localhost:8883"}, Pin: "sha256//pin=", Fingerprint: "AB12 CD34", CA: []byte("the authority"), PublicKey: []byte("the key")}
	load(t, s)
	if s.secure.off.Visible() || !s.secure.on.Visible() || s.secure.address.label.Text != "192.168.1.20:8883" || s.secure.people.Text != "AB12 CD34" || len(s.secure.code.Objects) != 1 {
		t.Errorf("it shows %q", s.secure.address.label.Text)
	}
	if got := s.secure.mosquitto.label.Text; !strings.Contains(got, "--cafile "+caFile+" -h 192.168.1.20 -p 8883 ") {
		t.Errorf("mosquitto_pub: %q", got)
	}
	test.Tap(s.secure.pin.copy)
	if got := fyne.CurrentApp().Clipboard().Content(); got != "sha256//pin=" {
		t.Errorf("copied %q", got)
	}
	s.secure.copyKey()
	if got := fyne.CurrentApp().Clipboard().Content(); got != "the key" || len(shell.Told) != 2 {
		t.Errorf("copied %q", got)
	}
	// The PC joins another network.
	st.secure.Addresses = []string{"10.0.0.7:8883"}
	load(t, s)
	if s.secure.address.label.Text != "10.0.0.7:8883" {
		t.Errorf("it shows %q", s.secure.address.label.Text)
	}
}

func TestLimits(t *testing.T) {
	s, st, shell := open(t, core.Info{})
	l := s.limits
	if !l.save.Disabled() || !l.reset.Disabled() {
		t.Error("there is nothing to do")
	}
	for i, want := range []string{"10000", "16384", "200", "4096", "16384"} {
		if got := l.all[i].entry.Text; got != want {
			t.Errorf("%s shows %q, want %q", l.all[i].name, got, want)
		}
	}
	for _, c := range []struct {
		field int
		text  string
	}{{0, ""}, {0, "0"}, {0, "-1"}, {0, "many"}, {0, "1000001"}, {1, "1048577"}, {1, "1.5"}, {2, "10001"}, {3, "4097"}, {4, "63"}, {4, "4095"}, {4, "99999999999999999999"}} {
		was := l.all[c.field].entry.Text
		l.all[c.field].entry.SetText(c.text)
		if !l.problem.Visible() || !l.save.Disabled() {
			t.Errorf("%s: %q can be saved", l.all[c.field].name, c.text)
		}
		l.saveAll() // as the button would
		l.all[c.field].entry.SetText(was)
	}
	if st.set != core.DefaultSettings() || l.problem.Visible() {
		t.Fatalf("saved %+v, complained %q", st.set, l.problem.Text.Text)
	}
	for i, text := range []string{"50", "64", "5", "16", "128"} {
		l.all[i].entry.SetText(text)
	}
	test.Tap(l.save)
	want := core.Limits{Messages: 50, Bytes: 64 << 10, Connections: 5, Queue: 128 << 10, Packet: 16 << 10}
	if st.set.Limits != want || !l.save.Disabled() || l.reset.Disabled() || len(shell.Told) != 1 {
		t.Errorf("saved %+v", st.set.Limits)
	}
	test.Tap(l.reset)
	if st.set.Limits != core.DefaultLimits() || l.all[0].entry.Text != "10000" || !l.reset.Disabled() {
		t.Errorf("back to %+v", st.set.Limits)
	}
	if err := shell.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	load(t, s)
	if st.set.Limits != want || l.all[3].entry.Text != "16" {
		t.Errorf("undone to %+v", st.set.Limits)
	}
	// What is no whole number of KB stays as it is while nobody writes in its field.
	st.set.Limits.Bytes = 1500
	load(t, s)
	l.all[0].entry.SetText("60")
	test.Tap(l.save)
	if st.set.Limits.Bytes != 1500 || st.set.Limits.Messages != 60 {
		t.Errorf("saved %+v", st.set.Limits)
	}
	st.fail = errors.New("the disk is full")
	l.all[0].entry.SetText("70")
	test.Tap(l.save)
	if shell.Err == nil || l.save.Disabled() {
		t.Error("a failure to save looks like success")
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
