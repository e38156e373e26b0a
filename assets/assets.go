// Package assets is what is embedded in the program: the icon, fonts and
// licences. Its folder lang holds the translations.
package assets

//go:generate go run licences_gen.go

import (
	"embed"
	"path"
	"strings"
)

//go:embed fonts icons licences.txt
var files embed.FS

// Icon returns the program's icon, 512 pixels square, as PNG.
func Icon() []byte { return must("icons/homeroom.png") }

// IconSVG returns the program's icon as SVG.
func IconSVG() []byte { return must("icons/homeroom.svg") }

// Licences returns the licences of everything inside the program, as text.
func Licences() string {
	var b strings.Builder
	entries, _ := files.ReadDir("fonts") // embedded: cannot be missing
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "LICENSE") {
			b.WriteString("The bundled font\n\n")
			b.Write(must("fonts/" + e.Name()))
			b.WriteString("\n\n")
		}
	}
	b.Write(must("licences.txt"))
	return b.String()
}

// Font returns the bundled font with Hangul, bold or regular. It reports false
// in a build without it. Where there is only one, it is both.
func Font(bold bool) (ttf []byte, ok bool) {
	entries, err := files.ReadDir("fonts")
	if err != nil {
		return nil, false
	}
	var best string
	for _, e := range entries {
		ext := strings.ToLower(path.Ext(e.Name()))
		if ext != ".ttf" && ext != ".otf" {
			continue
		}
		if best == "" || strings.Contains(e.Name(), "Bold") == bold {
			best = e.Name()
		}
	}
	if best == "" {
		return nil, false
	}
	return must("fonts/" + best), true
}

func must(name string) []byte {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // embedded: cannot be missing
	}
	return data
}
