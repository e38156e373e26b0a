package gateway

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// Kits are the kits of the plan, and the firmware that they fetch.
type Kits interface {
	Kits() []core.RealKit // in order of name
	Locate(ctx context.Context, kit topic.Name, seconds int) error
	// OpenImage returns the firmware with that SHA-256 in hex, and its size.
	OpenImage(sum string) (io.ReadCloser, int64, error)
}

// firmwareTime is how long a kit may take to fetch its firmware: it erases and
// writes its flash meanwhile.
const firmwareTime = 5 * time.Minute

// firmware adds what kits fetch when they update over the air. An image holds no
// secret, and a kit has no account on the page, so anybody may have it.
func (g *Gateway) firmware(mux *http.ServeMux) {
	if g.cfg.Kits == nil {
		return
	}
	mux.HandleFunc("GET /firmware/{file}", func(w http.ResponseWriter, r *http.Request) {
		image, size, err := g.cfg.Kits.OpenImage(strings.TrimSuffix(r.PathValue("file"), ".bin"))
		if err != nil {
			g.fail(w, r, err)
			return
		}
		defer image.Close()
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(firmwareTime))
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		_, _ = io.CopyN(w, image, size) // a kit that leaves tries again
	})
}
