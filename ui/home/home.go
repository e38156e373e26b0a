// Package home is the screen a person sees first: what is running and how to
// reach it, who is connected, what was refused, and what to do next.
package home

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// Broker is what Home asks the broker.
type Broker interface {
	Clients() []core.Client
	// Traffic returns the messages that arrived and left since the start.
	Traffic() (in, out uint64)
	// Disconnect ends the connection of the client with that MQTT Client
	// Identifier; it may come back. It fails with core.ErrNotFound where it is
	// not connected.
	Disconnect(client string) error
}

// People is what Home asks the accounts.
type People interface {
	Accounts() []core.Account
	Teams() []core.Team
	// Refusals returns the latest, newest first.
	Refusals(limit int) []core.Refusal
	// Authorize returns nil if the account may do a to f.
	Authorize(id core.AccountID, a core.Action, f topic.Filter) (real topic.Filter, err error)
}

// AskedRefusals is how many refusals are looked at to count today's.
const AskedRefusals = 500

const shownRefusals = 30 // rows

// Screen is the screen.
type Screen struct {
	broker    Broker
	people    People
	info      core.Info
	addresses func() core.Addresses
	shell     widget.Shell
	rate      widget.Rate // used by Load only

	content   fyne.CanvasObject
	frame     *fyne.Container // is laid out anew when something above comes or goes
	unreached *widget.Note
	steps     *steps
	connected *widget.Stat
	perSecond *widget.Stat
	messages  *widget.Stat
	refused   *widget.Stat
	connect   *connect
	phone     *phone
	clients   *clients
	refusals  *refusals
}

// New returns the screen.
func New(b Broker, p People, r Rehearsal, info core.Info, addresses func() core.Addresses, shell widget.Shell) *Screen {
	s := &Screen{
		broker: b, people: p, info: info, addresses: addresses, shell: shell,
		unreached: widget.NewNote("", fw.WarningImportance),
		steps:     newSteps(shell),
		connected: widget.NewStat(theme.AccountIcon(), lang.L("connected")),
		perSecond: widget.NewStat(theme.MailSendIcon(), lang.L("messages a second")),
		messages:  widget.NewStat(theme.HistoryIcon(), lang.L("messages since the start")),
		refused:   widget.NewStat(theme.CancelIcon(), lang.L("refused today")),
		connect:   newConnect(shell),
		phone:     newPhone(shell),
		refusals:  newRefusals(shell),
	}
	s.clients = newClients(s.disconnect)
	top := container.NewVBox()
	if info.Open {
		top.Add(widget.NewNote(lang.L("OPEN TO EVERYBODY. Anyone who reaches this PC may read and switch everything. Close Homeroom and start it without --open to protect it."), fw.DangerImportance))
	}
	s.unreached.Hide()
	top.Add(s.unreached)
	top.Add(s.steps.card)
	top.Add(container.NewGridWithColumns(4, s.connected, s.perSecond, s.messages, s.refused))
	left := widget.Wide(372, widget.Scroll(container.NewVBox(
		widget.Card(lang.L("Connect a kit"), s.connect.box),
		widget.Card(lang.L("On a phone"), s.phone.box),
		widget.Card(lang.L("Before class"), newRehearsal(r, shell).box),
	)))
	right := container.NewGridWithRows(2,
		widget.Card(lang.L("Kits and people"), s.clients.stack),
		widget.Card(lang.L("What was refused"), s.refusals.stack),
	)
	s.frame = container.NewBorder(top, nil, left, nil, right)
	s.content = widget.Page(lang.L("Home"), nil, s.frame)
	s.steps.dismissed = s.frame.Refresh
	return s
}

// Title is the screen's name.
func (s *Screen) Title() string { return lang.L("Home") }

// Icon is the screen's icon.
func (s *Screen) Icon() fyne.Resource { return theme.HomeIcon() }

// Content is what the screen shows.
func (s *Screen) Content() fyne.CanvasObject { return s.content }

// Stale is what makes the screen out of date. Messages do not: the shell loads
// once a second, which is often enough for a counter.
func (s *Screen) Stale() core.Change {
	return core.ClientsChanged | core.AccountsChanged | core.RefusalsChanged | core.SettingsChanged
}

// Load reads the present state.
func (s *Screen) Load(context.Context) (show func(), err error) {
	now := time.Now()
	accounts, clients := s.people.Accounts(), s.broker.Clients()
	refusals := s.people.Refusals(AskedRefusals)
	refused := s.refusedRows(refusals[:min(len(refusals), shownRefusals)], accounts, now)
	addresses := s.addresses()
	in, _ := s.broker.Traffic()
	rate := s.rate.Of(in, now)
	rows := clientRows(clients, accounts, s.people.Teams())
	next := nextStep(accounts, s.people.Teams(), clients)
	today := CountToday(refusals, now)
	alone := aloneReason(s.info, addresses)

	return func() {
		changed := []bool{widget.SetText(s.unreached.Text, alone), widget.SetVisible(s.unreached, alone != ""),
			s.steps.show(next, addresses), s.connect.show(addresses), s.phone.show(addresses)}
		if slices.Contains(changed, true) {
			s.frame.Refresh() // what is below makes room
		}
		s.connected.Set(widget.Number(uint64(Connected(clients))))
		s.perSecond.Set(widget.Number(rate))
		s.messages.Set(widget.Number(in))
		s.refused.Set(widget.Number(uint64(today)))
		s.clients.show(rows, now)
		s.refusals.show(refused)
	}, nil
}

// disconnect asks, and ends the connection of the client of a row.
func (s *Screen) disconnect(r clientRow) {
	widget.Confirm(s.shell, lang.L("Disconnect {name}?", "name", r.title),
		lang.L("It may connect again at once. To keep it out, disable its account."), lang.L("Disconnect"), func() {
			s.shell.Do(func(context.Context) (func(), error) {
				if err := s.broker.Disconnect(r.client.ID); err != nil {
					return nil, err
				}
				return func() {
					s.shell.Tell(lang.L("{name} was disconnected", "name", r.title))
					s.shell.Refresh()
				}, nil
			})
		})
}

// Connected counts the clients that are connected.
func Connected(clients []core.Client) int {
	n := 0
	for _, c := range clients {
		if c.Connected {
			n++
		}
	}
	return n
}

// CountToday counts what was refused since midnight, repetitions included.
func CountToday(rs []core.Refusal, now time.Time) int {
	y, m, d := now.Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	n := 0
	for _, r := range rs {
		if !r.At.Before(midnight) {
			n += r.Count
		}
	}
	return n
}

// aloneReason says why no other machine reaches this one, or "".
func aloneReason(info core.Info, a core.Addresses) string {
	for _, addr := range a.MQTT {
		if !loopback(addr) {
			return ""
		}
	}
	if loopback(info.MQTT) {
		return lang.L("Homeroom listens on this PC only, so kits cannot reach it. Allow it under Settings, Network, and start Homeroom again. If you start it with --mqtt, leave out the address: --mqtt :1883.")
	}
	return lang.L("This PC has no network now, so kits cannot reach it. Join the Wi-Fi or plug in the cable that the kits use.")
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// connect is what to type into a sketch.
type connect struct {
	box    *fyne.Container
	server *widget.Copy
	port   *widget.Copy
	others *fyne.Container
	shell  widget.Shell
	shown  []string
	named  string
}

func newConnect(shell widget.Shell) *connect {
	c := &connect{server: widget.NewCopy("", shell), port: widget.NewCopy("", shell), others: tight(), shell: shell}
	c.box = tight(
		widget.Muted(lang.L("Type this into the sketch, with the name and password from the kit's card in Accounts.")),
		labelled(lang.L("Server"), c.server),
		labelled(lang.L("Port"), c.port),
		c.others,
	)
	return c
}

// tight stacks lines with less between them than there is around a label.
func tight(lines ...fyne.CanvasObject) *fyne.Container {
	return container.New(layout.NewCustomPaddedVBoxLayout(-6), lines...)
}

func labelled(name string, o fyne.CanvasObject) fyne.CanvasObject {
	l := widget.Cell(name)
	l.Importance = fw.LowImportance
	return container.NewBorder(nil, nil, widget.Wide(84, l), nil, o)
}

// show shows where kits connect, and reports whether that is something new.
func (c *connect) show(a core.Addresses) (changed bool) {
	if len(a.MQTT) == 0 || slices.Equal(c.shown, a.MQTT) && c.named == a.Name {
		return false
	}
	c.shown, c.named = a.MQTT, a.Name
	host, port, err := net.SplitHostPort(a.MQTT[0])
	if err != nil {
		host = a.MQTT[0]
	}
	c.server.SetText(host)
	c.port.SetText(port)
	c.others.RemoveAll()
	const most = 4
	others := slices.Clone(a.MQTT[1:min(len(a.MQTT), 1+most)])
	if a.Name != "" && !loopback(a.MQTT[0]) {
		others = slices.Insert(others, 0, a.Name)
	}
	for i, addr := range others {
		name := ""
		if i == 0 {
			name = lang.L("or")
		}
		if host, _, err := net.SplitHostPort(addr); err == nil {
			addr = host
		}
		c.others.Add(labelled(name, widget.NewCopy(addr, c.shell)))
	}
	return true
}

// phone is where the page for phones is.
type phone struct {
	box   *fyne.Container
	code  *fyne.Container
	url   *widget.Copy
	named *widget.Copy // the same by the name of this PC
	shown string
	name  string
}

func newPhone(shell widget.Shell) *phone {
	p := &phone{code: container.NewStack(), url: widget.NewCopy("", shell), named: widget.NewCopy("", shell)}
	p.named.Hide()
	p.box = container.NewVBox(
		container.NewBorder(nil, nil, p.code, nil, widget.Muted(lang.L("Point the camera at this in the same Wi-Fi, and sign in."))),
		tight(p.url, p.named))
	return p
}

// show shows where the page is, and reports whether that is something new.
func (p *phone) show(a core.Addresses) (changed bool) {
	if len(a.Page) == 0 || p.shown == a.Page[0] && p.name == a.Name {
		return false
	}
	p.shown, p.name = a.Page[0], a.Name
	p.url.SetText(p.shown)
	if page, err := url.Parse(p.shown); err == nil && a.Name != "" && !loopback(page.Host) {
		page.Host = net.JoinHostPort(a.Name, page.Port())
		p.named.SetText(page.String())
		p.named.Show()
	} else {
		p.named.Hide()
	}
	p.code.RemoveAll()
	p.code.Add(widget.QR(p.shown, 132))
	return true
}

// refusal is one row of what was refused.
type refusal struct {
	say    string // who, what, and what to do
	detail string // who, when, how often, from where
	grant  string // that was missing, "" where none was
	allow  string // where the window adds that grant, "" where it is no use any more
}

// refusedRows says what was refused.
func (s *Screen) refusedRows(rs []core.Refusal, accounts []core.Account, now time.Time) []refusal {
	names := map[core.AccountID]topic.ID{}
	for _, a := range accounts {
		names[a.ID] = a.Name
	}
	rows := make([]refusal, len(rs))
	for i, r := range rs {
		rows[i] = refusal{say: lang.Say(r.Say), detail: refusalDetail(r, cmp.Or(string(names[r.Account]), r.Name), now)}
		if r.Action == "" {
			continue
		}
		rows[i].grant = lang.L("Missing grant: {grant}", "grant", string(r.Action)+" "+widget.Visible(string(r.Topic), false))
		if _, err := s.people.Authorize(r.Account, r.Action, r.Topic); err != nil && names[r.Account] != "" {
			rows[i].allow = fmt.Sprintf("accounts/allow/%d/%s/%s", r.Account, r.Action, r.Topic)
		}
	}
	return rows
}

// refusals lists what was refused.
type refusals struct {
	shell widget.Shell
	stack *fyne.Container
	none  fyne.CanvasObject
	list  *container.Scroll
	box   *fyne.Container
	rows  []*refusalRow
}

type refusalRow struct {
	box                *fyne.Container
	say, detail, grant *fw.Label
	allow              *fw.Button
	path               string // where allow goes
}

func newRefusals(shell widget.Shell) *refusals {
	r := &refusals{shell: shell, box: container.New(layout.NewCustomPaddedVBoxLayout(0))}
	r.none = container.NewVScroll(widget.Empty(theme.ConfirmIcon(), lang.L("Nothing was refused"), lang.L("When somebody may not connect, read or switch, the reason stands here."), nil))
	r.list = widget.Scroll(r.box)
	r.stack = container.NewStack(r.none, r.list)
	r.list.Hide()
	return r
}

func (r *refusals) newRow() *refusalRow {
	row := &refusalRow{say: widget.Text(""), detail: widget.Muted(""), grant: widget.Muted("")}
	row.detail.SizeName, row.grant.SizeName = theme.SizeNameCaptionText, theme.SizeNameCaptionText
	row.allow = fw.NewButtonWithIcon(lang.L("Allow"), theme.ConfirmIcon(), func() { r.shell.Go(row.path) })
	row.box = container.NewBorder(nil, nil, nil, container.NewCenter(row.allow),
		container.New(layout.NewCustomPaddedVBoxLayout(-12), row.say, row.grant, row.detail))
	return row
}

func (r *refusals) show(now []refusal) {
	for len(r.rows) < len(now) {
		row := r.newRow()
		r.rows = append(r.rows, row)
		r.box.Add(row.box)
	}
	for i, row := range r.rows {
		if i >= len(now) {
			row.box.Hide()
			continue
		}
		widget.SetText(row.say, now[i].say)
		widget.SetText(row.detail, now[i].detail)
		widget.SetText(row.grant, now[i].grant)
		row.path = now[i].allow
		widget.SetVisible(row.grant, now[i].grant != "")
		widget.SetVisible(row.allow, now[i].allow != "")
		widget.SetVisible(row.box, true)
	}
	swap(r.none, r.list, len(now) == 0)
}

// refusalDetail is the small print of a refusal to who.
func refusalDetail(r core.Refusal, who string, now time.Time) string {
	var parts []string
	if who != "" {
		parts = append(parts, who)
	}
	if r.Client != "" && r.Client != who {
		parts = append(parts, lang.L("client {id}", "id", r.Client))
	}
	parts = append(parts, lang.Ago(now.Sub(r.At)))
	if r.Count > 1 {
		parts = append(parts, lang.L("{n} times", "n", r.Count))
	}
	if r.Addr != "" {
		parts = append(parts, lang.L("from {address}", "address", r.Addr))
	}
	return strings.Join(parts, " · ")
}

// swap shows a where which is true, and b where not.
func swap(a, b fyne.CanvasObject, which bool) {
	if !which {
		a, b = b, a
	}
	if !a.Visible() {
		a.Show()
	}
	if b.Visible() {
		b.Hide()
	}
}
