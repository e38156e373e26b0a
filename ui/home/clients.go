package home

import (
	"cmp"
	"net"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fw "fyne.io/fyne/v2/widget"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// clientRow is one line of the list: a client, or a kit that is missing.
type clientRow struct {
	title   string
	detail  string // role and team
	client  core.Client
	missing bool // no session of this kit is known
}

// clientRows returns the connected kits, the connected people, the sessions
// that wait for their client, and the kits that are not there, each by name.
func clientRows(clients []core.Client, accounts []core.Account, teams []core.Team) []clientRow {
	byID := map[core.AccountID]core.Account{}
	for _, a := range accounts {
		byID[a.ID] = a
	}
	teamTitle := map[topic.ID]string{}
	for _, t := range teams {
		teamTitle[t.Name] = t.Title()
	}
	detail := func(a core.Account) string {
		parts := []string{roleName(a.Role)}
		if a.Team != "" {
			parts = append(parts, teamTitle[a.Team])
		}
		return strings.Join(parts, " · ")
	}
	rank := func(r clientRow) int {
		switch {
		case r.client.Connected && byID[r.client.Account].Role == core.Kit:
			return 0
		case r.client.Connected:
			return 1
		case !r.missing:
			return 2
		}
		return 3
	}
	var rows []clientRow
	seen := map[core.AccountID]bool{}
	for _, c := range clients {
		seen[c.Account] = true
		row := clientRow{title: c.ID, client: c}
		if a, ok := byID[c.Account]; ok {
			row.title, row.detail = a.Title(), detail(a)
		}
		rows = append(rows, row)
	}
	for _, a := range accounts {
		if a.Role == core.Kit && !a.Disabled && !seen[a.ID] {
			rows = append(rows, clientRow{title: a.Title(), detail: detail(a), missing: true})
		}
	}
	slices.SortStableFunc(rows, func(a, b clientRow) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), widget.Natural(a.title, b.title), widget.Natural(a.client.ID, b.client.ID))
	})
	return rows
}

func roleName(r core.Role) string {
	switch r {
	case core.Teacher:
		return lang.L("teacher")
	case core.Student:
		return lang.L("student")
	case core.Kit:
		return lang.L("kit")
	}
	return ""
}

// clients is the list of clients.
type clients struct {
	stack *fyne.Container
	none  fyne.CanvasObject
	list  *fw.List
	rows  []clientRow
	now   time.Time
}

// newClients returns the list. disconnect is called for the row whose client is to go.
func newClients(disconnect func(clientRow)) *clients {
	c := &clients{}
	c.none = container.NewVScroll(widget.Empty(theme.AccountIcon(), lang.L("Nobody is connected"), lang.L("Kits and people stand here as soon as they connect."), nil))
	c.list = fw.NewList(
		func() int { return len(c.rows) },
		func() fyne.CanvasObject { return newLine().box },
		func(i fw.ListItemID, o fyne.CanvasObject) {
			if i < len(c.rows) {
				l, r := lineOf(o), c.rows[i]
				l.show(r, c.now)
				l.end.OnTapped = func() { disconnect(r) }
			}
		})
	c.list.HideSeparators = true
	c.list.Hide()
	c.stack = container.NewStack(c.none, c.list)
	return c
}

func (c *clients) show(rows []clientRow, now time.Time) {
	c.rows, c.now = rows, now
	swap(c.none, c.list, len(rows) == 0)
	c.list.Refresh()
}

// line is how a clientRow looks.
type line struct {
	box                            *fyne.Container
	dot                            *widget.Dot
	title, detail, presence, place *fw.Label
	end                            *fw.Button // disconnects
}

func newLine() *line {
	l := &line{dot: widget.NewDot(theme.ColorNameSuccess), title: widget.Cell(""), detail: widget.Cell(""), presence: widget.Cell(""), place: widget.Cell(""),
		end: fw.NewButtonWithIcon("", theme.LogoutIcon(), nil)}
	l.title.TextStyle.Bold = true
	l.detail.Importance = fw.LowImportance
	l.place.Importance = fw.LowImportance
	l.end.Importance = fw.LowImportance
	l.box = container.NewBorder(nil, nil, l.dot, widget.Wide(32, l.end),
		widget.Row([]float32{18, 17, 30, 35}, l.title, l.detail, l.presence, l.place))
	return l
}

// lineOf finds the parts of a line again: a list hands back only the box.
func lineOf(o fyne.CanvasObject) *line {
	box := o.(*fyne.Container)
	cells := box.Objects[0].(*fyne.Container).Objects
	return &line{box: box, dot: box.Objects[1].(*widget.Dot), end: box.Objects[2].(*fyne.Container).Objects[0].(*fw.Button), title: cells[0].(*fw.Label),
		detail: cells[1].(*fw.Label), presence: cells[2].(*fw.Label), place: cells[3].(*fw.Label)}
}

func (l *line) show(r clientRow, now time.Time) {
	widget.SetText(l.title, r.title)
	widget.SetText(l.detail, r.detail)
	widget.SetText(l.presence, presence(r, now))
	widget.SetVisible(l.end, r.client.Connected)
	l.place.Importance = fw.LowImportance
	if r.client.Dropped > 0 {
		l.place.Importance = fw.WarningImportance
	}
	place := queue(r.client) // first, for there may be no room for all
	switch {
	case r.client.Connected:
		l.dot.Set(theme.ColorNameSuccess)
		place = append(place, protocol(r.client.Protocol), host(r.client.Addr))
	case r.missing:
		l.dot.Set(theme.ColorNameInputBorder)
	default:
		l.dot.Set(theme.ColorNameWarning)
		if r.client.Waiting == 0 {
			place = append(place, lang.L("messages are kept for it"))
		}
	}
	widget.SetText(l.place, strings.Join(place, " · "))
}

// host is an address without its port, which tells a person nothing.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

// queue is what waits for a client and what there was no room for.
func queue(c core.Client) (parts []string) {
	if c.Waiting > 0 {
		parts = append(parts, lang.L("{n} waiting ({size})", "n", widget.Number(uint64(c.Waiting)), "size", widget.Bytes(int64(c.Bytes))))
	}
	if c.Dropped > 0 {
		parts = append(parts, lang.L("{n} dropped", "n", widget.Number(c.Dropped)))
	}
	return parts
}

func presence(r clientRow, now time.Time) string {
	if r.missing {
		return lang.L("not connected")
	}
	ago := lang.Ago(now.Sub(r.client.Since))
	if r.client.Connected {
		return lang.L("connected {ago}", "ago", ago)
	}
	return lang.L("left {ago}", "ago", ago)
}

// protocol is how a client speaks to us.
func protocol(p string) string {
	switch p {
	case "room", "stream":
		return lang.L("web")
	}
	return lang.L("MQTT {version}", "version", p)
}
