package messages

import (
	"context"
	"slices"
	"strconv"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// remembered is how many published messages can be taken again.
const remembered = 20

// editable is the longest payload that is put into the entry, in bytes.
const editable = 16 << 10

// publisher is the panel that publishes.
type publisher struct {
	broker Broker
	shell  widget.Shell

	content fyne.CanvasObject
	topic   *entryField
	hint    *fw.Label
	payload *entryField
	qos     *fw.RadioGroup
	retain  *fw.Check
	publish *fw.Button
	recent  *fw.Button
	result  *fw.Label
	past    []core.Message // newest first, at most remembered
}

// entryField is an entry in which Ctrl+Enter publishes.
type entryField struct {
	widget.Entry
	publish func()
}

func newEntryField(publish func()) *entryField {
	e := &entryField{publish: publish}
	e.TextStyle.Monospace = true
	e.ExtendBaseWidget(e)
	return e
}

// TypedShortcut is part of fyne.Shortcutable.
func (e *entryField) TypedShortcut(s fyne.Shortcut) {
	if c, ok := s.(*desktop.CustomShortcut); ok && c.Modifier == fyne.KeyModifierShortcutDefault && (c.KeyName == fyne.KeyReturn || c.KeyName == fyne.KeyEnter) {
		e.publish()
		return
	}
	e.Entry.TypedShortcut(s)
}

func newPublisher(b Broker, shell widget.Shell) *publisher {
	p := &publisher{broker: b, shell: shell}
	p.topic = newEntryField(p.send)
	p.topic.SetPlaceHolder("blue/lab/lamp/set")
	p.topic.OnChanged = func(string) { p.check() }
	p.topic.OnSubmitted = func(string) { p.send() }
	p.hint = widget.Muted("")
	p.hint.SizeName = theme.SizeNameCaptionText
	p.payload = newEntryField(p.send)
	p.payload.MultiLine = true
	p.payload.Wrapping = fyne.TextWrapBreak
	p.payload.SetPlaceHolder(lang.L("Payload, such as true or 21.5"))
	p.payload.SetMinRowsVisible(2)
	p.qos = fw.NewRadioGroup([]string{"0", "1", "2"}, nil)
	p.qos.Horizontal, p.qos.Required = true, true
	p.qos.SetSelected("0")
	p.retain = fw.NewCheck(lang.L("Retain"), nil)
	p.publish = fw.NewButtonWithIcon(lang.L("Publish"), theme.MailSendIcon(), p.send)
	p.publish.Importance = fw.HighImportance
	p.recent = quiet(lang.L("Again"), theme.HistoryIcon(), p.showPast)
	p.recent.Disable()
	p.result = widget.Muted("")

	title := fw.NewLabelWithStyle(lang.L("Publish"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
	top := container.New(layout.NewCustomPaddedVBoxLayout(2),
		container.NewBorder(nil, nil, title, p.recent), p.topic, p.hint)
	foot := container.New(layout.NewCustomPaddedVBoxLayout(0),
		container.NewHBox(fw.NewLabel(lang.L("QoS")), p.qos, p.retain, layout.NewSpacer()),
		p.publish, p.result)
	p.content = widget.NewSurface(theme.ColorNameOverlayBackground, container.NewBorder(top, foot, nil, nil, p.payload))
	p.check()
	return p
}

// check says what is wrong with the topic, while it is typed.
func (p *publisher) check() {
	text, wrong := explainName(p.topic.Text), true
	if text == "" {
		text, wrong = warnName(p.topic.Text), false
	}
	importance := fw.LowImportance
	switch {
	case p.topic.Text == "":
	case wrong:
		importance = fw.DangerImportance
	case text != "":
		importance = fw.WarningImportance
	default:
		text = lang.L("Ctrl+Enter publishes.")
	}
	p.hint.Importance = importance
	p.hint.SetText(text)
	widget.SetEnabled(p.publish, !wrong)
}

// message returns what the panel says.
func (p *publisher) message() (core.Message, bool) {
	n, err := topic.ParseName(p.topic.Text)
	if err != nil {
		return core.Message{}, false
	}
	q, _ := strconv.Atoi(p.qos.Selected)
	return core.Message{Topic: n, Payload: []byte(p.payload.Text), QoS: byte(q), Retain: p.retain.Checked, Client: "window"}, true
}

// send publishes what the panel says.
func (p *publisher) send() {
	m, ok := p.message()
	if !ok {
		return
	}
	p.remember(m)
	p.tell(lang.L("Publishing …"), fw.LowImportance)
	p.shell.Do(func(ctx context.Context) (func(), error) {
		err := p.broker.Publish(ctx, m)
		at := time.Now()
		return func() {
			if err != nil {
				p.tell(lang.L("Refused: {why}", "why", lang.Error(err)), fw.DangerImportance)
				return
			}
			p.tell(lang.L("Delivered at {time}: {topic}", "time", clock(at), "topic", brief([]byte(m.Topic))), fw.SuccessImportance)
			p.shell.Refresh()
		}, nil
	})
}

func (p *publisher) tell(text string, importance fw.Importance) {
	p.result.Importance = importance
	p.result.SetText(text)
}

func (p *publisher) remember(m core.Message) {
	p.past = slices.DeleteFunc(p.past, func(o core.Message) bool {
		return o.Topic == m.Topic && string(o.Payload) == string(m.Payload) && o.QoS == m.QoS && o.Retain == m.Retain
	})
	p.past = slices.Insert(p.past, 0, m)
	p.past = p.past[:min(len(p.past), remembered)]
	p.recent.Enable()
}

// pastMenu offers what was published before.
func (p *publisher) pastMenu() *fyne.Menu {
	menu := fyne.NewMenu("")
	for _, m := range p.past {
		label, _ := plain.Fit(brief([]byte(m.Topic))+"   "+brief(m.Payload), 420)
		menu.Items = append(menu.Items, fyne.NewMenuItem(label, func() { p.fill(m) }))
	}
	return menu
}

func (p *publisher) showPast() {
	c := p.shell.Window().Canvas()
	pos := fyne.CurrentApp().Driver().AbsolutePositionForObject(p.recent)
	pop := fw.NewPopUpMenu(p.pastMenu(), c)
	pop.ShowAtPosition(fyne.NewPos(max(0, min(pos.X, c.Size().Width-pop.MinSize().Width)), max(0, min(pos.Y+p.recent.Size().Height, c.Size().Height-pop.MinSize().Height))))
}

// fill puts a message into the panel, to be changed and published.
func (p *publisher) fill(m core.Message) {
	switch {
	case !isText(m.Payload):
		p.shell.Tell(lang.L("This payload is no text, so it cannot be edited here."))
		return
	case len(m.Payload) > editable:
		p.shell.Tell(lang.L("This payload is too long to be edited here: {size}.", "size", size(len(m.Payload))))
		return
	}
	p.topic.SetText(string(m.Topic))
	p.payload.SetText(string(m.Payload))
	p.qos.SetSelected(strconv.Itoa(int(m.QoS)))
	p.retain.SetChecked(m.Retain)
	p.tell("", fw.LowImportance)
}
