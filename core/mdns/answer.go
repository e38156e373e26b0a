package mdns

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// What a packet may hold; of one with more questions nothing is answered.
const (
	maxQuestions = 32
	maxKnown     = 64
)

// How long others may keep a record, in seconds (RFC 6762, section 10): one with an
// address or a port, any other, and what was answered to somebody who does not know
// mDNS (section 6.7).
const (
	ttlHost    = 120
	ttlService = 4500
	ttlLegacy  = 10
)

const (
	typeNSEC  = dnsmessage.Type(47)
	onlyOurs  = dnsmessage.Class(1 << 15) // in an answer: forget what others said (section 10.2)
	toMeAlone = dnsmessage.Class(1 << 15) // in a question: (section 5.4)
	classAny  = dnsmessage.Class(255)
)

// enumeration is asked for all types of services (RFC 6763, section 9).
const enumeration = "_services._dns-sd._udp.local."

// record is a record and what goes with it where there is room.
type record struct {
	dnsmessage.Resource
	unique bool // nobody else has one of this name and type
	pulls  []int
}

func (r record) is(name string) bool { return strings.EqualFold(r.Header.Name.String(), name) }

// host is a PC with its services, at one interface.
type host struct {
	name     string // "homeroom-1a2b3c.local."
	instance string // one label
	services []Service
	addrs    []netip.Addr // never none
}

// records returns all that is said of the host. The address first comes before its
// others.
func (h host) records(first netip.Addr) ([]record, error) {
	name, err := dnsmessage.NewName(h.name)
	if err != nil {
		return nil, err
	}
	var all []record
	add := func(n dnsmessage.Name, ttl uint32, unique bool, body dnsmessage.ResourceBody, pulls ...int) int {
		hdr := dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET, TTL: ttl}
		all = append(all, record{dnsmessage.Resource{Header: hdr, Body: body}, unique, pulls})
		return len(all) - 1
	}
	var own []int
	addrs := slices.Clone(h.addrs)
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int {
		switch first {
		case a:
			return -1
		case b:
			return 1
		}
		return 0
	})
	for _, a := range addrs {
		own = append(own, add(name, ttlHost, true, &dnsmessage.AResource{A: a.As4()}))
	}
	none := add(name, ttlHost, true, onlyA(h.name))
	for _, i := range own {
		all[i].pulls = []int{none}
	}
	own = append(own, none)
	enum := dnsmessage.MustNewName(enumeration)
	for _, s := range h.services {
		kind, err := dnsmessage.NewName(s.Type + ".local.")
		if err != nil {
			return nil, err
		}
		instance, err := dnsmessage.NewName(h.instance + "." + s.Type + ".local.")
		if err != nil {
			return nil, err
		}
		srv := add(instance, ttlHost, true, &dnsmessage.SRVResource{Port: s.At.Port(), Target: name}, own...)
		txt := add(instance, ttlService, true, &dnsmessage.TXTResource{TXT: []string{""}}) // RFC 6763, section 6.1
		add(kind, ttlService, false, &dnsmessage.PTRResource{PTR: instance}, append([]int{srv, txt}, own...)...)
		add(enum, ttlService, false, &dnsmessage.PTRResource{PTR: kind})
	}
	for i := range all {
		all[i].Header.Type = kindOf(all[i].Body)
	}
	return all, nil
}

func kindOf(b dnsmessage.ResourceBody) dnsmessage.Type {
	switch b := b.(type) {
	case *dnsmessage.AResource:
		return dnsmessage.TypeA
	case *dnsmessage.SRVResource:
		return dnsmessage.TypeSRV
	case *dnsmessage.TXTResource:
		return dnsmessage.TypeTXT
	case *dnsmessage.UnknownResource:
		return b.Type
	}
	return dnsmessage.TypePTR
}

// onlyA says that of a name there is no record but an address of IPv4, so that nobody
// waits for another (RFC 6762, section 6.1).
func onlyA(name string) *dnsmessage.UnknownResource {
	var data []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		data = append(append(data, byte(len(label))), label...)
	}
	data = append(data, 0, 0, 1, 1<<(7-dnsmessage.TypeA)) // the end, block 0, a byte of bits
	return &dnsmessage.UnknownResource{Type: typeNSEC, Data: data}
}

// query is what somebody asks.
type query struct {
	id        uint16
	questions []dnsmessage.Question // for us
	alone     bool                  // all are to be answered to who asks only
	known     map[string]uint32     // for how many seconds who asks has a record, by key
}

// ask reads what somebody asks of all, or false where that is nothing that we can
// answer.
func ask(packet []byte, all []record) (q query, ok bool) {
	var p dnsmessage.Parser
	hdr, err := p.Start(packet)
	if err != nil || hdr.Response || hdr.OpCode != 0 || hdr.RCode != 0 {
		return q, false
	}
	q.id, q.alone, q.known = hdr.ID, true, map[string]uint32{}
	for n := 0; ; n++ {
		question, err := p.Question()
		if err == dnsmessage.ErrSectionDone {
			break
		}
		if err != nil || n == maxQuestions {
			return q, false
		}
		if class := question.Class &^ toMeAlone; class != dnsmessage.ClassINET && class != classAny {
			continue
		}
		name := question.Name.String()
		if slices.ContainsFunc(all, func(r record) bool { return r.is(name) }) {
			q.alone = q.alone && question.Class&toMeAlone != 0
			q.questions = append(q.questions, question)
		}
	}
	for n := 0; n < maxKnown && len(q.questions) > 0; n++ {
		hdr, err := p.AnswerHeader()
		if err != nil {
			break
		}
		name := hdr.Name.String()
		if !slices.ContainsFunc(all, func(r record) bool { return r.is(name) && r.Header.Type == hdr.Type }) {
			if p.SkipAnswer() != nil {
				break
			}
			continue
		}
		known, err := p.Answer()
		if err != nil {
			break
		}
		key := record{Resource: known}.key()
		q.known[key] = max(q.known[key], known.Header.TTL)
	}
	return q, len(q.questions) > 0
}

// knows reports whether who asks has the record for half of its time at least
// (RFC 6762, section 7.1).
func (q query) knows(r record) bool {
	left, known := q.known[r.key()]
	return known && left >= r.Header.TTL/2
}

// answers returns which of all answer q. A name of ours that is asked for a type that
// it has not is answered with that.
func (q query) answers(all []record) []int {
	var found []int
	for _, question := range q.questions {
		name, matched, absent := question.Name.String(), false, -1
		for i, r := range all {
			if !r.is(name) {
				continue
			}
			if r.Header.Type == typeNSEC {
				absent = i
			}
			if question.Type != r.Header.Type && question.Type != dnsmessage.TypeALL {
				continue
			}
			matched = true
			if !slices.Contains(found, i) && !q.knows(r) {
				found = append(found, i)
			}
		}
		if !matched && absent >= 0 && !slices.Contains(found, absent) {
			found = append(found, absent)
		}
	}
	return found
}

// reply makes the answer to q of the records found: to one who does not know mDNS,
// with what it asked (RFC 6762, section 6.7), or to those who do.
func reply(q query, all []record, found []int, legacy bool) ([]byte, error) {
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true, Authoritative: true}}
	if legacy {
		m.ID = q.id
		for _, question := range q.questions {
			question.Class &^= toMeAlone
			m.Questions = append(m.Questions, question)
		}
	}
	put := func(i int) dnsmessage.Resource {
		r := all[i].Resource
		if legacy {
			r.Header.TTL = min(r.Header.TTL, ttlLegacy)
		} else if all[i].unique {
			r.Header.Class |= onlyOurs
		}
		return r
	}
	var more []int
	for _, i := range found {
		m.Answers = append(m.Answers, put(i))
		for _, other := range all[i].pulls {
			if !slices.Contains(found, other) && !slices.Contains(more, other) {
				more = append(more, other)
			}
		}
	}
	for _, i := range more {
		m.Additionals = append(m.Additionals, put(i))
	}
	return m.Pack()
}

// announcement is all records unasked; with a goodbye nobody keeps them.
func announcement(all []record, goodbye bool) ([]byte, error) {
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true, Authoritative: true}}
	for _, r := range all {
		if goodbye {
			r.Header.TTL = 0
		} else if r.unique {
			r.Header.Class |= onlyOurs
		}
		m.Answers = append(m.Answers, r.Resource)
	}
	return m.Pack()
}

// claimed returns the addresses that somebody says the name has.
func claimed(packet []byte, name string) (addrs []netip.Addr) {
	var p dnsmessage.Parser
	hdr, err := p.Start(packet)
	if err != nil || !hdr.Response || p.SkipAllQuestions() != nil {
		return nil
	}
	for range maxKnown {
		hdr, err := p.AnswerHeader()
		if err != nil {
			break
		}
		if hdr.Type != dnsmessage.TypeA || hdr.TTL == 0 || !strings.EqualFold(hdr.Name.String(), name) {
			if p.SkipAnswer() != nil {
				break
			}
			continue
		}
		a, err := p.AResource()
		if err != nil {
			break
		}
		addrs = append(addrs, netip.AddrFrom4(a.A))
	}
	return addrs
}
