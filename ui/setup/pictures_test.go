package setup

import (
	"fmt"
	"image/png"
	"os"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
)

// scenes are what the screen looks like, one after another in one class.
var scenes = []struct {
	name string
	show func(t *testing.T, l *lab, s *Screen)
}{
	{"nothing", func(t *testing.T, l *lab, s *Screen) {
		l.ports.Advice = []core.Sentence{core.Say("No board is plugged in. A cable that only charges shows nothing: try another one."), core.Say("The driver of the board's USB chip may be missing.")}
	}},
	{"ports", func(t *testing.T, l *lab, s *Screen) {
		l.ports.Advice = nil
		l.plug("/dev/ttyUSB0", time.Time{})
		l.plug("/dev/ttyUSB1", time.Time{})
		l.ports.All[1].Problem = core.Say("Another program holds this port: Arduino IDE. Close its serial monitor.")
		l.ports.All = append(l.ports.All, core.SerialPort{Name: "/dev/ttyS0", Title: "Serial port of the PC"})
	}},
	{"reading", func(t *testing.T, l *lab, s *Screen) {
		l.plug("/dev/ttyUSB7", noon)
		load(t, s)
		f, _ := l.find(1)
		f.Ask = core.Say("Hold FLASH, press RST, then let go of FLASH.")
	}},
	{"kit-plan", func(t *testing.T, l *lab, s *Screen) {
		l.read(1)
		load(t, s)
		s.wizard.d.kit = "blue/lab/kit-1"
	}},
	{"kit-new", func(t *testing.T, l *lab, s *Screen) {
		p := s.wizard.pages[core.StepKit].(*kitPage)
		test.Tap(p.fresh)
		s.wizard.d.label = "Window desk"
		test.Tap(p.roles[core.SensorKit])
	}},
	{"network", func(t *testing.T, l *lab, s *Screen) {
		s.wizard.d.fresh, s.wizard.d.role = false, core.AllKit
		f, _ := l.find(1)
		f.Networks = []core.Network{{Name: "school-lab", Signal: -52}, {Name: "library", Signal: -60}, {Name: "eduroam", Signal: -49, Enterprise: true}, {Name: "guests", Signal: -80, Open: true}}
		s.wizard.look(core.StepNetwork)
		form := s.wizard.pages[core.StepNetwork].(*networkPage).form
		test.Tap(form.tiles["library"])
		form.key.SetText("spring lab")
	}},
	{"missing", func(t *testing.T, l *lab, s *Screen) {
		l.images[0].Missing = core.Say("The Wi-Fi firmware is not part of this build. Build it now with arduino-cli, choose a file, or use the cable.")
		s.wizard.pages[core.StepNetwork].(*networkPage).form.firmware.SetOpen(true)
	}},
	{"flash", func(t *testing.T, l *lab, s *Screen) {
		l.images[0].Missing = core.Sentence{}
		load(t, s)
		s.wizard.goNext()
		f := l.at(1, core.StepFlash, core.Say("Writing the firmware"))
		f.Done, f.Total, f.Left = 181_000, 343_040, 5*time.Second
		f.Log = []string{"sync", "chip ESP8266EX"}
	}},
	{"failed", func(t *testing.T, l *lab, s *Screen) {
		f := l.at(1, core.StepJoin, core.Sentence{})
		f.Running, f.Problem = false, core.Say("The network library says that the key is wrong. Type it again, or choose another network.")
	}},
	{"join", func(t *testing.T, l *lab, s *Screen) {
		f := l.at(1, core.StepJoin, core.Say("The kit is on the network; waiting for the broker to see it"))
		f.Problem, f.Started = core.Sentence{}, noon.Add(-9*time.Second)
	}},
	{"test", func(t *testing.T, l *lab, s *Screen) {
		f := l.testing(1)
		f.Tests[0].Tried, f.Tests[0].Passed, f.Tests[0].Value = true, true, "pressed"
		f.Tests[3].Tried = true
	}},
	{"card", func(t *testing.T, l *lab, s *Screen) { l.pass(1) }},
	{"bench-empty", func(t *testing.T, l *lab, s *Screen) {
		s.wizard.goNext()
		l.ports.All = nil
		s.Open("bench")
	}},
	{"bench", func(t *testing.T, l *lab, s *Screen) {
		b := s.bench
		b.link.network = "school-lab"
		for _, k := range s.v.candidates() {
			if k.Name != "blue/lab/kit-1" {
				b.queue = append(b.queue, job{kit: k.Name, role: k.Role})
			}
		}
		b.queue = append(b.queue, numbered("red/lab", "kit-{n}", 12, core.AllKit, func(id topic.ID) bool { return s.v.taken("red/lab", id) })...)
		b.arm()
		for i := range 6 {
			l.plug(fmt.Sprintf("COM%d", i+3), noon.Add(time.Second))
		}
		load(t, s)
		for id := int64(2); id <= 7; id++ {
			l.read(id)
		}
		load(t, s)
		f := l.at(2, core.StepFlash, core.Say("Writing the firmware"))
		f.Done, f.Total, f.Left = 250_000, 343_040, 3*time.Second
		l.at(3, core.StepJoin, core.Say("Waiting for the broker to see it"))
		l.pass(4)
		f = l.at(5, core.StepFlash, core.Sentence{})
		f.Running, f.Problem = false, core.Say("The board was unplugged while its firmware was written. Plug it in again and start anew.")
		l.testing(6)
		f, _ = l.find(7)
		f.Step, f.Running, f.Ask = core.StepPort, true, core.Say("Hold FLASH, press RST.")
	}},
}

// TestPictures draws the screen in each language and theme; it has to fit the
// smallest window. HOMEROOM_PICTURES is a folder in which to look at them.
func TestPictures(t *testing.T) {
	t.Cleanup(func() { lang.Use(lang.English, "") })
	dir := os.Getenv("HOMEROOM_PICTURES")
	for _, c := range []struct {
		lang lang.Language
		dark bool
		size fyne.Size
	}{
		{lang.English, false, fyne.NewSize(1104, 752)}, {lang.English, true, fyne.NewSize(1744, 1030)},
		{lang.French, false, fyne.NewSize(1104, 752)}, {lang.Korean, true, fyne.NewSize(1104, 752)},
	} {
		if dir == "" && c.size.Width > 1104 {
			continue // what fits the small window fits this one
		}
		lang.Use(c.lang, "")
		l := newLab()
		s, shell := visit(t, l)
		test.ApplyTheme(t, look{theme.DefaultTheme(), c.dark, c.lang == lang.Korean})
		shell.Win.Resize(c.size)
		for _, scene := range scenes {
			scene.show(t, l, s)
			load(t, s)
			name := fmt.Sprintf("%s-%v-%v-%s", c.lang, c.dark, c.size.Width, scene.name)
			if m := s.Content().MinSize(); m.Width > 1040 || m.Height > 640 {
				t.Errorf("%s needs %v", name, m)
			}
			if dir == "" {
				continue
			}
			f, err := os.Create(dir + "/" + name + ".png")
			if err != nil {
				t.Fatal(err)
			}
			if err := png.Encode(f, shell.Win.Canvas().Capture()); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
	}
}
