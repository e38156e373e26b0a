package plan

import (
	"fmt"
	"slices"
	"strings"

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

// maxPorts is how many parts a kit may have.
const maxPorts = 64

// ofKit is the form of a kit.
func (i *inspector) ofKit(n topic.Name) {
	i.head(func() fyne.Resource {
		if p := i.place(n); p != nil {
			return widget.RoleIcon(p.Role)
		}
		return widget.RoleIcon(core.AnyKit)
	}, i.of(n, func(p *core.Place) string { return p.Title() }), string(n))
	i.presence(n)
	virtual := i.place(n).Virtual
	if virtual && i.p.Boards != nil {
		i.board(n)
	}
	i.labels(n)
	i.form.choice(lang.L("Role"), "", roleNames(), func() int {
		if p := i.place(n); p != nil {
			return slices.Index(core.KitRoles, p.Role)
		}
		return -1
	}, func(at int) {
		role := core.KitRoles[at]
		i.editPlace(n, core.Say("{name} has another role now.", "name", n), func(p *core.Place) { p.Role = role })
	})
	i.account(n)
	i.twin(n, virtual)
	i.ports(n)
	i.deletion(item{place: n})
}

func roleNames() []string {
	names := make([]string, len(core.KitRoles))
	for at, r := range core.KitRoles {
		names[at] = widget.RoleText(r)
	}
	return names
}

// presence says whether the kit is there.
func (i *inspector) presence(n topic.Name) {
	dot, text := widget.NewDot(theme.ColorNameDisabled), widget.Text("")
	i.form.add(container.NewBorder(nil, nil, dot, nil, text))
	i.alive = append(i.alive, func(map[string]bool) {
		state, say := "", widget.StateWord("")
		if s, ok := i.e.live(n + "/$state"); ok {
			state = string(s.Last.Payload)
			say = lang.L("{state}, {ago}", "state", widget.StateWord(state), "ago", lang.Ago(i.now.Sub(s.Last.At)))
		}
		dot.Set(widget.StateColor(state))
		if text.Text != say {
			text.SetText(say)
		}
	})
}

// board shows the virtual kit on screen.
func (i *inspector) board(n topic.Name) {
	b := newBoard(i.e, i.p.Boards)
	b.HideTitle()
	i.form.add(widget.NewSurface(theme.ColorNameInputBackground, b))
	large := act(lang.L("Show it large"), theme.ViewFullScreenIcon(), func() { i.showBoards([]topic.Name{n}) })
	large.Importance = fw.LowImportance
	i.form.add(large)
	i.alive = append(i.alive, func(map[string]bool) {
		for _, s := range i.p.Boards.Boards() {
			if s.Kit.Name == n {
				b.Set(s)
				return
			}
		}
		if p := i.place(n); p != nil && b.Kit() != n {
			b.Set(core.Board{Kit: *p, State: "init"})
		}
	})
}

// account is the choice of whom the kit signs in as.
func (i *inspector) account(n topic.Name) {
	ids, words := []topic.ID{""}, []string{lang.L("No account yet")}
	for _, a := range i.p.Rights.Accounts() {
		if a.Role == core.Kit {
			ids, words = append(ids, a.Name), append(words, accountWord(a))
		}
	}
	if p := i.place(n); p != nil && !slices.Contains(ids, p.Account) {
		ids, words = append(ids, p.Account), append(words, lang.L("{name} (to be made)", "name", p.Account))
	}
	i.form.choice(lang.L("Account"), lang.L("Whom it signs in as. Its grants follow from its parts."), words, func() int {
		if p := i.place(n); p != nil {
			return slices.Index(ids, p.Account)
		}
		return -1
	}, func(at int) {
		i.editPlace(n, core.Say("{name} signs in as {account} now.", "name", n, "account", ids[at]), func(p *core.Place) { p.Account = ids[at] })
	})
	l := i.line(func() string {
		p := i.place(n)
		if p == nil || p.Account == "" {
			return ""
		}
		for _, o := range i.e.design().Places {
			if o.Name != n && o.Account == p.Account {
				return lang.L("{kit} signs in as {account}, too. Two kits with one account disconnect each other: give each its own.", "kit", o.Name, "account", p.Account)
			}
		}
		return ""
	})
	l.Importance = fw.WarningImportance
}

func accountWord(a core.Account) string {
	if a.Label != "" {
		return a.Label + " (" + string(a.Name) + ")"
	}
	return string(a.Name)
}

// twin swaps a real kit for a virtual one, and back.
func (i *inspector) twin(n topic.Name, virtual bool) {
	text, label, icon := lang.L("A real board is this kit. If it is broken or not there yet, its virtual twin can take its place: same account, same topics."),
		lang.L("Swap with its virtual twin"), theme.ComputerIcon()
	if virtual {
		text, label, icon = lang.L("The program is this kit. When the real board is there, it takes over: same account, same topics."),
			lang.L("Swap with the real kit"), widget.RoleIcon(core.AllKit)
	}
	hint := widget.Muted(text)
	hint.SizeName = theme.SizeNameCaptionText
	i.form.add(container.New(layout.NewCustomPaddedVBoxLayout(-4), act(label, icon, func() {
		say := core.Say("{name} is virtual now.", "name", n)
		if virtual {
			say = core.Say("{name} is a real kit now.", "name", n)
		}
		i.editPlace(n, say, func(p *core.Place) { p.Virtual = !virtual })
	}), hint))
}

// ports is the list of parts.
func (i *inspector) ports(n topic.Name) {
	i.section(lang.L("Parts"))
	list := container.New(layout.NewCustomPaddedVBoxLayout(2))
	var shown []core.Port
	var forms []*form
	open := map[int]bool{}
	i.form.add(list)
	i.form.refresh = append(i.form.refresh, func() {
		p := i.place(n)
		if p == nil {
			return
		}
		if shown == nil || !slices.EqualFunc(shown, p.Ports, func(a, b core.Port) bool { return a.Slot == b.Slot && a.Action == b.Action }) {
			shown, forms = slices.Clone(p.Ports), nil
			list.RemoveAll()
			if len(shown) == 0 {
				list.Add(widget.Muted(lang.L("It has no parts yet, so it neither tells nor obeys anything.")))
			}
			for at := range shown {
				f := &form{}
				i.port(f, n, at, p.Role)
				box := f.box()
				fold := widget.NewFold("", container.New(layout.NewCustomPaddedLayout(0, 6, 12, 0), box))
				f.refresh = append(f.refresh, func() {
					if p := i.place(n); p != nil && at < len(p.Ports) {
						fold.SetTitle(portTitle(n, p.Ports[at]))
					}
				})
				fold.OnOpen = func(is bool) { open[at] = is }
				fold.SetOpen(open[at])
				forms = append(forms, f)
				list.Add(fold)
			}
			list.Refresh()
		}
		for _, f := range forms {
			f.show()
		}
	})
	var add *fw.Button
	add = act(lang.L("Add a part"), theme.ContentAddIcon(), func() { i.portMenu(n, add) })
	i.form.add(add)
}

// portTitle says in one line what a port is.
func portTitle(kit topic.Name, p core.Port) string {
	where := string(p.Topic)
	if core.Within(p.Topic, kit) && p.Topic != kit {
		where = where[len(kit)+1:]
	}
	if rs := []rune(where); len(rs) > 24 { // a button does not cut its text
		where = "…" + string(rs[len(rs)-23:])
	}
	return widget.SlotName(p.Slot) + ": " + where
}

// port is the form of one part.
func (i *inspector) port(f *form, n topic.Name, at int, role core.KitRole) {
	get := func() core.Port {
		if p := i.place(n); p != nil && at < len(p.Ports) {
			return p.Ports[at]
		}
		return core.Port{}
	}
	edit := func(change func(*core.Port)) {
		i.editPlace(n, core.Say("The part {slot} of {name} was changed.", "slot", get().Slot, "name", n), func(p *core.Place) {
			if at < len(p.Ports) {
				change(&p.Ports[at])
			}
		})
	}
	clash := func(slot topic.ID, a core.Action) bool {
		for o, p := range i.place(n).Ports {
			if o != at && p.Slot == slot && p.Action == a {
				return true
			}
		}
		return false
	}
	if role == core.AnyKit {
		f.text(lang.L("Part"), lang.L("a to z, 0 to 9 and -"), func() string { return string(get().Slot) }, func(text string) string {
			id, err := topic.ParseID(strings.TrimSpace(text))
			if err != nil {
				return lang.L("Use a to z, 0 to 9 and -, at most {n} characters.", "n", topic.MaxID)
			}
			if clash(id, get().Action) {
				return lang.L("{name} is taken. Choose another name.", "name", id)
			}
			edit(func(p *core.Port) { p.Slot = id })
			return ""
		})
	}
	f.picked(lang.L("Topic"), i.offered(n), func() string { return string(get().Topic) }, func(text string) string {
		name, err := topic.ParseName(strings.TrimSpace(text))
		switch {
		case err != nil || hidden(name):
			return lang.L("This is no topic. Write levels with / between them, without + and #.")
		case i.e.design().Topic(name) == nil:
			return lang.L("{topic} is not designed. Choose one that is, or design it first.", "topic", name)
		}
		edit(func(p *core.Port) { p.Topic = name })
		return ""
	})
	f.choice(lang.L("Direction"), "", []string{lang.L("reports: the kit is the source"), lang.L("reads or obeys")}, func() int { return bit(get().Action == core.Subscribe) }, func(to int) {
		action := core.Publish
		if to == 1 {
			action = core.Subscribe
		}
		if clash(get().Slot, action) {
			i.e.shell().Tell(lang.L("It has {slot} in this direction already.", "slot", get().Slot))
			f.show()
			return
		}
		edit(func(p *core.Port) { p.Action = action })
	})
	f.check(lang.L("Each press switches it"), lang.L("Otherwise it is on while it is held down."), func() bool { return get().Toggle }, func(on bool) {
		edit(func(p *core.Port) { p.Toggle = on })
	})
	box := f.rows[len(f.rows)-1]
	f.when(box, func() bool {
		p := get()
		t := i.e.design().Topic(p.Topic)
		return p.Action == core.Publish && t != nil && t.Kind == core.Boolean && p.Slot != "presence"
	})
	f.add(act(lang.L("Remove this part"), theme.ContentRemoveIcon(), func() {
		i.editPlace(n, core.Say("{name} lost the part {slot}.", "name", n, "slot", get().Slot), func(p *core.Place) {
			if at < len(p.Ports) {
				p.Ports = slices.Delete(p.Ports, at, at+1)
			}
		})
	}))
}

// offered are the topics that a port of the kit probably means: its own, then
// those of its branch.
func (i *inspector) offered(kit topic.Name) (names []string) {
	const most = 40
	branch := topic.Name(kit.Split()[0])
	for _, near := range []topic.Name{kit, branch} {
		for _, t := range i.e.design().Topics {
			if len(names) < most && core.Within(t.Name, near) && !slices.Contains(names, string(t.Name)) {
				names = append(names, string(t.Name))
			}
		}
	}
	return names
}

// portMenu offers the parts that the kit does not have.
func (i *inspector) portMenu(n topic.Name, under fyne.CanvasObject) {
	p := i.place(n)
	if p == nil {
		return
	}
	var items []*fyne.MenuItem
	for _, part := range []core.Port{{Slot: "button", Action: core.Publish}, {Slot: "brightness", Action: core.Publish}, {Slot: "presence", Action: core.Publish},
		{Slot: "light", Action: core.Subscribe}, {Slot: "led", Action: core.Subscribe}} {
		if !slices.ContainsFunc(p.Ports, func(o core.Port) bool { return o.Slot == part.Slot && o.Action == part.Action }) {
			items = append(items, fyne.NewMenuItem(widget.SlotName(part.Slot), func() { i.addPort(n, part) }))
		}
	}
	own := core.Port{Action: core.Publish}
	for at := 1; own.Slot == ""; at++ {
		id := topic.ID(fmt.Sprint("part-", at))
		if !slices.ContainsFunc(p.Ports, func(o core.Port) bool { return o.Slot == id }) {
			own.Slot = id
		}
	}
	if p.Role == core.AnyKit {
		items = append(items, fyne.NewMenuItem(lang.L("Own part"), func() { i.addPort(n, own) }))
	}
	if len(items) == 0 || len(p.Ports) >= maxPorts {
		i.e.shell().Tell(lang.L("It has every part that its role knows. With the role “Own kit” it can have others."))
		return
	}
	fw.ShowPopUpMenuAtRelativePosition(fyne.NewMenu("", items...), i.e.shell().Window().Canvas(), fyne.NewPos(0, under.Size().Height), under)
}

// addPort gives the kit a part, with a topic for it.
func (i *inspector) addPort(n topic.Name, part core.Port) {
	p := i.place(n)
	if p == nil {
		return
	}
	part.Topic = join(n, string(part.Slot))
	b := core.Batch{Say: core.Say("{name} got the part {slot}.", "name", n, "slot", part.Slot)}
	if i.e.design().Topic(part.Topic) == nil {
		t := i.p.Plan.PartTopic(part.Slot)
		t.Name = part.Topic
		b.Topics = []core.Topic{t}
	}
	changed := *p
	changed.Ports = append(slices.Clone(p.Ports), part)
	b.Places = []core.Place{changed}
	i.e.change(b)
}
