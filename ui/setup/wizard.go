package setup

import (
	"context"
	"slices"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// page is what is to be done at a step.
type page interface {
	content() fyne.CanvasObject
	// head is what the page asks for, and a line about it.
	head() (title, about string)
	draw()
	// next is what its button says and does; nil is not now.
	next() (text string, do func())
}

// wizard makes a kit of one board, step by step.
type wizard struct {
	shower
	s     *Screen
	id    int64      // of the setup; 0 before a port was taken
	set   core.Setup // as the service told it last
	at    core.SetupStep
	d     draft
	begun time.Time // when it was opened anew: what is plugged in later is meant
	// asked is set while something that a person asked for is under way; no other
	// thing is begun then.
	asked bool
	last  followed
	// wrote means that the firmware is on the board: another network needs no flash.
	wrote bool
	keyed string // the network whose key was handed on the last time
	// then is what a person wants instead of the rest of the test, which ends just now.
	then func()

	rail        *stepRail
	pages       map[core.SetupStep]page
	title, text *fw.Label
	lack        *fw.Label // why it does not go on yet
	problem     *widget.Note
	complaint   string // what went wrong with what was asked for, or ""
	back, next  *fw.Button
	leave       *fw.Button
	body, panel *fyne.Container
	content     fyne.CanvasObject
}

// followed is what the wizard saw of its setup, to notice what changed.
type followed struct {
	step    core.SetupStep
	running bool
}

func newWizard(s *Screen) *wizard {
	w := &wizard{s: s, at: core.StepPort, begun: s.now(), d: draft{role: core.AllKit, link: link{remember: true, tls: true}}}
	w.title = fw.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	w.title.SizeName, w.title.Wrapping = theme.SizeNameHeadingText, fyne.TextWrapWord
	w.text = widget.Muted("")
	w.lack = widget.Muted("")
	w.lack.Alignment = fyne.TextAlignTrailing
	w.problem = widget.NewNote("", fw.DangerImportance)
	w.problem.Hide()
	w.back = fw.NewButtonWithIcon(lang.L("Back"), theme.NavigateBackIcon(), func() { w.goBack() })
	w.next = fw.NewButtonWithIcon(lang.L("Next"), theme.NavigateNextIcon(), w.goNext)
	w.next.Importance, w.next.IconPlacement = fw.HighImportance, fw.ButtonIconTrailingText
	w.leave = fw.NewButtonWithIcon(lang.L("Another board"), theme.ContentAddIcon(), func() { w.anew(); w.s.draw() })
	w.rail = newStepRail(w.look)
	work := newWorkPage(w)
	w.pages = map[core.SetupStep]page{
		core.StepPort: newPortPage(w), core.StepKit: newKitPage(w), core.StepNetwork: newNetworkPage(w),
		core.StepFlash: work, core.StepSettings: work, core.StepJoin: work,
		core.StepTest: newTryPage(w), core.StepCard: newCardPage(w),
	}
	w.body = container.NewStack()
	foot := container.NewVBox(w.problem, fw.NewSeparator(),
		container.New(layout.NewCustomPaddedLayout(4, 0, 0, 0), container.NewBorder(nil, nil, big(w.back), big(w.next), container.NewVBox(layout.NewSpacer(), w.lack, layout.NewSpacer()))))
	head := container.New(layout.NewCustomPaddedVBoxLayout(-8), w.title, w.text)
	w.panel = container.NewBorder(head, foot, nil, nil, w.body)
	panel := widget.NewSurface(theme.ColorNameOverlayBackground, container.New(layout.NewCustomPaddedLayout(4, 4, 8, 8), w.panel))
	w.content = container.NewBorder(nil, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 0, 6), w.rail.content), nil, panel)
	return w
}

// big gives a button a size that can be hit from afar.
func big(b *fw.Button) fyne.CanvasObject { return container.New(atLeast{150, 42}, b) }

type atLeast struct{ w, h float32 }

func (a atLeast) MinSize(objects []fyne.CanvasObject) fyne.Size {
	return objects[0].MinSize().Max(fyne.NewSize(a.w, a.h))
}

func (a atLeast) Layout(objects []fyne.CanvasObject, size fyne.Size) { objects[0].Resize(size) }

// anew begins with another board and keeps what was chosen. The setup that was
// shown goes on where it is.
func (w *wizard) anew() {
	w.id, w.set, w.last, w.begun, w.at = 0, core.Setup{}, followed{}, w.s.now(), core.StepPort
	w.wrote, w.then = false, nil
	w.complain("")
}

// resume goes on with a setup.
func (w *wizard) resume(id int64) {
	w.anew()
	w.id = id
	if set, ok := w.s.v.setup(id); ok {
		w.adopt(set)
	}
	w.s.draw()
}

// adopt takes what is ordered in a setup as what is chosen.
func (w *wizard) adopt(set core.Setup) {
	w.set = set
	w.at = set.Step
	o := set.Order
	if o.Kit == "" {
		return
	}
	w.d.fresh, w.d.kit, w.d.pins = false, o.Kit, o.Pins
	if w.s.v.design.Place(o.Kit) == nil {
		w.d.fresh, w.d.in, w.d.role, w.d.label = true, parent(o.Kit), o.Role, o.Label
		w.d.id = string(o.Kit[len(parent(o.Kit))+1:])
	}
	w.d.link = link{cable: o.Cable, network: o.Network, later: !o.Cable && o.Network == "", remember: o.Remember, tls: o.TLS,
		image: o.Image, keep: o.Image == "", erase: o.EraseAll, baud: o.Baud}
}

// follow looks at the setup, and goes to the step at which it is when it moved.
func (w *wizard) follow() {
	if w.id == 0 {
		w.pages[core.StepPort].(*portPage).choose()
		return
	}
	set, ok := w.s.v.setup(w.id)
	if !ok {
		if w.set.ID != 0 { // somebody closed it
			w.anew()
		}
		return
	}
	w.set = set
	switch set.Step {
	case core.StepFlash:
		w.wrote = false
	case core.StepSettings, core.StepJoin, core.StepTest, core.StepCard:
		w.wrote = true
	case core.StepNetwork: // it rests there when the kit has its firmware, and has looked around or did not get in
		if !set.Running && set.Order.Kit != "" && !set.Order.Cable && (set.Order.Network == "" || set.Problem.Format != "") && set.Firmware != "" {
			w.wrote = true
		}
	}
	if then := w.then; then != nil && !set.Running && !w.asked {
		w.then = nil
		if set.Step == core.StepTest {
			then()
		}
	}
	now := followed{set.Step, set.Running}
	if now != w.last {
		choosing := []core.SetupStep{core.StepKit, core.StepNetwork}
		if set.Step != w.last.step || !slices.Contains(choosing, w.at) || set.Running && !slices.Contains(choosing, set.Step) {
			w.at = set.Step
		}
		if w.wrote && !set.Running && set.Problem.Format == "" && set.Step != core.StepCard && !set.Order.Cable && set.Order.Network == "" {
			w.at, w.d.later = core.StepNetwork, false // now it has looked around
		}
		w.last = now
	}
}

// draw shows the step.
func (w *wizard) draw() {
	now := slices.Index(core.SetupSteps, w.set.Step)
	if w.id == 0 {
		now = 0
	}
	for i, item := range w.rail.items {
		step := core.SetupSteps[i]
		state := stepLater
		switch {
		case step == core.StepTest && w.set.Step == core.StepCard && !w.set.Passed: // something was left out
		case w.id != 0 && (i < now || w.set.Step == core.StepCard && w.set.Passed || w.wrote && step == core.StepFlash && i != now):
			state = stepDone
		case i == now && w.set.Problem.Format != "":
			state = stepFailed
		case i == now:
			state = stepNow
		}
		item.set(state, step == w.at, w.can(step), w.chosen(step))
	}
	p := w.pages[w.at]
	p.draw()
	title, about := p.head()
	w.say(w.title, title)
	w.say(w.text, about)
	w.show(w.text, about != "")
	text, do := p.next()
	setButton(w.next, text, do != nil && !w.asked)
	w.show(w.next, text != "")
	importance := fw.HighImportance
	if q, ok := p.(interface{ quiet() bool }); ok && q.quiet() {
		importance = fw.MediumImportance
	}
	if w.next.Importance != importance {
		w.next.Importance = importance
		w.next.Refresh()
	}
	lack := ""
	if l, ok := p.(interface{ lacks() string }); ok {
		lack = l.lacks()
	}
	w.say(w.lack, lack)
	switch {
	case w.running():
		setButton(w.back, lang.L("Cancel"), true)
		w.back.SetIcon(theme.CancelIcon())
		w.show(w.back, true)
	default:
		setButton(w.back, lang.L("Back"), true)
		w.back.SetIcon(theme.NavigateBackIcon())
		w.show(w.back, w.at != core.StepPort)
	}
	if on := w.id != 0; on != w.leave.Visible() {
		if w.leave.Show(); !on {
			w.leave.Hide()
		}
		w.s.pages[0].Refresh()
	}
	if c := p.content(); len(w.body.Objects) == 0 || w.body.Objects[0] != c {
		w.body.Objects = []fyne.CanvasObject{c}
		w.stale = true
		w.complaint = ""
		defer w.focus(p)
	}
	w.complain(w.complaint)
	moved := w.moved()
	if m, ok := p.(interface{ moved() bool }); ok && m.moved() {
		moved = true
	}
	if moved {
		w.panel.Refresh()
	}
}

// focus gives the keyboard to what a page wants to be typed into first.
func (w *wizard) focus(p page) {
	c := w.s.sh.Window().Canvas()
	if f, ok := p.(interface{ first() fyne.Focusable }); ok && f.first() != nil {
		if o, ok := f.first().(fyne.CanvasObject); ok && fyne.CurrentApp().Driver().CanvasForObject(o) == c {
			c.Focus(f.first())
			return
		}
	}
	c.Unfocus()
}

// running reports whether something goes on that can be cancelled. A test waits for
// the person, who may do something else.
func (w *wizard) running() bool { return w.id != 0 && w.set.Running && w.set.Step != core.StepTest }

// can reports whether a person can go to a step now.
func (w *wizard) can(s core.SetupStep) bool {
	if w.id == 0 || w.running() {
		return false
	}
	i, now := slices.Index(core.SetupSteps, s), slices.Index(core.SetupSteps, w.set.Step)
	if now == 1 && i == 2 {
		return w.d.name() != ""
	}
	return i <= now
}

// chosen is what stands under a step.
func (w *wizard) chosen(s core.SetupStep) string {
	switch {
	case s == core.StepPort && w.id != 0:
		return w.set.Port
	case s == core.StepKit:
		if n := w.d.name(); n != "" {
			return w.kitTitle(n)
		}
	case s == core.StepNetwork && w.d.cable:
		return lang.L("Cable")
	case s == core.StepNetwork:
		return w.d.network
	case s == core.StepFlash && w.id != 0:
		if i := w.d.firmware(w.s.v.images); i != nil && !w.d.keep {
			return said(i.Title)
		}
		return w.set.Firmware
	}
	return ""
}

// kitTitle is what a person calls a kit that may not be drawn yet.
func (w *wizard) kitTitle(n topic.Name) string {
	if w.d.fresh && n == w.d.name() && w.d.label != "" {
		return w.d.label
	}
	return w.s.v.title(n)
}

// look shows a step again.
func (w *wizard) look(s core.SetupStep) {
	w.at = s
	w.draw()
}

// goNext does what the button at the right says.
func (w *wizard) goNext() {
	if text, do := w.pages[w.at].next(); do != nil && text != "" && !w.asked {
		do()
	}
}

// goBack goes one step back, or ends what goes on, and reports whether it could.
func (w *wizard) goBack() bool {
	if w.running() {
		id := w.id
		w.ask(func(context.Context) error { return w.s.p.Kits.Stop(id) }, nil)
		return true
	}
	switch w.at {
	case core.StepPort:
		return false
	case core.StepFlash, core.StepSettings, core.StepJoin:
		w.at = core.StepNetwork
	default:
		w.at = core.SetupSteps[slices.Index(core.SetupSteps, w.at)-1]
	}
	w.draw()
	return true
}

// ask does work off the UI goroutine and then calls done; what goes wrong is told
// in the panel.
func (w *wizard) ask(work func(context.Context) error, done func()) {
	if w.asked {
		return
	}
	w.asked = true
	w.complain("")
	w.s.sh.Do(func(ctx context.Context) (func(), error) {
		err := work(ctx)
		return func() {
			w.asked = false
			if err != nil {
				w.complain(lang.Error(err))
			} else if done != nil {
				done()
			}
			w.draw()
			w.s.sh.Refresh()
		}, nil
	})
}

// take begins a setup of the board on a port.
func (w *wizard) take(port string) {
	var id int64
	w.ask(func(ctx context.Context) (err error) {
		id, err = w.s.p.Kits.Begin(ctx, port)
		return err
	}, func() {
		w.id, w.set, w.last = id, core.Setup{Port: port, Step: core.StepPort, Running: true}, followed{core.StepPort, true}
	})
}

// instead does something once the test has ended, where one runs.
func (w *wizard) instead(do func()) {
	if !w.set.Running {
		do()
		return
	}
	id := w.id
	w.then = do
	w.ask(func(context.Context) error { return w.s.p.Kits.Stop(id) }, nil)
}

// begin gives the order and starts from a step.
func (w *wizard) begin(from core.SetupStep) {
	w.instead(func() { w.give(from) })
}

func (w *wizard) give(from core.SetupStep) {
	id, o := w.id, w.d.order(w.s.v.images)
	w.ask(func(ctx context.Context) error {
		if err := w.s.p.Kits.Order(ctx, id, o); err != nil {
			return err
		}
		return w.s.p.Kits.Start(ctx, id, from)
	}, func() {
		w.keyed = ""
		if o.Key != "" {
			w.keyed = o.Network
		}
		w.d.key = "" // it was handed on
		w.last = followed{}
	})
}

// start goes on from a step with the order as it is.
func (w *wizard) start(from core.SetupStep) {
	w.instead(func() {
		id := w.id
		w.ask(func(ctx context.Context) error { return w.s.p.Kits.Start(ctx, id, from) }, func() { w.last = followed{} })
	})
}

// complain tells what went wrong with what was asked for, or "". Else the problem of
// the setup is told, where the page does not tell it itself.
func (w *wizard) complain(text string) {
	w.complaint = text
	if choosing := w.at == core.StepKit || w.at == core.StepNetwork; text == "" && choosing && w.id != 0 && w.set.Step == w.at {
		text = said(w.set.Problem)
	}
	w.say(w.problem.Text, text)
	w.show(w.problem, text != "")
}

// another begins with the next board: all choices stay, and the name is the next.
func (w *wizard) another() {
	was, v := w.d, &w.s.v
	w.anew()
	if was.fresh {
		w.d.id, w.d.label = freeID(raise(was.id), func(id topic.ID) bool { return v.taken(was.in, id) }), ""
		return
	}
	// The next kit of the same room without a board, else of the same branch, else
	// any; rather one of the same role.
	boards := v.boards()
	boards[was.kit] = true
	role := core.KitRole("")
	if p := v.design.Place(was.kit); p != nil {
		role = p.Role
	}
	var next topic.Name
	best := -1
	for _, p := range v.candidates() {
		if boards[p.Name] {
			continue
		}
		rank := 0
		switch {
		case parent(p.Name) == parent(was.kit):
			rank = 4
		case branchOf(p.Name) == branchOf(was.kit):
			rank = 2
		}
		if p.Role == role {
			rank++
		}
		if rank > best {
			next, best = p.Name, rank
		}
	}
	w.d.kit, w.d.pins = next, nil
}

// setButton makes a button say something, and be pressed or not.
func setButton(b *fw.Button, text string, on bool) {
	if b.Text != text {
		b.SetText(text)
	}
	if on && b.Disabled() {
		b.Enable()
	} else if !on && !b.Disabled() {
		b.Disable()
	}
}
