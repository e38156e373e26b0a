package home

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget/widgettest"
)

type room struct {
	clients  []core.Client
	accounts []core.Account
	teams    []core.Team
	refusals []core.Refusal
	in       uint64
	ended    []string              // clients that were disconnected
	granted  map[topic.Filter]bool // what everybody may do
}

func (r *room) Clients() []core.Client            { return r.clients }
func (r *room) Traffic() (uint64, uint64)         { return r.in, 0 }
func (r *room) Accounts() []core.Account          { return r.accounts }
func (r *room) Teams() []core.Team                { return r.teams }
func (r *room) Refusals(limit int) []core.Refusal { return r.refusals[:min(limit, len(r.refusals))] }

func (r *room) Authorize(_ core.AccountID, _ core.Action, f topic.Filter) (topic.Filter, error) {
	if r.granted[f] {
		return f, nil
	}
	return f, core.Fail(core.ErrDenied, "no")
}

func (r *room) TryKits(_ context.Context, n int) (core.Sentence, error) {
	if n > 100 {
		return core.Sentence{}, core.Fail(core.ErrConflict, "Too many.")
	}
	return core.Say("{n} kits came.", "n", n), nil
}

func (r *room) Disconnect(client string) error {
	if len(r.ended) > 0 {
		return core.Fail(core.ErrNotFound, "It has gone.")
	}
	r.ended = append(r.ended, client)
	return nil
}

var lan = core.Addresses{MQTT: []string{"192.168.1.20:1883", "10.0.0.4:1883"}, Page: []string{"http://192.168.1.20:8080/"}}

func class() *room {
	return &room{
		teams: []core.Team{{Name: "blue", Label: "파랑"}},
		accounts: []core.Account{
			{ID: 1, Name: "teacher", Label: "Ms. Martin", Role: core.Teacher},
			{ID: 2, Name: "kit-1", Label: "민준의 키트", Role: core.Kit, Team: "blue"},
			{ID: 3, Name: "kit-2", Role: core.Kit, Team: "blue"},
			{ID: 4, Name: "kit-3", Role: core.Kit, Team: "blue", Disabled: true},
		},
	}
}

// open returns a screen that has loaded once.
func open(t *testing.T, r *room, info core.Info, a core.Addresses) (*Screen, *widgettest.Shell) {
	t.Helper()
	shell := widgettest.New(t)
	s := New(r, r, r, info, func() core.Addresses { return a }, shell)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1200, 700))
	load(t, s)
	return s, shell
}

func load(t *testing.T, s *Screen) {
	t.Helper()
	show, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	show()
}

func TestAddresses(t *testing.T) {
	s, shell := open(t, class(), core.Info{}, lan)
	if s.connect.server.Text() != "192.168.1.20" || s.connect.port.Text() != "1883" {
		t.Errorf("server %q, port %q", s.connect.server.Text(), s.connect.port.Text())
	}
	if len(s.connect.others.Objects) != 1 {
		t.Errorf("%d other addresses, want 1", len(s.connect.others.Objects))
	}
	if s.phone.url.Text() != lan.Page[0] || len(s.phone.code.Objects) != 1 {
		t.Errorf("page %q, %d codes", s.phone.url.Text(), len(s.phone.code.Objects))
	}
	s.connect.server.Tapped(nil)
	if got := fyne.CurrentApp().Clipboard().Content(); got != "192.168.1.20" {
		t.Errorf("copied %q", got)
	}
	if len(shell.Told) != 1 || !strings.Contains(shell.Told[0], "192.168.1.20") {
		t.Errorf("told %q", shell.Told)
	}
}

// TestName: the name of this PC stands beside its address, as long as it is answered to.
func TestName(t *testing.T) {
	shell := widgettest.New(t)
	a := lan
	a.Name = "homeroom-1a2b3c.local"
	r := class()
	s := New(r, r, r, core.Info{}, func() core.Addresses { return a }, shell)
	load(t, s)
	if len(s.connect.others.Objects) != 2 || !s.phone.named.Visible() || s.phone.named.Text() != "http://homeroom-1a2b3c.local:8080/" {
		t.Errorf("%d other addresses, and the page at %q", len(s.connect.others.Objects), s.phone.named.Text())
	}
	s.phone.named.Tapped(nil)
	if got := fyne.CurrentApp().Clipboard().Content(); got != "http://homeroom-1a2b3c.local:8080/" {
		t.Errorf("copied %q", got)
	}
	a.Page = []string{"http://127.0.0.1:8080/"}
	load(t, s)
	if s.phone.named.Visible() {
		t.Error("a page for this PC alone has the name")
	}
	a.MQTT = []string{"127.0.0.1:1883", "127.0.0.2:1883"}
	load(t, s)
	if len(s.connect.others.Objects) != 1 {
		t.Error("a broker for this PC alone has the name")
	}
	a = lan
	a.Name = ""
	load(t, s)
	if len(s.connect.others.Objects) != 1 || s.phone.named.Visible() {
		t.Errorf("without a name: %d other addresses", len(s.connect.others.Objects))
	}
}

func TestUnreachable(t *testing.T) {
	for name, c := range map[string]struct {
		info core.Info
		a    core.Addresses
		want string // part of the note; "" for none
	}{
		"in a network":       {core.Info{MQTT: "[::]:1883"}, lan, ""},
		"no network":         {core.Info{MQTT: "[::]:1883"}, core.Addresses{MQTT: []string{"127.0.0.1:1883"}}, "no network"},
		"bound to itself":    {core.Info{MQTT: "127.0.0.1:1883"}, core.Addresses{MQTT: []string{"127.0.0.1:1883"}}, "Settings, Network"},
		"nothing at all":     {core.Info{MQTT: "[::]:1883"}, core.Addresses{}, "no network"},
		"IPv6 loopback only": {core.Info{MQTT: "[::]:1883"}, core.Addresses{MQTT: []string{"[::1]:1883"}}, "no network"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := open(t, class(), c.info, c.a)
			got := ""
			if s.unreached.Visible() {
				got = s.unreached.Text.Text
			}
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("note %q, want %q", got, c.want)
			}
		})
	}
}

// TestTextsKeepApart: whatever comes and goes, in each language and in the room that
// Home has in a small window, no text stands on another one or is cut off.
func TestTextsKeepApart(t *testing.T) {
	t.Cleanup(func() { lang.Use(lang.English, "") })
	now := time.Now()
	for _, l := range lang.All() {
		lang.Use(l, "")
		r, a := &room{}, core.Addresses{MQTT: []string{"127.0.0.1:1883"}}
		shell := widgettest.New(t)
		s := New(r, r, r, core.Info{MQTT: "[::]:1883", Open: true}, func() core.Addresses { return a }, shell)
		shell.Win.SetContent(s.Content())
		shell.Win.Resize(fyne.NewSize(810, 670))
		for _, stage := range []struct {
			name string
			set  func()
		}{
			{"nobody", func() {}},
			{"a network", func() { a = lan }},
			{"a name", func() { a.Name = "homeroom-1a2b3c.local" }},
			{"a class", func() { *r = *class() }},
			{"kits", func() {
				r.clients = []core.Client{
					{ID: "kit-1", Account: 2, Addr: "192.168.100.151:4000", Protocol: "3.1.1", Connected: true, Since: now.Add(-5 * time.Minute), Waiting: 2_000_000, Bytes: 90 << 20, Dropped: 1_000_000},
					{ID: strings.Repeat("long-", 40), Account: core.Anyone, Addr: "[2001:db8::1:2:3:4]:4000", Protocol: "5", Connected: true, Since: now},
				}
				r.in = 123_456_789_012
			}},
			{"refusals", func() {
				r.refusals = []core.Refusal{{At: now, Count: 1234, Account: 2, Name: "kit-1", Client: "kit-1", Action: core.Publish, Topic: "red/" + topic.Filter(strings.Repeat("very-long/", 20)),
					Say: core.Say("{name} is disabled. Ask the teacher to enable it.", "name", strings.Repeat("long name ", 20))}}
			}},
			{"no network", func() { a = core.Addresses{} }},
		} {
			stage.set()
			load(t, s)
			for _, fault := range widgettest.Crowded(shell.Win) {
				t.Errorf("%s, %s: %s", l, stage.name, fault)
			}
		}
	}
}

func TestNextStep(t *testing.T) {
	r := &room{}
	s, shell := open(t, r, core.Info{}, lan)
	visible := func(want int) {
		t.Helper()
		for i, p := range s.steps.parts {
			if p.button.Visible() != (i+1 == want) {
				t.Errorf("step %d: button visible is %v, want step %d", i+1, p.button.Visible(), want)
			}
		}
	}
	visible(1)
	test.Tap(s.steps.parts[0].button)
	if shell.Gone != "accounts/teams" {
		t.Errorf("went to %q", shell.Gone)
	}
	r.teams = class().teams
	load(t, s)
	visible(1)
	test.Tap(s.steps.parts[0].button)
	if shell.Gone != "accounts/kits" {
		t.Errorf("with a team, went to %q", shell.Gone)
	}

	*r = *class()
	load(t, s)
	visible(2)
	if text := s.steps.parts[1].text.Text; !strings.Contains(text, "192.168.1.20") || !strings.Contains(text, "1883") || !strings.Contains(text, "kit-1") {
		t.Errorf("step 2 says %q", text)
	}

	test.Tap(s.steps.parts[1].button)
	if shell.Gone != "accounts/kits/kit-1" {
		t.Errorf("for the kit, went to %q", shell.Gone)
	}
	r.clients = []core.Client{{ID: "x", Account: 1, Connected: true}} // the teacher is no kit
	load(t, s)
	visible(2)
	r.clients = append(r.clients, core.Client{ID: "kit-1", Account: 2, Connected: true})
	load(t, s)
	visible(3)
	test.Tap(s.steps.parts[2].button)
	if shell.Gone != "rooms" || s.steps.card.Visible() {
		t.Errorf("went to %q, card visible is %v", shell.Gone, s.steps.card.Visible())
	}
	if again := New(r, r, r, core.Info{}, func() core.Addresses { return lan }, shell); again.steps.card.Visible() {
		t.Error("the card is there again")
	}
}

// TestComingAndGoing: what is below follows when something above comes or goes.
func TestComingAndGoing(t *testing.T) {
	a := lan
	shell := widgettest.New(t)
	s := New(class(), class(), class(), core.Info{MQTT: "[::]:1883"}, func() core.Addresses { return a }, shell)
	shell.Win.SetContent(s.Content())
	shell.Win.Resize(fyne.NewSize(1200, 700))
	load(t, s)
	top := func() float32 { return fyne.CurrentApp().Driver().AbsolutePositionForObject(s.clients.stack).Y }
	usual := top()
	a = core.Addresses{MQTT: []string{"127.0.0.1:1883"}}
	load(t, s)
	if top() <= usual {
		t.Errorf("the warning covers what is below it: %v, was %v", top(), usual)
	}
	a = lan
	load(t, s)
	if top() != usual {
		t.Errorf("the warning leaves a hole: %v, was %v", top(), usual)
	}
	test.Tap(s.steps.close)
	if top() >= usual {
		t.Errorf("the steps leave a hole: %v, was %v", top(), usual)
	}
}

func TestClients(t *testing.T) {
	now := time.Now()
	r := class()
	r.clients = []core.Client{
		{ID: "nightly", Account: 1, Durable: true, Protocol: "5", Since: now.Add(-2 * time.Hour)},
		{ID: "logger", Account: 1, Durable: true, Protocol: "5", Since: now.Add(-time.Hour), Waiting: 1200, Bytes: 5 << 20, Dropped: 3},
		{ID: "phone", Account: 1, Addr: "192.168.1.9:5555", Protocol: "5", Connected: true, Since: now.Add(-30 * time.Second)},
		{ID: "esp", Account: 2, Addr: "192.168.1.51:4000", Protocol: "3.1.1", Connected: true, Since: now.Add(-5 * time.Minute), Waiting: 2, Bytes: 90},
		{ID: "guest", Account: core.Anyone, Addr: "192.168.1.52:4000", Protocol: "3.1", Connected: true, Since: now},
	}
	s, _ := open(t, r, core.Info{}, lan)
	type row struct{ title, detail, presence, place string }
	var got []row
	for _, cr := range s.clients.rows {
		l := newLine()
		lineOf(l.box).show(cr, now)
		got = append(got, row{l.title.Text, l.detail.Text, l.presence.Text, l.place.Text})
		if l.end.Visible() != cr.client.Connected {
			t.Errorf("%s: may be disconnected is %v", cr.title, l.end.Visible())
		}
	}
	want := []row{
		{"민준의 키트", "kit · 파랑", "connected 5 min ago", "2 waiting (90 bytes) · MQTT 3.1.1 · 192.168.1.51"},
		{"Ms. Martin", "teacher", "connected 30 s ago", "MQTT 5 · 192.168.1.9"},
		{"guest", "", "connected now", "MQTT 3.1 · 192.168.1.52"},
		{"Ms. Martin", "teacher", "left 60 min ago", "1,200 waiting (5 MB) · 3 dropped"},
		{"Ms. Martin", "teacher", "left 2 h ago", "messages are kept for it"},
		{"kit-2", "kit · 파랑", "not connected", ""}, // kit-3 is disabled
	}
	if len(got) != len(want) {
		t.Fatalf("rows %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("row %d: %+v, want %+v", i, got[i], want[i])
		}
	}
	for i := range 12 {
		r.accounts = append(r.accounts, core.Account{ID: core.AccountID(20 + i), Name: topic.ID("board-" + strconv.Itoa(i+1)), Role: core.Kit})
	}
	load(t, s)
	if rows := s.clients.rows; rows[5].title != "board-1" || rows[6].title != "board-2" || rows[14].title != "board-10" {
		t.Errorf("boards are not sorted as people count: %+v", rows)
	}
	if s.connected.Value() != "3" {
		t.Errorf("%s connected, want 3", s.connected.Value())
	}
	r.clients, r.accounts = nil, nil
	load(t, s)
	if s.clients.list.Visible() || !s.clients.none.Visible() {
		t.Error("an empty list does not say that it is empty")
	}
}

func TestDisconnect(t *testing.T) {
	r := class()
	r.clients = []core.Client{{ID: "esp", Account: 2, Protocol: "5", Connected: true, Since: time.Now()}}
	s, shell := open(t, r, core.Info{}, lan)
	var end *fw.Button
	for _, o := range test.LaidOutObjects(s.clients.list) {
		if b, ok := o.(*fw.Button); ok && b.Visible() {
			end = b
		}
	}
	if end == nil {
		t.Fatal("nothing to disconnect with")
	}
	press := func(text string) {
		t.Helper()
		top := shell.Win.Canvas().Overlays().Top()
		if top == nil {
			t.Fatal("no question")
		}
		for _, o := range test.LaidOutObjects(top) {
			if b, ok := o.(*fw.Button); ok && b.Text == text {
				test.Tap(b)
				return
			}
		}
		t.Fatalf("no button %q", text)
	}
	test.Tap(end)
	press("Cancel")
	if r.ended != nil {
		t.Error("disconnected without a yes")
	}
	test.Tap(end)
	press("Disconnect")
	if len(r.ended) != 1 || r.ended[0] != "esp" || shell.Reloads != 1 || len(shell.Told) != 1 || shell.Told[0] != "민준의 키트 was disconnected" {
		t.Errorf("ended %q, told %q", r.ended, shell.Told)
	}
	test.Tap(end)
	press("Disconnect")
	if !errors.Is(shell.Err, core.ErrNotFound) {
		t.Errorf("of one that has gone: %v", shell.Err)
	}
}

// TestAllow: a refusal names the missing grant and leads to the sheet that adds it.
func TestAllow(t *testing.T) {
	r := class()
	no, at := core.Say("no"), time.Now().Add(-150*time.Second)
	r.refusals = []core.Refusal{
		{Account: 2, Name: "kit-1", Client: "esp", At: at, Action: core.Publish, Topic: "red/lamp/set", Say: no},
		{Account: 2, Name: "kit-1", Client: "kit-1", At: at, Action: core.Subscribe, Topic: "a\u202e/#", Say: no},
		{Account: 9, Name: "gone", At: at, Action: core.Publish, Topic: "x", Say: no},
		{Name: "zoe", At: at, Say: no},
	}
	s, shell := open(t, r, core.Info{}, lan)
	for i, want := range []struct{ detail, grant, path string }{
		{"kit-1 · client esp · 2 min ago", "Missing grant: publish red/lamp/set", "accounts/allow/2/publish/red/lamp/set"},
		{"kit-1 · 2 min ago", "Missing grant: subscribe a‹U+202E›/#", "accounts/allow/2/subscribe/a\u202e/#"},
		{"gone · 2 min ago", "Missing grant: publish x", ""},
		{"zoe · 2 min ago", "", ""},
	} {
		row := s.refusals.rows[i]
		if row.detail.Text != want.detail || row.grant.Text != want.grant || row.grant.Visible() != (want.grant != "") || row.allow.Visible() != (want.path != "") {
			t.Errorf("row %d: %q, %q, allow is %v", i, row.detail.Text, row.grant.Text, row.allow.Visible())
		}
		if shell.Gone = ""; want.path != "" {
			test.Tap(row.allow)
		}
		if shell.Gone != want.path {
			t.Errorf("row %d goes to %q, want %q", i, shell.Gone, want.path)
		}
	}
	r.granted = map[topic.Filter]bool{"red/lamp/set": true}
	load(t, s)
	if s.refusals.rows[0].allow.Visible() || !s.refusals.rows[1].allow.Visible() {
		t.Error("what is allowed by now is still offered, or nothing is")
	}
}

func TestRefusals(t *testing.T) {
	now := time.Now()
	r := class()
	y, m, d := now.Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	r.refusals = []core.Refusal{
		{At: now.Add(-5 * time.Second), Count: 3, Addr: "192.168.1.51", Say: core.Say("{who} may not publish to {topic}", "who", "kit-1", "topic", "red/lamp/set")},
		{At: midnight.Add(-time.Second), Count: 9, Say: core.Say("yesterday")},
	}
	s, _ := open(t, r, core.Info{}, lan)
	if got := s.refusals.rows[0].say.Text; got != "kit-1 may not publish to red/lamp/set" {
		t.Errorf("says %q", got)
	}
	if got := s.refusedRows(r.refusals[:1], nil, now)[0].detail; got != "5 s ago · 3 times · from 192.168.1.51" || s.refusals.rows[0].detail.Text == "" {
		t.Errorf("detail %q", got)
	}
	if got, want := CountToday(r.refusals, now), 3; got != want {
		t.Errorf("%d today, want %d", got, want)
	}
	if got := CountToday(r.refusals, midnight.Add(-time.Minute)); got != 12 {
		t.Errorf("%d on the day before, want all", got)
	}
	r.refusals = nil
	load(t, s)
	if s.refusals.rows[0].box.Visible() || !s.refusals.none.Visible() {
		t.Error("a refusal stays on the screen")
	}
}

func TestOpenIsLoud(t *testing.T) {
	for _, open_ := range []bool{false, true} {
		s, _ := open(t, class(), core.Info{Open: open_}, lan)
		found := false
		for _, o := range test.LaidOutObjects(s.Content()) {
			if l, ok := o.(*fw.Label); ok && strings.HasPrefix(l.Text, "OPEN TO EVERYBODY") {
				found = true
			}
		}
		if found != open_ {
			t.Errorf("open is %v, banner is %v", open_, found)
		}
	}
}

// TestDotTellsPresence: the colour must agree with the words.
func TestDotTellsPresence(t *testing.T) {
	test.NewTempApp(t)
	l := newLine()
	for _, r := range []clientRow{{client: core.Client{Connected: true}}, {}, {missing: true}} {
		l.show(r, time.Now())
		want := theme.ColorNameWarning
		if r.client.Connected {
			want = theme.ColorNameSuccess
		} else if r.missing {
			want = theme.ColorNameInputBorder
		}
		if l.dot.Color() != want {
			t.Errorf("%+v is %s", r, l.dot.Color())
		}
	}
}

// TestRehearsal: the load test says what became of it, and why it could not be made.
func TestRehearsal(t *testing.T) {
	r := class()
	shell := widgettest.New(t)
	c := newRehearsal(r, shell)
	for i, want := range map[int]string{1: "40 kits came.", 3: "Too many."} {
		c.kits.SetSelectedIndex(i)
		test.Tap(c.start)
		if c.said.Text != want || !c.said.Visible() || c.start.Disabled() || c.busy.Visible() {
			t.Errorf("%d kits: it says %q, start disabled %v", rehearsalKits[i], c.said.Text, c.start.Disabled())
		}
	}
}
