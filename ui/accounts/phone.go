package accounts

import (
	"context"
	"fmt"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// Phones makes one-time codes, with which a phone signs in without a password.
type Phones interface {
	// MakeCode returns a code for an account, or, where account is 0, for a
	// team's own account.
	MakeCode(ctx context.Context, account core.AccountID, team topic.ID) (code string, until time.Time, err error)
	// CodeLeft returns how long a code is still good, 0 if it was used.
	CodeLeft(code string) time.Duration
}

// phoneSide is the side of the QR code.
const phoneSide = 260

// phoneSheet is the dialog that shows a one-time code until it is used or too old.
type phoneSheet struct {
	screen  *Screen
	who     string // the sentence that says as whom the phone signs in
	account core.AccountID
	team    topic.ID

	code   string
	until  time.Time
	over   bool // what is drawn is the end of the code
	dialog *dialog.CustomDialog
	body   *fyne.Container
	left   *fw.Label
	next   *fw.Button
}

// showPhone makes a code and shows it. who says as whom the phone signs in.
func (s *Screen) showPhone(title, who string, account core.AccountID, team topic.ID) {
	p := &phoneSheet{screen: s, who: who, account: account, team: team, body: container.NewVBox(), left: fw.NewLabel("")}
	p.left.Alignment = fyne.TextAlignCenter
	p.make(func() {
		p.next = fw.NewButtonWithIcon(lang.L("Another code"), theme.ViewRefreshIcon(), func() { p.make(func() {}) })
		done := fw.NewButton(lang.L("Done"), func() { p.dialog.Hide() })
		done.Importance = fw.HighImportance
		p.dialog = dialog.NewCustomWithoutButtons(title, widget.Scroll(p.body), s.shell.Window())
		p.dialog.SetButtons([]fyne.CanvasObject{p.next, done})
		p.dialog.SetOnClosed(func() {
			if s.phone == p {
				s.phone = nil
			}
		})
		s.phone = p
		room := s.shell.Window().Canvas().Size()
		p.dialog.Resize(fyne.NewSize(min(520, room.Width-40), min(620, room.Height-40)))
		p.dialog.Show()
	})
}

// make asks for a code; then is called before it is drawn.
func (p *phoneSheet) make(then func()) {
	p.screen.shell.Do(func(ctx context.Context) (func(), error) {
		code, until, err := p.screen.phones.MakeCode(ctx, p.account, p.team)
		if err != nil {
			return nil, err
		}
		return func() {
			p.code, p.until, p.over = code, until, false
			then()
			p.draw()
			p.tick()
		}, nil
	})
}

// address is what the QR code holds: the page, with the code behind the "#",
// which a browser sends to nobody. It is "" without a network.
func (p *phoneSheet) address() string {
	if all := p.screen.data.addresses.Page; len(all) > 0 {
		return all[0] + "#code=" + p.code
	}
	return ""
}

func (p *phoneSheet) draw() {
	p.body.RemoveAll()
	if a := p.address(); a != "" {
		p.body.Add(container.NewCenter(widget.QR(a, phoneSide)))
		p.body.Add(middle(widget.Text(lang.L("Point the camera of the phone at the square. Or open {page} there and type this code:", "page", p.screen.data.addresses.Page[0]))))
	} else {
		p.body.Add(widget.NewNote(lang.L("This PC has no network now, so phones cannot reach it."), fw.WarningImportance))
	}
	code := fw.NewLabelWithStyle(p.code[:4]+" "+p.code[4:], fyne.TextAlignCenter, fyne.TextStyle{Monospace: true})
	code.SizeName, code.Selectable = theme.SizeNameHeadingText, true
	p.body.Add(code)
	p.body.Add(p.left)
	p.body.Add(middle(widget.Muted(p.who)))
	p.body.Refresh()
}

func middle(l *fw.Label) *fw.Label {
	l.Alignment = fyne.TextAlignCenter
	return l
}

// tick says how long the code is good, or that it is over.
func (p *phoneSheet) tick() {
	left := p.screen.phones.CodeLeft(p.code)
	if left > 0 {
		seconds := int(left.Round(time.Second).Seconds())
		p.left.SetText(lang.L("For one phone, good for {time}", "time", fmt.Sprintf("%d:%02d", seconds/60, seconds%60)))
		return
	}
	if p.over {
		return
	}
	p.over = true
	p.body.RemoveAll()
	if time.Now().Before(p.until) {
		p.body.Add(widget.NewNote(lang.L("A phone signed in with this code. For the next phone, show another one."), fw.SuccessImportance))
	} else {
		p.body.Add(widget.NewNote(lang.L("This code is too old now. Show another one."), fw.WarningImportance))
	}
	p.body.Add(middle(widget.Muted(p.who)))
	p.body.Refresh()
}
