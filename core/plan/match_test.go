package plan

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

// of designs topics of these names; those that end with ! take commands.
func of(names ...string) *core.Design {
	var b core.Batch
	for _, n := range names {
		n, writable := strings.CutSuffix(n, "!")
		b.Topics = append(b.Topics, core.Topic{Name: topic.Name(n), Writable: writable})
	}
	return with(&core.Design{}, b)
}

func TestMeant(t *testing.T) {
	d := of("blue/brightness", "blue/button", "blue/lab/kit-1/light!", "blue/lab/kit-2/light!", "blue/lab/kit-1/temperature",
		"red/state_led", "blue/hall/door", "blue/hall/doors", "green/x", "거실/온도", "flat")
	d = with(d, core.Batch{Places: []core.Place{{Name: "blue/lab/kit-b", Kind: core.KitPlace}, {Name: "blue/lab/kit-7", Kind: core.KitPlace}}})
	for arrived, want := range map[topic.Name]topic.Name{
		"blue/brightnes":               "blue/brightness", // left out
		"blue/brihgtness":              "blue/brightness", // swapped
		"blue/brightnessss":            "blue/brightness",
		"blue/bightnes":                "blue/brightness",
		"blue/britnes":                 "", // three
		"blue/brightness ":             "blue/brightness",
		" blue / brightness":           "blue/brightness",
		"blue/brightness\u200b":        "blue/brightness",
		"/blue/brightness":             "blue/brightness",
		"blue//brightness/":            "blue/brightness",
		"Blue/Brightness":              "blue/brightness",
		"BLUE/BRIGHTNES":               "blue/brightness",
		"brightness":                   "blue/brightness", // no mount
		"state_led":                    "red/state_led",
		"blue/blue/brightness":         "blue/brightness", // mounted, and written
		"brightness/blue":              "blue/brightness", // the wrong way round
		"lab/blue/kit-1/temperature":   "blue/lab/kit-1/temperature",
		"blue/lab/kit-1/temprature":    "blue/lab/kit-1/temperature",
		"bleu/lab/kit-1/temperature":   "blue/lab/kit-1/temperature",
		"rad/lab/kit-1/temperature":    "", // so short a word may be another
		"blue/lab/kit-1/ligth/set":     "blue/lab/kit-1/light/set",
		"Blue/lab/kit-1/light/set":     "blue/lab/kit-1/light/set",
		"blue/lab/kit-1/light/set":     "", // is what it is
		"blue/brightness/set":          "", // takes none
		"blue/lab/kit-1/light":         "",
		"blue/lab/kit-3/light":         "", // another kit
		"blue/lab/kit-7/light":         "",
		"blue/lab/kit-b/temprature":    "", // a kit that is drawn
		"blue/lab/kit-1/temperature-2": "",
		"light":                        "", // of which kit
		"blue/hall/dooor":              "blue/hall/door",
		"blue/hall/doorz":              "", // one letter from both
		"거실/온도 ":                       "거실/온도",
		"green/y":                      "",
		"something/else":               "",
		"$SYS/broker/uptime":           "",
		"":                             "",
		"/":                            "",
		"fla":                          "", // three letters are soon others
		"flaat":                        "flat",
	} {
		if got, ok := Meant(d, arrived); got != want || ok != (want != "") {
			t.Errorf("%q was meant to be %q, want %q", arrived, got, want)
		}
	}
}

func FuzzMeant(f *testing.F) {
	f.Add("blue/brightnes", "blue/brightness")
	f.Add("//+/\xff", "a/b")
	f.Add("a/b/set", "b/a")
	f.Fuzz(func(t *testing.T, arrived, designed string) {
		d := of(designed+"!", "blue/light", "red/light")
		n, ok := Meant(d, topic.Name(arrived))
		if !ok {
			return
		}
		state := topic.Name(strings.TrimSuffix(string(n), "/set"))
		if n == topic.Name(arrived) || d.Topic(n) == nil && (d.Topic(state) == nil || !d.Topic(state).Writable) {
			t.Fatalf("%q was meant to be %q", arrived, n)
		}
	})
}

func arrives(n topic.Name, payload string) core.TopicState {
	return core.TopicState{Last: core.Message{Topic: n, Payload: []byte(payload), Retain: true, QoS: 1}, Size: len(payload), Count: 1}
}

func TestAdopt(t *testing.T) {
	for _, c := range []struct {
		topic   topic.Name
		payload string
		want    string // kind unit min..max options writable, and places
	}{
		{"blue/temperature", "21.5", "Number °C -10..50"},
		{"blue/temperature", "210", "Number °C 0..0"}, // is no range that holds it
		{"blue/count", "12", "Number  0..0"},
		{"state_led", "1", "Boolean  0..0 1 0"},
		{"x", "1", "Number  0..0"},
		{"light", "On", "Boolean  0..0 On Off"},
		{"light", "off", "Boolean  0..0 on off"},
		{"button", "turn off", "Boolean  0..0 turn on turn off"},
		{"p", "true", "Boolean  0..0"},
		{"p", `{"temp": 1}`, "JSON  0..0"},
		{"p", `{"temp": `, "Text  0..0"},
		{"p", "NaN", "Text  0..0"},
		{"p", "\xff\xfe", "Text  0..0"},
		{"p", "", "Text  0..0"},
		{"blue/lab/kit-9/lamp/set", "true", "Boolean  0..0 blue blue/lab blue/lab/kit-9:lamp"},
		{"blue/lab/kit-9/temperature", "20", "Number °C -10..50 blue blue/lab blue/lab/kit-9:temperature"},
		{"blue/lab/kit-9/$state", "ready", "Enumeration  0..0 init ready disconnected sleeping lost alert blue blue/lab blue/lab/kit-9"},
		{"blue/lab/kit-9/온도", "20", "Number °C -10..50 blue blue/lab blue/lab/kit-9"},
		{"homie/5/kit/x", "1", "Number  0..0"},
		{"blue//kit/x", "1", "Number  0..0"},
	} {
		state := arrives(c.topic, c.payload)
		b := Adopt(&core.Design{}, state)
		if len(b.Topics) != 1 {
			t.Errorf("%s: %+v", c.topic, b)
			continue
		}
		one := b.Topics[0]
		got := fmt.Sprintf("%s %s %v..%v", []string{"Text", "Number", "Boolean", "Enumeration", "JSON"}[one.Kind], one.Unit, one.Min, one.Max)
		for _, o := range one.Options {
			got += " " + o
		}
		for _, p := range b.Places {
			got += " " + string(p.Name)
			for _, port := range p.Ports {
				got += ":" + string(port.Slot)
			}
		}
		if got != c.want || !one.Retain || one.QoS != 1 {
			t.Errorf("%s = %q is adopted as %q, want %q", c.topic, c.payload, got, c.want)
		}
		if d := with(&core.Design{}, b); !drawn(d, c.topic) {
			t.Errorf("%s arrives as before", c.topic)
		}
	}
}

// TestAdoptIntoAHouse adopts kit after kit; what it draws lies beside the rest.
func TestAdoptIntoAHouse(t *testing.T) {
	d := drawTemplate(t, "monitoring", &core.Design{}, Options{}, "blue")
	for _, n := range []topic.Name{"blue/attic/kit-1/temperature", "blue/attic/kit-1/humidity", "blue/attic/kit-2/lamp/set", "blue/attic/kit-3/door",
		"red/lab/kit-1/power", "red/lab/kit-2/power", "red/hall/kit-1/presence"} {
		before := len(d.Topics)
		d = with(d, Adopt(d, arrives(n, "1")))
		if len(d.Topics) != before+1 || !drawn(d, n) {
			t.Errorf("%s was not adopted", n)
		}
	}
	if k := d.Place("blue/attic/kit-1"); k == nil || len(k.Ports) != 2 {
		t.Errorf("%+v", k)
	}
	byKind := map[core.PlaceKind][]box{}
	for _, p := range d.Places {
		a := onCanvas(t, d, *p)
		if slices.ContainsFunc(byKind[p.Kind], a.overlaps) {
			t.Errorf("%s lies over another", p.Name)
		}
		byKind[p.Kind] = append(byKind[p.Kind], a)
	}
	for _, n := range []topic.Name{"", "$SYS/x", "a/+", "blue/attic/kit-1/Temperature", "blue/living/lamp/light/set", "blue/living/lamp/light"} {
		if b := Adopt(d, arrives(n, "1")); len(b.Topics)+len(b.Places) > 0 {
			t.Errorf("%q: %+v", n, b)
		}
	}
	if b := Adopt(d, arrives("blue/hall/entrance/door/set", "open")); len(b.Topics) != 1 || !b.Topics[0].Writable || b.Topics[0].Label != "Front door" {
		t.Errorf("a command to what took none: %+v", b)
	}
}

func FuzzAdopt(f *testing.F) {
	f.Add("blue/lab/kit-1/temperature", "21", 2)
	f.Add("a//b/set", "{}", 0)
	f.Fuzz(func(t *testing.T, name, payload string, size int) {
		d := of("blue/light!")
		state := core.TopicState{Last: core.Message{Topic: topic.Name(name), Payload: []byte(payload)}, Size: size}
		b := Adopt(d, state)
		for _, one := range b.Topics {
			if check(one) != nil {
				t.Fatalf("%+v", one)
			}
		}
		for _, p := range b.Places {
			if err := checkPlace(p); err != nil {
				t.Fatal(err)
			}
		}
		if len(b.Topics) > 0 && !drawn(with(d, b), topic.Name(name)) {
			t.Fatalf("%q arrives as before: %+v", name, b)
		}
	})
}

func TestSelect(t *testing.T) {
	d := of("blue/lab/kit-1/light!", "blue/lab/kit-1/temperature", "blue/lab/kit-2/temperature", "red/lab/kit-1/temperature", "flat")
	arriving := []core.TopicState{arrives("blue/z", ""), arrives("blue/new", ""), arrives("blue/lab/kit-1/light/set", ""), arrives("flat", "")}
	for _, c := range []struct{ filter, want string }{
		{"#", "blue/lab/kit-1/light[blue/lab/kit-1/light] blue/lab/kit-1/light/set[blue/lab/kit-1/light/set] blue/lab/kit-1/temperature[blue/lab/kit-1/temperature] blue/lab/kit-2/temperature[blue/lab/kit-2/temperature] flat[flat] red/lab/kit-1/temperature[red/lab/kit-1/temperature] +blue/new +blue/z !A wildcard at the beginning"},
		{"+/lab/+/temperature", "blue/lab/kit-1/temperature[blue kit-1] blue/lab/kit-2/temperature[blue kit-2] red/lab/kit-1/temperature[red kit-1] !A wildcard"},
		{"blue/lab/kit-1/light/#", "blue/lab/kit-1/light[] blue/lab/kit-1/light/set[set]"},
		{"blue/+", " +blue/new +blue/z ~blue/lab/kit-1/light: It has 2 levels ~blue/lab/kit-1/temperature: ~blue/lab/kit-2/temperature: "},
		{"blue/lab/+", "~blue/lab/kit-1/light: It has one level more ~blue/lab/kit-1/temperature: It has one level more ~blue/lab/kit-2/temperature: It has one level more"},
		{"flat/+", "~flat: It has one level less"},
		{"Flat", "~flat: MQTT tells capitals apart: level 1 is flat, not Flat."},
		{"flat/", "!There is a / too much ~flat: It has one level less"},
		{"$share/team/flat", "flat[] !Subscribers of the group team"},
		{"blue/lab/kit-1/temprature", "~blue/lab/kit-1/temperature: Level 4 is temperature, not temprature."},
		{"Red/#", "~red/lab/kit-1/temperature: MQTT tells capitals apart: level 1 is red, not Red."},
		{"$SYS/#", ""},
	} {
		s, err := Select(d, c.filter, arriving)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		got := ""
		for i, n := range s.Topics {
			got += fmt.Sprintf(" %s%v", n, s.Took[i])
		}
		for _, n := range s.Arriving {
			got += fmt.Sprintf(" +%s", n)
		}
		for _, n := range s.Near {
			got += fmt.Sprintf(" ~%s: %s", n.Topic, n.Say)
		}
		for _, n := range s.Notes {
			got += fmt.Sprintf(" !%s", n)
		}
		for _, part := range strings.FieldsFunc(c.want, func(r rune) bool { return r == '~' || r == '!' }) {
			if !strings.Contains(got, strings.TrimSpace(part)) {
				t.Errorf("%s selects\n%s\nwithout %q", c.filter, got, part)
			}
		}
		if strings.Count(got, "~") != strings.Count(c.want, "~") || strings.Count(got, "!") != strings.Count(c.want, "!") || strings.Count(got, " +blue") != strings.Count(c.want, " +blue") {
			t.Errorf("%s selects\n%s\nwant\n%s", c.filter, got, c.want)
		}
	}
}

func TestSelectRefuses(t *testing.T) {
	for filter, want := range map[string]struct {
		at   int
		says string
	}{
		"":                             {1, "Type a filter"},
		"a/#/b":                        {3, "# must be the last"},
		"a/b#":                         {4, "# must stand alone"},
		"#a":                           {1, "# must stand alone"},
		"거실/a+":                        {5, "+ must stand alone"},
		"a/+b/c":                       {3, "+ must stand alone"},
		"a/\x00":                       {3, "does not allow"},
		"\xff":                         {1, "UTF-8"},
		"$share/g":                     {9, "A shared subscription is"},
		"$share//a":                    {10, "A shared subscription is"},
		"$share/+/a":                   {8, "The group of"},
		"$share/g/a#":                  {11, "# must stand alone"},
		strings.Repeat("x", 2000):      {1, "too long"},
		strings.Repeat("x", 1025):      {1, "too long"},
		strings.Repeat("a/", 32) + "a": {65, "too long"},
	} {
		s, err := Select(&core.Design{}, filter, nil)
		if !errors.Is(err, core.ErrInvalid) || s.Wrong != want.at || !strings.Contains(err.Error(), want.says) {
			t.Errorf("%.40q: at %d, %v, want at %d %q", filter, s.Wrong, err, want.at, want.says)
		}
	}
}

func FuzzSelect(f *testing.F) {
	f.Add("a/#/b", "a/b")
	f.Add("+/+/#", "a/b/c")
	f.Add("$share/g/a", "a")
	f.Fuzz(func(t *testing.T, filter, name string) {
		d := of(name+"!", "blue/light")
		s, err := Select(d, filter, []core.TopicState{arrives("blue/new", "")})
		real, bad := topic.ParseFilter(filter)
		odd := !utf8.ValidString(filter) || strings.IndexByte(filter, 0) >= 0 // in the group, which is no part of the filter
		if err == nil && bad != nil || err != nil && bad == nil && !odd {
			t.Fatalf("%q: %v, but MQTT says %v", filter, err, bad)
		}
		if err != nil {
			if !errors.Is(err, core.ErrInvalid) || s.Wrong < 1 || s.Wrong > len([]rune(filter))+1 || len(err.Error()) > 400 {
				t.Fatalf("%q: at %d, %v", filter, s.Wrong, err)
			}
			return
		}
		if len(s.Topics) != len(s.Took) {
			t.Fatalf("%+v", s)
		}
		for i, n := range s.Topics {
			if !real.Match(n) || len(s.Took[i]) != strings.Count(string(real), "+")+strings.Count(string(real), "#") {
				t.Fatalf("%q selects %q: %q", filter, n, s.Took[i])
			}
		}
	})
}
