package plan

import (
	"cmp"
	"slices"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

// Grants returns what the drawing allows: each kit that has an account publishes
// and subscribes to what its ports say, publishes its $state, what it tells about
// itself ($info, $told), and hears what it is asked to do ($do; see
// firmware/PROTOCOL.md). A port whose topic is not designed allows nothing. Each name is exact; they are in order of
// account, action and name, without an ID.
func (s *Service) Grants() []core.Grant {
	if s.cfg.AccountID == nil {
		return nil
	}
	v := s.view.Load()
	var gs []core.Grant
	for _, p := range v.Places {
		if p.Kind != core.KitPlace || p.Account == "" {
			continue
		}
		id, ok := s.cfg.AccountID(p.Account)
		if !ok {
			continue
		}
		allow := func(a core.Action, n topic.Name) {
			if n != "" {
				gs = append(gs, core.Grant{Subject: core.Subject{Account: id}, Action: a, Pattern: string(n)})
			}
		}
		for _, own := range []topic.Name{core.KitState, core.KitInfo, core.KitTold} {
			allow(core.Publish, p.Name+"/"+own)
		}
		allow(core.Subscribe, p.Name+"/"+core.KitAsked)
		for _, r := range v.Renamed { // there it is told its new name
			if core.Within(p.Name, r.New) {
				allow(core.Subscribe, r.Old+p.Name[len(r.New):]+"/"+core.KitAsked)
			}
		}
		for _, port := range p.Ports {
			if t := v.Topic(port.Topic); t != nil {
				publish, subscribe := p.Names(port, *t)
				allow(core.Publish, publish)
				allow(core.Subscribe, subscribe)
			}
		}
	}
	slices.SortFunc(gs, func(a, b core.Grant) int {
		return cmp.Or(cmp.Compare(a.Subject.Account, b.Subject.Account), strings.Compare(string(a.Action), string(b.Action)), strings.Compare(a.Pattern, b.Pattern))
	})
	return slices.Compact(gs)
}
