package xray

import (
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

// chooser is where a person says what to record: one client, or one topic.
type chooser struct {
	content fyne.CanvasObject
	start   func(core.Watch)

	byClient, byTopic *fw.Button
	search            *widget.Entry
	problem           *fw.Label
	list              *fw.List
	none              *fw.Label
	begin, end        *fw.Button

	topics  bool          // a topic is chosen, not a client
	clients []core.Client // the connected first
	rows    []choice
	picked  string // client
	typed   string // what the search says for the other kind
	watch   core.Watch
}

// choice is one row of the list.
type choice struct {
	text string // a client ID or a filter
	note string
	live bool
}

func newChooser(start func(core.Watch), stop func()) *chooser {
	c := &chooser{start: start}
	c.byClient = fw.NewButton(lang.L("Client"), func() { c.kind(false); c.focus() })
	c.byTopic = fw.NewButton(lang.L("Topic"), func() { c.kind(true); c.focus() })
	c.search = widget.NewEntry()
	c.search.OnChanged = func(string) { c.find() }
	c.search.OnSubmitted = func(string) { c.submit() }
	c.problem = widget.Muted("")
	c.problem.Importance = fw.DangerImportance
	c.list = fw.NewList(
		func() int { return len(c.rows) },
		func() fyne.CanvasObject {
			note := fw.NewLabel("")
			note.Importance, note.SizeName = fw.LowImportance, theme.SizeNameCaptionText
			return container.NewBorder(nil, nil, widget.NewDot(theme.ColorNameSuccess), container.NewCenter(note), widget.Cell(""))
		},
		func(i fw.ListItemID, o fyne.CanvasObject) {
			if i >= len(c.rows) {
				return
			}
			row, r := o.(*fyne.Container), c.rows[i]
			widget.SetText(row.Objects[0].(*fw.Label), brief(r.text))
			dot := row.Objects[1].(*widget.Dot)
			if dot.Set(theme.ColorNameDisabled); r.live {
				dot.Set(theme.ColorNameSuccess)
			}
			widget.SetVisible(dot, !c.topics)
			widget.SetText(row.Objects[2].(*fyne.Container).Objects[0].(*fw.Label), r.note)
		})
	c.list.HideSeparators = true
	c.list.OnSelected = c.pick
	c.none = widget.Muted("")
	c.begin = fw.NewButtonWithIcon(lang.L("Start"), theme.MediaRecordIcon(), func() { c.submit() })
	c.begin.Importance = fw.HighImportance
	c.end = fw.NewButtonWithIcon(lang.L("Stop"), theme.MediaStopIcon(), stop)
	top := container.New(layout.NewCustomPaddedVBoxLayout(4), container.NewGridWithColumns(2, c.byClient, c.byTopic), c.search, c.problem)
	c.content = widget.NewSurface(theme.ColorNameOverlayBackground, container.NewBorder(top,
		container.NewGridWithColumns(2, c.begin, c.end), nil, nil, container.NewStack(c.list, c.none)))
	c.kind(false)
	return c
}

// alone reports whether there is no client to choose.
func (c *chooser) alone() bool { return len(c.clients) == 0 }

// kind offers clients, or topics.
func (c *chooser) kind(topics bool) {
	if c.topics != topics {
		c.topics = topics
		text := c.typed
		c.typed = c.search.Text
		c.search.SetText(text)
	}
	c.search.SetPlaceHolder(lang.L("Search, or type a client ID"))
	if topics {
		c.search.SetPlaceHolder(lang.L("Filter: {example}", "example", "+/+/lamp"))
	}
	for b, on := range map[*fw.Button]bool{c.byClient: !topics, c.byTopic: topics} {
		if b.Importance = fw.MediumImportance; on {
			b.Importance = fw.HighImportance
		}
		b.Refresh()
	}
	c.find()
}

// focus lets a person type at once.
func (c *chooser) focus() {
	if canvas := fyne.CurrentApp().Driver().CanvasForObject(c.search); canvas != nil {
		canvas.Focus(c.search)
	}
}

// offer shows the clients there are.
func (c *chooser) offer(clients []core.Client) {
	slices.SortStableFunc(clients, func(a, b core.Client) int {
		if a.Connected != b.Connected {
			if a.Connected {
				return -1
			}
			return 1
		}
		return widget.Natural(a.ID, b.ID)
	})
	if slices.EqualFunc(clients, c.clients, func(a, b core.Client) bool {
		return a.ID == b.ID && a.Connected == b.Connected && a.Protocol == b.Protocol && slices.Equal(a.Filters, b.Filters)
	}) {
		return
	}
	c.clients = clients
	c.find()
}

// find lists what fits what was typed.
func (c *chooser) find() {
	typed := strings.TrimSpace(c.search.Text)
	fits := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(typed)) }
	c.rows = nil
	if c.topics {
		count := map[string]int{}
		for _, cl := range c.clients {
			for _, f := range cl.Filters {
				if p, err := topic.ParseFilter(f); err == nil {
					count[string(p)]++
				}
			}
		}
		for f, n := range count {
			if fits(f) {
				c.rows = append(c.rows, choice{text: f, note: lang.L("subscribers: {n}", "n", n)})
			}
		}
		slices.SortFunc(c.rows, func(a, b choice) int { return widget.Natural(a.text, b.text) })
	} else {
		known := false
		for _, cl := range c.clients {
			known = known || cl.ID == typed
			if fits(cl.ID) {
				note := lang.L("not connected")
				if cl.Connected {
					note = lang.L("MQTT {version}", "version", cl.Protocol)
				}
				c.rows = append(c.rows, choice{cl.ID, note, cl.Connected})
			}
		}
		if typed != "" && !known {
			c.rows = append(c.rows, choice{text: typed, note: lang.L("not connected")})
		}
	}
	c.list.UnselectAll()
	for i, r := range c.rows {
		if !c.topics && r.text == c.picked || c.topics && r.text == typed {
			c.list.OnSelected = nil // it is so already
			c.list.Select(i)
			c.list.OnSelected = c.pick
		}
	}
	c.list.Refresh()
	switch {
	case len(c.rows) > 0:
		c.none.SetText("")
	case c.topics:
		c.none.SetText(lang.L("No client subscribes to such a topic. Type a filter above: # is everything below."))
	default:
		c.none.SetText(lang.L("No client yet. Type the ID of one to see it connect."))
	}
	c.recording(c.watch)
}

// pick takes a row of the list.
func (c *chooser) pick(i fw.ListItemID) {
	if i >= len(c.rows) {
		return
	}
	if c.topics {
		c.search.SetText(c.rows[i].text)
		return
	}
	c.picked = c.rows[i].text
	c.recording(c.watch)
}

// chosen is what Start would record; the zero Watch is nothing.
func (c *chooser) chosen() (w core.Watch, problem string) {
	if !c.topics {
		for _, r := range c.rows {
			if r.text == c.picked {
				return core.Watch{Client: c.picked}, ""
			}
		}
		if len(c.rows) == 1 { // what was typed leaves no choice
			return core.Watch{Client: c.rows[0].text}, ""
		}
		return core.Watch{}, ""
	}
	typed := strings.TrimSpace(c.search.Text)
	if typed == "" {
		return core.Watch{}, ""
	}
	f, err := topic.ParseFilter(typed)
	if err != nil {
		return core.Watch{}, lang.L("This is no filter: + and # stand alone between slashes, and # only at the end.")
	}
	return core.Watch{Filter: f}, ""
}

// recording shows what is recorded now, and what could be.
func (c *chooser) recording(w core.Watch) {
	c.watch = w
	want, problem := c.chosen()
	widget.SetText(c.problem, problem)
	widget.SetVisible(c.problem, problem != "")
	widget.SetEnabled(c.begin, want != (core.Watch{}) && want != w)
	widget.SetEnabled(c.end, w != (core.Watch{}))
}

func (c *chooser) submit() {
	if w, _ := c.chosen(); w != (core.Watch{}) && w != c.watch {
		c.start(w)
	}
}
