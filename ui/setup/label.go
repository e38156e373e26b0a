package setup

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/software"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// label is what is stuck on a kit. It holds no secret.
type label struct {
	kit                  topic.Name
	title, account, role string
	team, room, mac      string
	page                 string // what the QR code opens, "" where no address is known
}

// labelOf returns the label of a kit that was made.
func (v *view) labelOf(m core.Setup) label {
	n := m.Order.Kit
	l := label{kit: n, title: v.title(n), role: widget.RoleTitle(m.Order.Role), mac: m.Chip.MAC, team: v.title(topic.Name(branchOf(n)))}
	if p := v.design.Place(n); p != nil {
		l.account, l.role = string(p.Account), widget.RoleTitle(p.Role)
	} else if m.Order.Label != "" {
		l.title = m.Order.Label
	}
	if up := parent(n); parent(up) != "" {
		l.room = v.title(up)
	}
	if all := v.addresses.Page; len(all) > 0 {
		l.page = strings.TrimSuffix(all[0], "/") + "/#kit=" + url.QueryEscape(string(n))
	}
	return l
}

// Size of a label in device-independent pixels. It is printed 90 mm wide.
const (
	labelWidth  = 540
	labelHeight = 234
	labelCode   = 176
)

// paper draws the label as it is printed: dark on white in every theme.
func (l label) paper() fyne.CanvasObject {
	dark, quiet := color.NRGBA{0x1a, 0x22, 0x33, 0xff}, color.NRGBA{0x5a, 0x65, 0x7b, 0xff}
	card := widget.NewPaper(labelWidth, labelHeight)
	room := float32(labelWidth - 40)
	if l.page != "" {
		room -= labelCode + 14
	}
	write := func(text string, x, y, size, room float32, c color.Color, style fyne.TextStyle) {
		card.Write(text, x, y, size, 11, room, c, style)
	}
	write(l.title, 20, 14, 32, room, dark, fyne.TextStyle{Bold: true})
	place := l.team
	if l.room != "" {
		place += " · " + l.room
	}
	write(place, 20, 58, 18, room, dark, fyne.TextStyle{})
	y := float32(98)
	for _, f := range [][2]string{{lang.L("Kit"), string(l.kit)}, {lang.L("Does"), l.role}, {lang.L("Account"), l.account}, {"MAC", l.mac}} {
		if f[1] == "" {
			continue
		}
		write(f[0], 20, y, 13, 76, quiet, fyne.TextStyle{})
		mono, up := f[0] != lang.L("Does"), float32(2)
		if mono { // its line is as high, and its letters stand higher in it
			up = 0.5
		}
		write(f[1], 100, y-up, 15, room-80, dark, fyne.TextStyle{Monospace: mono})
		y += 27
	}
	write("Homeroom", 20, labelHeight-28, 12, 120, quiet, fyne.TextStyle{Bold: true})
	if l.page != "" {
		code := widget.QR(l.page, labelCode)
		code.Move(fyne.NewPos(labelWidth-labelCode-18, (labelHeight-labelCode)/2))
		code.Resize(fyne.NewSquareSize(labelCode))
		card.Card.Add(code)
	}
	return container.NewGridWrap(fyne.NewSize(labelWidth, labelHeight), card.Card)
}

// picture draws the label three times as large, for paper. UI goroutine.
func (l label) picture() image.Image {
	sheet := software.NewTransparentCanvas()
	sheet.SetPadded(false)
	sheet.SetScale(3)
	sheet.SetContent(l.paper())
	sheet.Resize(fyne.NewSize(labelWidth, labelHeight))
	got := sheet.Capture()
	all := image.NewNRGBA(got.Bounds())
	draw.Draw(all, all.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(all, all.Bounds(), got, got.Bounds().Min, draw.Over)
	return all
}

// printer makes pages of labels and gives them to the browser, which prints.
type printer struct {
	shell widget.Shell
	last  string // the file of the last page
	busy  bool
}

// maxLabels is how many labels are printed at once.
const maxLabels = 200

// print draws the labels, one at a time so that the window stays usable, writes
// them into a page and opens it.
func (p *printer) print(labels []label) {
	if p.busy || len(labels) == 0 {
		return
	}
	p.busy = true
	labels = labels[:min(len(labels), maxLabels)]
	var page bytes.Buffer
	fmt.Fprintf(&page, pageHead, html.EscapeString(lang.L("Labels")))
	var next func(i int)
	next = func(i int) {
		if i == len(labels) {
			page.WriteString(pageFoot)
			p.open(page.Bytes())
			return
		}
		pic := labels[i].picture()
		p.shell.Do(func(context.Context) (func(), error) {
			page.WriteString(`<img alt="` + html.EscapeString(string(labels[i].kit)) + `" src="data:image/png;base64,`)
			out := base64.NewEncoder(base64.StdEncoding, &page)
			err := png.Encode(out, pic)
			_ = out.Close() // into memory
			page.WriteString("\">\n")
			return func() {
				if err != nil {
					p.busy = false
					p.shell.Tell(lang.Error(err))
					return
				}
				next(i + 1)
			}, nil
		})
	}
	next(0)
}

// The page of labels: two beside each other on A4 or Letter, cut apart along thin lines.
const (
	pageHead = `<!doctype html><meta charset="utf-8"><title>%s</title>
<style>@page{margin:10mm}body{margin:0;display:flex;flex-wrap:wrap;gap:4mm;align-content:flex-start}
img{width:90mm;break-inside:avoid}</style>
`
	pageFoot = "<script>addEventListener('load', () => print())</script>\n"
)

// open writes the page to a file and opens it in the browser.
func (p *printer) open(page []byte) {
	was := p.last
	p.shell.Do(func(context.Context) (func(), error) {
		name, err := writePage(page)
		if err == nil {
			err = fyne.CurrentApp().OpenURL(&url.URL{Scheme: "file", Path: filePath(name)})
		}
		if was != "" {
			_ = os.Remove(was) // at worst it stays in the folder for temporary files
		}
		return func() {
			p.busy, p.last = false, name
			if err != nil {
				p.shell.Tell(lang.L("The browser did not open. The labels are in {file}", "file", name))
			}
		}, nil
	})
}

func writePage(page []byte) (name string, err error) {
	f, err := os.CreateTemp("", "homeroom-labels-*.html")
	if err != nil {
		return "", err
	}
	_, err = f.Write(page)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return f.Name(), err
}

// filePath is the path of a file URL (RFC 8089).
func filePath(name string) string {
	p := filepath.ToSlash(name)
	if !strings.HasPrefix(p, "/") { // C:/Users/…
		p = "/" + p
	}
	return p
}
