package plan

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fyne.io/fyne/v2"
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

// How far back the changes of a value are looked for, and how many are offered.
const (
	whyLooks   = 4096
	whyChanges = 30
)

// whyPanel tells what led to a value that a topic has, or had.
type whyPanel struct {
	e     editor
	why   Why
	of    topic.Name
	chain core.Chain
	turn  int

	changes []core.Message // newest first; only where the value is another
	list    *fw.List
	picture *widget.Chain
	note    *fw.Label
	clip    *fw.Button
	page    *fyne.Container
}

// why opens the panel for a topic.
func (i *inspector) why(n topic.Name) {
	w := newWhyPanel(i.e, i.p.Why, n)
	d := dialog.NewCustom(lang.L("Why? {topic}", "topic", widget.Visible(string(n), false)), lang.L("Close"), w.page, i.e.shell().Window())
	room := i.e.shell().Window().Canvas().Size()
	d.Resize(fyne.NewSize(min(960, room.Width-60), min(760, room.Height-40)))
	d.Show()
	w.load(i.p.Values)
}

func newWhyPanel(e editor, why Why, n topic.Name) *whyPanel {
	w := &whyPanel{e: e, why: why, of: n, picture: widget.NewChain(), note: widget.Text("")}
	w.list = fw.NewList(func() int { return len(w.changes) + 1 },
		func() fyne.CanvasObject {
			at := widget.Cell("")
			at.SizeName, at.Importance = theme.SizeNameCaptionText, fw.LowImportance
			return container.New(layout.NewCustomPaddedVBoxLayout(-14), widget.Cell(""), at)
		},
		func(at fw.ListItemID, o fyne.CanvasObject) {
			box := o.(*fyne.Container)
			value, when := box.Objects[0].(*fw.Label), box.Objects[1].(*fw.Label)
			if at == 0 {
				value.SetText(lang.L("Now"))
				when.SetText("")
				return
			}
			m := w.changes[at-1]
			value.SetText(saidValue(w.e.design().Topic(w.of), m.Payload))
			when.SetText(m.At.Local().Format("15:04:05.000"))
		})
	w.list.HideSeparators = true
	w.list.OnSelected = func(at fw.ListItemID) {
		when := time.Time{}
		if at > 0 && at <= len(w.changes) {
			when = w.changes[at-1].At
		}
		w.tell(when)
	}
	w.clip = fw.NewButtonWithIcon(lang.L("Copy as text"), theme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(chainText(w.chain))
		e.shell().Tell(lang.L("The chain was copied."))
	})
	w.clip.Disable()
	w.picture.OnTapped = func(s core.Step) {
		if e.design().Topic(s.Topic) != nil {
			e.choose(item{topic: s.Topic})
		}
	}
	left := container.NewBorder(fw.NewLabelWithStyle(lang.L("Changes"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), nil, nil, nil, w.list)
	right := container.NewBorder(w.note, container.NewHBox(layout.NewSpacer(), w.clip), nil, nil, w.picture)
	split := container.NewHSplit(left, right)
	split.SetOffset(0.26)
	w.page = container.NewStack(split)
	return w
}

// load finds the changes, and tells why the topic has its present value.
func (w *whyPanel) load(v Values) {
	w.e.shell().Do(func(context.Context) (func(), error) {
		ms, _, _ := v.Messages(0, whyLooks)
		changes := changesOf(ms, w.of)
		return func() {
			w.changes = changes
			w.list.Refresh()
			w.list.Select(0)
		}, nil
	})
}

// changesOf are the latest messages of n that brought another value, newest first.
func changesOf(ms []core.Message, n topic.Name) (changes []core.Message) {
	before := "\x00" // no payload that counts is this
	for _, m := range ms {
		if m.Topic == n && string(m.Payload) != before {
			before = string(m.Payload)
			changes = append(changes, m)
		}
	}
	if len(changes) > whyChanges {
		changes = changes[len(changes)-whyChanges:]
	}
	out := make([]core.Message, 0, len(changes))
	for i := len(changes) - 1; i >= 0; i-- {
		out = append(out, changes[i])
	}
	return out
}

// tell asks for the chain that led to the value at a time; zero is now.
func (w *whyPanel) tell(at time.Time) {
	w.turn++
	turn := w.turn
	w.e.shell().Do(func(ctx context.Context) (func(), error) {
		c, err := w.why.Why(ctx, w.of, at)
		return func() {
			if w.turn != turn {
				return
			}
			w.chain = c
			switch {
			case err != nil:
				w.note.SetText(lang.Error(err))
			case len(c.Steps) == 0:
				w.note.SetText(lang.L("Nothing is known about this value. Chains are kept for a day, and begin when the program starts."))
			default:
				w.note.SetText(lang.L("From the first cause to who got it. Click a step to choose its topic."))
			}
			w.picture.Set(c)
			if len(c.Steps) > 0 {
				w.clip.Enable()
			} else {
				w.clip.Disable()
			}
		}, nil
	})
}

// chainText is a chain as lines of text.
func chainText(c core.Chain) string {
	var b strings.Builder
	for i, s := range c.Steps {
		after := ""
		if i > 0 && s.After > 0 {
			after = fmt.Sprintf(" (+%d ms)", s.After.Milliseconds())
		}
		likely := ""
		if s.Likely {
			likely = " " + lang.L("(probably)")
		}
		fmt.Fprintf(&b, "%s%s  %s%s\n", s.At.Local().Format("15:04:05.000"), after, widget.Visible(lang.Say(s.Say), false), likely)
	}
	return b.String()
}
