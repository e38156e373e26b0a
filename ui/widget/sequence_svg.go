package widget

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// SVG draws the rows in view as an SVG file, under a title and a line below it.
func (s *Sequence) SVG(title, note string) []byte {
	const top = 66 // where the lifelines' names begin
	page := s.page()
	width, height := page.Size().Width, page.Size().Height
	rows := height - seqHead
	p := &svgPen{}
	fmt.Fprintf(&p.b, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]g" height="%[2]g" viewBox="0 0 %[1]g %[2]g" font-family="'Noto Sans','Segoe UI',Arial,'NanumGothic','Malgun Gothic',sans-serif">`+"\n", width+2*seqPage, top+height+seqPage)
	p.box(0, 0, width+2*seqPage, top+height+seqPage, themeColor(theme.ColorNameOverlayBackground))
	p.text(title, seqPage, seqPage, seqHeading, true, themeColor(theme.ColorNameForeground), fyne.TextAlignLeading)
	p.text(note, seqPage, seqPage+25, seqText, false, themeColor(theme.ColorNamePlaceHolder), fyne.TextAlignLeading)
	fmt.Fprintf(&p.b, `<g transform="translate(%d %d)">`+"\n", seqPage, top)
	page.names(p, 0)
	fmt.Fprintf(&p.b, `</g><clipPath id="rows"><rect y="-4" width="%g" height="%g"/></clipPath>`+"\n", width, rows+4)
	fmt.Fprintf(&p.b, `<g transform="translate(%d %d)" clip-path="url(#rows)">`+"\n", seqPage, top+seqHead)
	page.strokes(p, 0, len(page.rows), 0, rows)
	page.words(p, 0, len(page.rows), 0)
	p.b.WriteString("</g></svg>\n")
	return p.b.Bytes()
}

// svgPen writes SVG elements.
type svgPen struct{ b bytes.Buffer }

// svgPaint is a colour as the value of that attribute.
func svgPaint(attribute string, c color.NRGBA) string {
	s := fmt.Sprintf(`%s="#%02x%02x%02x"`, attribute, c.R, c.G, c.B)
	if c.A < 255 {
		s += fmt.Sprintf(` %s-opacity="%.3g"`, attribute, float64(c.A)/255)
	}
	return s
}

func (p *svgPen) line(x0, y0, x1, y1, width float32, ink color.NRGBA) {
	fmt.Fprintf(&p.b, `<line x1="%g" y1="%g" x2="%g" y2="%g" stroke-width="%g" stroke-linecap="round" %s/>`+"\n", x0, y0, x1, y1, width, svgPaint("stroke", ink))
}

func (p *svgPen) dot(x, y, radius float32, ink color.NRGBA) {
	fmt.Fprintf(&p.b, `<circle cx="%g" cy="%g" r="%g" %s/>`+"\n", x, y, radius, svgPaint("fill", ink))
}

func (p *svgPen) head(x, y, along, size float32, ink color.NRGBA) {
	fmt.Fprintf(&p.b, `<path d="M%g %gl%g %gv%gz" %s/>`+"\n", x, y, -along*size, -size/2, size, svgPaint("fill", ink))
}

func (p *svgPen) box(x, y, w, h float32, ink color.NRGBA) {
	fmt.Fprintf(&p.b, `<rect x="%g" y="%g" width="%g" height="%g" rx="4" %s/>`+"\n", x, y, w, h, svgPaint("fill", ink))
}

func (p *svgPen) text(s string, x, y, size float32, bold bool, ink color.NRGBA, align fyne.TextAlign) {
	if s == "" {
		return
	}
	more := ""
	if bold {
		more += ` font-weight="bold"`
	}
	switch align {
	case fyne.TextAlignCenter:
		more += ` text-anchor="middle"`
	case fyne.TextAlignTrailing:
		more += ` text-anchor="end"`
	}
	// Fyne puts a text by its upper edge, SVG by the line its letters stand on.
	fmt.Fprintf(&p.b, `<text x="%g" y="%g" font-size="%g"%s %s>`, x, y+size*1.07, size, more, svgPaint("fill", ink))
	_ = xml.EscapeText(&p.b, []byte(s)) // a Buffer takes everything
	p.b.WriteString("</text>\n")
}
