package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// shelf is real kits and one firmware.
type shelf struct {
	image   []byte
	located []topic.Name
}

func (s *shelf) Kits() []core.RealKit {
	return []core.RealKit{
		{Place: core.Place{Name: "blue/lab/kit-1", Account: "kit-1", Role: core.LightKit}, Link: "wifi", State: "ready", Signal: -61, Uptime: 90 * time.Second, Heap: 31000,
			Version: "1.0.0", Newer: "1.1.0", Address: "192.168.1.31", MAC: "5c:cf:7f:01:02:03", Waiting: true},
		{Place: core.Place{Name: "red/lab/kit-2", Account: "kit-2", Role: core.ButtonKit}, Link: "cable", Address: "COM3"},
		{Place: core.Place{Name: "blue/lab/new"}},
	}
}

func (s *shelf) Locate(_ context.Context, kit topic.Name, _ int) error {
	s.located = append(s.located, kit)
	return nil
}

func (s *shelf) OpenImage(sum string) (io.ReadCloser, int64, error) {
	if sum != "abc" {
		return nil, 0, core.Fail(core.ErrNotFound, "gone")
	}
	return io.NopCloser(bytes.NewReader(s.image)), int64(len(s.image)), nil
}

// withKits serves a school with kits.
func withKits(t *testing.T) (*httptest.Server, *shelf) {
	s, k := newSchool(), &shelf{image: []byte("\xe9firmware")}
	cfg := config(s)
	cfg.Kits = k
	g := &Gateway{sessions: newSessions(), lives: make(chan struct{}, 1), cfg: cfg}
	srv := httptest.NewServer(g.handler())
	t.Cleanup(srv.Close)
	return srv, k
}

// TestFirmware: a kit, which has no account here, fetches an image by its sum.
func TestFirmware(t *testing.T) {
	srv, k := withKits(t)
	res, err := http.Get(srv.URL + "/firmware/abc.bin")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if res.StatusCode != 200 || string(body) != string(k.image) || res.ContentLength != int64(len(k.image)) {
		t.Errorf("%d %q %v", res.StatusCode, body, res.Header)
	}
	for _, path := range []string{"/firmware/other", "/firmware/..%2f..%2fgo.mod"} {
		if code, _ := do(t, http.DefaultClient, "GET", srv.URL+path, ""); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	if code, _ := do(t, http.DefaultClient, "POST", srv.URL+"/firmware/abc", ""); code != 405 {
		t.Errorf("POST: %d", code)
	}
}

// TestRealKits: who may read a kit learns how it is; where it is on the network is
// for teachers.
func TestRealKits(t *testing.T) {
	srv, k := withKits(t)
	type kit struct {
		Name, Topic, Link, Firmware, Newer, Addr, MAC string
		Signal, Heap                                  int
		Uptime                                        float64
		Waiting                                       bool
	}
	list := func(who string) (all map[string]kit) {
		_, body := as(t, srv, who)("GET", "/kits", "")
		var out struct{ Items []kit }
		if err := json.Unmarshal([]byte(body), &out); err != nil {
			t.Fatalf("%s: %s", who, body)
		}
		all = map[string]kit{}
		for _, k := range out.Items {
			all[k.Name] = k
		}
		return all
	}
	want := kit{"kit-1", "blue/lab/kit-1", "wifi", "1.0.0", "1.1.0", "192.168.1.31", "5c:cf:7f:01:02:03", -61, 31000, 90, true}
	if got := list("teacher"); got["kit-1"] != want || got["kit-2"].Addr != "COM3" || len(got) != 2 {
		t.Errorf("the teacher sees %+v", got)
	}
	want.Addr, want.MAC = "", ""
	if got := list("ana"); got["kit-1"] != want || len(got) != 1 {
		t.Errorf("ana sees %+v", got)
	}
	if code, body := as(t, srv, "teacher")("POST", "/kits/kit-1/locate", `{"seconds":5}`); code != 204 || len(k.located) != 1 || k.located[0] != "blue/lab/kit-1" {
		t.Errorf("locate: %d %s %v", code, body, k.located)
	}
	if code, body := as(t, srv, "teacher")("POST", "/kits/nobody/locate", `{}`); code != 404 || !strings.Contains(body, "nobody") {
		t.Errorf("locate nobody: %d %s", code, body)
	}
	if code, _ := as(t, srv, "ana")("POST", "/kits/kit-1/locate", `{}`); code != 403 {
		t.Errorf("ana locates: %d", code)
	}
}
