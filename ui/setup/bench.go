package setup

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// bench makes many kits at once: each board that is plugged in becomes the next
// kit of the queue.
type bench struct {
	shower
	s     *Screen
	queue []job
	link  link
	armed bool      // boards that are plugged in begin by themselves
	since time.Time // when it was armed: what is plugged in later is meant
	// given is the job of each setup that the bench began; what the service does
	// not know any more goes.
	given map[int64]job
	// busy are the ports and setups about which something is asked just now.
	busy  map[string]bool
	tried map[string]time.Time // ports that began, by when they were plugged in

	start        *fw.Button
	csv, labels  *fw.Button
	add, network *fw.Button
	plugged      *fw.Button // begins with what was plugged in before
	clearAll     *fw.Button
	counts       [3]*count
	next         *fw.Label
	hint         *fw.Label
	problem      *widget.Note
	list         *fyne.Container
	listed       string
	cards        map[int64]*benchCard
	order        []int64 // of the cards
	grid         *fyne.Container
	empty        fyne.CanvasObject
	content      fyne.CanvasObject
	form         *linkForm
	formDialog   dialog.Dialog  // nil while it is closed
	ordered      map[int64]bool // setups to which the order was given
}

func newBench(s *Screen) *bench {
	b := &bench{s: s, link: link{remember: true, tls: true}, given: map[int64]job{}, busy: map[string]bool{}, tried: map[string]time.Time{},
		cards: map[int64]*benchCard{}, ordered: map[int64]bool{}}
	b.start = fw.NewButtonWithIcon("", theme.MediaPlayIcon(), b.arm)
	b.start.Importance = fw.HighImportance
	b.plugged = fw.NewButtonWithIcon("", usbIcon, func() {
		for _, port := range b.idle() {
			if len(b.queue) > 0 {
				b.begin(port)
			}
		}
		b.draw()
	})
	b.plugged.Hide()
	b.csv = fw.NewButtonWithIcon(lang.L("Save as CSV"), theme.DocumentSaveIcon(), func() {
		widget.Save(s.sh, "kits.csv", func(w io.Writer) error { return s.p.Kits.WriteMade(context.Background(), w) })
	})
	b.labels = fw.NewButtonWithIcon(lang.L("Print all labels"), printIcon, func() {
		var all []label
		for _, m := range b.latest() {
			if m.Passed {
				all = append(all, s.v.labelOf(m))
			}
		}
		slices.Reverse(all) // the oldest first
		s.sheets.print(all)
	})
	b.add = fw.NewButtonWithIcon(lang.L("Add kits"), theme.ContentAddIcon(), b.askFor)
	b.network = fw.NewButtonWithIcon("", wifiIcon, b.chooseLink)
	b.clearAll = fw.NewButtonWithIcon("", theme.DeleteIcon(), func() { b.queue = nil; b.draw() })
	b.clearAll.Importance = fw.LowImportance
	for i, name := range []string{lang.L("passed"), lang.L("failed"), lang.L("to make")} {
		b.counts[i] = newCount(name, []fyne.ThemeColorName{theme.ColorNameSuccess, theme.ColorNameError, theme.ColorNamePrimary}[i])
	}
	b.next = widget.Text("")
	b.next.TextStyle.Bold, b.next.SizeName = true, theme.SizeNameSubHeadingText
	b.hint = widget.Muted("")
	b.problem = widget.NewNote("", fw.DangerImportance)
	b.problem.Hide()
	b.list = container.New(layout.NewCustomPaddedVBoxLayout(2))
	b.grid = widget.Columns(228)
	b.empty = widget.Middle(620, cablePicture(), centred(lang.L("No board is at work")),
		mutedCentred(lang.L("Fill the queue, press Start, and plug in board after board. A hub with its own power takes many at once.")))
	b.form = newLinkForm(s, &b.link)
	b.form.changed = func() { b.form.draw(); b.draw() }
	b.form.submit = func() {
		if b.formDialog != nil {
			b.s.sh.Window().Canvas().Unfocus() // else the entry is drawn as if it had the keyboard when it is shown again
			b.formDialog.Hide()
		}
	}
	b.form.ask = b.ask

	counts := container.NewGridWithColumns(3, b.counts[0], b.counts[1], b.counts[2])
	queue := container.NewBorder(
		container.NewVBox(counts, b.next, b.hint, container.New(atLeast{0, 44}, b.start), b.plugged, b.network,
			container.NewBorder(nil, nil, fw.NewLabelWithStyle(lang.L("Next kits"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), container.NewHBox(b.clearAll, b.add))),
		nil, nil, nil, container.NewVScroll(container.New(layout.NewCustomPaddedLayout(0, 0, 0, 14), b.list)))
	left := widget.NewSurface(theme.ColorNameOverlayBackground, widget.Wide(290, queue))
	b.content = container.NewBorder(nil, nil, left, nil, container.New(layout.NewCustomPaddedLayout(0, 0, 10, 0),
		container.NewBorder(b.problem, nil, nil, nil, container.NewStack(widget.Scroll(b.grid), b.empty))))
	return b
}

func centred(text string) fyne.CanvasObject {
	l := fw.NewLabelWithStyle(text, fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	l.SizeName = theme.SizeNameSubHeadingText
	return l
}

func mutedCentred(text string) fyne.CanvasObject {
	l := widget.Muted(text)
	l.Alignment = fyne.TextAlignCenter
	return l
}

// actions are the buttons at the top of the bench.
func (b *bench) actions() []fyne.CanvasObject { return []fyne.CanvasObject{b.csv, b.labels} }

// arm begins, or no longer, with each board that is plugged in.
func (b *bench) arm() {
	b.armed = !b.armed
	b.since = b.s.now()
	b.complain("")
	b.draw()
	b.s.sh.Refresh()
}

// ask does work off the UI goroutine and then calls done; what goes wrong is told.
func (b *bench) ask(work func(context.Context) error, done func()) {
	b.s.sh.Do(func(ctx context.Context) (func(), error) {
		err := work(ctx)
		return func() {
			if err != nil {
				b.complain(lang.Error(err))
			} else if done != nil {
				done()
			}
			b.draw()
			b.s.sh.Refresh()
		}, nil
	})
}

func (b *bench) complain(text string) {
	b.say(b.problem.Text, text)
	b.show(b.problem, text != "")
}

// ready says why boards cannot begin now, or "".
func (b *bench) ready() string {
	all := b.form.networks()
	switch text := b.link.problem(all, b.s.v.images); {
	case text != "":
		return text
	case b.link.later || b.link.needsKey(all):
		return lang.L("Choose a network.")
	}
	return ""
}

// follow begins with the boards that were plugged in, and goes on with those whose
// chip is known.
func (b *bench) follow() {
	v := &b.s.v
	for id := range b.given {
		if _, ok := v.setup(id); !ok && !b.busy[strconv.FormatInt(id, 10)] {
			delete(b.given, id)
			delete(b.ordered, id)
		}
	}
	for _, set := range v.setups {
		b.goOn(set)
	}
	// Those that became real meanwhile wait no more.
	boards := v.boards()
	b.queue = slices.DeleteFunc(b.queue, func(j job) bool { return boards[j.kit] })
	if !b.armed || b.ready() != "" {
		return
	}
	for _, port := range v.ports.All {
		if len(b.queue) == 0 {
			return
		}
		if port.Likely && port.Setup == 0 && port.Problem.Format == "" && port.Since.After(b.since) && !b.busy[port.Name] && !b.tried[port.Name].Equal(port.Since) && !b.resume(port) {
			b.begin(port)
		}
	}
}

// resume reads a board again that was unplugged before anybody knew which it is, and
// reports whether there is one of that port.
func (b *bench) resume(port core.SerialPort) bool {
	i := slices.IndexFunc(b.s.v.setups, func(x core.Setup) bool {
		_, ours := b.given[x.ID]
		return ours && x.Port == port.Name && x.Step == core.StepPort && !x.Running && x.Problem.Format != ""
	})
	if i < 0 {
		return false
	}
	b.tried[port.Name] = port.Since
	id := b.s.v.setups[i].ID
	b.ask(func(ctx context.Context) error { return b.s.p.Kits.Start(ctx, id, core.StepPort) }, nil)
	return true
}

// kitOf is what the board of a setup becomes, "" where that is not known.
func (b *bench) kitOf(set core.Setup) topic.Name {
	if j, ok := b.given[set.ID]; ok && set.Order.Kit == "" {
		return j.kit
	}
	return set.Order.Kit
}

// idle are the ports with a board that was there before and is no kit yet.
func (b *bench) idle() (all []core.SerialPort) {
	for _, port := range b.s.v.ports.All {
		if port.Likely && port.Setup == 0 && port.Kit == "" && port.Problem.Format == "" && !b.busy[port.Name] && !port.Since.After(b.since) {
			all = append(all, port)
		}
	}
	return all
}

// begin makes the next kit of the queue of the board on a port.
func (b *bench) begin(port core.SerialPort) {
	j := b.queue[0]
	b.queue = b.queue[1:]
	b.busy[port.Name] = true
	if len(b.tried) > maxPorts*4 {
		clear(b.tried)
	}
	b.tried[port.Name] = port.Since
	b.s.sh.Do(func(ctx context.Context) (func(), error) {
		id, err := b.s.p.Kits.Begin(ctx, port.Name)
		return func() {
			delete(b.busy, port.Name)
			if err != nil {
				b.queue = slices.Insert(b.queue, 0, j)
				b.complain(lang.Error(err))
			} else {
				b.given[id] = j
				b.busy[strconv.FormatInt(id, 10)] = true // until the service has told of it
			}
			b.draw()
			b.s.sh.Refresh()
		}, nil
	})
}

// goOn gives the order of a board whose chip is known now.
func (b *bench) goOn(set core.Setup) {
	key := strconv.FormatInt(set.ID, 10)
	delete(b.busy, key)
	j, ok := b.given[set.ID]
	if !ok || set.Running || set.Step != core.StepKit || set.Problem.Format != "" || b.ordered[set.ID] {
		return
	}
	b.ordered[set.ID] = true
	o := j.order(&b.link, b.s.v.images)
	b.ask(func(ctx context.Context) error {
		if err := b.s.p.Kits.Order(ctx, set.ID, o); err != nil {
			return err
		}
		return b.s.p.Kits.Start(ctx, set.ID, core.StepKit)
	}, nil)
}

// latest returns what was made, each kit once: its newest board.
func (b *bench) latest() []core.Setup {
	seen := map[topic.Name]bool{}
	var all []core.Setup
	for _, m := range b.s.v.made {
		if !seen[m.Order.Kit] {
			seen[m.Order.Kit] = true
			all = append(all, m)
		}
	}
	return all
}

func (b *bench) draw() {
	v := &b.s.v
	works := map[topic.Name]bool{} // of each kit: how its newest board came out
	for _, m := range b.latest() {
		works[m.Order.Kit] = m.Passed
	}
	for _, set := range v.setups {
		if kit := b.kitOf(set); kit != "" && (set.Passed || set.Problem.Format != "") {
			works[kit] = set.Passed && set.Problem.Format == ""
		}
	}
	passed := 0
	for _, ok := range works {
		if ok {
			passed++
		}
	}
	failed := len(works) - passed
	b.counts[0].set(passed)
	b.counts[1].set(failed)
	b.counts[2].set(len(b.queue))
	why := b.ready()
	here := len(b.idle())
	setButton(b.plugged, lang.L("Begin with what is plugged in ({n})", "n", here), true)
	b.show(b.plugged, b.armed && why == "" && here > 0 && len(b.queue) > 0)
	next, hint := lang.L("The queue is empty"), lang.L("Add the kits that you want to make.")
	if len(b.queue) > 0 {
		next = lang.L("The next board becomes {kit}", "kit", v.title(b.queue[0].kit))
		hint = why
		switch {
		case why != "":
		case b.armed:
			hint = lang.L("Plug it in. It begins by itself.")
		default:
			hint = lang.L("Press Start, then plug in the boards.")
		}
	}
	b.say(b.next, next)
	b.say(b.hint, hint)
	if b.armed {
		setButton(b.start, lang.L("Stop after these boards"), true)
		b.start.SetIcon(theme.MediaStopIcon())
	} else {
		setButton(b.start, lang.L("Start"), why == "" && len(b.queue) > 0)
		b.start.SetIcon(theme.MediaPlayIcon())
	}
	name := b.link.network
	if b.link.cable {
		name = lang.L("Cable")
	} else if name == "" {
		name = lang.L("Choose a network")
	}
	setButton(b.network, name, true)
	setButton(b.clearAll, "", len(b.queue) > 0)
	setButton(b.labels, lang.L("Print all labels"), passed > 0)
	setButton(b.csv, lang.L("Save as CSV"), len(v.made) > 0)
	b.drawQueue()
	b.drawCards()
	if b.formDialog != nil {
		b.drawForm()
	}
	if b.moved() {
		b.content.Refresh()
	}
}

// drawQueue lists what waits.
func (b *bench) drawQueue() {
	key := fmt.Sprint(b.queue)
	if key == b.listed {
		return
	}
	b.listed, b.stale = key, true
	b.list.RemoveAll()
	const most = 40
	for i, j := range b.queue[:min(len(b.queue), most)] {
		remove := fw.NewButtonWithIcon("", theme.CancelIcon(), func() {
			b.queue = slices.DeleteFunc(b.queue, func(o job) bool { return o == j })
			b.draw()
		})
		remove.Importance = fw.LowImportance
		t := newTile(widget.RoleIcon(j.role), b.s.v.title(j.kit), b.s.v.where(j.kit), func() { // to the front
			b.queue = slices.Insert(slices.DeleteFunc(b.queue, func(o job) bool { return o == j }), 0, j)
			b.draw()
		}, remove)
		t.choose(i == 0)
		b.list.Add(t)
	}
	if more := len(b.queue) - most; more > 0 {
		b.list.Add(widget.Muted(lang.L("and {n} more", "n", more)))
	}
}

// drawCards shows a card for each board.
func (b *bench) drawCards() {
	v := &b.s.v
	var order []int64
	for _, set := range v.setups {
		if len(order) < maxPorts*2 {
			order = append(order, set.ID)
		}
	}
	if !slices.Equal(order, b.order) {
		b.order, b.stale = order, true
		b.grid.RemoveAll()
		for id := range b.cards {
			if !slices.Contains(order, id) {
				delete(b.cards, id)
			}
		}
		for _, id := range order {
			if b.cards[id] == nil {
				b.cards[id] = newBenchCard(b, id)
			}
			b.grid.Add(b.cards[id].surface)
		}
	}
	for _, id := range order {
		set, _ := v.setup(id)
		b.cards[id].set(set)
		b.stale = b.cards[id].moved() || b.stale
	}
	b.show(b.empty, len(order) == 0)
}

// drawForm shows how the kits reach the broker, and the networks that the boards see now.
func (b *bench) drawForm() {
	b.form.seen, b.form.blank = nil, false
	for _, set := range b.s.v.setups {
		b.form.seen = mergeNetworks(b.form.seen, set.Networks)
	}
	b.form.draw()
}

// chooseLink asks how the kits of the bench reach the broker.
func (b *bench) chooseLink() {
	b.drawForm()
	room := b.s.sh.Window().Canvas().Size()
	d := dialog.NewCustom(lang.L("How do the kits reach the broker?"), lang.L("Done"), b.form.content, b.s.sh.Window())
	d.SetOnClosed(func() {
		b.formDialog = nil
		b.draw()
	})
	d.Resize(fyne.NewSize(min(860, room.Width-40), min(620, room.Height-40)))
	b.formDialog = d
	d.Show()
}

// askFor asks which kits to make next.
func (b *bench) askFor() {
	v := &b.s.v
	boards := v.boards()
	var groups [][]job
	var options []string
	group := func(text string, in func(*core.Place) bool) {
		var jobs []job
		for _, p := range v.candidates() {
			if in(p) && !boards[p.Name] && !waits(b.queue, p.Name) {
				jobs = append(jobs, job{kit: p.Name, role: p.Role})
			}
		}
		if len(jobs) > 0 {
			options = append(options, text+" ("+strconv.Itoa(len(jobs))+")")
			groups = append(groups, jobs)
		}
	}
	group(lang.L("All kits of the plan"), func(*core.Place) bool { return true })
	for _, n := range v.branches() {
		group(v.title(n), func(p *core.Place) bool { return core.Within(p.Name, n) })
		for _, room := range v.rooms(n) {
			group("    "+v.title(n)+" · "+v.title(room), func(p *core.Place) bool { return parent(p.Name) == room })
		}
	}
	from := fw.NewSelect(options, nil)
	from.PlaceHolder = lang.L("No kit of the plan lacks a board")
	if len(options) > 0 {
		from.SetSelectedIndex(0)
	}
	planned := container.NewVBox(widget.Field(lang.L("Kits of the plan without a board"), from, ""))

	places, names := []topic.Name{}, []string{}
	for _, n := range v.branches() {
		places, names = append(places, n), append(names, v.title(n))
		for _, room := range v.rooms(n) {
			places, names = append(places, room), append(names, v.title(n)+" · "+v.title(room))
		}
	}
	in := fw.NewSelect(names, nil)
	if len(names) > 0 {
		in.SetSelectedIndex(0)
	}
	var roles []core.KitRole
	var titles []string
	for _, r := range core.KitRoles {
		if r != core.AnyKit {
			roles, titles = append(roles, r), append(titles, widget.RoleTitle(r))
		}
	}
	role := fw.NewSelect(titles, nil)
	role.SetSelectedIndex(slices.Index(roles, core.AllKit))
	pattern, number := widget.NewEntry(), widget.NewEntry()
	pattern.SetText("kit-{n}")
	number.SetText("10")
	fresh := container.NewVBox(container.NewGridWithColumns(2, widget.Field(lang.L("Where"), in, ""), widget.Field(lang.L("What it does"), role, "")),
		container.NewGridWithColumns(2, widget.Field(lang.L("Names"), pattern, ""), widget.Field(lang.L("How many"), number, "")),
		widget.Muted(lang.L("{n} becomes the next free number: kit-1, kit-2, …", "n", "{n}")))
	tabs := container.NewAppTabs(container.NewTabItem(lang.L("From the plan"), container.NewPadded(planned)), container.NewTabItem(lang.L("New kits"), container.NewPadded(fresh)))
	if len(options) == 0 {
		tabs.SelectIndex(1)
	}
	widget.NewSheet(b.s.sh, lang.L("Which kits come next?"), lang.L("Add"), 500, tabs, func(sh *widget.Sheet) {
		var jobs []job
		why := ""
		if tabs.SelectedIndex() == 0 {
			if i := from.SelectedIndex(); i >= 0 {
				jobs = groups[i]
			}
		} else {
			n, err := strconv.Atoi(strings.TrimSpace(number.Text))
			switch i := in.SelectedIndex(); {
			case i < 0:
				why = lang.L("There is no team yet. Add one in Accounts, or draw a branch in the plan.")
			case err != nil || n < 1 || n > maxQueue:
				why = lang.L("Type a number from 1 to {most}.", "most", maxQueue)
			case !strings.Contains(pattern.Text, "{n}"):
				why = lang.L("The pattern needs {n}, where the number goes.", "n", "{n}")
			case explainPattern(pattern.Text) != "":
				why = explainPattern(pattern.Text)
			default:
				jobs = numbered(places[i], pattern.Text, n, roles[max(0, role.SelectedIndex())], func(id topic.ID) bool {
					return v.taken(places[i], id) || waits(b.queue, places[i]+"/"+topic.Name(id))
				})
			}
		}
		if sh.Say(why); why != "" {
			return
		}
		b.queue = append(b.queue, jobs[:min(len(jobs), maxQueue-len(b.queue))]...)
		sh.Close()
		b.draw()
	}, number, pattern)
}

// count is a number that can be read from afar.
type count struct {
	fw.BaseWidget
	ink    fyne.ThemeColorName
	number *canvas.Text
	name   *fw.Label
}

func newCount(name string, ink fyne.ThemeColorName) *count {
	c := &count{ink: ink, number: canvas.NewText("0", nil), name: widget.Cell(name)}
	c.number.TextSize, c.number.Alignment, c.number.TextStyle.Bold = 40, fyne.TextAlignCenter, true
	c.name.Alignment, c.name.SizeName = fyne.TextAlignCenter, theme.SizeNameCaptionText
	c.ExtendBaseWidget(c)
	return c
}

func (c *count) set(n int) {
	if text := strconv.Itoa(n); c.number.Text != text {
		c.number.Text = text
		c.Refresh()
	}
}

// CreateRenderer is part of fyne.Widget.
func (c *count) CreateRenderer() fyne.WidgetRenderer {
	c.number.Color = theme.Color(c.ink)
	return fw.NewSimpleRenderer(container.New(layout.NewCustomPaddedVBoxLayout(-10), c.number, c.name))
}

// Refresh is part of fyne.CanvasObject.
func (c *count) Refresh() {
	c.number.Color = theme.Color(c.ink)
	c.number.Refresh()
	c.BaseWidget.Refresh()
}
