package gateway

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"homeroom/core"
)

// XRay records packets.
type XRay interface {
	Watch(w core.Watch)
	Watching() core.Watch
	Packets(after uint64) (ps []core.Packet, missed uint64)
}

// program adds who is connected, what is recorded, and what is set.
func (a api) program() {
	a.kits()
	a.clients()
	a.xray()
	a.settings()
}

func (a api) kits() {
	g := a.g
	type kit struct {
		Name      string     `json:"name" example:"kit-1"`
		Label     string     `json:"label,omitempty"`
		Team      string     `json:"team,omitempty" example:"blue"`
		Disabled  bool       `json:"disabled,omitempty"`
		Connected bool       `json:"connected" doc:"It is connected to the broker."`
		State     string     `json:"state,omitempty" doc:"What it says itself in its $state topic: init, ready, disconnected, sleeping, lost or alert."`
		Seen      *time.Time `json:"seen,omitempty" doc:"When it was there last; absent where it never was."`
		Dropped   uint64     `json:"dropped,omitempty" doc:"Messages that it was too slow for."`
		Topic     string     `json:"topic,omitempty" example:"blue/lab/kit-1" doc:"Its name in the plan."`
		Role      string     `json:"role,omitempty" example:"light"`
		Link      string     `json:"link,omitempty" enum:"wifi,cable,virtual" doc:"How it is joined to the broker."`
		Signal    int        `json:"signal,omitempty" doc:"Of the Wi-Fi, in dBm."`
		Uptime    float64    `json:"uptime,omitempty" doc:"Seconds since it started, as it told."`
		Heap      int        `json:"heap,omitempty" doc:"Free memory in bytes."`
		Firmware  string     `json:"firmware,omitempty" example:"1.0.0"`
		Newer     string     `json:"newer,omitempty" doc:"The version that it could be updated to."`
		Addr      string     `json:"addr,omitempty" doc:"On the network, or its serial port. For teachers."`
		MAC       string     `json:"mac,omitempty" doc:"For teachers."`
		Waiting   bool       `json:"waiting,omitempty" doc:"The plan has changed and it has not taken that over yet."`
	}
	type listIn struct {
		Paging
		Team string `query:"team" maxLength:"64"`
		Text string `query:"text" maxLength:"64" doc:"Only where name or label holds it."`
	}
	register(a, members, huma.Operation{OperationID: "list-kits", Method: http.MethodGet, Path: "/kits", Tags: []string{"program"}, Summary: core.Say("List kits").Format,
		Description: "With presence. A teacher sees all, anybody else those of its team."},
		func(_ context.Context, c caller, in *listIn) (*body[list[kit]], error) {
			kits, at := []kit{}, map[core.AccountID]int{}
			for _, x := range g.cfg.Accounts.Accounts() {
				if x.Role == core.Kit && sees(c, x) && (in.Team == "" || in.Team == string(x.Team)) && holds(in.Text, string(x.Name), x.Label) {
					at[x.ID] = len(kits)
					kits = append(kits, kit{Name: string(x.Name), Label: x.Label, Team: string(x.Team), Disabled: x.Disabled})
				}
			}
			seen := func(k *kit, t time.Time) {
				if k.Seen == nil || t.After(*k.Seen) {
					k.Seen = moment(t)
				}
			}
			for _, x := range g.cfg.Broker.Clients() {
				i, ok := at[x.Account]
				if !ok {
					continue
				}
				k := &kits[i]
				k.Dropped += x.Dropped
				if x.Connected {
					k.Connected = true
					seen(k, time.Now())
				} else {
					seen(k, x.Since)
				}
			}
			topics, _ := g.cfg.Values.Topics(0)
			for _, t := range topics {
				if i, ok := at[t.Last.From]; ok {
					seen(&kits[i], t.Last.At)
				}
			}
			for _, m := range g.cfg.Broker.Retained("+/+/+/$state", maxScanned) {
				levels := m.Topic.Split()
				for i := range kits {
					if k := &kits[i]; k.Name == levels[2] && k.Team == levels[0] && g.may(c, m.Topic) {
						k.State = cut(string(m.Payload))
					}
				}
			}
			byName := map[string]*kit{}
			for i := range kits {
				byName[kits[i].Name] = &kits[i]
			}
			for _, real := range g.realKits() {
				k := byName[string(real.Account)]
				if k == nil || !g.may(c, real.Name) {
					continue
				}
				k.Topic, k.Role, k.Link, k.Waiting = string(real.Name), string(real.Role), real.Link, real.Waiting
				k.Signal, k.Uptime, k.Heap, k.Firmware, k.Newer = real.Signal, real.Uptime.Seconds(), real.Heap, cut(real.Version), real.Newer
				if c.Role == core.Teacher {
					k.Addr, k.MAC = cut(real.Address), cut(real.MAC)
				}
				if !real.Seen.IsZero() {
					seen(k, real.Seen)
				}
			}
			return &body[list[kit]]{part(in.Paging, kits, func(k kit) string { return k.Name })}, nil
		})

	type locateIn struct {
		Name string `path:"name" maxLength:"64" doc:"The name of the kit's account."`
		Body struct {
			Seconds int `json:"seconds,omitempty" minimum:"0" maximum:"120" default:"10" doc:"How long; 0 ends it."`
		}
	}
	register(a, teachers, huma.Operation{OperationID: "locate-kit", Method: http.MethodPost, Path: "/kits/{name}/locate", Tags: []string{"program"}, Summary: core.Say("Let a kit blink").Format,
		Description: "So that one finds it among others."},
		func(ctx context.Context, _ caller, in *locateIn) (*struct{}, error) {
			for _, real := range g.realKits() {
				if real.Account != "" && string(real.Account) == in.Name {
					return nil, g.cfg.Kits.Locate(ctx, real.Name, in.Body.Seconds)
				}
			}
			return nil, core.Fail(core.ErrNotFound, "No kit {name} is in the plan. Draw it there first.", "name", cut(in.Name))
		})
}

// realKits returns the kits of the plan.
func (g *Gateway) realKits() []core.RealKit {
	if g.cfg.Kits == nil {
		return nil
	}
	return g.cfg.Kits.Kits()
}

func (a api) clients() {
	g := a.g
	type client struct {
		ID        string    `json:"id" doc:"MQTT Client Identifier."`
		Account   string    `json:"account,omitempty"`
		Addr      string    `json:"addr,omitempty" doc:"For teachers."`
		Protocol  string    `json:"protocol,omitempty" enum:"3.1,3.1.1,5"`
		Connected bool      `json:"connected"`
		Durable   bool      `json:"durable,omitempty" doc:"Messages wait for it while it is away."`
		Since     time.Time `json:"since" doc:"Of the present state."`
		Filters   []string  `json:"filters" doc:"What it subscribes to, as it wrote it."`
		Waiting   int       `json:"waiting,omitempty" doc:"Messages that wait for it."`
		Dropped   uint64    `json:"dropped,omitempty" doc:"Messages that it was too slow for."`
	}
	register(a, members, huma.Operation{OperationID: "list-clients", Method: http.MethodGet, Path: "/clients", Tags: []string{"program"}, Summary: core.Say("List MQTT clients").Format,
		Description: "A teacher sees all, anybody else those of itself and its team."},
		func(_ context.Context, c caller, in *Paging) (*body[list[client]], error) {
			var all []client
			for _, x := range g.cfg.Broker.Clients() {
				owner, _ := g.cfg.Authority.Account(x.Account)
				if c.Role != core.Teacher && (owner.ID == 0 || !sees(c, owner)) {
					continue
				}
				y := client{x.ID, string(owner.Name), "", x.Protocol, x.Connected, x.Durable, x.Since, append([]string{}, x.Filters...), x.Waiting, x.Dropped}
				if c.Role == core.Teacher {
					y.Addr = x.Addr
				}
				all = append(all, y)
			}
			return &body[list[client]]{part(*in, all, func(x client) string { return x.ID })}, nil
		})

	type clientIn struct {
		ID string `path:"id" maxLength:"1024" doc:"Percent-encoded MQTT Client Identifier."`
	}
	register(a, teachers, huma.Operation{OperationID: "disconnect", Method: http.MethodDelete, Path: "/clients/{id}", Tags: []string{"program"}, Summary: core.Say("Disconnect an MQTT client").Format,
		Description: "Its session stays, and it may come back."},
		func(_ context.Context, _ caller, in *clientIn) (*struct{}, error) {
			if err := g.cfg.Broker.Disconnect(in.ID); err != nil {
				return nil, core.Fail(core.ErrNotFound, "No client {client} is connected. Look at the list of clients.", "client", cut(in.ID))
			}
			return nil, nil
		})
}

func (a api) xray() {
	g := a.g
	tags := []string{"xray"}
	type watch struct {
		Client string `json:"client,omitempty" maxLength:"1024" doc:"Only this MQTT Client Identifier."`
		Topic  string `json:"topic,omitempty" maxLength:"1024" doc:"Only messages that this topic filter selects, and their acknowledgements." example:"blue/#"`
		On     bool   `json:"on" doc:"false ends the recording; what was recorded stays."`
	}
	type packet struct {
		N       uint64    `json:"n" doc:"Rises by one a packet."`
		At      time.Time `json:"at"`
		Client  string    `json:"client"`
		Account string    `json:"account,omitempty"`
		In      bool      `json:"in" doc:"From the client to the broker."`
		Type    string    `json:"type" example:"PUBLISH"`
		QoS     byte      `json:"qos"`
		Dup     bool      `json:"dup,omitempty"`
		Retain  bool      `json:"retain,omitempty"`
		ID      uint16    `json:"id,omitempty" doc:"Packet Identifier."`
		Topic   string    `json:"topic,omitempty"`
		Content           // at most 256 bytes
		Size    int       `json:"size" doc:"Bytes of the whole packet."`
		Reason  byte      `json:"reason,omitempty" doc:"MQTT reason code."`
		State   string    `json:"state,omitempty" doc:"Where the message stands: sent, received, released or done."`
	}
	type packets struct {
		Watch  watch    `json:"watch"`
		Items  []packet `json:"items"`
		Next   string   `json:"next" doc:"The cursor for what comes after; always there."`
		Missed uint64   `json:"missed,omitempty" doc:"How many packets there was no room for."`
	}
	shown := func() watch {
		w := g.cfg.XRay.Watching()
		return watch{w.Client, string(w.Filter), w != core.Watch{}}
	}

	register(a, teachers, huma.Operation{OperationID: "get-watch", Method: http.MethodGet, Path: "/xray", Tags: tags, Summary: core.Say("Read what the X-ray watches").Format},
		func(context.Context, caller, *struct{}) (*body[watch], error) { return &body[watch]{shown()}, nil })

	register(a, teachers, huma.Operation{OperationID: "set-watch", Method: http.MethodPut, Path: "/xray", Tags: tags, Summary: core.Say("Watch a client or a topic").Format,
		Description: "The recording begins anew. There is one for the whole program."},
		func(_ context.Context, _ caller, in *body[watch]) (*body[watch], error) {
			var w core.Watch
			if in.Body.On {
				w.Client = in.Body.Client
				if in.Body.Topic != "" || w.Client == "" {
					f, err := filter(in.Body.Topic)
					if err != nil {
						return nil, err
					}
					w.Filter = f
				}
			}
			g.cfg.XRay.Watch(w)
			return &body[watch]{shown()}, nil
		})

	type packetsIn struct {
		Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
		Cursor uint64 `query:"cursor" doc:"The next of the answer before."`
	}
	register(a, teachers, huma.Operation{OperationID: "list-packets", Method: http.MethodGet, Path: "/xray/packets", Tags: tags, Summary: core.Say("List recorded packets").Format,
		Description: "Oldest first."},
		func(_ context.Context, c caller, in *packetsIn) (*body[packets], error) {
			ps, missed := g.cfg.XRay.Packets(in.Cursor)
			out, last := packets{Watch: shown(), Items: []packet{}, Missed: missed}, in.Cursor
			for _, p := range ps[:min(len(ps), in.Limit)] {
				x := packet{N: p.N, At: p.At, Client: p.Client, Account: g.nameOf(c, p.Account), In: p.In, Type: p.Type, QoS: p.QoS, Dup: p.Dup, Retain: p.Retain,
					ID: p.ID, Topic: p.Topic, Size: p.Size, Reason: p.Reason, State: p.State}
				if len(p.Payload) > 0 {
					x.Content = newContent(p.Payload)
				}
				out.Items, last = append(out.Items, x), p.N
			}
			out.Next = strings.TrimLeft(sortable(int64(last)), "0")
			if out.Next == "" {
				out.Next = "0"
			}
			return &body[packets]{out}, nil
		})
}

func (a api) settings() {
	g := a.g
	type settings struct {
		Language  string `json:"language,omitempty" doc:"en, fr or ko; without it, the system's."`
		MQTT      string `json:"mqtt" doc:"Address of MQTT over TCP." example:":1883"`
		MQTTS     string `json:"mqtts" doc:"Address of MQTT over TLS; - is none." example:":8883"`
		HTTP      string `json:"http" example:":8080"`
		KeepDays  int    `json:"keepDays" doc:"Older readings are removed; 0 keeps all."`
		KeepBytes int64  `json:"keepBytes" doc:"Readings take no more; 0 is no bound."`
		Limits    limits `json:"limits" doc:"Of every account that has none of its own."`
	}
	register(a, teachers, huma.Operation{OperationID: "get-settings", Method: http.MethodGet, Path: "/settings", Tags: []string{"program"}, Summary: core.Say("Read the settings").Format},
		func(context.Context, caller, *struct{}) (*body[settings], error) {
			s := g.cfg.Settings()
			return &body[settings]{settings{s.Language, s.MQTT, s.MQTTS, s.HTTP, s.KeepDays, s.KeepBytes, limits(s.Limits)}}, nil
		})
}
