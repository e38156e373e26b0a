package kits

import (
	"context"
	"errors"
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

// locateFor is how long a kit blinks when it is looked for.
const locateFor = 10

// console is the serial console of a port.
type console struct {
	port  string
	lines []string
	open  bool
}

// detail is what is known about the chosen kit, and what can be done for it.
type detail struct {
	screen  *Screen
	content fyne.CanvasObject
	none    fyne.CanvasObject
	some    *fyne.Container

	kit      core.RealKit
	design   *core.Design
	teams    []core.Team
	consoles map[topic.Name]console

	icon          *fw.Icon
	dot           *widget.Dot
	title, state  *fw.Label
	name          *widget.Copy
	problem, wait *widget.Note
	values        []*fw.Label // of facts
	update        *fw.Button
	swap, forget  *fw.Button
	console       *fw.Button
	onlyReal      []fyne.Disableable // make no sense for a virtual kit
	onlyHere      []fyne.Disableable // need the kit to be on the broker
	open          *terminal          // nil while no console is shown
}

func newDetail(s *Screen) *detail {
	d := &detail{screen: s, design: &core.Design{}}
	d.icon, d.dot = fw.NewIcon(widget.RoleIcon(core.AnyKit)), widget.NewDot(theme.ColorNameDisabled)
	d.title = widget.Cell("")
	d.title.TextStyle.Bold, d.title.SizeName = true, theme.SizeNameSubHeadingText
	d.state = widget.Cell("")
	d.name = widget.NewCopy("", s.shell)
	d.problem, d.wait = widget.NewNote("", fw.DangerImportance), widget.NewNote("", fw.WarningImportance,
		fw.NewButton(lang.L("Send now"), func() {
			n := d.kit.Name
			s.do(lang.L("The kit gets its settings."), func(ctx context.Context) error { return s.parts.Kits.Send(ctx, n) })
		}))

	grid := container.New(factLayout{})
	for _, name := range []string{lang.L("Link"), lang.L("Address"), lang.L("Running for"), lang.L("Free memory"), lang.L("Firmware"), lang.L("MAC address"), lang.L("Account"), lang.L("Set up"), lang.L("Heard")} {
		label, value := widget.Cell(name), widget.Cell("")
		label.Importance = fw.LowImportance
		value.Selectable = true
		grid.Add(label)
		grid.Add(value)
		d.values = append(d.values, value)
	}

	locate := d.button(lang.L("Blink"), theme.VisibilityIcon(), func(ctx context.Context, k core.RealKit) error {
		return s.parts.Kits.Locate(ctx, k.Name, locateFor)
	}, lang.L("It blinks for ten seconds."))
	locate.Importance = fw.HighImportance
	rename := fw.NewButtonWithIcon(lang.L("Rename…"), theme.DocumentCreateIcon(), d.rename)
	move := fw.NewButtonWithIcon(lang.L("Move…"), theme.MailForwardIcon(), d.move)
	settings := fw.NewButtonWithIcon(lang.L("Change settings…"), theme.SettingsIcon(), d.settings)
	d.update = fw.NewButtonWithIcon(lang.L("Update…"), theme.DownloadIcon(), d.updates)
	restart := d.button(lang.L("Restart"), theme.ViewRefreshIcon(), func(ctx context.Context, k core.RealKit) error { return s.parts.Kits.Restart(ctx, k.Name) }, lang.L("It starts anew."))
	rotate := fw.NewButtonWithIcon(lang.L("New secret…"), theme.LoginIcon(), d.rotate)
	d.swap = fw.NewButtonWithIcon("", theme.MediaReplayIcon(), d.swapTwin)
	d.console = fw.NewButtonWithIcon(lang.L("Serial console…"), theme.ComputerIcon(), d.showConsole)
	board := fw.NewButtonWithIcon(lang.L("Set up the board…"), theme.MediaPlayIcon(), func() { s.shell.Go("setup/kit/" + string(d.kit.Name)) })
	plan := fw.NewButtonWithIcon(lang.L("Show in the plan"), theme.SearchIcon(), func() { s.shell.Go("plan/" + string(d.kit.Name)) })
	d.forget = fw.NewButtonWithIcon(lang.L("Forget…"), theme.DeleteIcon(), d.askForget)
	d.forget.Importance = fw.DangerImportance
	buttons := []*fw.Button{locate, rename, move, settings, d.update, restart, rotate, d.swap, d.console, board, plan, d.forget}
	actions := widget.Columns(170)
	for _, b := range buttons {
		b.Alignment = fw.ButtonAlignLeading
		actions.Add(b)
	}
	d.onlyReal = []fyne.Disableable{settings, rotate, d.forget}
	d.onlyHere = []fyne.Disableable{locate, restart}

	head := container.NewBorder(nil, nil, container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(36), d.icon)), nil,
		container.NewVBox(d.title, container.NewBorder(nil, nil, container.NewCenter(d.dot), nil, d.state)))
	d.some = container.NewStack(widget.Scroll(container.NewVBox(head, d.name, d.problem, d.wait, actions, fw.NewSeparator(), grid)))
	d.none = widget.Empty(widget.RoleIcon(core.AllKit), lang.L("Choose a kit"), lang.L("Here you see how it is, and what can be done for it without taking it from its place."), nil)
	d.content = widget.NewSurface(theme.ColorNameOverlayBackground, container.NewStack(d.none, d.some))
	return d
}

// button does work with the kit at once.
func (d *detail) button(text string, icon fyne.Resource, work func(context.Context, core.RealKit) error, told string) *fw.Button {
	return fw.NewButtonWithIcon(text, icon, func() {
		k := d.kit
		d.screen.do(told, func(ctx context.Context) error { return work(ctx, k) })
	})
}

// known takes in what was loaded.
func (d *detail) known(design *core.Design, teams []core.Team, consoles map[topic.Name]console) {
	d.design, d.teams, d.consoles = design, teams, consoles
	if d.open != nil {
		c, ok := consoles[d.open.kit]
		d.open.set(c, ok)
	}
}

// show shows the kit, or that none is chosen.
func (d *detail) show(k core.RealKit, ok bool, now time.Time) {
	d.none.Hide()
	if !ok {
		d.some.Hide()
		d.none.Show()
		return
	}
	d.kit = k
	d.some.Show()
	d.icon.SetResource(widget.RoleIcon(k.Role))
	widget.SetText(d.title, k.Title())
	color, word := stateOf(k)
	d.dot.Set(color)
	widget.SetText(d.state, word)
	d.name.SetText(string(k.Name))
	note(d.problem, k.Problem)
	waiting := core.Sentence{}
	if k.Waiting {
		waiting = core.Say("The plan has changed. The kit gets that as soon as it is there.")
	}
	note(d.wait, waiting)
	link := linkWord(k)
	if k.Link == "wifi" && k.Signal != 0 {
		link = lang.L("Wi-Fi, {n} dBm", "n", k.Signal)
	}
	widget.SetText(d.values[0], link)
	widget.SetText(d.values[1], dash(k.Address))
	up := "–"
	if k.Uptime > 0 && k.State == "ready" {
		up = lasting(k.Uptime)
	}
	widget.SetText(d.values[2], up)
	heap := "–"
	if k.Heap > 0 {
		heap = widget.Bytes(int64(k.Heap))
	}
	widget.SetText(d.values[3], heap)
	version := dash(k.Version)
	if k.Newer != "" {
		version = lang.L("{version}; {newer} is there", "version", k.Version, "newer", k.Newer)
	}
	widget.SetText(d.values[4], version)
	widget.SetText(d.values[5], dash(k.MAC))
	widget.SetText(d.values[6], dash(string(k.Account)))
	since := "–"
	if !k.Since.IsZero() {
		since = k.Since.Local().Format("02.01.2006 15:04")
	}
	widget.SetText(d.values[7], since)
	widget.SetText(d.values[8], heard(k.Seen, now))

	text := lang.L("Use a virtual kit")
	if k.Virtual {
		text = lang.L("Use the real kit")
	}
	if d.swap.Text != text {
		d.swap.SetText(text)
	}
	widget.SetEnabled(d.update, k.Newer != "" && k.Link == "wifi")
	for _, b := range d.onlyReal {
		widget.SetEnabled(b, !k.Virtual)
	}
	for _, b := range d.onlyHere {
		widget.SetEnabled(b, here(k))
	}
	_, plugged := d.consoles[k.Name]
	widget.SetEnabled(d.console, plugged)
}

// here reports whether a real kit is on the broker.
func here(k core.RealKit) bool { return !k.Virtual && (k.State == "ready" || k.State == "alert") }

func note(n *widget.Note, s core.Sentence) {
	n.Hidden = s.Format == ""
	if !n.Hidden {
		widget.SetText(n.Text, lang.Say(s))
	}
	n.Refresh()
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// lasting writes how long something has run.
func lasting(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return lang.L("{n} s", "n", int(d.Seconds()))
	case d < 2*time.Hour:
		return lang.L("{n} min", "n", int(d.Minutes()))
	case d < 48*time.Hour:
		return lang.L("{n} h", "n", int(d.Hours()))
	}
	return lang.L("{n} days", "n", int(d.Hours()/24))
}

// sheetWidth is that of the sheets about a kit.
const sheetWidth = 460

// rename gives the kit another display name. Its topics stay.
func (d *detail) rename() {
	k := d.kit
	entry := widget.NewEntry()
	entry.SetText(k.Label)
	entry.SetPlaceHolder(k.Title())
	body := widget.Field(lang.L("Display name"), entry, lang.L("In any script. Its topics stay {name}; move it to change them.", "name", k.Name))
	widget.NewSheet(d.screen.shell, lang.L("Rename"), lang.L("Rename"), sheetWidth, body, func(sh *widget.Sheet) {
		label := strings.TrimSpace(entry.Text)
		sh.Do(func(ctx context.Context) error {
			return d.change(ctx, core.Say("{name} is called {label}", "name", k.Name, "label", label), k.Name, func(p *core.Place) { p.Label = label })
		}, nil)
	}, entry)
}

// change changes a kit of the plan.
func (d *detail) change(ctx context.Context, say core.Sentence, n topic.Name, edit func(*core.Place)) error {
	p := d.screen.parts.Plan.Design().Place(n)
	if p == nil {
		return core.Fail(core.ErrNotFound, "{name} is not in the plan any more.", "name", n)
	}
	changed := *p
	edit(&changed)
	return d.screen.parts.Plan.Change(ctx, core.Batch{Say: say, Places: []core.Place{changed}})
}

// move takes the kit to another room, with all its topics.
func (d *detail) move() {
	k := d.kit
	level := k.Name[strings.LastIndexByte(string(k.Name), '/')+1:]
	var rooms []topic.Name
	var titles []string
	for _, p := range d.design.Places {
		if p.Kind == core.RoomPlace && p.Name+"/"+level != k.Name {
			branch := topic.Name(p.Name.Split()[0])
			title := p.Title()
			if b := d.design.Place(branch); b != nil && b.Name != p.Name {
				title = b.Title() + " / " + title
			}
			rooms, titles = append(rooms, p.Name), append(titles, title)
		}
	}
	if len(rooms) == 0 {
		d.screen.shell.Tell(lang.L("There is no other room. Draw one in the plan first."))
		return
	}
	room := fw.NewSelect(titles, nil)
	to := func() topic.Name { return rooms[max(0, room.SelectedIndex())] + "/" + level }
	warning := widget.NewNote("", fw.WarningImportance)
	warning.Hide()
	body := container.NewVBox(widget.Field(lang.L("Room"), room,
		lang.L("Its topics get new names, and the old ones answer for a while. A kit that is there takes them over by itself.")), warning)
	sheet := widget.NewSheet(d.screen.shell, lang.L("Move {kit}", "kit", k.Title()), lang.L("Move"), sheetWidth, body, func(sh *widget.Sheet) {
		there := to()
		sh.Do(func(ctx context.Context) error {
			_, err := d.screen.parts.Plan.MoveTopics(ctx, k.Name, there, true)
			if p := d.screen.parts.Plan.Design().Place(k.Name); errors.Is(err, core.ErrNotFound) && p != nil { // a kit without topics of its own
				moved := *p
				moved.Name, moved.Changed = there, time.Time{}
				err = d.screen.parts.Plan.Change(ctx, core.Batch{Say: core.Say("{from} renamed to {to}", "from", k.Name, "to", there), Places: []core.Place{moved}, RemovePlaces: []topic.Name{k.Name}})
			}
			return err
		}, nil)
	})
	room.OnChanged = func(string) {
		there := to()
		d.screen.shell.Do(func(ctx context.Context) (func(), error) {
			e, _ := d.screen.parts.Plan.MoveTopics(ctx, k.Name, there, false) // why it cannot be is told when it is tried
			return func() {
				if there == to() {
					note(warning, broken(e, k))
					sheet.Fit()
				}
			}, nil
		})
	}
	room.SetSelectedIndex(0)
}

// broken says what a move does not bring along, and with what the kit becomes one;
// Format is "" where there is no such thing.
func broken(e core.Effect, k core.RealKit) core.Sentence {
	const most = 4
	var who []string
	for _, g := range e.Grants {
		who = append(who, g.Pattern)
	}
	for _, c := range e.Subscribers {
		own := c.ID == string(k.Account) || c.ID == string(k.Account)+"-virtual" // as kits and core/sim call themselves
		if !own && slices.ContainsFunc(c.Filters, func(f string) bool { return !strings.ContainsAny(f, "+#") && core.Within(topic.Name(f), k.Name) }) {
			who = append(who, widget.OneLine(c.ID))
		}
	}
	if len(who) > most {
		who = append(who[:most], "…")
	}
	names := strings.Join(who, ", ")
	switch {
	case e.Joins > 0 && names != "":
		return core.Say("These know it by its old name: {names}. And what was measured at the new name ({n} values) becomes one with its own.", "names", names, "n", e.Joins)
	case e.Joins > 0:
		return core.Say("What was measured at the new name ({n} values) becomes one with its own.", "n", e.Joins)
	case names != "":
		return core.Say("These know it by its old name and have to be changed: {names}.", "names", names)
	}
	return core.Sentence{}
}

// rotate asks before the secret is changed.
func (d *detail) rotate() {
	k := d.kit
	widget.Confirm(d.screen.shell, lang.L("New secret"), lang.L("{kit} gets a new secret over the air. The old one is worth nothing afterwards: do this when somebody may have read it.", "kit", k.Title()), lang.L("New secret"), func() {
		d.screen.do(lang.L("{kit} has a new secret.", "kit", k.Title()), func(ctx context.Context) error { return d.screen.parts.Care.Rotate(ctx, k.Name) })
	})
}

// swapTwin lets the virtual kit stand in for the real one, or the other way round.
func (d *detail) swapTwin() {
	k := d.kit
	say := core.Say("{name} is a virtual kit", "name", k.Name)
	if k.Virtual {
		say = core.Say("{name} became a real kit", "name", k.Name)
	}
	swap := func() {
		d.screen.do(lang.Say(say), func(ctx context.Context) error {
			return d.change(ctx, say, k.Name, func(p *core.Place) { p.Virtual = !k.Virtual })
		})
	}
	if k.Virtual || !here(k) {
		swap()
		return
	}
	widget.Confirm(d.screen.shell, lang.L("Use a virtual kit"), lang.L("The board of {kit} is there now. Take it from its power: else both publish to the same topics.", "kit", k.Title()), lang.L("Use a virtual kit"), swap)
}

// updates asks which kits get the newer firmware.
func (d *detail) updates() {
	k, s := d.kit, d.screen
	room := k.Name[:max(0, strings.LastIndexByte(string(k.Name), '/'))]
	var inRoom []topic.Name
	for _, n := range s.old() {
		if core.Within(n, room) {
			inRoom = append(inRoom, n)
		}
	}
	old := s.old()
	items := []*fyne.MenuItem{fyne.NewMenuItem(lang.L("Only {kit}", "kit", k.Title()), func() { s.askUpdate([]topic.Name{k.Name}) })}
	if len(inRoom) > 1 {
		items = append(items, fyne.NewMenuItem(lang.L("All {n} in {room}", "n", len(inRoom), "room", room), func() { s.askUpdate(inRoom) }))
	}
	if len(old) > len(inRoom) {
		items = append(items, fyne.NewMenuItem(lang.L("All {n} kits", "n", len(old)), func() { s.askUpdate(old) }))
	}
	fw.ShowPopUpMenuAtRelativePosition(fyne.NewMenu("", items...), s.shell.Window().Canvas(), fyne.NewPos(0, d.update.Size().Height), d.update)
}

// askForget asks before a kit is erased.
func (d *detail) askForget() {
	k := d.kit
	widget.Confirm(d.screen.shell, lang.L("Forget {kit}", "kit", k.Title()),
		lang.L("Network, account and secret are erased from the board, and the secret is worth nothing any more. What is drawn and what was measured stays."), lang.L("Forget"), func() {
			d.screen.do(lang.L("{kit} was forgotten.", "kit", k.Title()), func(ctx context.Context) error { return d.screen.parts.Care.Forget(ctx, k.Name) })
		})
}

// settings changes network and pins without flashing.
func (d *detail) settings() {
	k := d.kit
	networks := []string{}
	for _, n := range d.screen.parts.Care.Networks() {
		networks = append(networks, n.Name)
	}
	ssid, key := fw.NewSelectEntry(networks), widget.NewEntry()
	ssid.SetPlaceHolder(lang.L("stays as it is"))
	key.Password = true
	remember := fw.NewCheck(lang.L("Remember the key on this PC"), nil)
	pins := newPins(k)
	body := container.NewVBox(
		widget.Field(lang.L("Wi-Fi network"), ssid, lang.L("The kit tries it for a minute. If it does not reach the broker there, it goes back by itself.")),
		widget.Field(lang.L("Key"), key, lang.L("Empty where the network is open or its key is remembered.")), remember,
		fw.NewSeparator(), pins.box)
	if k.Link == "cable" {
		body.Objects = []fyne.CanvasObject{pins.box}
	}
	widget.NewSheet(d.screen.shell, lang.L("Settings of {kit}", "kit", k.Title()), lang.L("Send"), sheetWidth, body, func(sh *widget.Sheet) {
		order := core.SetupOrder{Kit: k.Name, Network: strings.TrimSpace(ssid.Text), Key: key.Text, Remember: remember.Checked, Pins: pins.changed()}
		sh.Do(func(ctx context.Context) error {
			if order.Network == "" && order.Pins == nil {
				return core.Fail(core.ErrInvalid, "Nothing was changed. Choose a network or a pin.")
			}
			return d.screen.parts.Care.Configure(ctx, k.Name, order)
		}, nil)
	})
}

// factLayout puts names and values into two columns.
type factLayout struct{}

const factName = 128

func (factLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	y := float32(0)
	for i := 0; i+1 < len(objects); i += 2 {
		h := objects[i].MinSize().Height
		objects[i].Move(fyne.NewPos(0, y))
		objects[i].Resize(fyne.NewSize(factName, h))
		objects[i+1].Move(fyne.NewPos(factName, y))
		objects[i+1].Resize(fyne.NewSize(size.Width-factName, h))
		y += h - 8
	}
}

func (factLayout) MinSize(objects []fyne.CanvasObject) fyne.Size {
	h := float32(8)
	for i := 0; i < len(objects); i += 2 {
		h += objects[i].MinSize().Height - 8
	}
	return fyne.NewSize(factName+120, h)
}
