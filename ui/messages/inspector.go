package messages

import (
	"context"
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

// form is how a payload is shown.
type form string

const (
	asText form = "text"
	asJSON form = "json"
	asHex  form = "hex"
)

// inspector shows one message in full.
type inspector struct {
	broker Broker
	shell  widget.Shell

	content fyne.CanvasObject
	name    *fw.Label
	facts   *fw.Label
	note    *fw.Label
	body    *lines
	empty   fyne.CanvasObject
	forms   map[form]*fw.Button

	copyTopic, copyPayload, use, clearRetained *fw.Button
	keptLine                                   *fyne.Container
	kept                                       *fw.Label

	uid   string        // the tree's node that is shown, or ""
	seq   uint64        // the message of the stream that is shown, or 0
	shown *core.Message // nil where there is none
	size  int           // of the whole payload
	form  form          // what the person chose; "" is what fits
	now   form          // how it is shown

	want     chan topic.Name // holds the topic whose retained message is to be looked up
	retained *core.Message
}

func newInspector(b Broker, shell widget.Shell, use func(core.Message)) *inspector {
	i := &inspector{broker: b, shell: shell, want: make(chan topic.Name, 1)}
	i.name = widget.Cell("")
	i.name.TextStyle = fyne.TextStyle{Bold: true}
	i.facts = widget.Cell("")
	i.facts.Importance = fw.LowImportance
	i.note = widget.Muted("")
	i.note.Importance = fw.WarningImportance
	i.body = newLines()
	i.empty = widget.Empty(theme.SearchIcon(), lang.L("Nothing chosen"), lang.L("Choose a topic in the tree or a message in the stream."), nil)

	i.copyTopic = quiet("", theme.ContentCopyIcon(), func() {
		i.copy(string(i.shown.Topic), lang.L("The topic was copied."))
	})
	i.copyPayload = quiet(lang.L("Copy"), theme.ContentCopyIcon(), i.copyBody)
	i.use = quiet(lang.L("Reuse"), theme.MailForwardIcon(), func() { use(*i.shown) })
	i.forms = map[form]*fw.Button{
		asText: fw.NewButton(lang.L("Text"), func() { i.choose(asText) }),
		asJSON: fw.NewButton("JSON", func() { i.choose(asJSON) }),
		asHex:  fw.NewButton(lang.L("Hex"), func() { i.choose(asHex) }),
	}
	i.kept = widget.Cell("")
	i.clearRetained = fw.NewButtonWithIcon(lang.L("Clear retained"), theme.DeleteIcon(), i.clearKept)
	i.keptLine = container.NewBorder(nil, nil, fw.NewIcon(pin), i.clearRetained, i.kept)

	bar := container.NewHBox(i.forms[asText], i.forms[asJSON], i.forms[asHex], layout.NewSpacer(), i.copyPayload, i.use)
	head := container.New(layout.NewCustomPaddedVBoxLayout(0),
		container.NewBorder(nil, nil, nil, i.copyTopic, i.name), i.facts, i.keptLine,
		container.NewHScroll(bar), // its buttons come and go, which must not move what is beside it
		i.note)
	i.content = container.NewStack(container.NewBorder(head, nil, nil, nil, i.body), i.empty)
	i.clear()
	return i
}

func quiet(label string, icon fyne.Resource, do func()) *fw.Button {
	b := fw.NewButtonWithIcon(label, icon, do)
	b.Importance = fw.LowImportance
	return b
}

// clear shows nothing.
func (i *inspector) clear() {
	i.uid, i.seq, i.shown, i.retained, i.size = root, 0, nil, nil, 0
	i.draw()
}

// message shows a message of the stream.
func (i *inspector) message(e entry) {
	i.uid, i.seq, i.shown, i.size = root, e.seq, &e.Message, len(e.Payload)
	i.ask()
	i.draw()
}

// topic shows the newest message of a topic.
func (i *inspector) topic(s core.TopicState) {
	if i.shown == nil || i.shown.Topic != s.Last.Topic || !i.shown.At.Equal(s.Last.At) || string(i.shown.Payload) != string(s.Last.Payload) {
		i.shown, i.size = &s.Last, s.Size
		i.draw()
	}
	i.ask()
}

// branch shows that there is no message at the start of topics.
func (i *inspector) branch(name string, topics int, messages uint64) {
	i.shown, i.retained = nil, nil
	i.draw()
	i.empty.Hide()
	i.name.SetText(brief([]byte(name)))
	i.facts.SetText(lang.L("topics: {topics} · messages: {messages}", "topics", topics, "messages", messages))
}

// ask makes the next load look up what is retained for the topic shown.
func (i *inspector) ask() {
	if i.shown == nil {
		return
	}
	if i.retained != nil && i.retained.Topic != i.shown.Topic {
		i.retained = nil
	}
	select {
	case <-i.want:
	default:
	}
	i.want <- i.shown.Topic
}

// load looks up what is retained, away from the UI goroutine, and returns how to show it.
func (i *inspector) load() (show func()) {
	var name topic.Name
	select {
	case name = <-i.want:
	default:
		return func() {}
	}
	var found *core.Message
	if ms := i.broker.Retained(topic.Filter(name), 1); len(ms) == 1 {
		found = &ms[0]
	}
	return func() {
		if i.shown != nil && i.shown.Topic == name {
			i.retained = found
			i.drawKept()
			i.ask()
		}
	}
}

func (i *inspector) choose(f form) {
	i.form = f
	i.draw()
}

// draw shows the message.
func (i *inspector) draw() {
	i.drawKept()
	has := i.shown != nil
	widget.SetVisible(i.empty, !has)
	for _, b := range []*fw.Button{i.copyTopic, i.copyPayload, i.use} {
		widget.SetVisible(b, has)
	}
	for _, b := range i.forms {
		widget.SetVisible(b, has)
	}
	if !has {
		i.name.SetText("")
		i.facts.SetText("")
		i.note.Hide()
		i.body.SetText("")
		return
	}
	m := i.shown
	i.name.SetText(brief([]byte(m.Topic)))
	facts := []string{clock(m.At), size(i.size), lang.L("QoS {n}", "n", m.QoS)}
	if m.Retain {
		facts = append(facts, lang.L("retained"))
	}
	if m.Client != "" {
		facts = append(facts, lang.L("from {client}", "client", clientName(m.Client)))
	}
	i.facts.SetText(strings.Join(facts, " · "))

	json, isJSON := indented(m.Payload)
	widget.SetEnabled(i.forms[asJSON], isJSON)
	i.now = i.form
	switch {
	case i.form == asJSON && !isJSON, i.form == "" && !isJSON:
		if i.now = asText; !isText(m.Payload) && i.form == "" {
			i.now = asHex
		}
	case i.form == "":
		i.now = asJSON
	}
	for f, b := range i.forms {
		want := fw.MediumImportance
		if f == i.now {
			want = fw.HighImportance
		}
		if b.Importance != want {
			b.Importance = want
			b.Refresh()
		}
	}

	whole := m.Payload
	if i.now == asJSON {
		whole = json
	}
	part := cut(whole, shownBytes)
	note := ""
	switch {
	case len(m.Payload) < i.size:
		note = lang.L("Of {size}, the first {kept} are kept here.", "size", size(i.size), "kept", size(len(m.Payload)))
	case len(part) < len(whole):
		note = lang.L("Only the first {shown} are shown. “Copy” copies all of it.", "shown", size(len(part)))
	}
	i.note.SetText(note)
	widget.SetVisible(i.note, note != "")
	switch {
	case len(m.Payload) == 0:
		i.body.SetText(lang.L("(empty)"))
	case i.now == asHex:
		i.body.SetBytes(part)
	default:
		i.body.SetText(widget.Visible(string(part), true))
	}
}

func (i *inspector) drawKept() {
	widget.SetVisible(i.keptLine, i.retained != nil)
	if i.retained == nil {
		return
	}
	what := brief(i.retained.Payload)
	text := lang.L("Retained: {payload}", "payload", what)
	if !i.retained.At.IsZero() {
		text = lang.L("Retained since {time}: {payload}", "time", i.retained.At.Local().Format(time.DateTime), "payload", what)
	}
	i.kept.SetText(text)
}

func (i *inspector) copy(text, told string) {
	fyne.CurrentApp().Clipboard().SetContent(text)
	i.shell.Tell(told)
}

// copyBody copies the whole payload in the form in which it is shown.
func (i *inspector) copyBody() {
	p := i.shown.Payload
	switch json, ok := indented(p); {
	case i.now == asJSON && ok:
		i.copy(string(json), lang.L("The payload was copied."))
	case i.now == asText && isText(p):
		i.copy(string(p), lang.L("The payload was copied."))
	default:
		i.copy(dump(p, 16), lang.L("The payload was copied as hexadecimal numbers."))
	}
}

// clearKept makes the broker forget the retained message, with a way back.
func (i *inspector) clearKept() {
	if i.retained == nil {
		return
	}
	old := *i.retained
	i.shell.Do(func(ctx context.Context) (func(), error) {
		err := i.broker.Publish(ctx, core.Message{Topic: old.Topic, QoS: old.QoS, Retain: true, Client: "window"})
		if err != nil {
			return nil, err
		}
		return func() {
			if i.shown != nil && i.shown.Topic == old.Topic {
				i.retained = nil
				i.drawKept()
			}
			i.shell.TellUndo(lang.L("The retained message of {topic} was cleared.", "topic", brief([]byte(old.Topic))), func(ctx context.Context) error {
				return i.broker.Publish(ctx, core.Message{Topic: old.Topic, Payload: old.Payload, QoS: old.QoS, Retain: true, Client: "window"})
			})
			i.shell.Refresh()
		}, nil
	})
}
