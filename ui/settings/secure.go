package settings

import (
	"io"
	"net"
	"slices"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/ui/widget"
)

// Secure is how others find this program, and recognise it over TLS.
type Secure struct {
	Name        string   // "homeroom-1a2b3c.local"; "" where it has none
	Addresses   []string // host:port, best first; none without TLS
	Pin         string   // of the public key, as curl's --pinnedpubkey takes it
	Fingerprint string   // the same, for people who compare
	CA          []byte   // the authority's certificate as PEM
	PublicKey   []byte   // as PEM
	Problem     error    // why there is no TLS though there should be
}

// caFile is the name that the CA certificate is offered under. Windows opens a
// file with this ending in the window that imports it.
const caFile = "homeroom-ca.crt"

// secure is the card about TLS.
type secure struct {
	screen    *Screen
	box       *fyne.Container
	off       *widget.Note
	on        *fyne.Container
	address   *snippet
	pin       *snippet
	people    *fw.Label // the pin for people
	code      *fyne.Container
	mosquitto *snippet
	shown     Secure
}

func newSecure(screen *Screen) *secure {
	shell := screen.shell
	c := &secure{screen: screen, off: widget.NewNote("", fw.WarningImportance), code: container.NewStack(), people: widget.Muted("")}
	c.people.SizeName = theme.SizeNameCaptionText
	c.people.TextStyle.Monospace = true
	c.people.Selectable = true
	c.address, c.pin, c.mosquitto = newSnippet(shell), newSnippet(shell), newSnippet(shell)
	sketch := newSnippet(shell)
	sketch.set("BearSSL::PublicKey key(PEM); client.setKnownKey(&key);")
	save := fw.NewButtonWithIcon(lang.L("Save the CA certificate…"), theme.DocumentSaveIcon(), c.saveCA)
	copyKey := fw.NewButtonWithIcon(lang.L("Copy the key for a sketch"), theme.ContentCopyIcon(), c.copyKey)
	c.on = container.NewVBox(
		part(lang.L("Address"), c.address.row),
		widget.Muted(lang.L("Pin of the key; it never changes")),
		container.NewBorder(nil, nil, container.NewVBox(c.code), nil, container.New(layout.NewCustomPaddedVBoxLayout(-8), c.pin.row, c.people)),
		part(lang.L("On a PC: save the CA certificate, then"), c.mosquitto.row),
		part(lang.L("On an ESP8266: copy the key into the sketch as PEM, then"), sketch.row),
		widget.Columns(240, save, copyKey),
	)
	c.on.Hide()
	c.box = container.NewVBox(c.off, c.on)
	c.off.Text.SetText(lang.L("TLS is off: others on the same Wi-Fi can read what kits send. Set a port for it under Network, and start Homeroom again."))
	return c
}

// part is a line under what it is.
func part(title string, line fyne.CanvasObject) fyne.CanvasObject {
	return container.New(layout.NewCustomPaddedVBoxLayout(-10), widget.Muted(title), line)
}

// show shows v, where it is something else than before.
func (c *secure) show(v Secure) {
	if slices.Equal(v.Addresses, c.shown.Addresses) && v.Pin == c.shown.Pin && v.Problem == c.shown.Problem {
		return
	}
	newPin := v.Pin != c.shown.Pin
	c.shown = v
	if len(v.Addresses) == 0 {
		if v.Problem != nil {
			c.off.Text.SetText(lang.Error(v.Problem))
			c.screen.cards.Refresh()
		}
		c.screen.reveal(c.on, false)
		c.screen.reveal(c.off, true)
		return
	}
	host, port, err := net.SplitHostPort(v.Addresses[0])
	if err != nil {
		host = v.Addresses[0]
	}
	c.address.set(v.Addresses[0])
	c.mosquitto.set("mosquitto_pub --cafile " + caFile + " -h " + host + " -p " + port + " -u kit-1 -P SECRET -t blue/test -m 1")
	if newPin {
		c.pin.set(v.Pin)
		c.people.SetText(v.Fingerprint)
		c.code.RemoveAll()
		c.code.Add(widget.QR(v.Pin, 116))
	}
	c.screen.reveal(c.off, false)
	c.screen.reveal(c.on, true)
}

func (c *secure) copyKey() {
	fyne.CurrentApp().Clipboard().SetContent(string(c.shown.PublicKey))
	c.screen.shell.Tell(lang.L("Copied the key. In the sketch: const char PEM[] = R\"(…)\";"))
}

// saveCA writes the CA certificate where the person says.
func (c *secure) saveCA() {
	ca := c.shown.CA
	widget.Save(c.screen.shell, caFile, func(w io.Writer) error {
		_, err := w.Write(ca)
		return err
	})
}

// snippet is text to type somewhere else that may need several lines, with a
// button that copies it.
type snippet struct {
	row   fyne.CanvasObject
	label *fw.Label
	copy  *fw.Button
}

func newSnippet(shell widget.Shell) *snippet {
	l := &snippet{label: fw.NewLabelWithStyle("", fyne.TextAlignLeading, fyne.TextStyle{Monospace: true})}
	l.label.Wrapping = fyne.TextWrapWord
	l.label.Selectable = true
	l.copy = fw.NewButtonWithIcon("", theme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(l.label.Text)
		shell.Tell(lang.L("Copied {text}", "text", l.label.Text))
	})
	l.copy.Importance = fw.LowImportance
	l.row = container.NewBorder(nil, nil, nil, container.NewVBox(l.copy), l.label)
	return l
}

func (l *snippet) set(text string) { l.label.SetText(text) }
