package xray

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// detail explains one packet.
type detail struct {
	content fyne.CanvasObject
	page    *container.Scroll
	empty   fyne.CanvasObject

	title, facts, means, remarks, next, topic, payload *fw.Label
	topicHead, payloadHead                             *fw.Label
}

func newDetail() *detail {
	head := func(text string) *fw.Label {
		l := fw.NewLabelWithStyle(text, fyne.TextAlignLeading, fyne.TextStyle{Bold: true})
		l.Importance = fw.LowImportance
		l.SizeName = theme.SizeNameCaptionText
		return l
	}
	d := &detail{title: widget.Text(""), facts: widget.Muted(""), means: widget.Text(""), remarks: widget.Text(""), next: widget.Text(""),
		topic: widget.Text(""), payload: widget.Text(""), topicHead: head(lang.L("Topic")), payloadHead: head(lang.L("Payload"))}
	d.title.TextStyle.Bold = true
	d.title.SizeName = theme.SizeNameSubHeadingText
	d.facts.SizeName = theme.SizeNameCaptionText
	for _, l := range []*fw.Label{d.topic, d.payload} {
		l.Wrapping = fyne.TextWrapBreak
		l.TextStyle.Monospace = true
		l.Selectable = true
	}
	d.page = container.NewVScroll(container.New(layout.NewCustomPaddedLayout(0, 0, 0, 12), container.New(layout.NewCustomPaddedVBoxLayout(-10),
		d.title, d.facts, head(lang.L("Meaning")), d.means, d.remarks, head(lang.L("What must come next")), d.next,
		d.topicHead, d.topic, d.payloadHead, d.payload)))
	d.empty = widget.Empty(theme.InfoIcon(), lang.L("No packet chosen"),
		lang.L("Click an arrow, or go from packet to packet with the arrow keys. The space bar pauses the picture."), nil)
	d.content = container.NewStack(d.page, d.empty)
	d.show(nil)
	return d
}

// show explains p; nil is none.
func (d *detail) show(p *core.Packet) {
	widget.SetVisible(d.page, p != nil)
	widget.SetVisible(d.empty, p == nil)
	if p == nil {
		return
	}
	way := lang.L("to {client}", "client", brief(p.Client))
	if p.In {
		way = lang.L("from {client}", "client", brief(p.Client))
	}
	d.title.SetText(title(*p))
	d.title.Importance = fw.MediumImportance
	if refused(*p) {
		d.title.Importance = fw.WarningImportance
	}
	d.title.Refresh()
	d.facts.SetText(strings.Join([]string{way, p.At.Local().Format("15:04:05.000"), size(p.Size)}, " · "))
	means, next := explain(*p)
	more := remarks(*p)
	d.means.SetText(means)
	d.remarks.SetText(strings.Join(more, "\n"))
	widget.SetVisible(d.remarks, len(more) > 0)
	d.next.SetText(next)
	d.topic.SetText(about(*p))
	d.payload.SetText(payload(*p))
	for _, o := range []*fw.Label{d.topicHead, d.topic, d.payloadHead, d.payload} {
		widget.SetVisible(o, p.Type == "PUBLISH")
	}
	d.page.ScrollToTop()
}

// payload is what of the payload is kept, as text or as bytes.
func payload(p core.Packet) string {
	more := ""
	const kept = 256
	if len(p.Payload) == kept { // perhaps it was all
		more = "…"
	}
	text := p.Payload
	for i := 0; more != "" && i < utf8.UTFMax && !utf8.Valid(text); i++ {
		text = text[:len(text)-1] // it was cut within a character
	}
	switch {
	case len(p.Payload) == 0:
		return lang.L("(empty)")
	case utf8.Valid(text):
		return widget.Visible(string(text), true) + more
	}
	return fmt.Sprintf("% x", p.Payload) + more
}
