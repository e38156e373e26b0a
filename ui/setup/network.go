package setup

import (
	"bytes"
	"context"
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// maxImage is the largest file that is taken for firmware, in bytes.
const maxImage = 4 << 20

// bauds are the rates of flashing that a person can choose; 0 is as fast as is safe.
var bauds = []int{0, 115200, 230400, 460800, 921600}

// linkForm is where a person says how a kit reaches the broker.
type linkForm struct {
	shower
	s       *Screen
	l       *link
	changed func() // the person chose something
	submit  func() // Enter in an entry
	// ask runs work off the UI goroutine, then done on it, or tells what went wrong.
	ask     func(work func(context.Context) error, done func())
	look    func()         // lets the board look again; nil where none can
	seen    []core.Network // by the board
	blank   bool           // the board runs no firmware of ours yet
	version string         // of the firmware that is there, or ""

	wifi, cable *tile
	byAir       fyne.CanvasObject
	byCable     fyne.CanvasObject
	again       *fw.Button
	list        *fyne.Container
	tiles       map[string]*tile
	later       *tile
	other       *tile
	shown       string
	hidden      bool // the name is typed
	ssid        *widget.Entry
	ssidBox     fyne.CanvasObject
	key         *widget.Entry
	keyBox      fyne.CanvasObject
	keyHint     *fw.Label
	remember    *fw.Check
	forget      *fw.Button
	band        *widget.Note
	tls         *fw.Check
	tlsText     *fw.Label
	secure      fyne.CanvasObject
	missing     *widget.Note
	build       *fw.Button
	building    *fw.Label
	file        *fw.Button
	byWire      *fw.Button
	lack        fyne.CanvasObject
	firmware    *widget.Fold
	images      *fw.RadioGroup
	imageIDs    []string
	erase       *fw.Check
	baud        *fw.Select
	content     fyne.CanvasObject
}

// keepImage stands for the firmware that is on the board.
const keepImage = "\x00keep"

func newLinkForm(s *Screen, l *link) *linkForm {
	f := &linkForm{s: s, l: l, tiles: map[string]*tile{}, list: container.New(layout.NewCustomPaddedVBoxLayout(3))}
	f.wifi = newTile(wifiIcon, lang.L("Wi-Fi"), lang.L("The kit works anywhere the network reaches."), func() { f.by(false) })
	f.cable = newTile(usbIcon, lang.L("USB cable"), lang.L("No Wi-Fi needed; the kit stays on this PC."), func() { f.by(true) })

	f.again = fw.NewButtonWithIcon(lang.L("Look again"), theme.ViewRefreshIcon(), func() {
		if f.look != nil {
			f.look()
		}
	})
	f.again.Importance = fw.LowImportance
	f.other = newTile(theme.ContentAddIcon(), lang.L("Another name …"), lang.L("a network that does not show itself"), func() {
		f.hidden, l.later, l.network, l.key = true, false, f.ssid.Text, ""
		f.changed()
		s.sh.Window().Canvas().Focus(f.ssid)
	})
	f.later = newTile(theme.SearchIcon(), lang.L("Let the kit look around first"), lang.L("You choose after the firmware is on it."), func() {
		f.hidden, l.later, l.network, l.key = false, true, "", ""
		f.changed()
	})
	f.ssid = widget.NewEntry()
	f.ssid.SetPlaceHolder(lang.L("Name of the network (SSID)"))
	f.ssid.OnChanged = func(text string) {
		if f.hidden && l.network != text {
			l.network = text
			f.changed()
		}
	}
	f.key = widget.NewPasswordEntry()
	f.key.OnChanged = func(text string) {
		if l.key != text {
			l.key = text
			f.changed()
		}
	}
	for _, e := range []*widget.Entry{f.ssid, f.key} {
		e.OnSubmitted = func(string) { f.submit() }
	}
	f.ssidBox = widget.Field(lang.L("Name of the network (SSID)"), f.ssid, "")
	f.keyHint = widget.Muted("")
	f.keyHint.SizeName = theme.SizeNameCaptionText
	f.remember = fw.NewCheck(lang.L("Remember the key on this PC"), func(on bool) { l.remember = on })
	f.forget = fw.NewButtonWithIcon(lang.L("Forget the key"), theme.DeleteIcon(), func() {
		name := l.network
		f.ask(func(ctx context.Context) error { return s.p.Kits.ForgetNetwork(ctx, name) }, nil)
	})
	f.forget.Importance = fw.LowImportance
	f.keyBox = container.NewVBox(container.New(layout.NewCustomPaddedVBoxLayout(0), widget.Field(lang.L("Key"), f.key, ""), f.keyHint), container.NewHBox(f.remember, f.forget))
	f.band = widget.NewNote("", fw.WarningImportance)

	f.tls = fw.NewCheck(lang.L("Encrypt what the kit says (TLS)"), func(on bool) { l.tls = on; f.changed() })
	f.tlsText = widget.Muted("")
	f.tlsText.SizeName = theme.SizeNameCaptionText
	f.secure = container.New(layout.NewCustomPaddedVBoxLayout(-8), f.tls, container.New(layout.NewCustomPaddedLayout(0, 0, 26, 0), f.tlsText))

	f.build = fw.NewButtonWithIcon(lang.L("Build it now"), theme.MediaPlayIcon(), func() {
		s.sh.Do(func(ctx context.Context) (func(), error) { return s.sh.Refresh, s.p.Kits.BuildImage(ctx) })
	})
	f.file = fw.NewButtonWithIcon(lang.L("Choose a file"), theme.FolderOpenIcon(), f.chooseFile)
	f.byWire = fw.NewButtonWithIcon(lang.L("Use the cable"), usbIcon, func() { f.by(true) })
	f.missing = widget.NewNote("", fw.WarningImportance)
	f.building = widget.Muted("")
	f.lack = container.NewVBox(f.missing, f.build, f.file, f.byWire, f.building)

	f.images = fw.NewRadioGroup(nil, nil)
	f.images.OnChanged = f.pickImage
	f.erase = fw.NewCheck(lang.L("Erase everything that was on the board"), func(on bool) { l.erase = on })
	var rates []string
	for _, b := range bauds {
		if rates = append(rates, lang.L("{n} baud", "n", b)); b == 0 {
			rates[0] = lang.L("as fast as is safe")
		}
	}
	f.baud = fw.NewSelect(rates, nil)
	f.baud.OnChanged = func(string) { l.baud = bauds[max(0, f.baud.SelectedIndex())] }
	another := fw.NewButtonWithIcon(lang.L("Choose a file"), theme.FolderOpenIcon(), f.chooseFile)
	f.firmware = widget.NewFold("", container.NewVBox(f.images, container.NewHBox(another), f.erase,
		container.NewBorder(nil, nil, fw.NewLabel(lang.L("Speed")), nil, f.baud)))

	list := container.NewBorder(container.NewBorder(nil, nil, fw.NewLabelWithStyle(lang.L("Networks"), fyne.TextAlignLeading, fyne.TextStyle{Bold: true}), f.again), nil, nil, nil,
		container.New(layout.NewCustomPaddedVBoxLayout(3), f.list, f.later, f.other))
	note := widget.Muted(lang.L("Kits use the 2.4 GHz band. A name that is missing is perhaps on 5 GHz only. Networks that ask for a user name (802.1X) are not for kits."))
	note.SizeName = theme.SizeNameCaptionText
	f.byAir = container.NewVBox(list, note)
	f.byCable = widget.NewNote(lang.L("This PC carries what the kit says to the broker. The kit has its own account and its own rights, as over Wi-Fi. Unplugged, it is gone."), fw.MediumImportance)
	right := container.NewVBox(f.ssidBox, f.keyBox, f.band, f.lack, f.secure, f.firmware)
	f.content = widget.Scroll(container.NewVBox(container.NewGridWithColumns(2, f.wifi, f.cable),
		widget.Row([]float32{11, 10}, container.NewVBox(f.byAir, f.byCable), container.New(layout.NewCustomPaddedLayout(0, 0, 14, 0), right))))
	return f
}

// by takes the cable, or the air, and the firmware that fits: one that was chosen for
// the other does not.
func (f *linkForm) by(cable bool) {
	l := f.l
	l.cable = cable
	other := "wired"
	if cable {
		other = "wifi"
	}
	for _, i := range f.s.v.images {
		if i.ID == l.image && i.Variant == other {
			l.image = ""
		}
	}
	f.changed()
}

// chooseFile takes a file as firmware.
func (f *linkForm) chooseFile() {
	widget.Open(f.s.sh, []string{".bin"}, maxImage, func(name string, data []byte) {
		var image core.KitImage
		f.ask(func(ctx context.Context) (err error) {
			image, err = f.s.p.Kits.AddImage(ctx, name, bytes.NewReader(data))
			return err
		}, func() { f.l.image, f.l.keep = image.ID, false })
	})
}

// pickImage takes the image that was selected.
func (f *linkForm) pickImage(string) {
	for i, o := range f.images.Options {
		if o == f.images.Selected {
			f.l.keep = f.imageIDs[i] == keepImage
			if f.l.image = f.imageIDs[i]; f.l.keep {
				f.l.image = ""
			}
			f.changed()
			return
		}
	}
}

// propose chooses what a person would choose anyway: a network whose key is
// remembered, or to look around where nobody knows a network yet.
func (f *linkForm) propose() {
	l := f.l
	if l.cable || l.later || f.hidden || l.network != "" {
		return
	}
	all := f.networks()
	for _, n := range all {
		if n.Known && !n.Enterprise && !n.Unfit && (n.Signal != 0 || len(f.seen) == 0) {
			l.network = n.Name
			return
		}
	}
	l.later = f.blank && len(all) == 0
}

// networks returns what can be chosen, the likeliest first.
func (f *linkForm) networks() []core.Network { return mergeNetworks(f.seen, f.s.v.networks) }

func (f *linkForm) draw() {
	l, v := f.l, &f.s.v
	f.wifi.choose(!l.cable)
	f.cable.choose(l.cable)
	f.show(f.byAir, !l.cable)
	f.show(f.byCable, l.cable)
	f.show(f.secure, !l.cable)
	all := f.networks()
	f.drawList(all)
	n, known := findNetwork(all, l.network)
	f.show(f.later, f.blank || l.later)
	f.later.choose(l.later)
	f.other.choose(f.hidden)
	f.show(f.again, f.look != nil)
	f.show(f.ssidBox, !l.cable && f.hidden)
	if f.hidden {
		setEntry(f.ssid, l.network)
	}
	f.show(f.keyBox, !l.cable && !l.later && l.network != "" && !(known && (n.Open || n.Enterprise)))
	setEntry(f.key, l.key)
	holder := lang.L("the key of {network}", "network", l.network)
	if known && n.Known {
		holder = lang.L("remembered")
	}
	if f.key.PlaceHolder != holder {
		f.key.SetPlaceHolder(holder)
	}
	hint := ""
	if l.key != "" {
		hint = explainKey(l.key)
	} else if !known {
		hint = lang.L("Leave it empty where the network has none.")
	}
	f.say(f.keyHint, hint)
	f.show(f.keyHint, hint != "")
	f.show(f.forget, known && n.Known && l.key == "")
	f.show(f.remember, !f.forget.Visible())
	if f.remember.Checked != l.remember {
		f.remember.Checked = l.remember
		f.remember.Refresh()
	}
	band := ""
	switch {
	case l.cable || l.later:
	case known && n.Enterprise:
		band = lang.L("{network} asks for a user name (802.1X). Kits cannot join it; choose another network or the cable.", "network", l.network)
	case looks5GHz(l.network):
		band = lang.L("{network} sounds like the 5 GHz band, which kits do not hear. Is there one of the same name without it?", "network", l.network)
	}
	f.say(f.band.Text, band)
	f.show(f.band, band != "")

	text := lang.L("The kit makes sure that it talks to this PC. Joining takes a few seconds longer.")
	if off := len(v.addresses.MQTTS) == 0; off {
		text = lang.L("TLS is off. Switch it on in the settings first.")
		l.tls = false
	}
	f.say(f.tlsText, text)
	if len(v.addresses.MQTTS) == 0 {
		f.tls.Disable()
	} else {
		f.tls.Enable()
	}
	if f.tls.Checked != l.tls {
		f.tls.Checked = l.tls
		f.tls.Refresh()
	}
	f.drawFirmware()
}

// drawList lists the networks.
func (f *linkForm) drawList(all []core.Network) {
	if key := fmt.Sprint(all); key != f.shown {
		f.shown, f.stale = key, true
		f.list.RemoveAll()
		clear(f.tiles)
		for i, n := range all {
			if i == 40 {
				break
			}
			text := ""
			switch {
			case n.Enterprise:
				text = lang.L("asks for a user name (802.1X): not for kits")
			case n.Known:
				text = lang.L("its key is remembered")
			case n.Open:
				text = lang.L("open: everybody can listen")
			}
			if n.Signal == 0 && n.Known {
				text = lang.L("its key is remembered; nobody sees it now")
			}
			icon := fyne.Resource(lockIcon)
			if n.Open || n.Known {
				icon = wifiIcon
			}
			t := newTile(icon, n.Name, text, func() {
				f.hidden, f.l.later = false, false
				if f.l.network != n.Name {
					f.l.network, f.l.key = n.Name, ""
				}
				f.changed()
				if !n.Known && !n.Open {
					f.s.sh.Window().Canvas().Focus(f.key)
				}
			}, newBars(n.Signal))
			t.SetDisabled(n.Enterprise)
			f.tiles[n.Name] = t
			f.list.Add(t)
		}
	}
	for n, t := range f.tiles {
		t.choose(!f.hidden && n == f.l.network)
	}
}

// drawFirmware shows which firmware will be written, and what to do where it is missing.
func (f *linkForm) drawFirmware() {
	l, v := f.l, &f.s.v
	i := l.firmware(v.images)
	lack := ""
	switch {
	case l.keep:
	case i == nil:
		lack = lang.L("There is no firmware for this. Choose a file, or use the cable.")
	default:
		lack = said(i.Missing)
	}
	f.say(f.missing.Text, lack)
	f.show(f.lack, lack != "" || v.builds)
	f.show(f.missing, lack != "")
	f.show(f.byWire, !l.cable)
	f.show(f.build, !l.cable && (v.builds || i != nil && i.Buildable))
	if v.builds {
		f.build.Disable()
	} else {
		f.build.Enable()
	}
	f.say(f.building, said(v.building))
	f.show(f.building, v.builds)

	title := lang.L("Firmware")
	switch {
	case l.keep:
		title = lang.L("Firmware: {firmware} stays", "firmware", f.version)
	case i != nil:
		title = lang.L("Firmware: {firmware}", "firmware", imageTitle(*i))
	}
	f.firmware.SetTitle(title)
	var options, ids []string
	selected := ""
	for _, m := range v.images {
		options, ids = append(options, imageTitle(m)), append(ids, m.ID)
		if i != nil && m.ID == i.ID && !l.keep {
			selected = options[len(options)-1]
		}
	}
	if f.version != "" {
		options, ids = append(options, lang.L("Leave {firmware} on it", "firmware", f.version)), append(ids, keepImage)
		if l.keep {
			selected = options[len(options)-1]
		}
	}
	f.imageIDs = ids
	if fmt.Sprint(options) != fmt.Sprint(f.images.Options) || f.images.Selected != selected {
		f.stale = true
		f.images.Options, f.images.Selected = options, selected
		f.images.Refresh()
	}
	if f.erase.Checked != l.erase {
		f.erase.Checked = l.erase
		f.erase.Refresh()
	}
	at := 0
	for j, b := range bauds {
		if b == l.baud {
			at = j
		}
	}
	setSelect(f.baud, f.baud.Options, at)
}

// imageTitle is firmware in a line: its name, version and size.
func imageTitle(i core.KitImage) string {
	text := said(i.Title)
	if i.Version != "" {
		text += " " + i.Version
	}
	if i.Size > 0 {
		text += " · " + widget.Bytes(i.Size)
	}
	return text
}

// networkPage is where a person says how the kit reaches the broker.
type networkPage struct {
	w      *wizard
	form   *linkForm
	looked int64 // the setup whose board has looked around by itself
}

func newNetworkPage(w *wizard) *networkPage {
	p := &networkPage{w: w, form: newLinkForm(w.s, &w.d.link)}
	p.form.changed, p.form.submit = w.draw, w.goNext
	p.form.ask = w.ask
	return p
}

func (p *networkPage) content() fyne.CanvasObject { return p.form.content }

func (p *networkPage) head() (title, about string) {
	if p.w.wrote && !p.w.d.cable {
		return lang.L("Which network does it join?"), lang.L("Its firmware is there. These are the networks that it sees.")
	}
	return lang.L("How does it reach the broker?"), lang.L("Choose a Wi-Fi network, or leave the kit on its cable.")
}

// first is where the keyboard goes.
func (p *networkPage) first() fyne.Focusable {
	if p.form.keyBox.Visible() && p.needsKey() {
		return p.form.key
	}
	return nil
}

// needsKey reports whether a key has to be typed: also again, where the board did not
// get in with the one that it was given.
func (p *networkPage) needsKey() bool {
	w := p.w
	refused := w.set.Step == core.StepNetwork && w.set.Problem.Format != "" && w.keyed == w.d.network && w.d.key == ""
	return w.d.needsKey(p.form.networks()) || refused && w.keyed != "" && !w.d.cable && !w.d.later
}

// moved reports whether anything has to be placed anew.
func (p *networkPage) moved() bool { return p.form.moved() }

func (p *networkPage) draw() {
	f, set := p.form, p.w.set
	f.seen, f.blank, f.version = set.Networks, set.Firmware == "", set.Firmware
	f.look = nil
	if set.Firmware != "" && p.w.id != 0 {
		f.look = func() {
			id := p.w.id
			p.w.ask(func(ctx context.Context) error { return p.w.s.p.Kits.Look(ctx, id) }, nil)
		}
	}
	if f.version == "" && f.l.keep {
		f.l.keep = false
	}
	widget.SetEnabled(f.again, !set.Running && !p.w.asked)
	if p.w.at == core.StepNetwork {
		f.propose()
	}
	f.draw()
	// What is there can look around before it is asked to. Not after a failure: what is
	// told of that would go.
	if p.w.at == core.StepNetwork && f.look != nil && set.Networks == nil && !set.Running && set.Problem.Format == "" && !p.w.asked && !f.l.cable && p.looked != set.ID {
		p.looked = set.ID
		f.look()
	}
}

// lacks is what has to be done before it goes on, or "".
func (p *networkPage) lacks() string {
	l := &p.w.d.link
	switch {
	case l.cable:
		return ""
	case p.w.running():
		return said(p.w.set.Doing)
	case p.needsKey():
		return lang.L("Type the key of {network}.", "network", l.network)
	case l.network == "" && (!l.later || p.w.wrote):
		return lang.L("Choose a network.")
	}
	return ""
}

func (p *networkPage) next() (string, func()) {
	w := p.w
	all := p.form.networks()
	text, from := lang.L("Make the kit"), core.StepKit
	if w.wrote && w.set.Order.Cable == w.d.cable {
		text, from = lang.L("Join"), core.StepNetwork // without a flash, where nothing else changed
	}
	if w.d.problem(all, w.s.v.images) != "" || p.needsKey() || w.running() || w.d.later && from == core.StepNetwork {
		return text, nil
	}
	return text, func() { w.begin(from) }
}
