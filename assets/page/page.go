// Package page holds the web page that the gateway serves.
package page

import "embed"

//go:embed *.html *.js *.css *.json *.svg
var Files embed.FS
