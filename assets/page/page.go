// Package page holds the web page that the gateway serves.
package page

import "embed"

//go:embed index.html page.js page.css
var Files embed.FS
