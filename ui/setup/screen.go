// Package setup is the screen on which a board becomes a kit: a wizard for one
// board, and a bench for many at once.
package setup

import (
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

// Screen shows the wizard, or the bench.
type Screen struct {
	p   Parts
	sh  widget.Shell
	now func() time.Time

	// Below: the UI goroutine only.
	v       view
	wizard  *wizard
	bench   *bench
	pages   [2]fyne.CanvasObject // of the wizard, of the bench
	content *fyne.Container
	sheets  printer
}

// view is what Load finds.
type view struct {
	ports     core.Ports
	setups    []core.Setup
	networks  []core.Network
	images    []core.KitImage
	building  core.Sentence
	builds    bool
	made      []core.Setup
	design    *core.Design
	teams     []core.Team
	addresses core.Addresses
}

// New returns the screen.
func New(p Parts, shell widget.Shell) *Screen {
	s := &Screen{p: p, sh: shell, now: time.Now, v: view{design: &core.Design{}}}
	s.sheets.shell = shell
	s.wizard = newWizard(s)
	s.bench = newBench(s)
	toBench := fw.NewButtonWithIcon(lang.L("Kit bench"), benchIcon, func() { s.show(1) })
	toOne := fw.NewButtonWithIcon(lang.L("One kit"), boardIcon, func() { s.show(0) })
	s.pages[0] = widget.Page(lang.L("Set up a kit"), []fyne.CanvasObject{s.wizard.leave, toBench}, s.wizard.content)
	s.pages[1] = widget.Page(lang.L("Kit bench"), append(s.bench.actions(), toOne), s.bench.content)
	s.content = container.NewStack(s.pages[0], s.pages[1])
	s.pages[1].Hide()
	s.draw()
	return s
}

// Title names the screen.
func (s *Screen) Title() string { return lang.L("Set up") }

// Icon is the screen's picture.
func (s *Screen) Icon() fyne.Resource { return theme.NewThemedResource(usbIcon) }

// Content is what the window shows.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change {
	return core.KitsChanged | core.PlanChanged | core.AccountsChanged | core.SettingsChanged
}

// Load reads what there is.
func (s *Screen) Load(context.Context) (show func(), err error) {
	k := s.p.Kits
	v := view{ports: k.Ports(), setups: k.Setups(), networks: k.Networks(), images: k.Images(), made: k.Made(),
		design: s.p.Plan.Design(), teams: s.p.Teams.Teams(), addresses: s.p.Addresses()}
	v.building, v.builds = k.Building()
	return func() {
		s.v = v
		s.draw()
	}, nil
}

func (s *Screen) draw() {
	if s.pages[1].Visible() {
		s.bench.follow()
		s.bench.draw()
		return
	}
	s.wizard.follow()
	s.wizard.draw()
}

// show shows the wizard (0) or the bench (1).
func (s *Screen) show(page int) {
	for i, p := range s.pages {
		if i == page {
			p.Show()
		} else {
			p.Hide()
		}
	}
	s.draw()
	s.sh.Refresh()
}

// Open begins with a new board; with "kit/NAME" one for that kit of the plan,
// with "port/NAME" the one on that port. "bench" is the bench.
func (s *Screen) Open(path string) {
	if path == "bench" {
		s.show(1)
		return
	}
	kind, rest, _ := strings.Cut(path, "/")
	s.wizard.anew()
	switch kind {
	case "kit":
		s.wizard.d.fresh, s.wizard.d.kit = false, topic.Name(rest)
	case "port":
		if i := slices.IndexFunc(s.v.setups, func(x core.Setup) bool { return x.Port == rest }); i >= 0 {
			s.wizard.resume(s.v.setups[i].ID)
		} else {
			s.wizard.take(rest)
		}
	}
	s.show(0)
}

// Back goes one step back, and reports whether there was one.
func (s *Screen) Back() bool {
	if s.pages[1].Visible() {
		s.show(0)
		return true
	}
	return s.wizard.goBack()
}

// TypedKey is for keys that nothing on the screen has taken.
func (s *Screen) TypedKey(k *fyne.KeyEvent) {
	if (k.Name == fyne.KeyReturn || k.Name == fyne.KeyEnter) && s.pages[0].Visible() {
		s.wizard.goNext()
	}
}

// setup returns the setup with that ID.
func (v *view) setup(id int64) (core.Setup, bool) {
	i := slices.IndexFunc(v.setups, func(x core.Setup) bool { return x.ID == id })
	if i < 0 {
		return core.Setup{}, false
	}
	return v.setups[i], true
}

// title is what a person calls the place or topic level n.
func (v *view) title(n topic.Name) string {
	p := v.design.Place(n)
	if p != nil && p.Label != "" {
		return p.Label
	}
	if parent(n) == "" { // a team is drawn without a label of its own
		for _, t := range v.teams {
			if topic.Name(t.Name) == n {
				return t.Title()
			}
		}
	}
	return string(n[strings.LastIndexByte(string(n), '/')+1:])
}

// where is the branch and room of a kit as a person reads them.
func (v *view) where(kit topic.Name) string {
	up := parent(kit)
	switch {
	case up == "":
		return ""
	case parent(up) == "":
		return v.title(up)
	}
	return v.title(topic.Name(branchOf(kit))) + " · " + v.title(up)
}

// boards returns the kits that have a real board, made here or being made now. One
// with a part that was not tried, or does not work, is a kit all the same.
func (v *view) boards() map[topic.Name]bool {
	all := map[topic.Name]bool{}
	for _, m := range v.made {
		if p := v.design.Place(m.Order.Kit); m.Step == core.StepCard && p != nil && !p.Virtual {
			all[m.Order.Kit] = true
		}
	}
	for _, x := range v.setups {
		if x.Order.Kit != "" && (x.Running || x.Step == core.StepCard) {
			all[x.Order.Kit] = true
		}
	}
	return all
}

// candidates returns the kits of the plan that firmware is there for, those
// without a board first, else in order of name.
func (v *view) candidates() []*core.Place {
	boards := v.boards()
	var with, without []*core.Place
	for _, p := range v.design.Places {
		switch {
		case p.Kind != core.KitPlace || p.Role == core.AnyKit:
		case boards[p.Name]:
			with = append(with, p)
		default:
			without = append(without, p)
		}
	}
	return append(without, with...)
}

// branches returns the first levels that a kit can be drawn in: teams and what
// is drawn beside them.
func (v *view) branches() []topic.Name {
	var all []topic.Name
	for _, t := range v.teams {
		all = append(all, topic.Name(t.Name))
	}
	for _, p := range v.design.Places {
		if p.Kind == core.BranchPlace && !slices.Contains(all, p.Name) {
			all = append(all, p.Name)
		}
	}
	return all
}

// rooms returns the rooms of a branch.
func (v *view) rooms(branch topic.Name) []topic.Name {
	var all []topic.Name
	for _, p := range v.design.Places {
		if p.Kind == core.RoomPlace && parent(p.Name) == branch {
			all = append(all, p.Name)
		}
	}
	return all
}

// taken reports whether something in a branch or room is called id.
func (v *view) taken(in topic.Name, id topic.ID) bool {
	n := in + "/" + topic.Name(id)
	return v.design.Place(n) != nil || v.design.Topic(n) != nil
}
