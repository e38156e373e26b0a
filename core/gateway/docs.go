package gateway

import (
	"embed"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
)

// docsWords is what docs.js says beside what is in the document.
var docsWords = []core.Sentence{core.Say("Search"), core.Say("Sign in first."), core.Say("For everybody."), core.Say("Parameters"), core.Say("Body"), core.Say("Answer")}

//go:embed docs.html docs.css docs.js
var docsFiles embed.FS

// docs adds the OpenAPI document and a page that shows it. Both are made once
// and need nothing from elsewhere.
func (g *Gateway) docs(mux *http.ServeMux, doc *huma.OpenAPI) {
	spec, err := doc.MarshalJSON()
	if err != nil {
		panic("openapi: " + err.Error()) // made from constants
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(spec)
	})
	for path, file := range map[string]string{"/docs": "docs.html", "/docs.css": "docs.css", "/docs.js": "docs.js"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, docsFiles, file) })
	}
}
