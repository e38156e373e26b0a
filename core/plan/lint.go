package plan

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"homeroom/core"
	"homeroom/core/topic"
)

const (
	maxProblems = 1000
	maxArriving = 500    // topics that arrive and are compared with the design
	manyKept    = 50_000 // retained messages of one topic since the program started
)

// Problems returns what could be better in d, and what mends it where a machine
// can: names first, then who publishes and reads, then rules and alarms, then what
// arrives. At most 1,000.
func Problems(d *core.Design, arriving []core.TopicState) []core.Fix {
	l := &linter{d: d, m: NewMatcher(d), publishers: map[topic.Name][]topic.Name{}, readers: map[topic.Name]bool{},
		kits: map[topic.Name]bool{}, arrive: map[topic.Name]*core.TopicState{}, told: map[topic.Name]bool{}}
	for i := range arriving {
		l.arrive[arriving[i].Last.Topic] = &arriving[i]
	}
	l.join()
	l.names()
	l.looks()
	l.values()
	l.places()
	l.ports()
	l.rules()
	l.arrivals(arriving)
	return l.fixes
}

type linter struct {
	d          *core.Design
	m          *Matcher
	publishers map[topic.Name][]topic.Name // the kits, and "" is a rule
	readers    map[topic.Name]bool
	kits       map[topic.Name]bool // branches that have kits
	arrive     map[topic.Name]*core.TopicState
	told       map[topic.Name]bool // whose names were told of
	fixes      []core.Fix
}

func (l *linter) tell(f core.Fix) {
	if len(l.fixes) < maxProblems {
		l.fixes = append(l.fixes, f)
	}
}

// rename tells what is wrong with n; the move to "to" mends it, if that is free.
func (l *linter) rename(n, to topic.Name, say core.Sentence) {
	f := core.Fix{Topic: n, Say: say}
	if to != "" && to != n && checkName(to) == nil && !l.m.prefix[to] {
		f.Rename, f.To = n, to
	}
	l.tell(f)
}

// change is the one thing that mends a problem.
func change(b core.Batch) core.Batch {
	b.Say = core.Say("A suggestion was taken")
	return b
}

// join collects who publishes and who reads what.
func (l *linter) join() {
	for _, p := range l.d.Places {
		if p.Kind != core.KitPlace {
			continue
		}
		l.kits[branchOf(p.Name)] = true
		for _, port := range p.Ports {
			t := core.Topic{Name: port.Topic}
			if designed := l.d.Topic(port.Topic); designed != nil {
				t = *designed
			}
			publish, subscribe := p.Names(port, t)
			if publish != "" && !slices.Contains(l.publishers[publish], p.Name) {
				l.publishers[publish] = append(l.publishers[publish], p.Name)
			}
			l.readers[subscribe] = true
		}
	}
	for _, r := range l.d.Rules {
		for _, in := range r.Inputs {
			l.readers[in.Topic] = true
		}
		if r.Kit != "" {
			continue // its ports say the same
		}
		for _, act := range r.Then {
			n := act.Topic
			if t := l.d.Topic(n); t != nil && t.Writable {
				n += setSuffix
			}
			l.publishers[n] = append(l.publishers[n], "")
		}
	}
	for _, a := range l.d.Alarms {
		l.readers[a.Topic] = true
	}
}

func branchOf(n topic.Name) topic.Name {
	branch, _, _ := strings.Cut(string(n), "/")
	return topic.Name(branch)
}

// names looks at each level of each name. What is wrong with the name of a place
// is told once, of the place.
func (l *linter) names() {
	for _, p := range l.d.Places {
		l.name(p.Name)
	}
	for _, t := range l.d.Topics {
		l.name(t.Name)
	}
	for _, t := range l.d.Topics {
		l.depth(t)
		l.direction(t)
	}
}

func (l *linter) name(n topic.Name) {
	levels := strings.Split(string(n), "/")
	for i, level := range levels {
		to := better(level, i)
		if to == level && level != "" {
			continue
		}
		wrong := topic.Name(strings.Join(levels[:i+1], "/"))
		if l.d.Place(wrong) == nil {
			wrong = n
		}
		if l.told[wrong] {
			return
		}
		l.told[wrong] = true
		l.rename(wrong, l.mended(wrong), badLevel(n, wrong, level))
		return
	}
}

// mended is n with each level as it should be, as far as that can be said. Levels
// that are places of their own stay.
func (l *linter) mended(n topic.Name) topic.Name {
	levels := strings.Split(string(n), "/")
	var to []string
	for i, level := range levels {
		if i < len(levels)-1 && l.d.Place(topic.Name(strings.Join(levels[:i+1], "/"))) != nil {
			to = append(to, level)
			continue
		}
		if level = better(level, i); level != "" {
			to = append(to, level)
		}
	}
	return topic.Name(strings.Join(to, "/"))
}

// better returns what a level should be: "" where it should not be. Other scripts
// stay: a class may write as it speaks.
func better(level string, i int) string {
	if _, err := topic.ParseID(level); err == nil && level[0] != '-' && level[len(level)-1] != '-' && !strings.Contains(level, "--") {
		return level
	}
	if id := suggest(latin(level)); id != "" {
		if i > 0 && level == "$"+id {
			return level // Homie's attributes, such as $state
		}
		return id
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '+', r == '#', r == '$', unseen(r), r == unicode.ReplacementChar:
			return -1
		case unicode.IsSpace(r):
			return '-'
		}
		return unicode.ToLower(r)
	}, norm.NFC.String(level))
	clean = strings.Trim(clean, "-")
	if !strings.ContainsFunc(clean, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return "" // signs only
	}
	return clean
}

// badLevel says what is wrong with a level of n.
func badLevel(n, wrong topic.Name, level string) core.Sentence {
	name := short(wrong)
	switch {
	case level == "":
		return core.Say("{topic} has a level without a name: a / too much.", "topic", name)
	case strings.ContainsAny(level, "+#"):
		return core.Say("{topic} holds + or #, which select topics and name none.", "topic", name)
	case strings.ContainsFunc(level, unseen):
		return core.Say("{topic} holds characters that nobody sees.", "topic", name)
	case level[0] == '$' && wrong == n && branchOf(n) == topic.Name(level):
		return core.Say("{topic} begins with $, which is for the broker.", "topic", name)
	case strings.ContainsFunc(level, unicode.IsSpace):
		return core.Say("{topic} holds a space, which is easily overlooked in a sketch.", "topic", name)
	case latin(level) != level:
		return core.Say("{topic} has a letter of another script that looks like a Latin one. No sketch will find it.", "topic", name)
	case strings.ContainsFunc(level, unicode.IsUpper):
		return core.Say("{topic} has capitals. MQTT tells them apart, and people mix them up.", "topic", name)
	}
	return core.Say("{topic} has accents or signs, which not every kit sends the same way.", "topic", name)
}

func (l *linter) depth(t *core.Topic) {
	if n := strings.Count(string(t.Name), "/") + 1; n > manyDeep {
		l.tell(core.Fix{Topic: t.Name, Say: core.Say("{topic} has {n} levels. Branch, room, kit and property are usually enough.", "topic", short(t.Name), "n", n)})
	}
}

// direction finds a topic at /set that was designed by hand.
func (l *linter) direction(t *core.Topic) {
	name, ok := strings.CutSuffix(string(t.Name), setSuffix)
	state := topic.Name(name)
	if !ok || checkName(state) != nil {
		return
	}
	wanted := *t
	wanted.Name = state
	if old := l.d.Topic(state); old != nil {
		wanted = *old
	}
	wanted.Writable = true
	b := core.Batch{Topics: []core.Topic{wanted}, RemoveTopics: []topic.Name{t.Name}}
	for _, p := range l.d.Places {
		if !slices.ContainsFunc(p.Ports, func(port core.Port) bool { return port.Topic == t.Name }) {
			continue
		}
		moved := *p
		moved.Ports = nil
		for _, port := range p.Ports {
			if port.Topic == t.Name {
				port.Topic = state
			}
			joined := slices.IndexFunc(moved.Ports, func(other core.Port) bool { return other.Topic == port.Topic })
			if port.Topic == state && joined >= 0 { // it obeys and tells at one port now
				moved.Ports[joined].Action = core.Subscribe
				continue
			}
			moved.Ports = append(moved.Ports, port)
		}
		b.Places = append(b.Places, moved)
	}
	for _, r := range l.d.Rules {
		if moved, ok := retarget(*r, t.Name, state); ok {
			b.Rules = append(b.Rules, moved)
		}
	}
	for _, a := range l.d.Alarms {
		if a.Topic == t.Name {
			moved := *a
			moved.Topic = state
			b.Alarms = append(b.Alarms, moved)
		}
	}
	l.tell(core.Fix{Topic: t.Name, Batch: change(b), Say: core.Say("{topic} is where the commands of {state} go. Let {state} take commands instead of designing both.", "topic", short(t.Name), "state", short(state))})
}

// retarget returns r with another topic instead of from, and whether it had that.
func retarget(r core.Rule, from, to topic.Name) (core.Rule, bool) {
	changed := false
	r.Inputs, r.Then = slices.Clone(r.Inputs), slices.Clone(r.Then)
	for i := range r.Inputs {
		if r.Inputs[i].Topic == from {
			r.Inputs[i].Topic, changed = to, true
		}
	}
	for i := range r.Then {
		if r.Then[i].Topic == from {
			r.Then[i].Topic, changed = to, true
		}
	}
	return r, changed
}

// latins are letters of other scripts that look like a Latin one.
var latins = map[rune]rune{
	'а': 'a', 'в': 'b', 'с': 'c', 'ԁ': 'd', 'е': 'e', 'һ': 'h', 'і': 'i', 'ј': 'j', 'к': 'k', 'ӏ': 'l', 'м': 'm', 'о': 'o', 'р': 'p', 'ԛ': 'q', 'г': 'r', 'ѕ': 's', 'т': 't', 'ѵ': 'v', 'ԝ': 'w', 'х': 'x', 'у': 'y', 'ү': 'y',
	'А': 'A', 'В': 'B', 'С': 'C', 'Е': 'E', 'Н': 'H', 'І': 'I', 'Ј': 'J', 'К': 'K', 'М': 'M', 'О': 'O', 'Р': 'P', 'Ѕ': 'S', 'Т': 'T', 'Х': 'X', 'У': 'Y',
	'α': 'a', 'ε': 'e', 'ι': 'i', 'κ': 'k', 'ν': 'v', 'ο': 'o', 'ρ': 'p', 'τ': 't', 'υ': 'u', 'χ': 'x', 'γ': 'y', 'η': 'n', 'ω': 'w',
	'Α': 'A', 'Β': 'B', 'Ε': 'E', 'Ζ': 'Z', 'Η': 'H', 'Ι': 'I', 'Κ': 'K', 'Μ': 'M', 'Ν': 'N', 'Ο': 'O', 'Ρ': 'P', 'Τ': 'T', 'Υ': 'Y', 'Χ': 'X',
	'ı': 'i', 'ɡ': 'g', 'ɑ': 'a', '‐': '-', '‑': '-', '‒': '-', '–': '-', '—': '-', '−': '-', '＿': '_', '．': '.',
}

// latin replaces letters that only look Latin, where the level has Latin letters
// too. A word of another script stays as it is.
func latin(level string) string {
	mixed := strings.ContainsFunc(level, func(r rune) bool { return r < unicode.MaxASCII && unicode.IsLetter(r) || wide(r) })
	return strings.Map(func(r rune) rune {
		if !mixed {
			return r
		}
		return seen(r)
	}, level)
}

// seen returns the ASCII character that r looks like, or r.
func seen(r rune) rune {
	switch to := latins[r]; {
	case to != 0:
		return to
	case wide(r):
		return r - 0xFEE0
	}
	return r
}

// wide reports whether r is a full-width ASCII letter or digit, as Asian keyboards type them.
func wide(r rune) bool {
	return r >= '０' && r <= '９' || r >= 'Ａ' && r <= 'Ｚ' || r >= 'ａ' && r <= 'ｚ'
}

// skeleton is the same for names that people read as the same.
func skeleton(n topic.Name) string {
	return strings.Map(func(r rune) rune {
		switch r = unicode.ToLower(seen(r)); r {
		case 'l', 'i', '|':
			return '1'
		case 'o':
			return '0'
		case '_', '.', ' ':
			return '-'
		}
		return r
	}, plainly(n))
}

// looks finds names that look alike. The plainer one stays.
func (l *linter) looks() {
	first := map[string]topic.Name{}
	for _, t := range l.d.Topics {
		key := skeleton(t.Name)
		other, again := first[key]
		switch {
		case !again:
			first[key] = t.Name
		case fold(other) == fold(t.Name):
			l.tell(core.Fix{Topic: t.Name, Batch: l.unused(t.Name), Say: core.Say("{topic} and {other} differ only by capitals or the spelling of a letter.", "topic", short(t.Name), "other", short(other))})
		default:
			l.tell(core.Fix{Topic: t.Name, Batch: l.unused(t.Name), Say: core.Say("{topic} looks like {other}. Nobody will tell them apart; rename one.", "topic", short(t.Name), "other", short(other))})
		}
	}
}

// unused returns the removal of a topic that nothing hangs on.
func (l *linter) unused(n topic.Name) core.Batch {
	t := l.d.Topic(n)
	if t == nil || t.Writable || len(l.publishers[n]) > 0 || l.readers[n] || l.arrive[n] != nil {
		return core.Batch{}
	}
	return change(core.Batch{RemoveTopics: []topic.Name{n}})
}

// values looks at what topics say.
func (l *linter) values() {
	for _, t := range l.d.Topics {
		switch {
		case t.Kind == core.Enumeration && len(t.Options) < 2:
			l.tell(core.Fix{Topic: t.Name, Say: core.Say("{topic} is one of some words, but of which? Write at least two.", "topic", short(t.Name))})
		case t.Kind == core.Number && t.Unit == "" && t.Min == 0 && t.Max == 0:
			f := core.Fix{Topic: t.Name, Say: core.Say("{topic} is a number without unit and range: charts and sliders have to guess.", "topic", short(t.Name))}
			if unit := UnitOf(t.Name); unit != "" {
				sized := *t
				sized.Unit = unit
				sized.Min, sized.Max = usual(unit)
				f.Batch = change(core.Batch{Topics: []core.Topic{sized}})
			}
			l.tell(f)
		}
		if a := l.arrive[t.Name]; a != nil && t.Retain && t.Kind == core.Number && a.Count > manyKept {
			loose := *t
			loose.Retain = false
			l.tell(core.Fix{Topic: t.Name, Batch: change(core.Batch{Topics: []core.Topic{loose}}),
				Say: core.Say("{topic} arrived {n} times, and each value was retained. Retain what seldom changes; readings are in the history anyway.", "topic", short(t.Name), "n", a.Count)})
		}
	}
}

// places looks at rooms and kits.
func (l *linter) places() {
	full := map[topic.Name]bool{} // places that have something below them
	accounts := map[topic.ID]topic.Name{}
	for _, p := range l.d.Places {
		for n, more := above(p.Name); more; n, more = above(n) {
			full[n] = true
		}
	}
	taken := map[topic.ID]bool{}
	for _, p := range l.d.Places {
		taken[p.Account] = true
	}
	for _, t := range l.d.Topics {
		for n, more := above(t.Name); more; n, more = above(n) {
			full[n] = true
		}
	}
	for _, p := range l.d.Places {
		switch {
		case p.Kind == core.RoomPlace && !full[p.Name] && l.kits[branchOf(p.Name)]:
			l.tell(core.Fix{Topic: p.Name, Batch: change(core.Batch{RemovePlaces: []topic.Name{p.Name}}),
				Say: core.Say("There is nothing in the room {room}.", "room", p.Title())})
		case p.Kind != core.KitPlace:
		case p.Account == "":
			f := core.Fix{Topic: p.Name, Say: core.Say("{kit} has no account, so it cannot sign in.", "kit", p.Title())}
			if id := freeAccount(*p, taken); id != "" {
				taken[id] = true
				named := *p
				named.Account = id
				f.Batch = change(core.Batch{Places: []core.Place{named}})
			}
			l.tell(f)
		case accounts[p.Account] != "":
			f := core.Fix{Topic: p.Name, Say: core.Say("{kit} and {other} sign in as {account}. Give each kit its own account.", "kit", p.Title(), "other", l.title(accounts[p.Account]), "account", p.Account)}
			if id := freeAccount(*p, taken); id != "" {
				taken[id] = true
				named := *p
				named.Account = id
				f.Batch = change(core.Batch{Places: []core.Place{named}})
			}
			l.tell(f)
		default:
			accounts[p.Account] = p.Name
		}
	}
}

// title is what a person calls a place.
func (l *linter) title(n topic.Name) string {
	if p := l.d.Place(n); p != nil {
		return p.Title()
	}
	return short(n)
}

// freeAccount returns a name for the account of a kit: branch and kit, or all levels.
func freeAccount(p core.Place, taken map[topic.ID]bool) topic.ID {
	levels := p.Name.Split()
	for _, name := range []string{levels[0] + "-" + levels[len(levels)-1], strings.Join(levels, "-")} {
		id, err := topic.ParseID(strings.ReplaceAll(suggest(name), "_", "-"))
		if err == nil && !taken[id] {
			return id
		}
	}
	return ""
}

// ports looks at who publishes and reads.
func (l *linter) ports() {
	for _, p := range l.d.Places {
		if p.Kind != core.KitPlace {
			continue
		}
		for i, port := range p.Ports {
			t := l.d.Topic(port.Topic)
			if t == nil {
				l.undesigned(p, i)
				continue
			}
			if _, subscribe := p.Names(port, *t); subscribe != "" && !t.Writable && len(l.publishers[subscribe]) == 0 && l.arrive[subscribe] == nil {
				l.tell(core.Fix{Topic: t.Name, Say: core.Say("{kit} waits for {topic}, which nobody publishes.", "kit", p.Title(), "topic", short(t.Name))})
			}
		}
	}
	for _, t := range l.d.Topics {
		var kits []topic.Name
		for _, k := range l.publishers[t.Name] {
			if k != "" {
				kits = append(kits, k)
			}
		}
		if len(kits) > 1 {
			l.tell(core.Fix{Topic: t.Name, Say: core.Say("{kit} and {other} both publish {topic}: which value is true?", "kit", l.title(kits[0]), "other", l.title(kits[1]), "topic", short(t.Name))})
		}
		set := t.Name + setSuffix
		used := len(l.publishers[t.Name]) > 0 || l.readers[t.Name] || l.arrive[t.Name] != nil ||
			t.Writable && (len(l.publishers[set]) > 0 || l.readers[set] || l.arrive[set] != nil)
		if used || !l.kits[branchOf(t.Name)] || strings.Contains(string(t.Name), "/$") || strings.HasSuffix(string(t.Name), setSuffix) {
			continue
		}
		l.tell(core.Fix{Topic: t.Name, Batch: l.ported(*t), Say: core.Say("Nobody publishes {topic}, and nobody reads it.", "topic", short(t.Name))})
	}
}

// ported returns the change that gives the kit in whose name t is a port for it.
func (l *linter) ported(t core.Topic) core.Batch {
	for n, more := above(t.Name); more; n, more = above(n) {
		p := l.d.Place(n)
		if p == nil || p.Kind != core.KitPlace {
			continue
		}
		slot := slotOf(t.Name)
		port := core.Port{Slot: slot, Topic: t.Name, Action: core.Publish}
		if t.Writable {
			port.Action = core.Subscribe
		}
		if slot == "" || p.Role != core.AnyKit || slices.ContainsFunc(p.Ports, func(other core.Port) bool { return other.Slot == slot && other.Action == port.Action }) {
			return core.Batch{}
		}
		joined := *p
		joined.Ports = append(slices.Clone(p.Ports), port)
		return change(core.Batch{Places: []core.Place{joined}})
	}
	return core.Batch{}
}

// undesigned tells of port i of p, whose topic is not designed.
func (l *linter) undesigned(p *core.Place, i int) {
	n := p.Ports[i].Topic
	if to, ok := l.now(n); ok {
		mended := *p
		mended.Ports = slices.Clone(p.Ports)
		mended.Ports[i].Topic = to
		l.tell(core.Fix{Topic: p.Name, Batch: change(core.Batch{Places: []core.Place{mended}}),
			Say: core.Say("{kit} uses {topic}, which is not designed. Did you mean {meant}?", "kit", p.Title(), "topic", short(n), "meant", short(to))})
		return
	}
	f := core.Fix{Topic: p.Name, Say: core.Say("{kit} uses {topic}, which is not designed.", "kit", p.Title(), "topic", short(n))}
	if checkName(n) == nil {
		t := core.Topic{Name: n, Description: core.Description{Unit: UnitOf(n)}}
		if t.Unit != "" {
			t.Kind = core.Number
			t.Min, t.Max = usual(t.Unit)
		}
		f.Batch = change(core.Batch{Topics: []core.Topic{t}})
	}
	l.tell(f)
}

// now returns what a topic that is not designed is called now, or was meant to be.
func (l *linter) now(n topic.Name) (topic.Name, bool) {
	for _, r := range slices.Backward(l.d.Renamed) {
		if to := r.New + n[min(len(r.Old), len(n)):]; core.Within(n, r.Old) && l.d.Topic(to) != nil {
			return to, true
		}
	}
	to, ok := l.m.Meant(n)
	return to, ok && l.d.Topic(to) != nil
}

// rules looks at what rules and alarms refer to.
func (l *linter) rules() {
	for _, r := range l.d.Rules {
		topics := map[topic.Name]bool{}
		for _, in := range r.Inputs {
			topics[in.Topic] = true
		}
		for _, act := range r.Then {
			topics[act.Topic] = true
		}
		gone := topic.Name("")
		for n := range topics {
			if !drawn(l.d, n) && (gone == "" || n < gone) {
				gone = n
			}
		}
		if gone != "" {
			f := core.Fix{Topic: gone, Say: core.Say("The rule {rule} uses {topic}, which is not designed.", "rule", r.Title(), "topic", short(gone))}
			if to, ok := l.now(gone); ok {
				mended, _ := retarget(*r, gone, to)
				f.Say = core.Say("The rule {rule} uses {topic}, which is not designed. Did you mean {meant}?", "rule", r.Title(), "topic", short(gone), "meant", short(to))
				f.Batch = change(core.Batch{Rules: []core.Rule{mended}})
			}
			l.tell(f)
		}
		if k := l.d.Place(r.Kit); r.Kit != "" && (k == nil || k.Role != core.ChoiceKit) {
			mended := *r
			mended.Kit = ""
			l.tell(core.Fix{Topic: r.Kit, Batch: change(core.Batch{Rules: []core.Rule{mended}}),
				Say: core.Say("The rule {rule} should run on {kit}, which is no board that decides. Let the program run it.", "rule", r.Title(), "kit", short(r.Kit))})
		}
	}
	for _, a := range l.d.Alarms {
		if drawn(l.d, a.Topic) {
			continue
		}
		f := core.Fix{Topic: a.Topic, Say: core.Say("The alarm {alarm} watches {topic}, which is not designed.", "alarm", a.Title(), "topic", short(a.Topic))}
		if to, ok := l.now(a.Topic); ok {
			mended := *a
			mended.Topic = to
			f.Say = core.Say("The alarm {alarm} watches {topic}, which is not designed. Did you mean {meant}?", "alarm", a.Title(), "topic", short(a.Topic), "meant", short(to))
			f.Batch = change(core.Batch{Alarms: []core.Alarm{mended}})
		} else {
			f.Batch = change(core.Batch{RemoveAlarms: []topic.ID{a.ID}})
		}
		l.tell(f)
	}
}

// arrivals compares what arrives with what is designed.
func (l *linter) arrivals(arriving []core.TopicState) {
	seen := 0
	for _, a := range arriving {
		n := a.Last.Topic
		if drawn(l.d, n) || n == "" || n[0] == '$' || seen == maxArriving {
			continue
		}
		if kit, ok := strings.CutSuffix(string(n), "/$state"); ok && l.d.Place(topic.Name(kit)) != nil {
			continue // each kit has that
		}
		if core.Within(n, "homie") || core.Within(n, "homeassistant") {
			continue // made from the design
		}
		seen++
		if slices.ContainsFunc(l.d.Renamed, func(r core.Renamed) bool { return core.Within(n, r.Old) }) {
			continue // told to who publishes it
		}
		if to, ok := l.m.Meant(n); ok {
			f := core.Fix{Topic: n, Say: core.Say("{topic} arrives but is not designed. Did you mean {meant}?", "topic", short(n), "meant", short(to))}
			if checkName(n) == nil && checkName(to) == nil && l.d.Topic(to) != nil {
				f.Rename, f.To = n, to
			}
			l.tell(f)
			continue
		}
		l.tell(core.Fix{Topic: n, Batch: adopt(l.d, a, l.m.looksLike), Say: core.Say("{topic} arrives but is not designed.", "topic", short(n))})
	}
}
