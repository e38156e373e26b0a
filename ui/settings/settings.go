// Package settings is the screen for what a person can set for the whole
// program, and for what is inside it.
package settings

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets"
	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// Store keeps the settings.
type Store interface {
	Settings() core.Settings
	SetSettings(ctx context.Context, s core.Settings) error
	// Usage returns the bytes on disk of accounts and plan, and of readings.
	Usage() (coreBytes, historyBytes int64)
	// Secure returns how others reach and recognise this program over TLS.
	Secure() Secure
}

// Scales are the scales that Settings offers; 0 follows the system.
var Scales = []float64{0, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.5, 3}

// keepDays and keepBytes are what Settings offers; 0 is no bound.
var (
	keepDays  = []int{7, 30, 90, 365, 1095, 0}
	keepBytes = []int64{256 << 20, 1 << 30, 4 << 30, 16 << 30, 64 << 30, 0}
)

// Screen is the screen. Its fields belong to the UI goroutine.
type Screen struct {
	store Store
	info  core.Info
	// restart starts the program again.
	restart func()
	shell   widget.Shell

	content                fyne.CanvasObject
	cards                  *fyne.Container
	language, theme, scale *fw.Select
	mqtt, mqtts, page      *widget.Entry
	network                *fw.Check // others than this PC may connect
	problem                *widget.Note
	savePorts              *fw.Button
	days, size             *fw.Select
	discovery, named       *fw.Check
	name                   *fw.Label // of this PC in the network; hidden while it is not answered to
	usage                  *fw.Label
	secure                 *secure
	limits                 *limits
	shown                  core.Settings // as last shown
	showing                bool          // the program sets the fields, not the person
	unsure                 bool          // a field may show what could not be saved
}

// New returns the screen. restart ends the window and starts the program again.
func New(store Store, info core.Info, restart func(), shell widget.Shell) *Screen {
	s := &Screen{store: store, info: info, restart: restart, shell: shell}
	s.language = s.choice(languageNames(), func(v *core.Settings, i int) {
		v.Language = append([]string{""}, languageTags()...)[i]
	})
	s.theme = s.choice([]string{lang.L("As the system"), lang.L("Light"), lang.L("Dark")}, func(v *core.Settings, i int) {
		v.Theme = themes[i]
	})
	s.scale = s.choice(scaleNames(), func(v *core.Settings, i int) { v.Scale = Scales[i] })
	s.days = s.choice(daysNames(), func(v *core.Settings, i int) { v.KeepDays = keepDays[i] })
	s.size = s.choice(sizeNames(), func(v *core.Settings, i int) { v.KeepBytes = keepBytes[i] })

	s.discovery = fw.NewCheck(lang.L("Tell Home Assistant and Homie what is drawn"), func(on bool) {
		if !s.showing {
			s.unsure = true
			s.save(func(v *core.Settings) { v.Discovery = on }, nil)
		}
	})

	s.named = fw.NewCheck(lang.L("Answer to a name of its own in the network"), func(on bool) {
		if !s.showing {
			s.unsure = true
			s.save(func(v *core.Settings) { v.Named = on }, nil)
		}
	})
	s.name = widget.Muted("")
	s.name.Hide()

	s.mqtt, s.mqtts, s.page = widget.NewEntry(), widget.NewEntry(), widget.NewEntry()
	for _, e := range []*widget.Entry{s.mqtt, s.mqtts, s.page} {
		e.OnChanged = func(string) { s.checkPorts() }
	}
	s.network = fw.NewCheck(lang.L("Kits and phones may connect, not only this PC"), func(bool) { s.checkPorts() })
	s.problem = widget.NewNote("", fw.WarningImportance)
	s.problem.Hide()
	s.savePorts = fw.NewButtonWithIcon(lang.L("Save ports"), theme.DocumentSaveIcon(), s.saveThePorts)
	s.savePorts.Importance = fw.HighImportance
	s.savePorts.Disable()
	s.usage = widget.Muted("")
	s.secure, s.limits = newSecure(s), newLimits(s)
	folder := fw.NewButtonWithIcon(lang.L("Open folder"), theme.FolderOpenIcon(), s.openFolder)
	licences := fw.NewButtonWithIcon(lang.L("Licences"), theme.DocumentIcon(), s.showLicences)

	s.cards = widget.Columns(400,
		widget.Card(lang.L("Window"), container.NewVBox(
			widget.Field(lang.L("Language"), s.language, ""),
			widget.Field(lang.L("Colours"), s.theme, ""),
			widget.Field(lang.L("Size of everything"), s.scale, lang.L("For a projector, 150 % or more. Ctrl + and Ctrl - do the same.")),
		)),
		widget.Card(lang.L("Readings"), container.NewVBox(
			widget.Field(lang.L("Keep readings for"), s.days, lang.L("Older readings are removed.")),
			widget.Field(lang.L("But use at most"), s.size, lang.L("When this is full, the oldest readings go first.")),
		)),
		widget.Card(lang.L("Network"), container.NewVBox(
			widget.Field(lang.L("Port for kits (MQTT)"), s.mqtt, lang.L("Usually 1883.")),
			widget.Field(lang.L("Port for kits with TLS (MQTTS)"), s.mqtts, lang.L("Usually 8883. Leave it empty for none.")),
			widget.Field(lang.L("Port for the page (HTTP)"), s.page, lang.L("Usually 8080.")),
			s.network,
			s.problem,
			widget.Muted(lang.L("Ports take effect at the next start of Homeroom. Kits on Wi-Fi that know another port then do not find it: plug each into this PC once.")),
			container.NewHBox(s.savePorts),
		)),
		widget.Card(lang.L("Discovery"), container.NewVBox(
			s.named,
			s.name,
			s.discovery,
			widget.Muted(lang.L("Programs that connect to this broker then find each kit of the plan by themselves, below homeassistant/ and homie/5/. They need a grant for it.")),
		)),
		widget.Card(lang.L("Secure connections (TLS)"), s.secure.box),
		widget.Card(lang.L("Limits of each account"), s.limits.box),
		widget.Card(lang.L("Data"), container.NewVBox(
			widget.Muted(lang.L("Everything is in one folder on this PC. Copy it while Homeroom is closed, and you have a backup.")),
			pathLine(info.Data, shell),
			s.usage,
			container.NewHBox(folder),
		)),
		widget.Card(lang.L("About"), container.NewVBox(
			container.NewBorder(nil, nil, icon(), nil, container.NewVBox(
				fw.NewLabelWithStyle("Homeroom "+info.Version, fyne.TextAlignLeading, fyne.TextStyle{Bold: true}),
				widget.Muted(lang.L("The MQTT lab that fits on a lab PC. Nothing leaves the building.")))),
			widget.Muted(lang.L("Homeroom is free software under the Apache License 2.0.")),
			container.NewHBox(licences),
		)),
	)
	s.content = widget.Page(lang.L("Settings"), nil, widget.Scroll(s.cards))
	s.show(store.Settings())
	return s
}

// Title is the screen's name.
func (s *Screen) Title() string { return lang.L("Settings") }

// Icon is the screen's icon.
func (s *Screen) Icon() fyne.Resource { return theme.SettingsIcon() }

// Content is what the screen shows.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change { return core.SettingsChanged }

// Load reads the settings and the sizes.
func (s *Screen) Load(context.Context) (show func(), err error) {
	v := s.store.Settings()
	coreBytes, historyBytes := s.store.Usage()
	secure := s.store.Secure()
	return func() {
		if v != s.shown || s.unsure {
			s.show(v)
		}
		if text := lang.L("Accounts and settings: {core}. Readings: {history}.",
			"core", widget.Bytes(coreBytes), "history", widget.Bytes(historyBytes)); text != s.usage.Text {
			s.usage.SetText(text)
		}
		widget.SetText(s.name, lang.L("Kits and people find this PC by {name}, also after its address changed.", "name", secure.Name))
		s.reveal(s.name, secure.Name != "" && v.Named && !alone(v))
		widget.SetEnabled(s.named, secure.Name != "")
		s.secure.show(secure)
	}, nil
}

// choice is a select that saves at once.
func (s *Screen) choice(options []string, change func(v *core.Settings, i int)) *fw.Select {
	var c *fw.Select
	c = fw.NewSelect(options, func(string) {
		i := c.SelectedIndex()
		if s.showing || i < 0 {
			return
		}
		s.unsure = true
		s.save(func(v *core.Settings) { change(v, i) }, nil)
	})
	return c
}

// save changes the kept settings, and then calls saved.
func (s *Screen) save(change func(*core.Settings), saved func()) {
	s.shell.Do(func(ctx context.Context) (func(), error) {
		v := s.store.Settings()
		change(&v)
		if err := s.store.SetSettings(ctx, v); err != nil {
			return nil, err
		}
		return func() {
			s.shown, s.unsure = v, false
			s.shell.Refresh()
			if saved != nil {
				saved()
			}
		}, nil
	})
}

var themes = []string{"", "light", "dark"}

// show puts v into the fields.
func (s *Screen) show(v core.Settings) {
	s.showing = true
	defer func() { s.showing = false }()
	s.shown, s.unsure = v, false
	s.language.SetSelectedIndex(max(0, index(append([]string{""}, languageTags()...), v.Language)))
	s.theme.SetSelectedIndex(max(0, index(themes, v.Theme)))
	selectOr(s.scale, index(Scales, v.Scale), lang.L("{n} %", "n", int(v.Scale*100+0.5)))
	selectOr(s.days, index(keepDays, v.KeepDays), lang.L("{n} days", "n", v.KeepDays))
	selectOr(s.size, index(keepBytes, v.KeepBytes), widget.Bytes(v.KeepBytes))
	s.mqtt.SetText(port(v.MQTT))
	s.mqtts.SetText(port(v.MQTTS))
	s.page.SetText(port(v.HTTP))
	s.network.SetChecked(!alone(v))
	s.checkPorts()
	s.limits.show(v.Limits)
	s.discovery.SetChecked(v.Discovery)
	s.named.SetChecked(v.Named)
}

func index[T comparable](all []T, v T) int {
	for i := range all {
		if all[i] == v {
			return i
		}
	}
	return -1
}

// selectOr selects option i, or shows text where the value is none of those offered.
func selectOr(c *fw.Select, i int, text string) {
	if i >= 0 {
		c.SetSelectedIndex(i)
		return
	}
	c.Selected = text
	c.Refresh()
}

func languageTags() []string {
	var tags []string
	for _, l := range lang.All() {
		tags = append(tags, string(l))
	}
	return tags
}

func languageNames() []string {
	names := []string{lang.L("As the system")}
	for _, l := range lang.All() {
		names = append(names, l.Name())
	}
	return names
}

func scaleNames() []string {
	names := []string{lang.L("As the system")}
	for _, v := range Scales[1:] {
		names = append(names, lang.L("{n} %", "n", int(v*100+0.5)))
	}
	return names
}

func daysNames() []string {
	var names []string
	for _, d := range keepDays {
		if d == 0 {
			names = append(names, lang.L("for ever"))
			continue
		}
		names = append(names, lang.L("{n} days", "n", d))
	}
	return names
}

func sizeNames() []string {
	var names []string
	for _, b := range keepBytes {
		if b == 0 {
			names = append(names, lang.L("as much as there is"))
			continue
		}
		names = append(names, widget.Bytes(b))
	}
	return names
}

// none is the address of what is not served.
const none = "-"

// port returns the port of an address such as ":1883".
func port(addr string) string {
	if addr == none {
		return ""
	}
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return p
}

// alone reports whether only this PC reaches the broker or the page.
func alone(v core.Settings) bool { return loopback(host(v.MQTT)) || loopback(host(v.HTTP)) }

func host(addr string) string {
	h, _, err := net.SplitHostPort(addr)
	if err != nil {
		return ""
	}
	return h
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// withPort returns addr with another port, for this PC alone or for others too.
func withPort(addr, p string, others bool) string {
	if p == "" {
		return none
	}
	h := host(addr)
	switch {
	case others && loopback(h):
		h = ""
	case !others && !loopback(h):
		h = "127.0.0.1"
	}
	return net.JoinHostPort(h, p)
}

// portProblem says what is wrong with the ports, or "". Only mqtts may be empty.
func portProblem(mqtt, mqtts, page string) string {
	ports := []string{mqtt, page}
	if mqtts != "" {
		ports = append(ports, mqtts)
	}
	for _, p := range ports {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 || strconv.Itoa(n) != p {
			return lang.L("A port is a number from 1 to 65535.")
		}
	}
	if mqtt == page || mqtt == mqtts || mqtts == page {
		return lang.L("The ports must differ.")
	}
	return ""
}

// checkPorts shows what is wrong with the ports, and enables saving where there
// is nothing wrong and something new.
func (s *Screen) checkPorts() {
	s.complain(portProblem(s.mqtt.Text, s.mqtts.Text, s.page.Text))
	same := s.mqtt.Text == port(s.shown.MQTT) && s.mqtts.Text == port(s.shown.MQTTS) && s.page.Text == port(s.shown.HTTP) && s.network.Checked != alone(s.shown)
	widget.SetEnabled(s.savePorts, !same && !s.problem.Visible())
}

func (s *Screen) complain(text string) {
	s.problem.Text.SetText(text)
	s.reveal(s.problem, text != "")
}

// reveal shows or hides a part of a card; cards below make room.
func (s *Screen) reveal(o fyne.CanvasObject, visible bool) {
	if widget.SetVisible(o, visible) {
		s.cards.Refresh()
	}
}

// saveThePorts saves them if nobody else has them.
func (s *Screen) saveThePorts() {
	others := s.network.Checked
	mqtt, mqtts, page := withPort(s.shown.MQTT, s.mqtt.Text, others), withPort(s.shown.MQTTS, s.mqtts.Text, others), withPort(s.shown.HTTP, s.page.Text, others)
	ours := []string{port(s.info.MQTT), port(s.info.MQTTS), port(s.info.Page), port(none)}
	s.shell.Do(func(context.Context) (func(), error) {
		var taken string
		for _, addr := range []string{mqtt, mqtts, page} {
			if index(ours, port(addr)) >= 0 {
				continue
			}
			if taken = bindProblem(addr); taken != "" {
				break
			}
		}
		return func() {
			if taken != "" {
				s.complain(taken)
				return
			}
			s.save(func(v *core.Settings) { v.MQTT, v.MQTTS, v.HTTP = mqtt, mqtts, page }, func() {
				s.checkPorts()
				s.shell.Tell(lang.L("Saved. The new ports take effect at the next start."))
				widget.Confirm(s.shell, lang.L("Start Homeroom again now?"), lang.L("Who is connected is disconnected for some seconds."), lang.L("Start again"), s.restart)
			})
		}, nil
	})
}

// bindProblem says why nobody could listen at addr, or "".
func bindProblem(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return lang.L("This account of the PC may not use port {port}. Choose one above 1023.", "port", port(addr))
		}
		return lang.L("Another program uses port {port}. Close it, or choose another port.", "port", port(addr))
	}
	l.Close()
	return ""
}

func pathLine(path string, shell widget.Shell) fyne.CanvasObject {
	l := fw.NewLabelWithStyle(path, fyne.TextAlignLeading, fyne.TextStyle{Monospace: true})
	l.Wrapping = fyne.TextWrapBreak
	l.Selectable = true
	return l
}

func (s *Screen) openFolder() {
	u := &url.URL{Scheme: "file", Path: fileURLPath(s.info.Data)}
	s.shell.Do(func(context.Context) (func(), error) {
		if err := fyne.CurrentApp().OpenURL(u); err != nil {
			return nil, core.Fail(err, "The folder did not open. Its path is {path}", "path", s.info.Data)
		}
		return nil, nil
	})
}

// fileURLPath is the path of a file URL (RFC 8089) for a folder.
func fileURLPath(folder string) string {
	p := filepath.ToSlash(folder)
	if !strings.HasPrefix(p, "/") { // C:/Users/…
		p = "/" + p
	}
	return p
}

func (s *Screen) showLicences() {
	lines := strings.Split(assets.Licences(), "\n")
	list := fw.NewList(
		func() int { return len(lines) },
		func() fyne.CanvasObject {
			l := widget.Cell("")
			l.SizeName = theme.SizeNameCaptionText
			l.TextStyle.Monospace = true
			return l
		},
		func(i fw.ListItemID, o fyne.CanvasObject) { o.(*fw.Label).SetText(lines[i]) })
	list.HideSeparators = true
	d := dialog.NewCustom(lang.L("What is inside Homeroom, and its licences"), lang.L("Close"), list, s.shell.Window())
	d.Resize(fyne.NewSize(820, 600))
	d.Show()
}

func icon() fyne.CanvasObject {
	i := fw.NewIcon(fyne.NewStaticResource("homeroom.svg", assets.IconSVG()))
	return container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(56), i))
}
