package plan

import (
	"context"
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

// templateIcon is the picture of a template.
func templateIcon(t core.Template) fyne.Resource {
	switch {
	case t.Decides:
		return widget.RoleIcon(core.ChoiceKit)
	case t.Flat:
		return widget.RoleIcon(core.ButtonKit)
	case t.Kits > 0:
		return widget.RoleIcon(core.SensorKit)
	}
	return theme.HomeIcon()
}

// invite is what an empty plan shows: ways to begin.
type invite struct {
	box   fyne.CanvasObject
	cards []*fw.Button // of the templates
	adopt *fw.Button
}

func newInvite(templates []core.Template, use func(core.Template), draw, adopt, file func()) *invite {
	i := &invite{}
	title := fw.NewLabelWithStyle(lang.L("Draw the house before it is built"), fyne.TextAlignCenter, fyne.TextStyle{Bold: true})
	title.SizeName = theme.SizeNameHeadingText
	title.Wrapping = fyne.TextWrapWord
	why := widget.Muted(lang.L("Rooms, kits and their topics: what you draw here makes permissions, charts, virtual kits, rules and documents. Live values are painted on it."))
	why.Alignment = fyne.TextAlignCenter
	cards := make([]fyne.CanvasObject, 0, len(templates))
	for _, t := range templates {
		b := fw.NewButtonWithIcon(lang.L("Use"), theme.ConfirmIcon(), func() { use(t) })
		b.Importance = fw.HighImportance
		i.cards = append(i.cards, b)
		kits := lang.L("no kits")
		if t.Kits > 0 {
			kits = lang.L("kits: {n}", "n", t.Kits)
		}
		count := widget.Muted(kits)
		count.SizeName = theme.SizeNameCaptionText
		icon := container.NewCenter(container.NewGridWrap(fyne.NewSquareSize(36), fw.NewIcon(theme.NewPrimaryThemedResource(templateIcon(t)))))
		head := container.NewBorder(nil, nil, icon, nil, fw.NewLabelWithStyle(lang.Say(t.Title), fyne.TextAlignLeading, fyne.TextStyle{Bold: true}))
		cards = append(cards, widget.NewSurface(theme.ColorNameOverlayBackground,
			container.NewBorder(head, container.NewBorder(nil, nil, count, b), nil, nil, widget.Text(lang.Say(t.Text)))))
	}
	i.adopt = fw.NewButtonWithIcon("", theme.DownloadIcon(), adopt)
	own := fw.NewButtonWithIcon(lang.L("Draw it yourself"), theme.DocumentCreateIcon(), draw)
	open := fw.NewButtonWithIcon(lang.L("Open a file"), theme.FolderOpenIcon(), file)
	start := fw.NewLabelWithStyle(lang.L("Start from a template"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	or := fw.NewLabelWithStyle(lang.L("Or"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	i.box = widget.Scroll(container.NewVBox(layout.NewSpacer(), widget.Middle(860, title, why, start, widget.Columns(380, cards...), or,
		container.NewHBox(own, i.adopt, open)), layout.NewSpacer()))
	i.show(0)
	return i
}

// show offers to adopt what arrives, where something does.
func (i *invite) show(arriving int) {
	if text := lang.L("Adopt what arrives ({n})", "n", arriving); i.adopt.Text != text {
		i.adopt.SetText(text)
	}
	if arriving == 0 {
		i.adopt.Hide()
	} else {
		i.adopt.Show()
	}
}

// branches asks for which branches a template is drawn, and who decides in it.
type branches struct {
	teams  []core.Team
	check  *fw.CheckGroup // of the teams
	other  *widget.Entry
	flat   *fw.Check
	decide *fw.RadioGroup
	hint   *fw.Label
	sheet  *widget.Sheet
}

// askBranches asks, and hands over what was chosen.
func askBranches(shell widget.Shell, d *core.Design, teams []core.Team, t core.Template, use func(ns []topic.Name, onBoard bool)) *branches {
	b := &branches{teams: teams, other: widget.NewEntry(), hint: widget.Muted("")}
	names := make([]string, len(teams))
	var free []string
	for i, team := range teams {
		names[i] = team.Title()
		if team.Label != "" {
			names[i] += " (" + string(team.Name) + ")"
		}
		if d.Place(topic.Name(team.Name)) == nil {
			free = append(free, names[i])
		}
	}
	b.check = fw.NewCheckGroup(names, func([]string) { b.judge() })
	b.other.SetPlaceHolder(lang.L("such as house"))
	b.other.OnChanged = func(string) { b.judge() }
	b.flat = fw.NewCheck(lang.L("Without a branch: flat topics, as in the first lesson"), func(bool) { b.judge() })
	b.decide = fw.NewRadioGroup([]string{lang.L("a rule of this program"), lang.L("the ESP_Choice board")}, nil)
	b.decide.Required = true
	b.decide.SetSelected(b.decide.Options[0])
	body := container.NewVBox(widget.Muted(lang.Say(t.Text)))
	if len(teams) > 0 {
		body.Add(widget.Field(lang.L("For the teams"), b.check, lang.L("Each team gets its own copy in its own branch.")))
	}
	body.Add(widget.Field(lang.L("Another branch"), b.other, ""))
	if t.Flat {
		body.Add(b.flat)
	}
	if t.Decides {
		body.Add(widget.Field(lang.L("Who decides about the lamp"), b.decide, ""))
	}
	body.Add(b.hint)
	b.sheet = widget.NewSheet(shell, lang.Say(t.Title), lang.L("Draw"), 420, body, func(sh *widget.Sheet) {
		ns, _ := b.names()
		sh.Close()
		use(ns, b.decide.Selected == b.decide.Options[1])
	}, b.other)
	if len(teams) > 0 {
		b.check.SetSelected(free)
	} else {
		b.other.SetText(string(newMaker(d, nil).name("", "house")))
	}
	b.judge()
	return b
}

// names returns the branches, or why there are none.
func (b *branches) names() (ns []topic.Name, why string) {
	for i, n := range b.check.Options {
		if slices.Contains(b.check.Selected, n) {
			ns = append(ns, topic.Name(b.teams[i].Name))
		}
	}
	if text := strings.TrimSpace(b.other.Text); text != "" {
		id, err := topic.ParseID(text)
		if err != nil {
			return nil, lang.L("Use a-z, 0-9 and - in the name of a branch.")
		}
		if !slices.Contains(ns, topic.Name(id)) {
			ns = append(ns, topic.Name(id))
		}
	}
	if b.flat.Checked {
		ns = append(ns, "")
	}
	if len(ns) == 0 {
		return nil, lang.L("Choose a team, or type the name of a branch.")
	}
	return ns, ""
}

// judge says what will be made.
func (b *branches) judge() {
	ns, why := b.names()
	b.hint.Importance = fw.LowImportance
	if why != "" {
		b.hint.Importance = fw.WarningImportance
	} else {
		why = lang.L("Copies: {n}", "n", len(ns))
	}
	b.hint.SetText(why)
	b.sheet.Allow(len(ns) > 0)
}

// useTemplate draws a template where the person says.
func (s *Screen) useTemplate(t core.Template) {
	askBranches(s.sh, s.d, s.teams, t, func(ns []topic.Name, onBoard bool) {
		empty, canvas := len(s.d.Places) == 0, s.house.Size()
		s.sh.Do(func(ctx context.Context) (func(), error) {
			b, err := s.parts.Plan.FromTemplate(t.Key, ns, onBoard)
			if err != nil {
				return nil, err
			}
			if empty {
				shelve(b.Places, canvas)
			}
			if err := s.parts.Plan.Change(ctx, b); err != nil {
				return nil, err
			}
			return func() {
				s.fitNext = true
				s.sh.Refresh()
			}, nil
		})
	})
}

// shelve puts the branches of a new house in as many columns as a canvas of
// that size shows them largest.
func shelve(places []core.Place, canvas fyne.Size) {
	const between = 64
	var all []*core.Place
	for i := range places {
		switch {
		case places[i].Kind == core.BranchPlace:
			all = append(all, &places[i])
		case parent(places[i].Name) == "": // flat, on the ground beside branches
			return
		}
	}
	best := 0.0
	for columns := 1; columns <= len(all); columns++ {
		wide := make([]float64, columns)
		tall := make([]float64, (len(all)+columns-1)/columns)
		for i, p := range all {
			wide[i%columns], tall[i/columns] = max(wide[i%columns], p.W), max(tall[i/columns], p.H)
		}
		sum := func(of []float64) (all float64) {
			for _, v := range of {
				all += v + between
			}
			return max(all-between, 1)
		}
		zoom := min(float64(canvas.Width)/sum(wide), float64(canvas.Height)/sum(tall))
		if zoom <= best {
			continue
		}
		best = zoom
		y := 0.0
		for row, h := range tall {
			x := 0.0
			for i := row * columns; i < min(len(all), (row+1)*columns); i++ {
				all[i].X, all[i].Y = x, y
				x += wide[i%columns] + between
			}
			y += h + between
		}
	}
}

// adoptAll designs everything that arrives.
func (s *Screen) adoptAll() {
	arriving := s.arriving
	s.sh.Do(func(ctx context.Context) (func(), error) {
		var all core.Batch
		n := 0
		for _, a := range arriving {
			if hidden(a.Last.Topic) {
				continue
			}
			b := s.parts.Plan.Adopt(a)
			all.Topics = append(all.Topics, b.Topics...)
			all.Places = append(all.Places, b.Places...)
			n++
		}
		if n == 0 {
			return nil, nil
		}
		all.Say = core.Say("{n} topics adopted", "n", n)
		seen := map[topic.Name]bool{}
		all.Places = slices.DeleteFunc(all.Places, func(p core.Place) bool {
			again := seen[p.Name]
			seen[p.Name] = true
			return again
		})
		if err := s.parts.Plan.Change(ctx, all); err != nil {
			return nil, err
		}
		return func() {
			s.fitNext = true
			s.sh.Refresh()
		}, nil
	})
}
