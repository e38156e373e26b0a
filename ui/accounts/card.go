package accounts

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"net"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/ui/widget"
)

// writer writes a file's content.
type writer = func(io.Writer) error

// credential is all that somebody needs to connect. It lives as long as the
// dialog that shows it; the secret is nowhere else.
type credential struct {
	Title, Name, Secret string
	Kit                 bool
	Team, Branch        string // "" without a team
	Host, Port          string
	Page                string // the address of the page, "" where none is known
}

// credential returns what a card for the account says.
func (s *Screen) credential(a core.Account, secret string) credential {
	c := credential{Title: a.Title(), Name: string(a.Name), Secret: secret, Kit: a.Role == core.Kit, Port: "1883"}
	if a.Team != "" {
		c.Team, c.Branch = s.data.teamTitle(a.Team), string(a.Team)
	}
	if all := s.data.addresses.MQTT; len(all) > 0 {
		if host, port, err := net.SplitHostPort(all[0]); err == nil {
			c.Host, c.Port = host, port
		}
	}
	if all := s.data.addresses.Page; len(all) > 0 {
		c.Page = all[0]
	}
	return c
}

// code is what the card's QR code holds, for the kit wizard and the phone page:
// a JSON object of strings: "mqtt" is the broker's address and port, "user" and
// "password" are what to sign in with, and "branch", where there is a team, is
// the first level of the account's topics.
func (c credential) code() string {
	text, _ := json.Marshal(struct { // strings only: cannot fail
		MQTT     string `json:"mqtt"`
		User     string `json:"user"`
		Password string `json:"password"`
		Branch   string `json:"branch,omitempty"`
	}{c.address(), c.Name, c.Secret, c.Branch})
	return string(text)
}

func (c credential) address() string {
	if c.Host == "" {
		return ""
	}
	return net.JoinHostPort(c.Host, c.Port)
}

// example is a topic that the account may use.
func (c credential) example() string {
	if c.Branch == "" {
		return ""
	}
	return c.Branch + "/lab/" + c.Name + "/temperature"
}

// arduino is the card as lines of a sketch.
func (c credential) arduino() string {
	text := fmt.Sprintf("const char* mqtt_host = %q;\nconst int   mqtt_port = %s;\nconst char* mqtt_user = %q;\nconst char* mqtt_password = %q;\n", c.Host, c.Port, c.Name, c.Secret)
	if e := c.example(); e != "" {
		text += fmt.Sprintf("const char* mqtt_topic = %q;\n", e)
	}
	return text
}

// facts are the card's rows: what something is called, and what it is.
func (c credential) facts() [][2]string {
	password := lang.L("Password")
	if c.Kit {
		password = lang.L("Secret")
	}
	broker := c.address()
	if broker == "" {
		broker = lang.L("this PC has no network")
	}
	facts := [][2]string{{lang.L("Name"), c.Name}, {password, c.Secret}}
	if !c.Kit && c.Page != "" {
		facts = append(facts, [2]string{lang.L("Page"), c.Page})
	}
	facts = append(facts, [2]string{lang.L("Broker"), broker})
	if c.Branch != "" {
		facts = append(facts, [2]string{lang.L("Team"), c.Team}, [2]string{lang.L("Topics"), c.Branch + "/…"})
		if c.Kit { // what a person uses is on the page; there is room for six
			facts = append(facts, [2]string{lang.L("Example"), c.example()})
		}
	} else {
		facts = append(facts, [2]string{lang.L("Team"), lang.L("no team")})
	}
	return facts
}

// text is the card as plain text.
func (c credential) text() string {
	var b strings.Builder
	b.WriteString(c.Title + "\n")
	for _, f := range c.facts() {
		b.WriteString("  " + f[0] + ": " + f[1] + "\n")
	}
	return b.String()
}

// Size of a card in device-independent pixels.
const (
	cardWidth  = 600
	cardHeight = 236
	codeSide   = 196
)

// paper draws the card as it is printed: dark on white in every theme.
func (c credential) paper() fyne.CanvasObject {
	ink, quiet := color.NRGBA{0x1a, 0x22, 0x33, 0xff}, color.NRGBA{0x5a, 0x65, 0x7b, 0xff}
	card := widget.NewPaper(cardWidth, cardHeight)
	room := float32(cardWidth - codeSide - 52)
	write := func(text string, x, y, size, room float32, c color.Color, style fyne.TextStyle) {
		card.Write(text, x, y, size, 8, room, c, style)
	}
	write(c.Title, 20, 14, 22, room, ink, fyne.TextStyle{Bold: true})
	for i, f := range c.facts() {
		y := 54 + float32(i)*28
		write(f[0], 20, y, 14, 82, quiet, fyne.TextStyle{})
		write(f[1], 104, y, 15, room-84, ink, fyne.TextStyle{Monospace: true})
	}
	code := widget.QR(c.code(), codeSide)
	code.Move(fyne.NewPos(cardWidth-codeSide-18, (cardHeight-codeSide)/2))
	code.Resize(fyne.NewSquareSize(codeSide))
	card.Card.Add(code)
	return container.NewGridWrap(fyne.NewSize(cardWidth, cardHeight), card.Card)
}

// picture draws the card at twice its size. UI goroutine.
func (c credential) picture() image.Image {
	sheet := software.NewTransparentCanvas() // round corners, on any ground
	sheet.SetPadded(false)
	sheet.SetScale(2)
	sheet.SetContent(c.paper())
	sheet.Resize(fyne.NewSize(cardWidth, cardHeight))
	return sheet.Capture()
}

// pictureColumns is how many cards stand side by side in one picture.
const pictureColumns = 2

// pictures draws the cards into one picture, one at a time so that the window
// stays usable, and then calls done on the UI goroutine.
func (s *Screen) pictures(cards []credential, done func(image.Image)) {
	const gap = 24
	columns := min(pictureColumns, len(cards))
	rows := (len(cards) + columns - 1) / columns
	all := image.NewNRGBA(image.Rect(0, 0, columns*(2*cardWidth+gap)+gap, rows*(2*cardHeight+gap)+gap))
	draw.Draw(all, all.Bounds(), image.White, image.Point{}, draw.Src)
	var next func(i int)
	next = func(i int) {
		if i == len(cards) {
			done(all)
			return
		}
		card := cards[i].picture()
		at := image.Pt(gap+i%columns*(2*cardWidth+gap), gap+i/columns*(2*cardHeight+gap))
		draw.Draw(all, card.Bounds().Sub(card.Bounds().Min).Add(at), card, card.Bounds().Min, draw.Over)
		s.shell.Do(func(context.Context) (func(), error) { return func() { next(i + 1) }, nil })
	}
	next(0)
}

// cardSheet is the dialog that shows credentials once.
type cardSheet struct {
	picture, text, copy, close *fw.Button
	dialog                     *dialog.CustomDialog
}

// showCards shows credentials, the only time that anybody sees the secrets.
// failed is why there are not more of them, or nil.
func (s *Screen) showCards(title string, cards []credential, failed error) *cardSheet {
	c := &cardSheet{}
	var body []fyne.CanvasObject
	if failed != nil {
		body = append(body, widget.NewNote(lang.L("The others were not added: {why}", "why", lang.Error(failed)), fw.DangerImportance))
	}
	body = append(body, widget.NewNote(lang.L("This is shown only now. Copy it, or save it, before you close."), fw.WarningImportance))
	for _, card := range cards {
		body = append(body, container.NewCenter(card.paper()))
	}
	if cards[0].Kit && cards[0].Branch == "" {
		body = append(body, widget.Muted(lang.L("A kit without a team may not publish yet. Change its team, or add a grant.")))
	}
	all := ""
	for i, card := range cards {
		if i > 0 {
			all += "\n"
		}
		all += card.text()
	}
	name := lang.L("credentials")
	copied := lang.L("Copy")
	content := all
	if len(cards) == 1 {
		name = cards[0].Name
		if cards[0].Kit {
			content, copied = cards[0].arduino(), lang.L("Copy for Arduino")
			lines := fw.NewLabelWithStyle(content, fyne.TextAlignLeading, fyne.TextStyle{Monospace: true})
			lines.SizeName, lines.Selectable = theme.SizeNameCaptionText, true
			body = append(body, widget.Card(lang.L("For an Arduino sketch"), lines))
		}
	}
	c.copy = fw.NewButtonWithIcon(copied, theme.ContentCopyIcon(), func() {
		fyne.CurrentApp().Clipboard().SetContent(content)
		c.copy.SetText(lang.L("Copied")) // the snack bar is behind the dialog
		c.copy.SetIcon(theme.ConfirmIcon())
	})
	c.picture = fw.NewButtonWithIcon(lang.L("Save as picture"), theme.FileImageIcon(), func() {
		c.picture.Disable()
		s.pictures(cards, func(all image.Image) {
			c.picture.Enable()
			s.save(name+".png", func(w io.Writer) error { return png.Encode(w, all) })
		})
	})
	c.text = fw.NewButtonWithIcon(lang.L("Save as text"), theme.FileTextIcon(), func() {
		s.save(name+".txt", func(w io.Writer) error {
			_, err := io.WriteString(w, all)
			return err
		})
	})
	c.close = fw.NewButton(lang.L("Done"), func() { c.dialog.Hide() })
	c.close.Importance = fw.HighImportance
	c.dialog = dialog.NewCustomWithoutButtons(title, widget.Scroll(container.NewVBox(body...)), s.shell.Window())
	c.dialog.SetButtons([]fyne.CanvasObject{c.copy, c.picture, c.text, c.close})
	room := s.shell.Window().Canvas().Size()
	c.dialog.Resize(fyne.NewSize(min(cardWidth+90, room.Width-40), min(620, room.Height-40)))
	c.dialog.Show()
	s.cards = c
	c.dialog.SetOnClosed(func() {
		if s.cards == c {
			s.cards = nil // the secrets go with it
		}
	})
	return c
}
