package home

import (
	"net"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// next is where a beginner stands: which of the three steps is to be done now,
// where, and for which kit.
type next struct {
	step int    // 1, 2 or 3
	path string // for Go
	kit  string
}

// nextStep works out the step: add a team and a kit, connect the kit, watch it.
func nextStep(accounts []core.Account, teams []core.Team, clients []core.Client) next {
	kits := map[core.AccountID]core.Account{}
	var first string
	for _, a := range accounts {
		if a.Role == core.Kit && !a.Disabled {
			kits[a.ID] = a
			if first == "" {
				first = string(a.Name)
			}
		}
	}
	for _, c := range clients {
		if _, kit := kits[c.Account]; c.Connected && (kit || c.Account == core.Anyone) {
			return next{step: 3, path: "rooms"}
		}
	}
	switch {
	case len(teams) == 0:
		return next{step: 1, path: "accounts/teams"}
	case len(kits) == 0:
		return next{step: 1, path: "accounts/kits"}
	}
	return next{step: 2, path: "accounts/kits/" + first, kit: first}
}

// dismissedKey is the preference that the steps are not wanted any more.
const dismissedKey = "home.steps.dismissed"

// steps is the card for a beginner.
type steps struct {
	card  fyne.CanvasObject
	parts [3]*step
	row   *fyne.Container
	shell widget.Shell
	close *fw.Button
	now   next // as last shown
	// dismissed is called when the card has gone.
	dismissed func()
}

// Layout is part of fyne.Layout: the step to be done now is the widest.
func (s *steps) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	const wide, narrow = 5, 2
	gap := theme.Padding()
	unit := (size.Width - 2*gap) / (wide + 2*narrow)
	var x float32
	for i, o := range objects {
		w := narrow * unit
		if i+1 == s.now.step {
			w = wide * unit
		}
		o.Move(fyne.NewPos(x, 0))
		o.Resize(fyne.NewSize(w, size.Height))
		x += w + gap
	}
}

// MinSize is part of fyne.Layout. The height has room for a title and two
// lines; it does not follow the text, which would move all that is below.
func (s *steps) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(480, 82) }

type step struct {
	surface *widget.Surface
	icon    *fw.Icon
	title   *fw.Label
	text    *fw.Label
	button  *fw.Button
	now     int // as last shown: which step is the one to do
}

func newSteps(shell widget.Shell) *steps {
	s := &steps{shell: shell}
	titles := [3]string{lang.L("Add a team and a kit"), lang.L("Connect the kit"), lang.L("Watch it live")}
	buttons := [3]string{lang.L("Open Accounts"), lang.L("Show the kit"), lang.L("Open Rooms")}
	s.row = container.New(s)
	for i := range s.parts {
		p := &step{icon: fw.NewIcon(numeral(i + 1)), title: widget.Cell(titles[i]), text: widget.Muted("")}
		p.title.TextStyle.Bold = true
		p.text.SizeName = theme.SizeNameCaptionText
		p.button = fw.NewButton(buttons[i], func() {
			if i == 2 {
				s.dismiss()
			}
			shell.Go(s.now.path)
		})
		p.button.Importance = fw.HighImportance
		p.surface = widget.NewSurface(theme.ColorNameHeaderBackground, container.NewBorder(nil, nil, p.icon, container.NewCenter(p.button),
			container.New(layout.NewCustomPaddedVBoxLayout(-12), layout.NewSpacer(), p.title, p.text, layout.NewSpacer())))
		s.parts[i] = p
		s.row.Add(p.surface)
	}
	s.close = fw.NewButtonWithIcon("", theme.CancelIcon(), s.dismiss)
	s.close.Importance = fw.LowImportance
	s.card = widget.Card("", container.NewBorder(nil, nil, nil, container.NewCenter(s.close), s.row))
	if fyne.CurrentApp().Preferences().Bool(dismissedKey) {
		s.card.Hide()
	}
	return s
}

func (s *steps) dismiss() {
	fyne.CurrentApp().Preferences().SetBool(dismissedKey, true)
	s.card.Hide()
	s.dismissed()
}

// show shows what to do next, and reports whether that is something new.
func (s *steps) show(n next, a core.Addresses) (changed bool) {
	if !s.card.Visible() {
		return false
	}
	host, port := "", ""
	if len(a.MQTT) > 0 {
		host, port, _ = net.SplitHostPort(a.MQTT[0])
	}
	texts := [3]string{
		lang.L("A kit is one board with its own name and password. A team sees only its own kits."),
		lang.L("In the sketch: server {host}, port {port}, and the name and password from the card.", "host", host, "port", port),
		lang.L("Every value it sends becomes a card with a chart."),
	}
	if n.kit != "" {
		texts[1] = lang.L("In the sketch: server {host}, port {port}, user {kit}, password from its card. No card? Press “New secret”.", "host", host, "port", port, "kit", n.kit)
	}
	for i, p := range s.parts {
		changed = p.show(i+1, n.step, texts[i]) || changed
	}
	if s.now = n; changed {
		s.row.Refresh()
	}
	return changed
}

// show shows step i where now is the one to do, and reports whether that is new.
func (p *step) show(i, now int, text string) (changed bool) {
	changed = widget.SetText(p.text, text)
	if p.now == now {
		return changed
	}
	p.now = now
	switch {
	case i < now:
		p.icon.SetResource(theme.NewSuccessThemedResource(theme.ConfirmIcon()))
	case i == now:
		p.icon.SetResource(theme.NewPrimaryThemedResource(numeral(i)))
	default:
		p.icon.SetResource(theme.NewColoredResource(numeral(i), theme.ColorNameDisabled))
	}
	if i == now {
		p.surface.SetFill(theme.ColorNameSelection)
		p.text.Show()
		p.button.Show()
	} else {
		p.surface.SetFill(theme.ColorNameHeaderBackground)
		p.text.Hide()
		p.button.Hide()
	}
	return true
}

// numeral is a digit in a circle, as an icon.
func numeral(n int) fyne.Resource {
	shapes := map[int]string{
		1: "M11 8.2 L13.2 7 L13.2 17 L11.2 17 L11.2 9.6 L9.6 10.4 L9.6 8.9 Z",
		2: "M9 9.6 C9 8 10.3 7 12 7 C13.8 7 15 8 15 9.6 C15 11 14 12 12.6 13.3 L11 15.2 L15.1 15.2 L15.1 17 L8.8 17 L8.8 15.4 L11.6 12.5 C12.6 11.4 13 10.6 13 9.8 C13 9 12.6 8.6 12 8.6 C11.3 8.6 10.9 9 10.9 9.6 Z",
		3: "M9 7 L15 7 L15 8.5 L12.9 10.9 C14.3 11.2 15.1 12.3 15.1 13.7 C15.1 15.7 13.7 17 11.9 17 C10.2 17 9 16 8.8 14.5 L10.7 14.2 C10.8 14.9 11.2 15.3 11.9 15.3 C12.6 15.3 13.1 14.8 13.1 14 C13.1 12.9 12.4 12.4 11 12.4 L10.4 12.4 L10.4 11.2 L12.2 8.7 L9 8.7 Z",
	}
	svg := `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24">` +
		`<path d="M12 2 C6.5 2 2 6.5 2 12 C2 17.5 6.5 22 12 22 C17.5 22 22 17.5 22 12 C22 6.5 17.5 2 12 2 Z M12 3.7 C16.6 3.7 20.3 7.4 20.3 12 C20.3 16.6 16.6 20.3 12 20.3 C7.4 20.3 3.7 16.6 3.7 12 C3.7 7.4 7.4 3.7 12 3.7 Z" fill-rule="evenodd"/>` +
		`<path d="` + shapes[n] + `"/></svg>`
	return fyne.NewStaticResource("step"+strconv.Itoa(n)+".svg", []byte(svg))
}
