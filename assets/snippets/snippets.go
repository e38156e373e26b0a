// Package snippets writes ready client code for a topic: for a kit's sketch, for
// a program on a PC, for a web page. The templates beside it hold no values; what
// is filled in is a literal of the language, so no name can become code.
package snippets

import (
	"embed"
	"net/url"
	"strconv"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"

	"homeroom/core"
	"homeroom/core/topic"
)

//go:embed *.tmpl
var files embed.FS

// Kinds are the kinds of code, in the order in which they are offered.
func Kinds() []string {
	return []string{"arduino", "micropython", "python", "rooms", "mqttjs", "curl"}
}

// Place is where the code finds Homeroom, as whom it signs in, and how it talks
// to its reader.
type Place struct {
	Host    string // name or address, without port
	MQTT    string // port for kits
	Page    string // port of the page
	Account string // who asks; code that runs on a kit takes the kit's account instead
	// Say puts a comment into the reader's language; nil is English.
	Say func(core.Sentence) string
}

// Write returns code of the kind for t: what runs on a kit publishes t, or obeys
// commands where it is writable; what runs on a PC watches t and publishes or
// commands. Secrets are placeholders beside which a comment says where they are.
// A kind that is none of Kinds is a core.ErrInvalid.
func Write(kind string, t core.Topic, where Place) (string, error) {
	tmpl := templates.Lookup(kind + ".tmpl")
	if tmpl == nil {
		return "", core.Fail(core.ErrInvalid, "There is no code of the kind {kind}. Choose one of {kinds}.", "kind", kind, "kinds", strings.Join(Kinds(), ", "))
	}
	say := where.Say
	if say == nil {
		say = core.Sentence.String
	}
	v := values{Place: where, Topic: string(t.Name), Command: string(t.Name), Kit: where.Account, QoS: t.QoS,
		Writable: t.Writable, Boolean: t.Kind == core.Boolean, Value: "21.5", Buffer: 256 + len(t.Name), Note: map[string]string{}}
	if kit := kitOf(t.Name); kit != "" {
		v.Kit = string(kit)
	}
	switch {
	case t.Kind == core.Boolean:
		v.Value = "true"
	case t.Kind == core.Text && t.Writable:
		v.Value = "On"
	}
	if t.Writable {
		v.Command += "/set"
	}
	for name, s := range notes {
		v.Note[name] = say(s)
	}
	var b strings.Builder
	if err := tmpl.Execute(&b, v); err != nil {
		return "", err
	}
	return b.String(), nil
}

// values are what the templates see.
type values struct {
	Place
	Topic, Command string // where it is published to; with /set where that is a wish
	Kit            string
	Value          string // an example
	QoS            byte
	Writable       bool
	Boolean        bool
	Buffer         int // bytes that a packet of this topic needs
	Note           map[string]string
}

// notes are the comments in the code.
var notes = map[string]core.Sentence{
	"secret":   core.Say("the kit's secret is on its card; the teacher makes a new one under Accounts"),
	"password": core.Say("the password that you sign in with"),
	"wifi":     core.Say("the name and the password of your Wi-Fi"),
	"pubsub":   core.Say("Needs the library PubSubClient: Tools, Manage Libraries."),
	"umqtt":    core.Say("Needs umqtt.simple: in the REPL, import mip; mip.install(\"umqtt.simple\")"),
	"paho":     core.Say("Needs paho-mqtt: pip install paho-mqtt"),
	"module":   core.Say("In a browser, or with Node.js 22 or newer. Needs: {command}", "command", "npm install centrifuge"),
	"mqttjs":   core.Say("In a browser, or with Node.js 22 or newer. Needs: {command}", "command", "npm install mqtt"),
	"command":  core.Say("a wish; what the kit made of it arrives as its state"),
	"active":   core.Say("the LED on these boards is on at LOW"),
}

// kitOf returns the kit of <branch>/<room>/<kit>/<property>, or "".
func kitOf(n topic.Name) topic.ID {
	levels := n.Split()
	if len(levels) < 4 {
		return ""
	}
	kit, err := topic.ParseID(levels[2])
	if err != nil {
		return ""
	}
	return kit
}

var templates = template.Must(template.New("").Funcs(template.FuncMap{"c": cLiteral, "py": pyLiteral, "js": jsLiteral, "sh": shLiteral,
	"path": url.PathEscape, "channel": channel, "query": url.QueryEscape, "hostport": hostport, "port": port, "note": note}).ParseFS(files, "*.tmpl"))

// hostport is for a URL; an IPv6 address gets its brackets.
func hostport(host, p string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port(p)
}

// channel is how a room is called: as its topic, but for %.
func channel(topic string) string { return strings.ReplaceAll(topic, "%", "%25") }

// port returns p where it is a port, so that it can stand without quotes.
func port(p string) string {
	if n, err := strconv.ParseUint(p, 10, 16); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return "0"
}

// note keeps a comment on its line; one of C goes on after a backslash.
func note(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == '\\' {
			return ' '
		}
		return r
	}, s)
}

// literal quotes s. What is neither plain nor printable is written by escape,
// and so are the characters of special.
func literal(s, special string, escape func(b *strings.Builder, r rune)) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range strings.ToValidUTF8(s, string(utf8.RuneError)) {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case !unicode.IsPrint(r) || strings.ContainsRune(special, r):
			escape(&b, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// cLiteral is a literal of C and C++. Octal escapes end after three digits; ?
// is escaped because ??/ was a backslash once.
func cLiteral(s string) string {
	return literal(s, "?", func(b *strings.Builder, r rune) {
		for _, c := range []byte(string(r)) {
			b.WriteByte('\\')
			b.Write([]byte{'0' + c>>6, '0' + c>>3&7, '0' + c&7})
		}
	})
}

// pyLiteral is a literal of Python.
func pyLiteral(s string) string {
	return literal(s, "", func(b *strings.Builder, r rune) {
		if r > 0xffff {
			b.WriteString(`\U` + hex(r, 8))
			return
		}
		b.WriteString(`\u` + hex(r, 4))
	})
}

// jsLiteral is a literal of JavaScript and of JSON, also within a script element.
func jsLiteral(s string) string {
	return literal(s, "<>&", func(b *strings.Builder, r rune) {
		if r > 0xffff {
			r -= 0x10000
			b.WriteString(`\u` + hex(0xd800+r>>10, 4) + `\u` + hex(0xdc00+r&0x3ff, 4))
			return
		}
		b.WriteString(`\u` + hex(r, 4))
	})
}

func hex(r rune, digits int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", digits-len(s)) + s
}

// shLiteral is a word of a shell. A control character would be one for the
// terminal into which the code is pasted, so it is left out.
func shLiteral(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
