package plan

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"homeroom/core"
	"homeroom/core/topic"
)

func asyncOf(t *testing.T, d *core.Design, f topic.Filter, o DocOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := AsyncAPI(&b, d, f, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAsyncAPI(t *testing.T) {
	o := DocOptions{Title: "Lesson 4", Address: "192.168.1.20:1883", Secure: "192.168.1.20:8883"}
	golden(t, "four-boards.asyncapi.json", asyncOf(t, drawTemplate(t, "four-boards", &core.Design{}, Options{OnBoard: true}, "blue"), "#", o))
	for name, d := range map[string]*core.Design{
		"monitoring": drawTemplate(t, "monitoring", &core.Design{}, Options{}, six...), "hostile": hostile(), "empty": {},
		"same": of("a/b", "a_b", "a b", "a_b_2", "온도", "습도", "{team}/x"),
	} {
		valid(t, name, d, asyncOf(t, d, "#", DocOptions{}))
	}
}

// valid checks what AsyncAPI 3.0 asks of a document, as far as we write it.
func valid(t *testing.T, what string, d *core.Design, doc []byte) {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(what, err)
	}
	at := func(ref string) (x any) {
		x = v
		for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			m, _ := x.(map[string]any)
			x = m[part]
		}
		return x
	}
	var refs func(x any)
	refs = func(x any) {
		switch x := x.(type) {
		case map[string]any:
			if ref, ok := x["$ref"].(string); ok && (at(ref) == nil || len(x) != 1) {
				t.Errorf("%s: %s leads nowhere", what, ref)
			}
			for _, y := range x {
				refs(y)
			}
		case []any:
			for _, y := range x {
				refs(y)
			}
		}
	}
	refs(v)
	if v["asyncapi"] != "3.0.0" || at("info/title") == "" || at("info/version") == "" {
		t.Errorf("%s: %v", what, v["info"])
	}
	known := map[string][]string{
		"":        {"asyncapi", "info", "defaultContentType", "servers", "channels", "operations", "components"},
		"servers": {"host", "protocol", "security"}, "channels": {"address", "title", "description", "messages"}, "operations": {"action", "channel", "summary", "messages", "bindings"},
	}
	allowed := func(in string, x map[string]any) {
		for k := range x {
			ok := strings.HasPrefix(k, "x-")
			for _, name := range known[in] {
				ok = ok || k == name
			}
			if !ok {
				t.Errorf("%s: %s has no %s", what, in, k)
			}
		}
	}
	allowed("", v)
	id := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	addresses := map[string]bool{}
	for in := range known {
		if in == "" {
			continue
		}
		for key, x := range v[in].(map[string]any) {
			allowed(in, x.(map[string]any))
			if !id.MatchString(key) {
				t.Errorf("%s: %q is no key", what, key)
			}
		}
	}
	for key, x := range v["channels"].(map[string]any) {
		c := x.(map[string]any)
		address, ok := c["address"].(string)
		if !ok {
			address, ok = c["x-topic"].(string)
		} else if strings.ContainsAny(address, "{}") {
			t.Errorf("%s: %s would have parameters", what, address)
		}
		if !ok || addresses[address] {
			t.Errorf("%s: %s is at %q", what, key, address)
		}
		addresses[address] = true
	}
	for key, x := range v["operations"].(map[string]any) {
		o := x.(map[string]any)
		channel := o["channel"].(map[string]any)["$ref"].(string)
		message := o["messages"].([]any)[0].(map[string]any)["$ref"].(string)
		mqtt := o["bindings"].(map[string]any)["mqtt"].(map[string]any)
		if o["action"] != "send" && o["action"] != "receive" || !strings.HasPrefix(message, channel+"/messages/") || mqtt["bindingVersion"] != "0.2.0" || (mqtt["retain"] != nil) != (o["action"] == "send") {
			t.Errorf("%s: %s is %v", what, key, o)
		}
	}
	want := 0
	for _, one := range d.Topics {
		want++
		if one.Writable {
			want++
		}
	}
	if what != "hostile" && len(addresses) != want || len(v["operations"].(map[string]any)) != 2*len(v["channels"].(map[string]any)) {
		t.Errorf("%s: %d channels, want %d", what, len(addresses), want)
	}
}

func TestAsyncSchema(t *testing.T) {
	for _, c := range []struct {
		t    core.Topic
		want string
	}{
		{core.Topic{}, `{"contentType":"text/plain","payload":{"type":"string"},"examples":[{"payload":"hello"}]}`},
		{core.Topic{Kind: core.Boolean}, `{"contentType":"application/json","payload":{"type":"boolean"},"examples":[{"payload":true},{"payload":false}]}`},
		{core.Topic{Kind: core.Boolean, Options: []string{"On", "Off"}}, `{"contentType":"text/plain","payload":{"type":"string","enum":["On","Off"]},"examples":[{"payload":"On"},{"payload":"Off"}]}`},
		{core.Topic{Kind: core.Number, Max: 100, Step: 5}, `{"contentType":"application/json","payload":{"type":"number","minimum":0,"maximum":100,"multipleOf":5},"examples":[{"payload":50}]}`},
		{core.Topic{Kind: core.Number, Min: 1, Max: 101, Step: 5}, `{"contentType":"application/json","payload":{"type":"number","minimum":1,"maximum":101},"examples":[{"payload":51}]}`},
		{core.Topic{Kind: core.Number, Min: -1e308, Max: 1e308}, `{"contentType":"application/json","payload":{"type":"number","minimum":-1e+308,"maximum":1e+308},"examples":[{"payload":0}]}`},
		{core.Topic{Kind: core.Number, Description: core.Description{Unit: "W"}}, `{"contentType":"application/json","payload":{"type":"number","x-unit":"W"},"examples":[{"payload":21.5}]}`},
		{core.Topic{Kind: core.JSON}, `{"contentType":"application/json","payload":{"type":["object","array"]},"examples":[{"payload":{"value":21.5}}]}`},
		{core.Topic{Kind: core.Enumeration, Options: []string{"a", "b", "c"}}, `{"contentType":"text/plain","payload":{"type":"string","enum":["a","b","c"]},"examples":[{"payload":"a"},{"payload":"b"}]}`},
	} {
		got, err := json.Marshal(message(c.t))
		if err != nil || string(got) != c.want {
			t.Errorf("%v %s, want %s", err, got, c.want)
		}
	}
}
