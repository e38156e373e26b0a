// Package kits is the screen of all kits, real, wired and virtual: how they are,
// where one is, and what can be done for it without taking it from its place.
package kits

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// Parts is what the screen asks.
type Parts struct {
	Kits     Kits
	Care     Care
	Updates  Updates
	Consoles Consoles
	Plan     Plan
	Teams    func() []core.Team
}

// Kits are the kits of the plan.
type Kits interface {
	Kits() []core.RealKit // in order of name
	Locate(ctx context.Context, kit topic.Name, seconds int) error
	Restart(ctx context.Context, kit topic.Name) error
	// Send gives a kit what the plan says about it, now.
	Send(ctx context.Context, kit topic.Name) error
}

// Care changes what a kit knows.
type Care interface {
	// Configure gives a kit another network or other pins, without flashing.
	Configure(ctx context.Context, kit topic.Name, o core.SetupOrder) error
	Networks() []core.Network
	// Rotate gives a kit and its account a new secret.
	Rotate(ctx context.Context, kit topic.Name) error
	// Forget erases what a kit knows; its secret is worth nothing afterwards.
	Forget(ctx context.Context, kit topic.Name) error
}

// Updates puts new firmware on kits over the air.
type Updates interface {
	Update(ctx context.Context, kits []topic.Name) error
	Rollout() core.Rollout
	StopRollout()
}

// Consoles are the serial ports that kits are on.
type Consoles interface {
	// Console returns the latest lines, oldest first, and whether the port is open.
	Console(port string) ([]string, bool)
	Type(ctx context.Context, port, line string) error
	Ports() core.Ports
}

// Plan is where kits are drawn.
type Plan interface {
	Design() *core.Design
	Change(ctx context.Context, b core.Batch) error
	// MoveTopics renames a place with everything below it, or tells what that would do.
	MoveTopics(ctx context.Context, from, to topic.Name, apply bool) (core.Effect, error)
}

// Screen shows kits. Its fields belong to the UI goroutine.
type Screen struct {
	parts   Parts
	shell   widget.Shell
	content fyne.CanvasObject

	all    []core.RealKit
	shown  []core.RealKit // that the search finds
	chosen topic.Name     // "" is none
	now    time.Time      // of all

	search  *widget.Entry
	list    *fw.List
	some    *container.Split
	empty   fyne.CanvasObject // where no kit is
	counts  *fw.Label
	update  *fw.Button // of all that are old
	rollout *rollout
	detail  *detail
	marking bool // the list is told what is chosen; nobody chose
}

// New returns the screen.
func New(p Parts, shell widget.Shell) *Screen {
	s := &Screen{parts: p, shell: shell}
	setup := fw.NewButtonWithIcon(lang.L("Set up a kit"), theme.ContentAddIcon(), func() { shell.Go("setup/new") })
	setup.Importance = fw.HighImportance
	bench := fw.NewButtonWithIcon(lang.L("Kit bench"), theme.GridIcon(), func() { shell.Go("setup/bench") })
	s.update = fw.NewButtonWithIcon("", theme.DownloadIcon(), func() { s.askUpdate(s.old()) })
	s.update.Hide()

	s.search = widget.NewEntry()
	s.search.SetPlaceHolder(lang.L("Search"))
	s.search.SetIcon(theme.SearchIcon())
	s.search.OnChanged = func(string) { s.filter() }
	s.counts = widget.Muted("")
	s.list = fw.NewList(func() int { return len(s.shown) }, newRow, s.setRow)
	s.list.OnSelected = func(i fw.ListItemID) {
		if !s.marking && i < len(s.shown) {
			s.choose(s.shown[i].Name)
		}
	}
	head := widget.Row(shares)
	for _, title := range []string{"", lang.L("Kit"), lang.L("State"), lang.L("Link"), lang.L("Firmware"), lang.L("Heard")} {
		l := widget.Cell(title)
		l.Importance = fw.LowImportance
		head.Add(l)
	}
	first := fw.NewButtonWithIcon(lang.L("Set up a kit"), theme.ContentAddIcon(), func() { shell.Go("setup/new") })
	first.Importance = fw.HighImportance
	s.empty = widget.NewSurface(theme.ColorNameOverlayBackground, widget.Empty(widget.RoleIcon(core.AllKit), lang.L("No kit yet"),
		lang.L("Plug in a board: it is a kit in a few minutes, with its own account, in the room that you choose."), first))
	left := widget.NewSurface(theme.ColorNameOverlayBackground,
		container.NewBorder(container.NewVBox(s.search, head), s.counts, nil, nil, s.list))
	s.detail = newDetail(s)
	s.some = container.NewHSplit(left, s.detail.content)
	s.some.Offset = 0.62
	s.rollout = newRollout(s)
	s.content = widget.Page(s.Title(), []fyne.CanvasObject{s.update, bench, setup}, container.NewBorder(s.rollout.box, nil, nil, nil, container.NewStack(s.some, s.empty)))
	s.draw()
	return s
}

// Title is the screen's name.
func (s *Screen) Title() string { return lang.L("Kits") }

// Icon is the screen's picture in the navigation.
func (s *Screen) Icon() fyne.Resource { return widget.RoleIcon(core.AllKit) }

// Content is the screen.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change {
	return core.KitsChanged | core.PlanChanged | core.BoardsChanged | core.ClientsChanged
}

// Load reads the kits, and the console of the chosen one.
func (s *Screen) Load(context.Context) (show func(), err error) {
	all, r, ports := s.parts.Kits.Kits(), s.parts.Updates.Rollout(), s.parts.Consoles.Ports()
	consoles := map[topic.Name]console{}
	for _, p := range ports.All {
		if p.Kit != "" {
			lines, open := s.parts.Consoles.Console(p.Name)
			consoles[p.Kit] = console{p.Name, lines, open}
		}
	}
	d, teams := s.parts.Plan.Design(), s.parts.Teams()
	return func() {
		s.all, s.now = all, time.Now()
		s.detail.known(d, teams, consoles)
		s.rollout.set(r, d)
		s.draw()
	}, nil
}

// Open chooses the kit whose name follows the screen's.
func (s *Screen) Open(path string) { s.choose(topic.Name(path)) }

// Back lets go of the chosen kit.
func (s *Screen) Back() bool {
	if t := s.detail.open; t != nil {
		t.box.Hide()
		return true
	}
	if s.chosen == "" {
		return false
	}
	s.choose("")
	return true
}

// kit returns the chosen one.
func (s *Screen) kit() (core.RealKit, bool) {
	i := slices.IndexFunc(s.all, func(k core.RealKit) bool { return k.Name == s.chosen && s.chosen != "" })
	if i < 0 {
		return core.RealKit{}, false
	}
	return s.all[i], true
}

func (s *Screen) choose(n topic.Name) {
	s.chosen = n
	s.draw()
}

// old are the kits that there is newer firmware for.
func (s *Screen) old() (names []topic.Name) {
	for _, k := range s.all {
		if k.Newer != "" && k.Link == "wifi" {
			names = append(names, k.Name)
		}
	}
	return names
}

// draw shows what is known.
func (s *Screen) draw() {
	s.filter()
	old := s.old()
	s.update.Hidden = len(old) == 0
	if text := lang.L("Update {n} kits", "n", len(old)); s.update.Text != text {
		s.update.SetText(text)
	}
	here, virtual := 0, 0
	for _, k := range s.all {
		if k.State == "ready" || k.State == "alert" {
			here++
		}
		if k.Virtual {
			virtual++
		}
	}
	if text := lang.L("kits: {n} · there now: {here} · virtual: {virtual}", "n", len(s.all), "here", here, "virtual", virtual); s.counts.Text != text {
		s.counts.SetText(text)
	}
	k, ok := s.kit()
	s.detail.show(k, ok, s.now)
}

// filter shows the kits in which every word of the search is somewhere.
func (s *Screen) filter() {
	words := strings.Fields(strings.ToLower(s.search.Text))
	s.shown = s.shown[:0]
	for _, k := range s.all {
		text := strings.ToLower(strings.Join([]string{string(k.Name), k.Label, k.MAC, k.Address, string(k.Account), linkWord(k), widget.StateWord(k.State), k.Version}, "\n"))
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			s.shown = append(s.shown, k)
		}
	}
	if on := len(s.all) > 0; on != s.some.Visible() || on == s.empty.Visible() {
		if on {
			s.empty.Hide()
			s.some.Show()
		} else {
			s.some.Hide()
			s.empty.Show()
		}
	}
	s.list.Refresh()
	s.marking = true
	if i := slices.IndexFunc(s.shown, func(k core.RealKit) bool { return k.Name == s.chosen && s.chosen != "" }); i >= 0 {
		s.list.Select(i)
	} else {
		s.list.UnselectAll()
	}
	s.marking = false
}

// shares of the width that the columns have.
var shares = []float32{0.6, 3, 2.8, 1.8, 1.8, 1.8}

// row is one kit in the list.
type row struct {
	fw.BaseWidget
	icon   *fw.Icon
	dot    *widget.Dot
	signal *signal
	box    *fyne.Container

	name, place, state, link, version, heard *fw.Label
}

func newRow() fyne.CanvasObject {
	r := &row{icon: fw.NewIcon(widget.RoleIcon(core.AnyKit)), dot: widget.NewDot(theme.ColorNameDisabled)}
	r.name, r.place, r.state, r.link, r.version, r.heard = widget.Cell(""), widget.Cell(""), widget.Cell(""), widget.Cell(""), widget.Cell(""), widget.Cell("")
	r.name.TextStyle.Bold = true
	r.place.Importance, r.place.SizeName = fw.LowImportance, theme.SizeNameCaptionText
	r.signal = newSignal()
	names := container.New(tight{}, r.name, r.place)
	state := container.New(middle{}, container.NewBorder(nil, nil, container.NewCenter(r.dot), nil, r.state))
	link := container.New(middle{}, container.NewBorder(nil, nil, nil, container.NewCenter(r.signal), r.link))
	r.box = widget.Row(shares, container.NewCenter(r.icon), names, state, link, container.New(middle{}, r.version), container.New(middle{}, r.heard))
	r.ExtendBaseWidget(r)
	return r
}

// CreateRenderer is part of fyne.Widget.
func (r *row) CreateRenderer() fyne.WidgetRenderer { return fw.NewSimpleRenderer(r.box) }

// middle puts an object into the middle of the height.
type middle struct{}

func (middle) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	h := objects[0].MinSize().Height
	objects[0].Move(fyne.NewPos(0, (size.Height-h)/2))
	objects[0].Resize(fyne.NewSize(size.Width, h))
}

func (middle) MinSize(objects []fyne.CanvasObject) fyne.Size { return objects[0].MinSize() }

// tight stacks two lines of a row close together.
type tight struct{}

func (tight) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	h := objects[0].MinSize().Height
	objects[0].Move(fyne.NewPos(0, -2))
	objects[0].Resize(fyne.NewSize(size.Width, h))
	objects[1].Move(fyne.NewPos(0, h-16))
	objects[1].Resize(fyne.NewSize(size.Width, objects[1].MinSize().Height))
}

func (tight) MinSize(objects []fyne.CanvasObject) fyne.Size {
	a, b := objects[0].MinSize(), objects[1].MinSize()
	return fyne.NewSize(max(a.Width, b.Width), a.Height+b.Height-18)
}

func (s *Screen) setRow(i fw.ListItemID, o fyne.CanvasObject) {
	if i >= len(s.shown) {
		return
	}
	k, r := s.shown[i], o.(*row)
	r.icon.SetResource(widget.RoleIcon(k.Role))
	widget.SetText(r.name, k.Title())
	widget.SetText(r.place, string(k.Name))
	color, word := stateOf(k)
	r.dot.Set(color)
	widget.SetText(r.state, word)
	widget.SetText(r.link, linkWord(k))
	r.signal.set(k)
	importance := fw.MediumImportance
	if k.Newer != "" {
		importance = fw.WarningImportance
	}
	if text := cmp.Or(k.Version, "–"); r.version.Text != text || r.version.Importance != importance {
		r.version.Importance = importance
		r.version.SetText(text)
	}
	widget.SetText(r.heard, heard(k.Seen, s.now))
}

// stateOf is how a kit is, as a colour and a word: what goes on with it comes first.
func stateOf(k core.RealKit) (fyne.ThemeColorName, string) {
	switch {
	case k.Doing.Format != "" && k.Done >= 0:
		return theme.ColorNameWarning, lang.L("{what} {n} %", "what", lang.Say(k.Doing), "n", k.Done)
	case k.Doing.Format != "":
		return theme.ColorNameWarning, lang.Say(k.Doing)
	case k.Problem.Format != "":
		return theme.ColorNameError, lang.L("Needs attention")
	case k.Waiting && k.State == "ready":
		return theme.ColorNameWarning, lang.L("New settings wait")
	}
	return widget.StateColor(k.State), widget.StateWord(k.State)
}

// linkWord is how a kit is joined to the broker.
func linkWord(k core.RealKit) string {
	switch k.Link {
	case "wifi":
		return lang.L("Wi-Fi")
	case "cable":
		return lang.L("Cable")
	case "virtual":
		return lang.L("Virtual")
	}
	return "–"
}

// heard says how long ago something was.
func heard(at, now time.Time) string {
	d := now.Sub(at)
	switch {
	case at.IsZero():
		return "–"
	case d < 10*time.Second:
		return lang.L("now")
	case d < 2*time.Minute:
		return lang.L("{n} s ago", "n", int(d.Seconds()))
	case d < 2*time.Hour:
		return lang.L("{n} min ago", "n", int(d.Minutes()))
	}
	return at.Local().Format("02.01. 15:04")
}

// do runs work with the kit off the UI goroutine and tells what came of it.
func (s *Screen) do(told string, work func(ctx context.Context) error) {
	s.shell.Do(func(ctx context.Context) (func(), error) {
		if err := work(ctx); err != nil {
			return nil, err
		}
		return func() {
			if told != "" {
				s.shell.Tell(told)
			}
			s.shell.Refresh()
		}, nil
	})
}

// askUpdate asks before kits are updated.
func (s *Screen) askUpdate(names []topic.Name) {
	if len(names) == 0 {
		return
	}
	widget.Confirm(s.shell, lang.L("Update over the air"),
		lang.L("{n} kits get new firmware, one after another. Each is away for about a minute. It stops at the first that fails.", "n", len(names)),
		lang.L("Update"), func() {
			s.do("", func(ctx context.Context) error { return s.parts.Updates.Update(ctx, names) })
		})
}
