package kits

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"homeroom/core/kits/wire"
	"homeroom/core/topic"
)

// TestDistrust: a kit that cannot know this program again over TLS is told nothing over
// the air, where anybody might tell it, and a person reads what to do; told right, it
// is not asked.
func TestDistrust(t *testing.T) {
	const kit, here = topic.Name("b/r/kit-1"), "192.168.1.20"
	old, now := []byte("an old key"), []byte("the key")
	for _, c := range []struct {
		what string
		has  []byte
		is   Broker
		says string
	}{
		{"the same", now, Broker{TLSKey: now, TLSPort: 8883}, ""},
		{"another key", old, Broker{TLSKey: now, TLSPort: 8883}, "kit-1 was told another TLS key"},
		{"another key and port", old, Broker{TLSKey: now, TLSPort: 9}, "kit-1 was told another TLS key"},
		{"no TLS any more", old, Broker{}, "at the port 8883"},
		{"without TLS", nil, Broker{TLSKey: now, TLSPort: 8883}, ""},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, noImages{}, kit)
				c.is.Host, c.is.Hosts, c.is.Port = here, []string{here}, 1883
				f.s.cfg.Broker = func() Broker { return c.is }
				k, port := f.s.kits["kit-1"], uint16(8883)
				if c.has == nil {
					port = 1883
				}
				k.told(wire.Settings{BrokerHost: here, BrokerPort: port, TLSKey: c.has})
				k.Link = linkWiFi
				f.run(t)
				time.Sleep(2 * time.Minute)
				if got := f.asked(); len(got) > 0 {
					t.Errorf("it was told %q", got)
				}
				if say := f.s.Kits()[0].Problem; !strings.Contains(say.String(), c.says) || (say.Format != "") != (c.says != "") {
					t.Errorf("it says %q", say)
				}
			})
		})
	}
}
