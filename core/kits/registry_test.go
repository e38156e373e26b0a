package kits

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core"
	"homeroom/core/kits/line"
	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// desert is a PC without ports.
type desert struct{}

func (desert) List() ([]core.SerialPort, error)             { return nil, nil }
func (desert) Open(string) (line.Port, error)               { return nil, core.ErrNotFound }
func (desert) Advice([]core.SerialPort) (a []core.Sentence) { return nil }

// noImages is a program without firmware.
type noImages struct{}

func (noImages) All() []core.KitImage               { return nil }
func (noImages) Open(string) (io.ReadCloser, error) { return nil, core.ErrNotFound }
func (noImages) Stub() []byte                       { return nil }

// wifiImage is a bundle with a newer version for Wi-Fi.
type wifiImage struct{ noImages }

func (wifiImage) All() []core.KitImage {
	return []core.KitImage{{ID: "wifi", Variant: "wifi", Version: "1.2.0", Chip: "ESP8266", Size: 4, SHA256: "5a", MD5: "d5"}}
}
func (wifiImage) Open(string) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("kit")), nil
}

// shelf is a store in memory.
type shelf struct {
	Store
	mu    sync.Mutex
	kits  map[topic.ID]Known // guarded by mu
	saves int                // guarded by mu
	made  []Made
}

func (s *shelf) Kits(context.Context) (all []Known, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sorted(s.kits), nil
}

func (s *shelf) SaveKit(_ context.Context, k Known) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saves++
	s.kits[k.Account] = k
	return nil
}
func (s *shelf) MadeKits(_ context.Context, before int64, limit int) ([]Made, error) {
	if before != 0 {
		return nil, nil
	}
	return s.made[:min(limit, len(s.made))], nil
}
func (s *shelf) SaveMade(_ context.Context, m Made) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made = append(s.made, m)
	return nil
}
func (s *shelf) BegunKits(context.Context) ([]Begun, error)   { return nil, nil }
func (s *shelf) Networks(context.Context) ([]string, error)   { return nil, nil }
func (s *shelf) Firmware(context.Context) ([]Firmware, error) { return nil, nil }

// fleet is kits that only speak MQTT.
type fleet struct {
	mu     sync.Mutex
	design *core.Design                 // guarded by mu
	away   map[topic.ID]bool            // guarded by mu
	sent   []core.Message               // guarded by mu
	react  func(m core.Message)         // guarded by mu
	want   map[topic.Name]wire.Settings // guarded by mu
	s      *Service
	store  *shelf
}

func newFleet(t testing.TB, images Images, names ...topic.Name) *fleet {
	t.Helper()
	f := &fleet{design: &core.Design{}, away: map[topic.ID]bool{}, want: map[topic.Name]wire.Settings{}, store: &shelf{kits: map[topic.ID]Known{}}}
	for _, n := range names {
		levels := n.Split()
		account := topic.ID(levels[len(levels)-1])
		f.design.Places = append(f.design.Places, &core.Place{Name: n, Kind: core.KitPlace, Role: core.ButtonKit, Account: account})
		f.want[n] = wire.Settings{Name: string(n), Role: core.ButtonKit}
		f.store.kits[account] = Known{Account: account, Called: n, Image: "wifi", Version: "1.0.0", Link: "wifi", Design: f.want[n].DesignCRC(), Seen: time.Unix(1_700_000_000, 0)}
	}
	var err error
	f.s, err = Open(t.Context(), Config{
		Lines: desert{}, Store: f.store, Images: images, Keys: &keyrings{memory: map[string]string{}, broken: true},
		Design: func() *core.Design { f.mu.Lock(); defer f.mu.Unlock(); return f.design },
		Should: func(n topic.Name) (wire.Settings, bool) {
			f.mu.Lock()
			defer f.mu.Unlock()
			w, ok := f.want[n]
			return w, ok
		},
		Owner: func(topic.ID) (core.AccountID, bool) { return 7, true },
		Client: func(a topic.ID) (core.Client, bool) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return core.Client{Account: 7, Connected: !f.away[a]}, true
		},
		Publish: func(_ context.Context, m core.Message) error {
			f.mu.Lock()
			f.sent = append(f.sent, m)
			react := f.react
			f.mu.Unlock()
			if react != nil {
				go react(m)
			}
			return nil
		},
		Secret: func(context.Context, topic.ID) (string, func(context.Context) error, error) {
			return "new", func(context.Context) error { return errors.New("committed") }, nil
		},
		Boards: func() []core.Board { return nil }, Broker: func() Broker { return Broker{} }, Feed: &core.Feed{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.s.compare()
	return f
}

// tell is what a kit publishes.
func (f *fleet) tell(n topic.Name, payload string) {
	f.s.Observe(core.Message{Topic: n, Payload: []byte(payload), From: 7})
}

func (f *fleet) asked() (all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.sent {
		word, _, _ := strings.Cut(string(m.Payload), " ")
		all = append(all, string(m.Topic)+" "+word)
	}
	return all
}

// run runs the service until the test ends.
func (f *fleet) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestWaits: a kit that has another design than the plan is sent the new one once,
// when the plan has rested, and again only when that changes.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const kit = topic.Name("blue/lab/kit-1")
		f := newFleet(t, noImages{}, kit)
		f.run(t)
		f.tell(kit+"/$state", "ready")
		time.Sleep(10 * time.Second)
		if got := f.asked(); got != nil {
			t.Fatalf("a kit that has the design was asked %q", got)
		}
		for i := range 3 { // somebody drags
			f.mu.Lock()
			f.want[kit] = wire.Settings{Name: string(kit), Role: core.ButtonKit, Label: string(rune('a' + i))}
			f.mu.Unlock()
			f.s.compare()
			time.Sleep(time.Second)
		}
		if got := f.asked(); got != nil {
			t.Errorf("while the plan changes it was asked %q", got)
		}
		if k := f.s.Kits()[0]; !k.Waiting {
			t.Error("it does not wait")
		}
		time.Sleep(time.Minute)
		if got := f.asked(); len(got) != 1 || got[0] != "blue/lab/kit-1/$do settings" {
			t.Errorf("it was asked %q", got)
		}
		if k := f.s.Kits()[0]; k.Problem.Format == "" || k.Doing.Format != "" {
			t.Errorf("a kit that does not answer: %+v", k)
		}
		f.tell(kit+"/$info", `{"fw":"1.0.0","image":"wifi","ip":"192.168.1.9","design":"`+fmt.Sprintf("%08x", f.want[kit].DesignCRC())+`"}`)
		if k := f.s.Kits()[0]; k.Waiting {
			t.Error("it has the design, and waits")
		}
	})
}

// TestUpdateFails: each way in which an update fails stops it with a sentence.
func TestUpdateFails(t *testing.T) {
	for _, c := range []struct {
		what  string
		react func(f *fleet)
		says  string
	}{
		{"nothing", func(*fleet) {}, "said nothing"},
		{"the firewall", func(f *fleet) { f.tell("b/r/kit-1/$told", "update failed connect") }, "firewall"},
		{"a page that is gone", func(f *fleet) { f.tell("b/r/kit-1/$told", "update failed http 404") }, "404"},
		{"a damaged file", func(f *fleet) { f.tell("b/r/kit-1/$told", "update failed md5") }, "damaged"},
		{"no room", func(f *fleet) { f.tell("b/r/kit-1/$told", "update failed space") }, "no room"},
		{"bad flash", func(f *fleet) { f.tell("b/r/kit-1/$told", "update failed write") }, "could not be written"},
		{"the wrong image", func(f *fleet) { f.tell("b/r/kit-1/$told", "update failed here") }, "no updates"},
		{"something new", func(f *fleet) { f.tell("b/r/kit-1/$told", "update failed moon") }, "moon"},
		{"for ever", func(f *fleet) {
			for range 400 {
				f.tell("b/r/kit-1/$told", "update 3")
				time.Sleep(time.Second)
			}
		}, "within 5 minutes"},
		{"not back", func(f *fleet) { f.tell("b/r/kit-1/$told", "update ok 1.2.0") }, "did not come back"},
		{"back with the old one", func(f *fleet) {
			f.tell("b/r/kit-1/$told", "update ok 1.2.0")
			f.tell("b/r/kit-1/$state", "ready")
			f.tell("b/r/kit-1/$info", `{"fw":"1.0.0","image":"wifi","ip":"1.2.3.4"}`)
		}, "did not come back"},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, wifiImage{}, "b/r/kit-1", "b/r/kit-2")
				f.run(t)
				f.mu.Lock()
				f.react = func(core.Message) { c.react(f) }
				f.mu.Unlock()
				if err := f.s.Update(t.Context(), []topic.Name{"b/r/kit-1", "b/r/kit-2"}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
				r := f.s.Rollout()
				if r.Running || r.Next != 0 || !strings.Contains(r.Stopped.String(), c.says) {
					t.Errorf("%+v: %s", r, r.Stopped)
				}
				if got := f.asked(); len(got) != 1 {
					t.Errorf("it went on: %q", got)
				}
				if k := f.s.Kits(); k[0].Problem.Format == "" || k[0].Newer != "1.2.0" || k[1].Problem.Format != "" {
					t.Errorf("%+v", k)
				}
			})
		})
	}
}

// TestUpdateStops: who stops an update lets the kit at work finish.
func TestUpdateStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, wifiImage{}, "b/r/kit-1", "b/r/kit-2")
		f.run(t)
		f.mu.Lock()
		f.react = func(m core.Message) {
			time.Sleep(20 * time.Second)
			kit, _ := strings.CutSuffix(string(m.Topic), "/$do")
			f.tell(topic.Name(kit)+"/$told", "update ok 1.2.0")
			f.tell(topic.Name(kit)+"/$state", "ready")
			f.tell(topic.Name(kit)+"/$info", `{"fw":"1.2.0","image":"wifi","ip":"1.2.3.4"}`)
		}
		f.mu.Unlock()
		if err := f.s.Update(t.Context(), []topic.Name{"b/r/kit-1", "b/r/kit-2", "b/r/none"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		f.s.StopRollout()
		time.Sleep(time.Minute)
		if r := f.s.Rollout(); r.Running || r.Next != 1 || r.Stopped.String() != "Stopped before b/r/kit-2. The others keep their version." {
			t.Errorf("%+v", r)
		}
		if k := f.s.Kits(); k[0].Version != "1.2.0" || k[0].Newer != "" || k[1].Version != "1.0.0" {
			t.Errorf("%+v", k)
		}
	})
}

// TestRotate: the account's secret changes only once the kit has the new one.
func TestRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, noImages{}, "b/r/kit-1")
		f.run(t)
		if err := f.s.Rotate(t.Context(), "b/r/kit-1"); !errors.Is(err, core.ErrNotFound) {
			t.Errorf("a kit that does not answer: %v", err)
		}
		answer := "settings bad"
		f.mu.Lock()
		f.react = func(core.Message) { f.tell("b/r/kit-1/$told", answer) }
		f.mu.Unlock()
		if err := f.s.Rotate(t.Context(), "b/r/kit-1"); !errors.Is(err, core.ErrInvalid) {
			t.Errorf("a kit that does not take it: %v", err)
		}
		answer = "settings ok 4 0000abcd"
		if err := f.s.Rotate(t.Context(), "b/r/kit-1"); err == nil || err.Error() != "committed" {
			t.Errorf("a kit that takes it: %v", err)
		}
		f.mu.Lock()
		f.away["kit-1"] = true
		f.mu.Unlock()
		if err := f.s.Rotate(t.Context(), "b/r/kit-1"); !errors.Is(err, core.ErrConflict) {
			t.Errorf("a kit that is away: %v", err)
		}
	})
}

// TestSaved: what kits told is written now and then, not each time.
func TestSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, noImages{}, "b/r/kit-1")
		f.run(t)
		for range 60 {
			f.tell("b/r/kit-1/$info", `{"fw":"1.1.0","rssi":-61,"uptime":120,"heap":31000,"ip":"192.168.1.31"}`)
			time.Sleep(time.Second)
		}
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		if k := f.store.kits["kit-1"]; f.store.saves > 7 || k.Version != "1.1.0" || k.Signal != -61 || k.Uptime != 2*time.Minute || k.Heap != 31000 {
			t.Errorf("%d times, %+v", f.store.saves, k)
		}
	})
}

// TestMadeAsCSV: no cell is a formula, and what failed says where.
func TestMadeAsCSV(t *testing.T) {
	f := newFleet(t, noImages{})
	f.store.made = []Made{
		{ID: 2, Kit: "b/r/kit-1", Account: "kit-1", Team: "b", Room: "=1+1", Image: "@x", Version: "-1", Passed: true},
		{ID: 1, Kit: "b/r/kit-2", Step: core.StepFlash, Problem: core.Say("{a}, {b}.", "a", "so", "b", "said \"no\"")},
	}
	var out bytes.Buffer
	if err := f.s.WriteMade(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"time,kit,account,team,room,mac,chip,image,version,result\n", ",b/r/kit-1,kit-1,b,'=1+1,,,'@x,'-1,ok\n", `"flash: so, said ""no""."`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
}

// TestNewer compares versions.
func TestNewer(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"1.0.1", "1.0.0", true}, {"1.0.0", "1.0.0", false}, {"1.10", "1.9.9", true}, {"2", "1.9", true}, {"", "1", false}, {"1", "", true}, {"x", "y", false}} {
		if got := newer(c.a, c.b); got != c.want {
			t.Errorf("%q after %q is %v", c.a, c.b, got)
		}
	}
}

// FuzzObserve: whatever a kit tells is bounded and can be shown.
func FuzzObserve(f *testing.F) {
	f.Add("$info", `{"fw":"1.0.0","image":"wifi","mac":"5c:cf:7f:01:02:03","ip":"192.168.1.31","rssi":-61,"uptime":120,"heap":31000,"design":"1a2b3c4d","seq":3}`)
	f.Add("$state", "ready")
	f.Add("$told", "update 55")
	f.Add("$info", `{"uptime":9223372036854775807,"rssi":-9999999,"heap":-4,"fw":"\u0000\u202e"}`)
	l := newFleet(f, noImages{}, "b/r/kit-1")
	f.Fuzz(func(t *testing.T, what, payload string) {
		l.tell(topic.Name("b/r/kit-1/"+what), payload)
		for _, k := range l.s.Kits() {
			for _, s := range []string{k.State, k.Version, k.Image, k.Address, k.MAC} {
				if len(s) > maxText || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '\u202e' }) {
					t.Errorf("%q is shown", s)
				}
			}
			if k.Signal > 0 || k.Signal < -127 || k.Heap < 0 || k.Uptime < 0 {
				t.Errorf("%+v", k)
			}
		}
	})
}

// BenchmarkObserve is what the registry of kits costs the broker a message: of values,
// of what kits tell about themselves, and of both as in a class of 40 kits that sends
// 10,000 messages a second and tells of each kit every minute, rounded up to one in a
// thousand.
func BenchmarkObserve(b *testing.B) {
	var names []topic.Name
	for i := range 40 {
		names = append(names, topic.Name(fmt.Sprintf("blue/lab/kit-%d", i)))
	}
	for _, c := range []struct {
		name  string
		every int // of how many messages one is $info
	}{{"values", 0}, {"info", 1}, {"class", 1000}} {
		b.Run(c.name, func(b *testing.B) {
			f := newFleet(b, noImages{}, names...)
			var values, infos []core.Message
			for i, n := range names {
				values = append(values, core.Message{Topic: n + "/brightness", Payload: []byte("42"), From: 7})
				infos = append(infos, core.Message{Topic: n + "/" + core.KitInfo, From: 7, Retain: true, Payload: fmt.Appendf(nil,
					`{"fw":"1.0.0","image":"wifi","mac":"5c:cf:7f:01:02:%02x","ip":"192.168.1.31","rssi":-61,"uptime":120,"heap":31000,"design":"1a2b3c4d","seq":3,"flash":4194304}`, i)})
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				if c.every > 0 && i%c.every == 0 {
					f.s.Observe(infos[i/c.every%len(infos)])
				} else {
					f.s.Observe(values[i%len(values)])
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)*10_000*1000, "ms/10k")
		})
	}
}
