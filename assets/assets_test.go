package assets

import (
	"bytes"
	"image/png"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/font/sfnt"
)

func TestIcon(t *testing.T) {
	i, err := png.Decode(bytes.NewReader(Icon()))
	if err != nil || i.Bounds().Dx() != 512 || i.Bounds().Dy() != 512 {
		t.Errorf("icon %v, %v", i.Bounds(), err)
	}
	if !bytes.HasPrefix(IconSVG(), []byte("<svg")) {
		t.Error("the SVG is none")
	}
}

func TestFont(t *testing.T) {
	regular, ok := Font(false)
	if !ok {
		t.Skip("this build has no fonts; make deps fetches them")
	}
	bold, _ := Font(true)
	for name, data := range map[string][]byte{"regular": regular, "bold": bold} {
		f, err := sfnt.Parse(data)
		if err != nil {
			t.Fatal(name, err)
		}
		if g, err := f.GlyphIndex(nil, '한'); g == 0 || err != nil {
			t.Errorf("%s has no Hangul: %v", name, err)
		}
	}
}

// TestLicences: each module that the program is linked with must be there.
func TestLicences(t *testing.T) {
	lines := strings.Split(Licences(), "\n")
	for _, want := range []string{"fyne.io/fyne/v2 ", "github.com/mochi-mqtt/server/v2 ", "modernc.org/sqlite ", "github.com/skip2/go-qrcode "} {
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("no licence of %s; run go generate ./assets", want)
		}
	}
}
