package accounts

import (
	"fmt"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

func TestAuthorize(t *testing.T) {
	c := newClass(t)
	gone, _ := c.add1(t, core.Account{Name: "gone", Role: core.Kit, Team: "blue"}, "")
	if err := c.Remove(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	off, _ := c.add1(t, core.Account{Name: "off", Role: core.Kit, Team: "blue", Disabled: true}, "")
	guest, _ := c.add1(t, core.Account{Name: "guest", Role: core.Student}, password)
	for _, g := range []core.Grant{
		{Subject: core.Subject{Account: guest}, Action: core.Publish, Pattern: "wall/{account}/#"},
		{Subject: core.Subject{Account: guest}, Action: core.Publish, Pattern: "wall/{kit}/#"},
		{Subject: core.Subject{Account: guest}, Action: core.Subscribe, Pattern: "weather/+/now"},
		{Subject: core.Subject{Role: core.Kit}, Action: core.Publish, Pattern: "bench/{kit}"},
		{Subject: core.Subject{Team: "red"}, Action: core.Publish, Pattern: "blue/lamp/set"},
	} {
		if _, err := c.Grant(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	const pub, sub = core.Publish, core.Subscribe
	for _, tt := range []struct {
		id   core.AccountID
		a    core.Action
		f    topic.Filter
		want string // what the refusal says, or "" where it is allowed
	}{
		{c.kit1, pub, "blue/lamp", ""},
		{c.kit1, pub, "blue", ""},
		{c.kit1, sub, "blue/#", ""},
		{c.kit1, sub, "blue/+/set", ""},
		{c.kit1, pub, "bench/kit-1", ""},
		{c.kit2, pub, "blue/lamp/set", ""},
		{c.zoe, pub, "blue/lamp", ""},
		{c.teacher, pub, "any/thing", ""},
		{c.teacher, sub, "#", ""},
		{c.teacher, sub, "$SYS/#", ""},
		{c.teacher, sub, "$SYS/broker/uptime", ""},
		{guest, pub, "wall/guest/x", ""},
		{guest, sub, "weather/paris/now", ""},
		{guest, sub, "weather/+/now", ""},

		{c.kit1, pub, "bench/kit-2", "kit-1 may not publish to bench/kit-2: team blue may use blue/…, bench/kit-1 only. Ask the teacher for a grant, or publish there."},
		{c.kit1, pub, "red/lamp", "kit-1 may not publish to red/lamp: red is the branch of team red. Publish to blue/…, bench/kit-1 instead, or ask the teacher for a grant."},
		{c.kit2, pub, "blue/lamp", "Les Bleus"},
		{c.kit2, sub, "blue/lamp", "kit-2 may not subscribe to blue/lamp: blue is the branch of team Les Bleus. Subscribe to red/# instead, or ask the teacher for a grant."},
		{c.kit1, sub, "#", "that is more than kit-1 may read. Subscribe to blue/# instead."},
		{c.kit1, sub, "+/lamp", "Subscribe to blue/lamp instead."},
		{c.kit1, sub, "+/#", "Subscribe to blue/# instead."},
		{c.kit1, sub, "+", "Subscribe to blue instead."},
		{c.kit1, sub, "state_led", "kit-1 may not subscribe to state_led: team blue may use blue/# only. Ask the teacher for a grant, or subscribe there."},
		{guest, sub, "weather/#", "Subscribe to weather/+/now instead."},
		{guest, sub, "lamp", "guest may not subscribe to lamp: guest may use weather/+/now only."},
		{guest, pub, "wall", "guest may not publish to wall: guest may use wall/guest/… only."},
		{c.stray, pub, "blue/lamp", "stray may not publish to blue/lamp: stray is in no team yet. Ask the teacher for a team."},
		{c.stray, sub, "#", "stray is in no team yet"},
		{c.stray, pub, "{team}/x", "in no team yet"},
		{c.kit1, pub, "blue/#", "+ and # are only for subscribing"},
		{c.teacher, pub, "#", "+ and # are only for subscribing"},
		{c.teacher, pub, "$SYS/x", "topics that begin with $ are the broker's own"},
		{c.teacher, sub, "$other/x", "topics that begin with $ are for teachers"},
		{c.zoe, sub, "$SYS/#", "topics that begin with $ are for teachers"},
		{off, pub, "blue/lamp", "off is disabled. Ask the teacher to enable it."},
		{gone, pub, "blue/lamp", "This account was removed."},
		{0, pub, "blue/lamp", "Nobody is signed in."},
		{core.Anyone, pub, "blue/lamp", "anyone is in no team yet"},
		{c.teacher, "retain", "blue/lamp", "may not"},
		{c.teacher, sub, "", "may not"},
	} {
		_, err := c.Authorize(tt.id, tt.a, tt.f)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%d %s %q: %v", tt.id, tt.a, tt.f, err)
			}
			continue
		}
		if err == nil {
			t.Errorf("%d may %s %q", tt.id, tt.a, tt.f)
			continue
		}
		told(t, string(tt.f), err, core.ErrDenied)
		if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d %s %q says\n%s\nwithout\n%s", tt.id, tt.a, tt.f, err, tt.want)
		}
	}

	// Without any grant for its team.
	for _, g := range c.Grants() {
		if g.Subject.Role == core.Student {
			if err := c.Revoke(t.Context(), g.ID); err != nil {
				t.Fatal(err)
			}
			told(t, "revoke twice", c.Revoke(t.Context(), g.ID), core.ErrNotFound)
		}
	}
	for a, want := range map[core.Action]string{pub: "zoe has no grant to publish", sub: "zoe has no grant to subscribe"} {
		if _, err := c.Authorize(c.zoe, a, "blue/x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestAuthorizeOpen(t *testing.T) {
	c := newClass(t, func(c *Config) { c.Open = true })
	off, _ := c.add1(t, core.Account{Name: "off", Role: core.Kit, Team: "blue", Disabled: true}, "")
	for _, tt := range []struct {
		id core.AccountID
		a  core.Action
		f  topic.Filter
		ok bool
	}{
		{core.Anyone, core.Publish, "blue/x", true},
		{core.Anyone, core.Subscribe, "#", true},
		{core.Anyone, core.Subscribe, "$SYS/#", true},
		{core.Anyone, core.Publish, "$SYS/x", false},
		{core.Anyone, core.Publish, "a/#", false},
		{core.Anyone, core.Publish, "", false},
		{c.kit2, core.Publish, "blue/x", true},
		{off, core.Publish, "blue/x", false},
		{0, core.Publish, "blue/x", false},
		{999, core.Publish, "blue/x", false},
	} {
		if _, err := c.Authorize(tt.id, tt.a, tt.f); (err == nil) != tt.ok {
			t.Errorf("%d %s %q: %v", tt.id, tt.a, tt.f, err)
		}
	}
	kit := c.mounted(t)
	if real, err := c.Authorize(kit, core.Publish, "state_led"); real != "blue/state_led" || err != nil {
		t.Errorf("a mounted kit, open: %q, %v", real, err)
	}
	if a, ok := c.Account(core.Anyone); !ok || !c.Current(core.Anyone, a.Version) {
		t.Error("anyone is not current")
	}
}

// mounted is c with a mounted kit in blue, which may use the bench too.
func (c *class) mounted(t testing.TB) core.AccountID {
	t.Helper()
	id, _ := c.add1(t, core.Account{Name: "kit-9", Role: core.Kit, Team: "blue", Mounted: true}, "")
	for _, a := range []core.Action{core.Publish, core.Subscribe} {
		if _, err := c.Grant(t.Context(), core.Grant{Subject: core.Subject{Account: id}, Action: a, Pattern: "bench/{kit}"}); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

func TestMount(t *testing.T) {
	c := newClass(t)
	kit := c.mounted(t)
	people := map[string]core.AccountID{"kit": kit, "anyone": core.Anyone}
	for name, a := range map[string]core.Account{
		"teacher":   {Name: "mr-lee", Role: core.Teacher, Team: "blue", Mounted: true},
		"student":   {Name: "jo", Role: core.Student, Team: "red", Mounted: true},
		"teamless":  {Name: "al", Role: core.Student, Mounted: true},
		"unmounted": {Name: "kit-8", Role: core.Kit, Team: "blue"},
	} {
		people[name], _ = c.add1(t, a, password)
	}
	for _, g := range []core.Grant{
		{Subject: core.Subject{Team: "red"}, Action: core.Publish, Pattern: "{team}-wall/x"},
		{Subject: core.Subject{Team: "red"}, Action: core.Subscribe, Pattern: "news/#"},
		{Subject: core.Subject{Team: "red"}, Action: core.Subscribe, Pattern: "+/clock"},
		{Subject: core.Subject{Role: core.Student}, Action: core.Subscribe, Pattern: "{kit}/x"},
		{Subject: core.Subject{Role: core.Student}, Action: core.Publish, Pattern: "{account}/x"},
	} {
		g.Pattern = strings.ReplaceAll(g.Pattern, "{team}-", "red-")
		if _, err := c.Grant(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		who  string
		f    topic.Filter
		want topic.Filter
	}{
		{"kit", "state_led", "blue/state_led"},
		{"kit", "lab/lamp/set", "blue/lab/lamp/set"},
		{"kit", "blue/state_led", "blue/state_led"},
		{"kit", "blue", "blue"},
		{"kit", "blue/#", "blue/#"},
		{"kit", "red/lamp", "red/lamp"},
		{"kit", "bench", "bench"},
		{"kit", "bench/kit-2", "bench/kit-2"},
		{"kit", "benches/kit-9", "blue/benches/kit-9"},
		{"kit", "Blue/x", "blue/Blue/x"},
		{"kit", "#", "blue/#"},
		{"kit", "+", "blue/+"},
		{"kit", "+/x", "blue/+/x"},
		{"kit", "/x", "blue//x"},
		{"kit", "$SYS/#", "$SYS/#"},
		{"kit", "$", "$"},
		{"kit", "news/x", "blue/news/x"}, // known to red only
		{"student", "news/x", "news/x"},
		{"student", "red-wall/y", "red-wall/y"},
		{"student", "jo/x", "jo/x"},
		{"student", "{kit}/x", "red/{kit}/x"},
		{"student", "+/clock", "red/+/clock"}, // what a wildcard covers is not known by name
		{"student", "clock", "red/clock"},
		{"teacher", "state_led", "state_led"},
		{"teamless", "state_led", "state_led"},
		{"unmounted", "state_led", "state_led"},
		{"unmounted", "#", "#"},
		{"anyone", "state_led", "state_led"},
	} {
		for _, a := range []core.Action{core.Publish, core.Subscribe} {
			real, err := c.Authorize(people[tt.who], a, tt.f)
			if real != tt.want {
				t.Errorf("%s: %q is %q, want %q", tt.who, tt.f, real, tt.want)
			}
			again, errAgain := c.Authorize(people[tt.who], a, real)
			if again != real || (err == nil) != (errAgain == nil) {
				t.Errorf("%s: %q is %q, then %q (%v, then %v)", tt.who, tt.f, real, again, err, errAgain)
			}
		}
	}

	// What it is allowed is a question about the real name.
	for f, want := range map[topic.Filter]string{
		"state_led":        "",
		"#":                "",
		"bench/kit-9":      "",
		"bench/kit-2":      "kit-9 may not subscribe to bench/kit-2: team blue may use",
		"red/lamp":         "kit-9 may not subscribe to red/lamp: red is the branch of team red.",
		"/" + deep(31, ""): "is too long: in team blue it becomes blue//",
		deep(31, ""):       "",
		deep(32, ""):       "is too long",
		long(1019):         "",
		long(1020):         "is too long: in team blue it becomes blue/",
	} {
		_, err := c.Authorize(kit, core.Subscribe, f)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q (%d): %v, want %q", f, len(f), err, want)
		}
		if strings.HasPrefix(want, "is too") {
			told(t, "too long", err, core.ErrInvalid)
		}
	}

	// Without the right to the whole branch, the sentence says why the name is another.
	for _, g := range c.Grants() {
		if g.Subject.Role == core.Kit {
			if err := c.Revoke(t.Context(), g.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	says := func(a core.Action, f topic.Filter, want string) {
		t.Helper()
		real, err := c.Authorize(kit, a, f)
		told(t, string(f), err, core.ErrDenied)
		if err == nil || err.Error() != want || real != "blue/"+f {
			t.Errorf("%s %s says of %s\n%v, want\n%s", a, f, real, err, want)
		}
	}
	says(core.Publish, "state_led", "kit-9 may not publish to state_led: in team blue that is blue/state_led, and kit-9 may use bench/kit-9 only. Ask the teacher for a grant, or publish there.")
	says(core.Subscribe, "#", "kit-9 may not subscribe to #: in team blue that is blue/#, and kit-9 may use bench/kit-9 only. Ask the teacher for a grant, or subscribe there.")
	if _, err := c.Grant(t.Context(), core.Grant{Subject: core.Subject{Account: kit}, Action: core.Subscribe, Pattern: "blue/lamp"}); err != nil {
		t.Fatal(err)
	}
	says(core.Subscribe, "+", "kit-9 may not subscribe to +: in team blue that is blue/+, which is more than kit-9 may read. Subscribe to blue/lamp instead.")
	for _, g := range c.Grants() {
		if g.Subject.Account == kit {
			if err := c.Revoke(t.Context(), g.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	says(core.Publish, "bench/x", "kit-9 may not publish to bench/x: in team blue that is blue/bench/x, and kit-9 has no grant to publish. Ask the teacher for one.")
	says(core.Subscribe, "x", "kit-9 may not subscribe to x: in team blue that is blue/x, and kit-9 has no grant to subscribe. Ask the teacher for one.")
}

// deep is a topic of n levels.
func deep(n int, after topic.Filter) topic.Filter {
	return topic.Filter(strings.Repeat("a/", n-1)+"a") + after
}

// long is a topic of n bytes.
func long(n int) topic.Filter { return topic.Filter(strings.Repeat("a", n)) }

// FuzzMount: a real name stays as it is, what is mounted is in the team's
// branch, and nobody reaches more than without a mount.
func FuzzMount(f *testing.F) {
	c := newClass(f)
	kit := c.mounted(f)
	for _, s := range []string{"state_led", "blue/x", "blue", "blueish", "red/x", "bench", "#", "+/x", "/", "$SYS/x", "$share/g/x", "blue//", "\x00", strings.Repeat("a/", 31) + "a"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, publish bool) {
		own, err := topic.ParseFilter(s)
		if err != nil {
			return
		}
		a := core.Subscribe
		if publish {
			a = core.Publish
		}
		real, err := c.Authorize(kit, a, own)
		if real != own && real != "blue/"+own {
			t.Fatalf("%q is %q", own, real)
		}
		again, errAgain := c.Authorize(kit, a, real)
		if again != real {
			t.Fatalf("%q is %q, then %q", own, real, again)
		}
		if err != nil {
			return
		}
		if errAgain != nil {
			t.Fatalf("%q is allowed, but %q is not: %v", own, real, errAgain)
		}
		if parsed, err := topic.ParseFilter(string(real)); err != nil || parsed != real {
			t.Fatalf("%q is %q, which is no filter", own, real)
		}
		if _, err := c.Authorize(c.kit1, a, real); err != nil && real != "bench/kit-9" {
			t.Fatalf("%q is %q, which the same kit may not have without a mount", own, real)
		}
	})
}

func TestAuthorizeDoesNotAllocate(t *testing.T) {
	c := newClass(t)
	kit := c.mounted(t)
	if n := testing.AllocsPerRun(100, func() {
		_, e1 := c.Authorize(c.kit1, core.Publish, "blue/lab/kit-1/light/set")
		_, e2 := c.Authorize(c.kit1, core.Subscribe, "blue/+/kit-1/#")
		_, e3 := c.Authorize(kit, core.Publish, "blue/lab/kit-9/light/set")
		_, e4 := c.Authorize(kit, core.Publish, "bench/kit-9")
		if e1 != nil || e2 != nil || e3 != nil || e4 != nil {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestGrantIsChecked(t *testing.T) {
	c := newClass(t)
	kit := core.Subject{Role: core.Kit}
	for name, tt := range map[string]struct {
		g    core.Grant
		kind error
	}{
		"no subject":      {core.Grant{Action: core.Publish, Pattern: "a"}, core.ErrInvalid},
		"two subjects":    {core.Grant{Subject: core.Subject{Role: core.Kit, Team: "blue"}, Action: core.Publish, Pattern: "a"}, core.ErrInvalid},
		"unknown account": {core.Grant{Subject: core.Subject{Account: 99}, Action: core.Publish, Pattern: "a"}, core.ErrNotFound},
		"unknown team":    {core.Grant{Subject: core.Subject{Team: "green"}, Action: core.Publish, Pattern: "a"}, core.ErrNotFound},
		"unknown role":    {core.Grant{Subject: core.Subject{Role: "admin"}, Action: core.Publish, Pattern: "a"}, core.ErrInvalid},
		"action":          {core.Grant{Subject: kit, Action: "both", Pattern: "a"}, core.ErrInvalid},
		"empty":           {core.Grant{Subject: kit, Action: core.Publish}, core.ErrInvalid},
		"unknown place":   {core.Grant{Subject: kit, Action: core.Publish, Pattern: "{room}/#"}, core.ErrInvalid},
		"half a level":    {core.Grant{Subject: kit, Action: core.Publish, Pattern: "x{team}/#"}, core.ErrInvalid},
		"brace":           {core.Grant{Subject: kit, Action: core.Publish, Pattern: "a/}"}, core.ErrInvalid},
		"# in the middle": {core.Grant{Subject: kit, Action: core.Publish, Pattern: "a/#/b"}, core.ErrInvalid},
		"a+":              {core.Grant{Subject: kit, Action: core.Publish, Pattern: "a+/b"}, core.ErrInvalid},
		"NUL":             {core.Grant{Subject: kit, Action: core.Publish, Pattern: "a\x00"}, core.ErrInvalid},
		"shared":          {core.Grant{Subject: kit, Action: core.Subscribe, Pattern: "$share/g/#"}, core.ErrInvalid},
		"too long":        {core.Grant{Subject: kit, Action: core.Publish, Pattern: strings.Repeat("a", topic.MaxLen-20) + "/{team}"}, core.ErrInvalid},
		"twice":           {core.Grant{Subject: kit, Action: core.Publish, Pattern: "{team}/#"}, core.ErrConflict},
	} {
		_, err := c.Grant(t.Context(), tt.g)
		told(t, name, err, tt.kind)
	}
	red := core.Grant{Subject: core.Subject{Team: "red"}, Action: core.Publish}
	for i := range MaxGrants {
		red.Pattern = fmt.Sprint("t", i)
		if _, err := c.Grant(t.Context(), red); err != nil {
			t.Fatal(err)
		}
	}
	red.Pattern = "more"
	_, err := c.Grant(t.Context(), red)
	told(t, "too many", err, core.ErrInvalid)
}

// FuzzGrant: a pattern that begins with {team} never reaches beyond the team's
// branch, and nobody has anything from a place that is not theirs.
func FuzzGrant(f *testing.F) {
	for _, s := range []string{"{team}/#", "{team}/{kit}/+", "{account}", "#", "{team}", "{team}#/a", "{team}/../red", "$share/{team}/#", "{{team}}/#", "\xff/{kit}"} {
		f.Add(s, "red/lamp")
	}
	account := core.Account{Name: "kit-1", Team: "blue", Role: core.Kit}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		got, ok := fill(pattern, account)
		if !ok {
			return
		}
		if again, err := topic.ParseFilter(string(got)); err != nil || again != got {
			t.Fatalf("%q became %q, which is no filter", pattern, got)
		}
		if strings.ContainsAny(string(got), "{}") {
			t.Fatalf("%q became %q", pattern, got)
		}
		if strings.HasPrefix(pattern, "{team}/") || pattern == "{team}" {
			n, err := topic.ParseFilter(name)
			if err == nil && got.Covers(n) && n != "blue" && !strings.HasPrefix(string(n), "blue/") {
				t.Fatalf("%q covers %q", pattern, n)
			}
			for _, beyond := range []topic.Filter{"#", "+", "+/#", "red", "red/#", "$SYS/#", "blueish/x"} {
				if got.Covers(beyond) {
					t.Fatalf("%q covers %q", pattern, beyond)
				}
			}
		}
		for place, stranger := range map[string]core.Account{
			"{team}": {Name: "kit-1", Role: core.Kit},
			"{kit}":  {Name: "zoe", Team: "blue", Role: core.Student},
		} {
			if f, ok := fill(pattern, stranger); ok && strings.Contains(pattern, place) {
				t.Fatalf("%q gives %q to an account without %s", pattern, f, place)
			}
		}
	})
}

// FuzzBoth: what is suggested instead is allowed, and is part of what was asked for.
func FuzzBoth(f *testing.F) {
	for _, p := range [][2]string{{"#", "blue/#"}, {"+/a", "blue/#"}, {"a", "a/#"}, {"a/+", "+/b"}, {"$SYS/#", "#"}, {"/", "+/+"}} {
		f.Add(p[0], p[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		fa, err1 := topic.ParseFilter(a)
		fb, err2 := topic.ParseFilter(b)
		if err1 != nil || err2 != nil {
			return
		}
		got := both(fa, fb)
		if got == "" {
			if fa.Covers(fb) || fb.Covers(fa) {
				t.Fatalf("%q and %q have nothing in common", fa, fb)
			}
			return
		}
		if !fa.Covers(got) || !fb.Covers(got) {
			t.Fatalf("%q and %q have %q in common", fa, fb, got)
		}
	})
}

// BenchmarkAuthorize asks the last of ten grants of one of 200 accounts.
func BenchmarkAuthorize(b *testing.B) {
	c := newClass(b)
	var ids []core.AccountID
	for i := range 200 {
		id, _ := c.add1(b, core.Account{Name: topic.ID(fmt.Sprint("k-", i)), Role: core.Kit, Team: "blue"}, "")
		for j := range 9 {
			if _, err := c.Grant(b.Context(), core.Grant{Subject: core.Subject{Account: id}, Action: core.Publish, Pattern: fmt.Sprintf("bench/%d/{kit}/+/set", j)}); err != nil {
				b.Fatal(err)
			}
		}
		ids = append(ids, id)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := c.Authorize(ids[i%len(ids)], core.Publish, "blue/lab/kit-1/light/set"); err != nil {
			b.Fatal("refused")
		}
	}
}
