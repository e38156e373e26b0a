// Package xray is the screen on which the packets of a client or of a topic are
// seen as they pass: a sequence diagram that can be paused, stepped through and
// saved as a picture, with each packet explained.
package xray

import (
	"context"
	"image/png"
	"io"
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
	"homeroom/ui/widget"
)

// Broker is what the screen asks the broker.
type Broker interface {
	Clients() []core.Client
	// Watch records what w chooses; the zero Watch stops and keeps what was recorded.
	Watch(w core.Watch)
	// Watching returns what is recorded at present.
	Watching() core.Watch
	// Packets returns the recorded packets after number after, oldest first, and
	// how many more there were that are no longer kept.
	Packets(after uint64) (ps []core.Packet, missed uint64)
}

var icon = theme.NewThemedResource(fyne.NewStaticResource("xray.svg", []byte(
	`<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" viewBox="0 0 24 24"><path d="M4 2h2v20H4zM18 2h2v20h-2zM7.5 6.5h5.5V4l4 3.5-4 3.5V8.5H7.5zM16.5 17.5H11V20l-4-3.5 4-3.5v2.5h5.5z"/></svg>`)))

// Screen shows packets. Its fields belong to the UI goroutine, but for model.
type Screen struct {
	broker Broker
	shell  widget.Shell
	model  *model

	content  fyne.CanvasObject
	chooser  *chooser
	detail   *detail
	diagram  *widget.Sequence
	state    state // as it was loaded last
	frozen   *state
	shown    state // what the diagram shows
	selected uint64
	follow   bool

	title, count                      *fw.Label
	dot                               *widget.Dot
	pause, back, forth, live          *fw.Button
	clearAll, save                    *fw.Button
	emptyStart, emptyAlone, emptyWait fyne.CanvasObject
}

// New returns the screen.
func New(b Broker, shell widget.Shell) *Screen {
	s := &Screen{broker: b, shell: shell, model: &model{}, follow: true}
	s.chooser = newChooser(s.start, s.stop)
	s.detail = newDetail()
	s.diagram = widget.NewSequence()
	s.diagram.OnSelected = s.choose
	s.diagram.OnFollow = func(on bool) {
		s.follow = on
		s.drawTools()
	}

	side := container.NewVSplit(s.chooser.content, widget.NewSurface(theme.ColorNameOverlayBackground, s.detail.content))
	side.Offset = 0.4
	body := container.NewHSplit(side, s.buildDiagram())
	body.Offset = 0.27
	s.content = widget.Page(s.Title(), nil, body)
	s.draw()
	return s
}

// Title is the screen's name.
func (s *Screen) Title() string { return lang.L("X-ray") }

// Icon is the screen's picture in the navigation.
func (s *Screen) Icon() fyne.Resource { return icon }

// Content is the screen.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date.
func (s *Screen) Stale() core.Change { return core.PacketsChanged | core.ClientsChanged }

// Load takes in what changed since the last Load, and returns how to show it.
func (s *Screen) Load(context.Context) (show func(), err error) {
	s.model.load(s.broker)
	clients := slices.DeleteFunc(s.broker.Clients(), func(c core.Client) bool { return c.Protocol == "room" || c.Protocol == "stream" }) // no MQTT
	return func() {
		s.chooser.offer(clients)
		s.draw()
	}, nil
}

// buildDiagram returns the right side.
func (s *Screen) buildDiagram() fyne.CanvasObject {
	s.dot = widget.NewDot(theme.ColorNameDisabled)
	s.title = widget.Cell("")
	s.title.TextStyle.Bold = true
	s.count = fw.NewLabel("")
	s.count.Importance = fw.LowImportance
	s.pause = s.tool(lang.L("Pause"), theme.MediaPauseIcon(), s.togglePause)
	s.back = s.tool("", theme.NavigateBackIcon(), func() { s.step(-1) })
	s.forth = s.tool("", theme.NavigateNextIcon(), func() { s.step(+1) })
	s.live = s.tool(lang.L("Follow live"), theme.MediaSkipNextIcon(), s.goLive)
	s.clearAll = s.tool(lang.L("Clear"), theme.ContentClearIcon(), s.clear)
	s.save = s.tool(lang.L("Save picture"), theme.DocumentSaveIcon(), s.saveMenu)

	s.emptyStart = widget.Empty(icon, lang.L("See each packet as it passes"),
		lang.L("Choose a client or a topic on the left and press Start. Each packet is drawn here as an arrow, with the answer that belongs to it."), nil)
	s.emptyAlone = widget.Empty(icon, lang.L("No client has connected yet"),
		lang.L("Connect a kit, or type its client ID on the left and press Start: then it is seen from its first packet."),
		fw.NewButton(lang.L("How to connect a kit"), func() { s.shell.Go("home") }))
	s.emptyWait = widget.Empty(theme.MediaRecordIcon(), lang.L("Waiting for the first packet"),
		lang.L("Nothing has passed yet. Press a button on the kit or publish something; disconnect a client and connect it again to see it sign in."), nil)

	head := container.NewBorder(nil, nil, s.dot, s.count, s.title)
	tools := container.NewHBox(s.pause, s.back, s.forth, s.live, layout.NewSpacer(), s.clearAll, s.save)
	return widget.NewSurface(theme.ColorNameOverlayBackground,
		container.NewBorder(container.New(layout.NewCustomPaddedVBoxLayout(2), head, container.NewHScroll(tools)), nil, nil, nil,
			container.NewStack(s.diagram, s.emptyStart, s.emptyAlone, s.emptyWait)))
}

// tool is a button over the picture. It gives the keyboard back, so that the
// space bar pauses and does not press it again.
func (s *Screen) tool(label string, icon fyne.Resource, do func()) *fw.Button {
	return fw.NewButtonWithIcon(label, icon, func() {
		s.shell.Window().Canvas().Unfocus()
		do()
	})
}

// draw shows the state, or the one at the pause.
func (s *Screen) draw() {
	s.state = s.model.snapshot()
	now := s.state
	if s.frozen != nil {
		now = *s.frozen
	}
	if !same(now, s.shown) {
		s.shown = now
		s.diagram.Set(picture(now))
	}
	s.chooser.recording(s.state.watch)
	s.drawTools()
}

// same reports whether two states look the same.
func same(a, b state) bool {
	return a.total == b.total && a.of == b.of && newest(a) == newest(b)
}

func newest(s state) uint64 {
	if len(s.packets) == 0 {
		return 0
	}
	return s.packets[len(s.packets)-1].N
}

// drawTools shows what can be done.
func (s *Screen) drawTools() {
	on, any := s.state.watch != (core.Watch{}), len(s.shown.packets) > 0
	switch what := name(s.shown.of); {
	case what == "":
		widget.SetText(s.title, lang.L("Nothing is recorded"))
	case on:
		widget.SetText(s.title, lang.L("Recording {what}", "what", what))
	default:
		widget.SetText(s.title, lang.L("Stopped: {what}", "what", what))
	}
	s.dot.Set(theme.ColorNameDisabled)
	if on {
		s.dot.Set(theme.ColorNameError)
	}
	text, importance := "", fw.LowImportance
	switch more := s.state.total - min(s.shown.total, s.state.total); {
	case s.frozen != nil:
		text, importance = lang.L("arrived meanwhile: {n}", "n", widget.Number(more)), fw.WarningImportance
	case s.shown.total > uint64(len(s.shown.packets)):
		text = lang.L("the newest {n} of {all} packets", "n", len(s.shown.packets), "all", widget.Number(s.shown.total))
	case any:
		text = lang.L("packets: {n}", "n", len(s.shown.packets))
	}
	if s.count.Importance != importance {
		s.count.Importance = importance
		s.count.Refresh()
	}
	widget.SetText(s.count, text)
	widget.SetEnabled(s.pause, any || s.frozen != nil)
	widget.SetEnabled(s.back, any)
	widget.SetEnabled(s.forth, any)
	widget.SetEnabled(s.live, any && (!s.follow || s.frozen != nil))
	widget.SetEnabled(s.clearAll, any)
	widget.SetEnabled(s.save, any)
	widget.SetVisible(s.diagram, any)
	widget.SetVisible(s.emptyWait, !any && on)
	widget.SetVisible(s.emptyAlone, !any && !on && s.chooser.alone())
	widget.SetVisible(s.emptyStart, !any && !on && !s.chooser.alone())
}

// name is what a Watch is about.
func name(w core.Watch) string {
	if w.Client != "" {
		return brief(w.Client)
	}
	return brief(string(w.Filter))
}

// start records w.
func (s *Screen) start(w core.Watch) {
	s.shell.Do(func(context.Context) (func(), error) {
		s.model.watchFor(s.broker, w)
		return func() {
			s.shell.Window().Canvas().Unfocus() // the keys are the picture's
			s.goLive()
		}, nil
	})
}

func (s *Screen) stop() {
	s.shell.Do(func(context.Context) (func(), error) {
		s.model.watchFor(s.broker, core.Watch{})
		s.model.load(s.broker)
		return s.draw, nil
	})
}

func (s *Screen) togglePause() { s.setPaused(s.frozen == nil) }

// setPaused lets the picture stand, or go on. Recording goes on all the same.
func (s *Screen) setPaused(on bool) {
	if on == (s.frozen != nil) {
		return
	}
	if on {
		at := s.shown
		s.frozen = &at
		s.pause.SetText(lang.L("Continue"))
		s.pause.SetIcon(theme.MediaPlayIcon())
		s.pause.Importance = fw.HighImportance
	} else {
		s.frozen = nil
		s.pause.SetText(lang.L("Pause"))
		s.pause.SetIcon(theme.MediaPauseIcon())
		s.pause.Importance = fw.MediumImportance
	}
	s.pause.Refresh()
	s.draw()
}

// goLive shows the newest packet, and each that comes.
func (s *Screen) goLive() {
	s.choose(0)
	s.setPaused(false)
	s.follow = true
	s.diagram.Follow(true)
	s.draw()
}

// step goes one packet on or back. The picture stands meanwhile.
func (s *Screen) step(by int) {
	ps := s.shown.packets
	if len(ps) == 0 {
		return
	}
	s.setPaused(true)
	at := -1
	for i := range ps {
		if ps[i].N == s.selected {
			at = i
		}
	}
	switch {
	case at >= 0:
		at += by
	case by < 0:
		at = len(ps) - 1
	default:
		at = 0
	}
	s.choose(ps[max(0, min(at, len(ps)-1))].N)
}

// choose marks a packet and explains it; 0 is none.
func (s *Screen) choose(n uint64) {
	s.selected = n
	if n > 0 && s.follow { // what is looked at does not run away
		s.follow = false
		s.diagram.Follow(false)
	}
	s.diagram.Select(n)
	s.detail.show(nil)
	for i := range s.shown.packets {
		if p := &s.shown.packets[i]; p.N == n {
			s.detail.show(p)
		}
	}
	s.drawTools()
}

func (s *Screen) clear() {
	s.model.clear()
	s.goLive()
}

// TypedKey is called by the window while nothing else has the keyboard.
func (s *Screen) TypedKey(k *fyne.KeyEvent) {
	n := len(s.shown.packets)
	switch k.Name {
	case fyne.KeySpace:
		if n > 0 || s.frozen != nil {
			s.togglePause()
		}
	case fyne.KeyLeft, fyne.KeyUp:
		s.step(-1)
	case fyne.KeyRight, fyne.KeyDown:
		s.step(+1)
	case fyne.KeyPageUp:
		s.step(-10)
	case fyne.KeyPageDown:
		s.step(+10)
	case fyne.KeyHome:
		if n > 0 {
			s.setPaused(true)
			s.choose(s.shown.packets[0].N)
		}
	case fyne.KeyEnd:
		if n > 0 {
			s.goLive()
		}
	}
}

// Back lets go of the packet that is explained, and reports whether there was one.
func (s *Screen) Back() bool {
	had := s.selected > 0
	s.choose(0)
	return had
}

func (s *Screen) saveMenu() {
	menu := fyne.NewMenu("",
		fyne.NewMenuItem(lang.L("PNG, for a document or a chat"), func() { s.saveAs(".png", s.png()) }),
		fyne.NewMenuItem(lang.L("SVG, sharp at any size"), func() { s.saveAs(".svg", s.svg()) }))
	fw.ShowPopUpMenuAtRelativePosition(menu, s.shell.Window().Canvas(), fyne.NewPos(0, s.save.Size().Height), s.save)
}

// png returns what writes the present picture as PNG.
func (s *Screen) png() func(io.Writer) error {
	img := s.diagram.Picture(s.caption())
	return func(w io.Writer) error { return png.Encode(w, img) }
}

// svg returns what writes the present picture as SVG.
func (s *Screen) svg() func(io.Writer) error {
	data := s.diagram.SVG(s.caption())
	return func(w io.Writer) error { _, err := w.Write(data); return err }
}

// caption is the title of a saved picture, and the time of what it shows.
func (s *Screen) caption() (title, note string) {
	at := time.Now()
	if ps := s.shown.packets; len(ps) > 0 {
		at = ps[len(ps)-1].At
	}
	return lang.L("X-ray of {what}", "what", name(s.shown.of)), at.Local().Format(time.DateTime)
}

// saveAs asks where to, and writes there.
func (s *Screen) saveAs(extension string, write func(io.Writer) error) {
	title, note := s.caption()
	widget.Save(s.shell, widget.FileName(title)+" "+strings.ReplaceAll(note, ":", "")+extension, write)
}
