package plan

import (
	"context"
	"net/url"
	"slices"
	"strings"
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

var (
	// kinds are the kinds of value, in the order in which they are offered.
	kinds = []core.Kind{core.Number, core.Boolean, core.Enumeration, core.Text, core.JSON}
	// keepDays are how long readings can be kept: 0 is as the settings say, -1 not at all.
	keepDays = []int{0, 7, 30, 90, 365, -1}
	units    = []string{"°C", "%", "lx", "W", "kWh", "V", "A", "hPa", "ppm", "dB", "m", "cm", "s", "Hz"}
)

func keepWords(days []int) []string {
	words := make([]string, len(days))
	for i, n := range days {
		switch n {
		case 0:
			words[i] = lang.L("As the settings say")
		case -1:
			words[i] = lang.L("Nothing")
		default:
			words[i] = lang.L("{n} days", "n", n)
		}
	}
	return words
}

func qosWords() []string {
	return []string{lang.L("0: at most once"), lang.L("1: at least once"), lang.L("2: exactly once")}
}

// topicOf returns the designed topic that is shown; where it is gone, an empty one.
func (i *inspector) topicOf(n topic.Name) core.Topic {
	if t := i.e.design().Topic(n); t != nil {
		return *t
	}
	return core.Topic{Name: n}
}

// editTopic changes one thing of a topic.
func (i *inspector) editTopic(n topic.Name, say core.Sentence, edit func(*core.Topic)) {
	if t := i.e.design().Topic(n); t != nil {
		changed := *t
		edit(&changed)
		i.e.change(core.Batch{Say: say, Topics: []core.Topic{changed}})
	}
}

// ofTopic is the form of a designed topic.
func (i *inspector) ofTopic(n topic.Name) {
	i.head(func() fyne.Resource { return kindIcon(i.topicOf(n).Kind) }, func() string {
		if l := i.topicOf(n).Label; l != "" {
			return l
		}
		return last(n)
	}, string(n))
	i.value(n)
	i.name = i.form.text(lang.L("Topic"), "", func() string { return string(n) }, func(text string) string {
		to := topic.Name(strings.TrimSpace(text))
		if to == n {
			return ""
		}
		if wrong := i.nameProblem(to); wrong != "" {
			return wrong
		}
		i.name.write(string(n)) // until it is done, or where somebody decides against it
		i.e.move(n, to)
		return ""
	})
	i.form.text(lang.L("Display name"), lang.L("In any script. The topics keep their names."), func() string { return i.topicOf(n).Label }, func(text string) string {
		line, wrong := readLine(text, maxLabel)
		if wrong == "" {
			i.editTopic(n, core.Say("The display name of {name} was changed.", "name", n), func(t *core.Topic) { t.Label = line })
		}
		return wrong
	})
	i.form.prose(lang.L("What it is for"), "", func() string { return i.topicOf(n).Text }, func(text string) string {
		text, wrong := readProse(text)
		if wrong == "" {
			i.editTopic(n, core.Say("The description of {name} was changed.", "name", n), func(t *core.Topic) { t.Text = text })
		}
		return wrong
	})
	i.values(n)
	i.traffic(n)
	i.users(n)
	i.alarms(n)
	i.hints(n)
	i.deletion(item{topic: n})
}

// value is the newest value, how old it is, and why.
func (i *inspector) value(n topic.Name) {
	value := widget.Text("")
	value.SizeName, value.Wrapping = theme.SizeNameHeadingText, fyne.TextWrapBreak
	facts := widget.Muted("")
	facts.SizeName = theme.SizeNameCaptionText
	rows := []fyne.CanvasObject{value, facts}
	actions := container.NewHBox(layout.NewSpacer(),
		fw.NewButtonWithIcon(lang.L("Chart"), theme.GridIcon(), func() { i.e.shell().Go("rooms/" + string(n)) }))
	if i.p.Why != nil {
		actions.Add(fw.NewButtonWithIcon(lang.L("Why?"), theme.QuestionIcon(), func() { i.why(n) }))
	}
	rows = append(rows, actions)
	i.form.add(widget.NewSurface(theme.ColorNameInputBackground, container.New(layout.NewCustomPaddedVBoxLayout(-6), rows...)))
	i.alive = append(i.alive, func(map[string]bool) {
		text, about := lang.L("Silent"), lang.L("Nothing was published here since the program started.")
		value.Importance = fw.LowImportance
		if s, ok := i.e.live(n); ok {
			text = saidValue(i.e.design().Topic(n), s.Last.Payload)
			value.Importance = fw.MediumImportance
			parts := []string{lang.Ago(i.now.Sub(s.Last.At)), lang.L("QoS {n}", "n", s.Last.QoS)}
			if s.Last.Retain {
				parts = append(parts, lang.L("retained"))
			}
			if who := i.who(s.Last); who != "" {
				parts = append(parts, lang.L("from {client}", "client", who))
			}
			about = strings.Join(parts, " · ")
		}
		if facts.Text != about {
			facts.SetText(about)
		}
		if value.Text != text {
			value.SetText(text)
		}
	})
}

// who is the title of who published m.
func (i *inspector) who(m core.Message) string {
	switch m.Client {
	case "window":
		return lang.L("this window")
	case "page":
		return lang.L("the phone page")
	}
	for _, a := range i.p.Rights.Accounts() {
		if a.ID == m.From {
			return a.Title()
		}
	}
	return widget.Visible(m.Client, false)
}

// values are the fields about what the values are.
func (i *inspector) values(n topic.Name) {
	i.section(lang.L("Values"))
	is := func(of ...core.Kind) func() bool {
		return func() bool { return slices.Contains(of, i.topicOf(n).Kind) }
	}
	last := func() fyne.CanvasObject { return i.form.rows[len(i.form.rows)-1] }
	names := make([]string, len(kinds))
	for at, k := range kinds {
		names[at] = kindName(k)
	}
	i.form.choice(lang.L("Type"), "", names, func() int { return slices.Index(kinds, i.topicOf(n).Kind) }, func(at int) {
		i.editTopic(n, core.Say("The values of {name} are of another type now.", "name", n), func(t *core.Topic) { becomes(t, kinds[at]) })
	})
	i.form.picked(lang.L("Unit"), units, func() string { return i.topicOf(n).Unit }, func(text string) string {
		line, wrong := readLine(text, maxUnit)
		if wrong == "" {
			i.editTopic(n, core.Say("The unit of {name} was changed.", "name", n), func(t *core.Topic) { t.Unit = line })
		}
		return wrong
	})
	i.form.when(last(), is(core.Number))
	i.form.numbers(lang.L("Range"), lang.L("What is outside is still taken, and shown as odd."), lang.L("From"), lang.L("To"), func() (string, string) {
		if t := i.topicOf(n); t.Min != 0 || t.Max != 0 {
			return sayNumber(t.Min), sayNumber(t.Max)
		}
		return "", ""
	}, func(a, b string) string {
		from, ok := readNumber(a)
		to, ok2 := readNumber(b)
		switch {
		case strings.TrimSpace(a) == "" && strings.TrimSpace(b) == "":
			from, to = 0, 0
		case !ok || !ok2:
			return lang.L("Type two numbers, such as 0 and 100.")
		case from >= to:
			return lang.L("The first number must be less than the second.")
		}
		i.editTopic(n, core.Say("The range of {name} was changed.", "name", n), func(t *core.Topic) { t.Min, t.Max = from, to })
		return ""
	})
	i.form.when(last(), is(core.Number))
	i.form.text(lang.L("Step"), lang.L("How far apart two values are. Empty is any."), func() string {
		if s := i.topicOf(n).Step; s != 0 {
			return sayNumber(s)
		}
		return ""
	}, func(text string) string {
		v, ok := readNumber(text)
		t := i.topicOf(n)
		switch {
		case strings.TrimSpace(text) == "":
			v = 0
		case !ok || v <= 0:
			return lang.L("Type a number greater than 0, such as 0.5.")
		case t.Max > t.Min && v > t.Max-t.Min:
			return lang.L("The step is larger than the range. Choose a smaller one.")
		}
		i.editTopic(n, core.Say("The step of {name} was changed.", "name", n), func(t *core.Topic) { t.Step = v })
		return ""
	})
	i.form.when(last(), is(core.Number))
	words := func() string { return strings.Join(i.topicOf(n).Options, ", ") }
	i.form.text(lang.L("Words"), lang.L("All that can be sent, with commas between them."), words, func(text string) string {
		return i.setWords(n, text, 0)
	})
	i.form.when(last(), is(core.Enumeration))
	i.form.text(lang.L("Words for on and off"), lang.L("In this order, with a comma between them. Empty is true and false."), words, func(text string) string {
		return i.setWords(n, text, 2)
	})
	i.form.when(last(), is(core.Boolean))
}

// becomes makes t a topic of that kind, without what only the other kind has.
func becomes(t *core.Topic, k core.Kind) {
	t.Kind = k
	if k != core.Number {
		t.Unit, t.Min, t.Max, t.Step = "", 0, 0, 0
	}
	switch {
	case k == core.Boolean && len(t.Options) != 2:
		t.Options = nil
	case k == core.Enumeration && len(t.Options) == 0:
		t.Options = []string{"auto", "manual"}
	case k != core.Boolean && k != core.Enumeration:
		t.Options = nil
	}
}

// setWords reads the words of an Enumeration or, where exactly is 2, a Boolean.
func (i *inspector) setWords(n topic.Name, text string, exactly int) string {
	words := readWords(text)
	switch {
	case exactly == 2 && len(words) == 0:
	case exactly == 2 && len(words) != 2:
		return lang.L("Write two words with a comma between them, such as On, Off.")
	case exactly == 0 && len(words) == 0:
		return lang.L("Write at least one word.")
	case len(words) > 64:
		return lang.L("These are more than {n} words. Take some out.", "n", 64)
	case twice(words) != "":
		return lang.L("“{word}” is there twice. Take one out.", "word", twice(words))
	}
	for _, w := range words {
		if _, wrong := readLine(w, maxLabel); wrong != "" {
			return wrong
		}
	}
	i.editTopic(n, core.Say("The words of {name} were changed.", "name", n), func(t *core.Topic) { t.Options = words })
	return ""
}

// traffic are the fields about how values travel and stay.
func (i *inspector) traffic(n topic.Name) {
	i.section(lang.L("Traffic"))
	i.form.choice(lang.L("Direction"), "",
		[]string{lang.L("only reports"), lang.L("reports, and takes commands")}, func() int { return bit(i.topicOf(n).Writable) }, func(at int) {
			say := core.Say("{name} only reports now.", "name", n)
			if at == 1 {
				say = core.Say("{name} takes commands now.", "name", n)
			}
			i.editTopic(n, say, func(t *core.Topic) { t.Writable = at == 1 })
		})
	commands := i.line(func() string {
		if !i.topicOf(n).Writable {
			return ""
		}
		return lang.L("Commands go to {topic}.", "topic", string(n)+"/set")
	})
	commands.SizeName, commands.Wrapping = theme.SizeNameCaptionText, fyne.TextWrapBreak
	i.form.choice(lang.L("QoS"), "", qosWords(), func() int { return int(i.topicOf(n).QoS) }, func(at int) {
		i.editTopic(n, core.Say("The QoS of {name} was changed.", "name", n), func(t *core.Topic) { t.QoS = byte(at) })
	})
	i.form.check(lang.L("Newest value is retained"), lang.L("Who subscribes later gets it at once."), func() bool { return i.topicOf(n).Retain }, func(on bool) {
		say := core.Say("{name} is not retained any more.", "name", n)
		if on {
			say = core.Say("{name} is retained now.", "name", n)
		}
		i.editTopic(n, say, func(t *core.Topic) { t.Retain = on })
	})
	days := keepDays
	if k := i.topicOf(n).KeepDays; !slices.Contains(days, k) {
		days = append(slices.Clone(days), k)
	}
	i.form.choice(lang.L("Keep readings"), "", keepWords(days), func() int { return slices.Index(days, i.topicOf(n).KeepDays) }, func(at int) {
		i.editTopic(n, core.Say("How long {name} is kept was changed.", "name", n), func(t *core.Topic) { t.KeepDays = days[at] })
	})
}

// users are the kits, rules and people that have to do with the topic.
func (i *inspector) users(n topic.Name) {
	i.section(lang.L("Who has to do with it"))
	list := container.New(layout.NewCustomPaddedVBoxLayout(-6))
	i.form.add(list)
	shown := "-"
	i.form.refresh = append(i.form.refresh, func() {
		rows, key := i.usersOf(n)
		if key == shown {
			return
		}
		shown = key
		list.Objects = rows
		list.Refresh()
	})
	may := widget.Muted("")
	may.SizeName = theme.SizeNameCaptionText
	may.Hide()
	i.form.add(may)
	i.ask(func() func() {
		tell := i.p.Rights.MayUse(topic.Filter(n), core.Publish)
		read := i.p.Rights.MayUse(topic.Filter(n), core.Subscribe)
		reading := 0
		for _, c := range i.p.Clients.Clients() {
			if slices.ContainsFunc(c.Filters, func(f string) bool { p, err := topic.ParseFilter(f); return err == nil && p.Match(n) }) {
				reading++
			}
		}
		return func() {
			may.SetText(lang.L("May publish: {names}", "names", some(tell)) + "\n" + lang.L("May read: {names}", "names", some(read)) + "\n" +
				lang.L("Subscribed by that name now: {n}", "n", reading))
			may.Show()
		}
	})
}

// some are at most eight names in one line.
func some(names []string) string {
	const most = 8
	switch {
	case len(names) == 0:
		return lang.L("nobody")
	case len(names) > most:
		return strings.Join(names[:most], ", ") + lang.L(" and {n} more", "n", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// usersOf are the links to the kits and rules that use the topic. key is another
// where they are others.
func (i *inspector) usersOf(n topic.Name) (rows []fyne.CanvasObject, key string) {
	d := i.e.design()
	t := i.topicOf(n)
	add := func(icon fyne.Resource, text string, do func()) {
		rows = append(rows, link(text, icon, do))
		key += text + "\n"
	}
	for _, p := range d.Places {
		for _, port := range p.Ports {
			if port.Topic != n {
				continue
			}
			pub, sub := p.Names(port, t)
			text := ""
			switch {
			case pub == n && sub != "":
				text = lang.L("{who} obeys it and tells its state ({slot})", "who", p.Title(), "slot", widget.SlotName(port.Slot))
			case pub == n:
				text = lang.L("{who} publishes it ({slot})", "who", p.Title(), "slot", widget.SlotName(port.Slot))
			case pub != "":
				text = lang.L("{who} commands it ({slot})", "who", p.Title(), "slot", widget.SlotName(port.Slot))
			default:
				text = lang.L("{who} reads it ({slot})", "who", p.Title(), "slot", widget.SlotName(port.Slot))
			}
			add(placeIcon(p), text, func() { i.e.choose(item{place: p.Name}) })
		}
	}
	for _, r := range rulesOn(d, n) {
		text := lang.L("The rule {rule} reads it", "rule", r.Title())
		if slices.ContainsFunc(r.Then, func(a core.Act) bool { return a.Topic == n }) {
			text = lang.L("The rule {rule} sets it", "rule", r.Title())
		}
		add(widget.RoleIcon(core.ChoiceKit), text, func() { i.e.shell().Go("rules/" + string(r.ID)) })
	}
	if len(rows) == 0 {
		rows = append(rows, widget.Muted(lang.L("No kit and no rule of the design uses it yet.")))
	}
	return rows, key
}

// alarms lists the alarms on the topic.
func (i *inspector) alarms(n topic.Name) {
	i.section(lang.L("Alarms"))
	list := container.New(layout.NewCustomPaddedVBoxLayout(-6))
	i.form.add(list)
	path := "rules/alarm/" + url.PathEscape(string(n))
	shown := "-"
	i.form.refresh = append(i.form.refresh, func() {
		t, key := i.topicOf(n), ""
		var rows []fyne.CanvasObject
		for _, a := range alarmsOn(i.e.design(), n) {
			text := alarmText(*a, t)
			rows = append(rows, link(text, theme.NewWarningThemedResource(theme.WarningIcon()), func() { i.e.shell().Go(path) }))
			key += text + "\n"
		}
		if key == shown {
			return
		}
		shown = key
		list.Objects = rows
		list.Refresh()
	})
	i.form.add(act(lang.L("Add an alarm"), theme.ContentAddIcon(), func() { i.e.shell().Go(path) }))
}

// alarmText says when an alarm calls.
func alarmText(a core.Alarm, t core.Topic) string {
	limit := strings.TrimSpace(widget.FormatNumber(a.Limit) + " " + t.Unit)
	text := ""
	switch a.Kind {
	case core.AlarmAbove:
		text = lang.L("more than {limit}", "limit", limit)
	case core.AlarmBelow:
		text = lang.L("less than {limit}", "limit", limit)
	case core.AlarmEquals:
		text = lang.L("is “{word}”", "word", a.Word)
	case core.AlarmSilent:
		text = lang.L("no value for {time}", "time", stretch(a.Within))
	case core.AlarmRate:
		text = lang.L("changes by more than {limit} within {time}", "limit", limit, "time", stretch(a.Within))
	default:
		text = lang.L("more than {n} messages within {time}", "n", widget.FormatNumber(a.Limit), "time", stretch(a.Within))
	}
	if a.Label != "" {
		text = a.Label + ": " + text
	}
	if a.Disabled {
		text += " (" + lang.L("off") + ")"
	}
	return text
}

// stretch says how long something is.
func stretch(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return lang.L("{n} min", "n", int(d.Minutes()))
	}
	return lang.L("{n} s", "n", d.Seconds())
}

// hints are what could be better about the topic.
func (i *inspector) hints(n topic.Name) {
	list := container.NewVBox()
	i.form.add(list)
	i.ask(func() func() {
		var mine []core.Fix
		for _, f := range i.p.Plan.Problems() {
			if f.Topic == n {
				mine = append(mine, f)
			}
		}
		return func() {
			for _, f := range mine {
				var actions []fyne.CanvasObject
				if fixable(f) {
					actions = append(actions, fw.NewButton(lang.L("Fix"), func() { fix(i.e, f) }))
				}
				list.Add(widget.NewNote(lang.Say(f.Say), fw.WarningImportance, actions...))
			}
			list.Refresh()
		}
	})
}

// ofStray is the form of a topic that arrives and is not designed.
func (i *inspector) ofStray(n topic.Name) {
	i.head(func() fyne.Resource { return theme.QuestionIcon() }, func() string { return last(n) }, string(n))
	note := widget.NewNote(lang.L("This arrives, and nobody designed it."), fw.WarningImportance)
	i.form.add(note)
	i.value(n)
	more := container.New(layout.NewCustomPaddedVBoxLayout(6))
	i.form.add(more)
	state, arrives := i.e.live(n)
	i.ask(func() func() {
		meant, slip := i.p.Plan.Meant(n)
		var gone []core.Removal
		for _, r := range i.p.Plan.Removals() {
			if core.Within(n, r.Under) {
				gone = append(gone, r)
			}
		}
		accounts := i.p.Rights.Accounts()
		return func() {
			if slip {
				note.Text.SetText(lang.L("“{name}” – did you mean “{meant}”?", "name", shortOf(n, meant), "meant", shortOf(meant, n)))
				i.mend(more, n, meant, state, arrives, accounts)
			}
			for at := len(gone) - 1; at >= 0; at-- {
				more.Add(i.restore(gone[at], accounts))
			}
			adopt := act(lang.L("Adopt it as it arrives"), theme.ConfirmIcon(), func() {
				if s, ok := i.e.live(n); ok {
					i.e.change(i.p.Plan.Adopt(s))
				}
			})
			if adopt.Importance = fw.HighImportance; slip {
				adopt.Importance = fw.MediumImportance
			}
			more.Add(adopt)
			more.Refresh()
		}
	})
}

// shortOf is the last level of n where only that differs from o, or all of n.
func shortOf(n, o topic.Name) string {
	if parent(n) == parent(o) {
		return widget.Visible(last(n), false)
	}
	return widget.Visible(string(n), false)
}

// mend offers what makes a slip right: at a virtual kit its port; otherwise what
// the kit must send instead, or that the wrong name counts as the right one.
func (i *inspector) mend(box *fyne.Container, n, meant topic.Name, s core.TopicState, arrives bool, accounts []core.Account) {
	defer box.Add(link(string(meant), theme.SearchIcon(), func() { i.e.choose(item{topic: meant}) }))
	kit := i.sender(s, arrives, accounts)
	if kit != nil && kit.Virtual {
		spaced := strings.TrimSpace(string(n)) != string(n)
		at := slices.IndexFunc(kit.Ports, func(p core.Port) bool { return p.Topic == n })
		switch {
		case at >= 0:
			b := act(lang.L("Fix the kit"), theme.ConfirmIcon(), func() {
				i.editPlace(kit.Name, core.Say("{name} uses {topic} now.", "name", kit.Name, "topic", meant), func(p *core.Place) {
					for at := range p.Ports {
						if p.Ports[at].Topic == n {
							p.Ports[at].Topic = meant
						}
					}
				})
			})
			b.Importance = fw.HighImportance
			box.Add(b)
			box.Add(caption(lang.L("{kit} is virtual. From now on it uses {topic}.", "kit", kit.Title(), "topic", meant)))
			return
		case spaced && i.p.Boards != nil:
			b := act(lang.L("Fix the kit"), theme.ConfirmIcon(), func() {
				i.e.shell().Do(func(ctx context.Context) (func(), error) {
					return i.e.shell().Refresh, i.p.Boards.Break(ctx, kit.Name, core.FaultSpace, false)
				})
			})
			b.Importance = fw.HighImportance
			box.Add(b)
			box.Add(caption(lang.L("{kit} is virtual, and has a fault on purpose: a space after each name. It ends.", "kit", kit.Title())))
			return
		}
	}
	who := lang.L("The kit")
	if kit != nil {
		who = kit.Title()
	} else if arrives {
		if w := i.who(s.Last); w != "" {
			who = w
		}
	}
	box.Add(widget.Text(lang.L("{who} must publish to this name instead:", "who", who)))
	name := widget.Text(widget.Visible(string(meant), false))
	name.Wrapping, name.TextStyle.Monospace, name.Selectable = fyne.TextWrapBreak, true, true
	clip := fw.NewButtonWithIcon("", theme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(string(meant))
		i.e.shell().Tell(lang.L("Copied {text}", "text", meant))
	})
	clip.Importance = fw.LowImportance
	box.Add(container.NewBorder(nil, nil, nil, container.NewVBox(clip), name))
	box.Add(act(lang.L("Accept this name, too"), theme.MailForwardIcon(), func() { i.e.move(n, meant) }))
	box.Add(caption(lang.L("What is published to it goes to the right name for a while, and whoever publishes is told.")))
}

// sender is the kit that published s, or nil.
func (i *inspector) sender(s core.TopicState, arrives bool, accounts []core.Account) *core.Place {
	if !arrives {
		return nil
	}
	for _, a := range accounts {
		if a.ID != s.Last.From {
			continue
		}
		for _, p := range i.e.design().Places {
			if p.Kind == core.KitPlace && p.Account == a.Name {
				return p
			}
		}
	}
	return nil
}

// restore tells of a removal, and offers to undo it.
func (i *inspector) restore(r core.Removal, accounts []core.Account) fyne.CanvasObject {
	who := lang.L("The program")
	for _, a := range accounts {
		if a.ID == r.Account {
			who = a.Title()
		}
	}
	b := fw.NewButton(lang.L("Restore"), func() {
		i.e.shell().Do(func(ctx context.Context) (func(), error) {
			return i.e.shell().Refresh, i.p.Plan.UndoRemove(ctx, r.ID)
		})
	})
	return widget.NewNote(lang.L("{who} removed {topic} at {time}. A kit still publishes it.", "who", who, "topic", widget.Visible(string(r.Under), false), "time", r.At.Local().Format("15:04")), fw.WarningImportance, b)
}
