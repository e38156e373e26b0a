package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

// applied is d after a fix, as the service would make it.
func applied(d *core.Design, f core.Fix) *core.Design {
	if f.Rename == "" {
		return with(d, f.Batch)
	}
	return renamed(d, f.Rename, f.To)
}

func mends(f core.Fix) bool {
	b := f.Batch
	return f.Rename != "" || len(b.Topics)+len(b.Places)+len(b.Rules)+len(b.Alarms)+len(b.RemoveTopics)+len(b.RemovePlaces)+len(b.RemoveRules)+len(b.RemoveAlarms) > 0
}

func TestProblems(t *testing.T) {
	kit := func(n topic.Name, account topic.ID, role core.KitRole, ports ...core.Port) core.Place {
		return core.Place{Name: n, Kind: core.KitPlace, Account: account, Role: role, Ports: ports}
	}
	out := func(n topic.Name) core.Port {
		return core.Port{Slot: slotOf(n), Topic: n, Action: core.Publish}
	}
	in := func(n topic.Name) core.Port {
		return core.Port{Slot: slotOf(n), Topic: n, Action: core.Subscribe}
	}
	used := kit("b/k", "b-k", core.AnyKit)
	house := core.Place{Name: "b", Kind: core.BranchPlace}
	word := func(ns ...topic.Name) (ts []core.Topic) {
		for _, n := range ns {
			ts = append(ts, core.Topic{Name: n})
		}
		return ts
	}
	for _, c := range []struct {
		what     string
		b        core.Batch
		arriving []core.TopicState
		want     string // what is told of; those that end with * have a fix
	}{
		{"nothing", core.Batch{}, nil, ""},
		{"as it should be", core.Batch{Topics: word("blue/lab/kit-1/light", "state_led", "blue/lab/kit-1/$state")}, nil, ""},
		{"wildcard", core.Batch{Topics: word("a/+/b")}, nil, "a/+/b*: a/+/b holds + or #"},
		{"only a wildcard", core.Batch{Topics: word("#")}, nil, "#: # holds + or #"},
		{"the broker's", core.Batch{Topics: word("$x/y")}, nil, "$x/y*: $x/y begins with $"},
		{"leading /", core.Batch{Topics: word("/a/b")}, nil, "/a/b*: /a/b has a level without a name"},
		{"double and trailing /", core.Batch{Topics: word("a//b/")}, nil, "a//b/*: a//b/ has a level"},
		{"capitals", core.Batch{Topics: word("Blue/Light")}, nil, "Blue/Light*: Blue/Light has capitals"},
		{"capitals of a place", core.Batch{Places: []core.Place{{Name: "Blue", Kind: core.BranchPlace}}, Topics: word("Blue/a", "Blue/b", "Blue/C")}, nil, "Blue*: Blue has capitals"},
		{"space", core.Batch{Topics: word("blue/light ", "my room/light")}, nil, "blue/light *: blue/light  holds a space\nmy room/light*: my room/light holds a space"},
		{"accent", core.Batch{Topics: word("élan/x")}, nil, "élan/x*: élan/x has accents"},
		{"another script", core.Batch{Topics: word("거실/온도", "свет/дом")}, nil, ""},
		{"nobody sees it", core.Batch{Topics: word("a\u200bb")}, nil, "a\u200bb*: a\ufffdb holds characters that nobody sees"},
		{"Cyrillic", core.Batch{Topics: word("bluе/x")}, nil, "bluе/x*: bluе/x has a letter of another script"},
		{"full width", core.Batch{Topics: word("ｂｌｕｅ/x")}, nil, "ｂｌｕｅ/x*: ｂｌｕｅ/x has a letter of another script"},
		{"Cyrillic beside Latin", core.Batch{Topics: word("blue/x", "bluе/x")}, nil, "bluе/x: bluе/x has a letter of another script\nbluе/x*: bluе/x looks like blue/x"},
		{"one and l", core.Batch{Topics: word("kit-1", "kit-l", "t0", "to")}, nil, "kit-l*: kit-l looks like kit-1\nto*: to looks like t0"},
		{"dash", core.Batch{Topics: word("state-led", "state_led")}, nil, "state_led*: state_led looks like state-led"},
		{"case", core.Batch{Topics: word("Café", "café")}, nil, "Café*: Café has\ncafé*: café has\ncafé*: café and Café differ only"},
		{"deep", core.Batch{Topics: word("a/b/c/d/e/f/g")}, nil, "a/b/c/d/e/f/g: a/b/c/d/e/f/g has 7 levels"},
		{"set by hand", core.Batch{Places: []core.Place{house, kit("b/k", "b-k", core.AnyKit, out("b/k/lamp"), in("b/k/lamp/set"))}, Topics: word("b/k/lamp", "b/k/lamp/set"),
			Rules: []core.Rule{{ID: "r", Then: []core.Act{{Topic: "b/k/lamp/set", Value: "true"}}}}, Alarms: []core.Alarm{{ID: "a", Topic: "b/k/lamp/set"}}}, nil, "b/k/lamp/set*: b/k/lamp/set is where the commands of b/k/lamp go"},
		{"set alone", core.Batch{Topics: word("b/lamp/set")}, nil, "b/lamp/set*: b/lamp/set is where"},
		{"no words", core.Batch{Topics: []core.Topic{{Name: "a", Kind: core.Enumeration}}}, nil, "a: a is one of some words"},
		{"number", core.Batch{Topics: []core.Topic{{Name: "x", Kind: core.Number}, {Name: "air-temperature", Kind: core.Number}, {Name: "y", Kind: core.Number, Max: 1}}}, nil, "air-temperature*: air-temperature is a number without\nx: x is a number without"},
		{"much is retained", core.Batch{Topics: []core.Topic{{Name: "x", Kind: core.Number, Max: 5, Retain: true}}}, []core.TopicState{{Last: core.Message{Topic: "x"}, Count: manyKept + 1}}, "x*: x arrived 50001 times"},
		{"empty room", core.Batch{Places: []core.Place{house, used, {Name: "b/r", Kind: core.RoomPlace}, {Name: "c/r", Kind: core.RoomPlace}}}, nil, "b/r*: There is nothing in the room r"},
		{"no account", core.Batch{Places: []core.Place{house, kit("b/k", "", core.AnyKit)}}, nil, "b/k*: k has no account"},
		{"one account", core.Batch{Places: []core.Place{house, kit("b/k", "b-k", core.AnyKit), kit("b/l", "b-k", core.AnyKit)}}, nil, "b/l*: l and k sign in as b-k"},
		{"nobody publishes", core.Batch{Places: []core.Place{house, kit("b/k", "b-k", core.AnyKit, in("b/x"))}, Topics: word("b/x")}, nil, "b/x: k waits for b/x, which nobody publishes"},
		{"a rule publishes", core.Batch{Places: []core.Place{house, kit("b/k", "b-k", core.AnyKit, in("b/x"))}, Topics: word("b/x"), Rules: []core.Rule{{ID: "r", Then: []core.Act{{Topic: "b/x"}}}}}, nil, ""},
		{"it arrives", core.Batch{Places: []core.Place{house, kit("b/k", "b-k", core.AnyKit, in("b/x"))}, Topics: word("b/x")}, []core.TopicState{arrives("b/x", "")}, ""},
		{"nobody at all", core.Batch{Places: []core.Place{house, used}, Topics: word("b/x", "b/k/y", "c/z")}, nil, "b/k/y*: Nobody publishes b/k/y\nb/x: Nobody publishes b/x"},
		{"two publish", core.Batch{Places: []core.Place{house, kit("b/k", "b-k", core.AnyKit, out("b/x")), kit("b/l", "b-l", core.AnyKit, out("b/x"))}, Topics: word("b/x")}, nil, "b/x: k and l both publish b/x"},
		{"port to nothing", core.Batch{Places: []core.Place{house, kit("b/k", "b-k", core.AnyKit, out("b/temperature"))}}, nil, "b/k*: k uses b/temperature, which is not designed."},
		{"port to a slip", core.Batch{Places: []core.Place{house, kit("b/k", "b-k", core.AnyKit, out("b/brightnes"))}, Topics: word("b/brightness"), Alarms: []core.Alarm{{ID: "a", Topic: "b/brightness"}}}, nil, "b/k*: k uses b/brightnes, which is not designed. Did you mean b/brightness?"},
		{"rule on a slip", core.Batch{Topics: word("brightness"), Rules: []core.Rule{{ID: "r", Inputs: []core.Input{{Name: "x", Topic: "brightnes"}}}}}, nil, "brightnes*: The rule r uses brightnes, which is not designed. Did you mean brightness?"},
		{"rule on nothing", core.Batch{Rules: []core.Rule{{ID: "r", Then: []core.Act{{Topic: "gone"}}}}}, nil, "gone: The rule r uses gone, which is not designed."},
		{"rule on no board", core.Batch{Rules: []core.Rule{{ID: "r", Kit: "b/k"}}}, nil, "b/k*: The rule r should run on b/k"},
		{"alarm on nothing", core.Batch{Alarms: []core.Alarm{{ID: "a", Topic: "gone"}}}, nil, "gone*: The alarm a watches gone"},
		{"alarm on a slip", core.Batch{Topics: word("brightness"), Alarms: []core.Alarm{{ID: "a", Topic: "brigthness"}}}, nil, "brigthness*: The alarm a watches brigthness, which is not designed. Did you mean brightness?"},
		{"slip arrives", core.Batch{Topics: word("brightness")}, []core.TopicState{arrives("brightnes", "1")}, "brightnes*: brightnes arrives but is not designed. Did you mean brightness?"},
		{"new arrives", core.Batch{Topics: word("brightness")}, []core.TopicState{arrives("blue/x", "1"), arrives("$SYS/x", ""), arrives("homie/5/x/$state", ""), arrives("homeassistant/x", "")}, "blue/x*: blue/x arrives but is not designed."},
		{"a kit's state", core.Batch{Places: []core.Place{used}}, []core.TopicState{arrives("b/k/$state", "ready")}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			d := with(&core.Design{}, c.b)
			fixes := Problems(d, c.arriving)
			want := strings.Split(c.want, "\n")
			if c.want == "" {
				want = nil
			}
			for i, f := range fixes {
				star := ""
				if mends(f) {
					star = "*"
				}
				got := fmt.Sprintf("%s%s: %s", f.Topic, star, f.Say)
				if i >= len(want) || !strings.HasPrefix(got, want[i]) {
					t.Errorf("told of %q", got)
				}
				if !mends(f) {
					continue
				}
				if f.To != "" && checkName(f.To) != nil {
					t.Errorf("to %q", f.To)
				}
				for _, again := range Problems(applied(d, f), c.arriving) {
					if again.Topic == f.Topic && again.Say.String() == f.Say.String() {
						t.Errorf("it is as before: %s; %+v", f.Say, f)
					}
				}
			}
			if len(fixes) != len(want) {
				t.Errorf("%d problems, want %q", len(fixes), want)
			}
		})
	}
}

// TestMendingEnds applies the first fix again and again: what machines mend ends.
func TestMendingEnds(t *testing.T) {
	d := drawTemplate(t, "monitoring", &core.Design{}, Options{}, "blue")
	d = with(d, core.Batch{
		Topics:      []core.Topic{{Name: "Blue Team/Bad Topic "}, {Name: "/x//y"}, {Name: "blue/hall/lamp/light/set"}, {Name: "élan", Kind: core.Number}, {Name: "blue/living/climate/pressure", Kind: core.Number}},
		Places:      []core.Place{{Name: "Blue Team", Kind: core.BranchPlace}, {Name: "blue/new", Kind: core.RoomPlace}, {Name: "blue/hall/other", Kind: core.KitPlace, Role: core.AnyKit, Ports: []core.Port{{Slot: "a", Topic: "blue/hall/motion/presense", Action: core.Subscribe}}}},
		RemoveRules: []topic.ID{"blue-choice"}, RemoveTopics: []topic.Name{"blue/kitchen/meter/power"},
	})
	arriving := []core.TopicState{arrives("blue/hall/motion/presens", "true"), arrives("yellow/lab/kit-1/temperature", "20")}
	for i := 0; ; i++ {
		fixes := Problems(d, arriving)
		at := slices.IndexFunc(fixes, mends)
		if at < 0 {
			for _, f := range fixes {
				t.Logf("left: %s", f.Say)
			}
			return
		}
		if i > 50 {
			t.Fatalf("it does not end: %s", fixes[at].Say)
		}
		d = applied(d, fixes[at])
	}
}

func FuzzProblems(f *testing.F) {
	f.Add("a//B ", "a/b", "a/b/set")
	f.Add("\xff/+", "$x", "ｂ/е")
	f.Fuzz(func(t *testing.T, one, two, three string) {
		d := with(of(one+"!", two), core.Batch{
			Places: []core.Place{{Name: topic.Name(two), Kind: core.KitPlace, Role: core.AnyKit, Ports: []core.Port{{Slot: "x", Topic: topic.Name(three), Action: core.Subscribe}}}},
			Rules:  []core.Rule{{ID: "r", Then: []core.Act{{Topic: topic.Name(three)}}, Kit: topic.Name(one)}},
		})
		for _, fix := range Problems(d, []core.TopicState{arrives(topic.Name(three), one)}) {
			if fix.Rename != "" && (checkName(fix.To) != nil || fix.To == fix.Rename) {
				t.Fatalf("%q to %q", fix.Rename, fix.To)
			}
			if fix.Say.Format == "" || len(fix.Say.String()) > 1000 {
				t.Fatalf("%q", fix.Say)
			}
		}
	})
}

// TestManyProblems is bounded.
func TestManyProblems(t *testing.T) {
	var b core.Batch
	for i := range 3000 {
		b.Topics = append(b.Topics, core.Topic{Name: topic.Name(fmt.Sprintf("Blue/Kit %d/x", i))})
	}
	var arriving []core.TopicState
	for i := range 3000 {
		arriving = append(arriving, arrives(topic.Name(fmt.Sprintf("red/kit-%d/y", i)), "1"))
	}
	d := &core.Design{}
	for i := range b.Topics {
		d.Topics = append(d.Topics, &b.Topics[i])
	}
	slices.SortFunc(d.Topics, func(a, b *core.Topic) int { return strings.Compare(string(a.Name), string(b.Name)) })
	if n := len(Problems(d, arriving)); n != maxProblems {
		t.Errorf("%d problems", n)
	}
}
