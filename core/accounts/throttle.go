package accounts

import (
	"net/netip"
	"sync"
	"time"

	"homeroom/core"
)

const (
	freeMisses   = 5           // wrong secrets before a delay
	longestDelay = time.Minute // between two tries
	missesLast   = 15 * time.Minute
	goodLasts    = 24 * time.Hour
	maxGood      = 8    // addresses remembered for an account
	maxStrangers = 4096 // names that nobody has, and addresses
)

// throttle slows down the guessing of passwords.
//
// Wrong secrets delay an account, and all accounts from one address. At an
// address where the account has signed in before, only wrong secrets from that
// address count: nobody elsewhere can keep its owner out.
type throttle struct {
	mu        sync.Mutex
	known     map[try]misses                          // guarded by mu; tries of existing accounts: bounded by their number
	strangers map[try]misses                          // guarded by mu; bounded apart, so that invented names push out nothing
	good      map[core.AccountID]map[string]time.Time // guarded by mu; when an account last signed in from where
	addrs     buckets                                 // guarded by mu
}

// try is what misses are counted for: an account, or a name that nobody has;
// and an address only where the account has signed in from there.
type try struct {
	account core.AccountID
	name    string
	addr    string
}

type misses struct {
	n           int
	last, until time.Time
}

func (m misses) add(now time.Time) misses {
	if now.Sub(m.last) > missesLast {
		m.n = 0
	}
	m.n++
	m.last = now
	if over := m.n - freeMisses; over >= 0 {
		m.until = now.Add(min(time.Second<<min(over, 10), longestDelay))
	}
	return m
}

// allow returns how long a try must wait, or 0. byAddr says that the address
// must wait, not only the account.
func (t *throttle) allow(id core.AccountID, name, addr string) (wait time.Duration, byAddr bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if wait := t.delay(id, name, addr, now); wait > 0 {
		return wait, false
	}
	if t.isGood(id, addr, now) {
		return 0, false
	}
	wait = t.addrs.take(addr, now)
	return wait, wait > 0
}

// again is allow for a try that was allowed and has waited for its turn.
func (t *throttle) again(id core.AccountID, name, addr string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.delay(id, name, addr, time.Now())
}

// delay is called with mu held.
func (t *throttle) delay(id core.AccountID, name, addr string, now time.Time) time.Duration {
	table, k := t.at(id, name, addr, now)
	return max(0, table[k].until.Sub(now))
}

// miss counts a wrong secret.
func (t *throttle) miss(id core.AccountID, name, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	table, k := t.at(id, name, addr, now)
	if _, ok := table[k]; !ok && id == 0 && len(table) >= maxStrangers {
		return // the address is still counted
	}
	table[k] = table[k].add(now)
}

// hit remembers that the account signed in from addr.
func (t *throttle) hit(id core.AccountID, name, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	table, k := t.at(id, name, addr, now)
	if !t.isGood(id, addr, now) {
		t.addrs.give(addr)
	}
	delete(table, k)
	if t.good == nil {
		t.good = map[core.AccountID]map[string]time.Time{}
	}
	if t.good[id] == nil {
		t.good[id] = map[string]time.Time{}
	}
	t.good[id][addr] = now
	if len(t.good[id]) > maxGood {
		oldest := addr
		for a, at := range t.good[id] {
			if at.Before(t.good[id][oldest]) {
				oldest = a
			}
		}
		delete(t.good[id], oldest)
		delete(t.known, try{account: id, addr: oldest})
	}
}

// at is called with mu held.
func (t *throttle) at(id core.AccountID, name, addr string, now time.Time) (map[try]misses, try) {
	if t.known == nil {
		t.known, t.strangers = map[try]misses{}, map[try]misses{}
	}
	switch {
	case id == 0:
		return t.strangers, try{name: name}
	case t.isGood(id, addr, now):
		return t.known, try{account: id, addr: addr}
	}
	return t.known, try{account: id}
}

// isGood is called with mu held.
func (t *throttle) isGood(id core.AccountID, addr string, now time.Time) bool {
	at, ok := t.good[id][addr]
	return ok && now.Sub(at) < goodLasts
}

// forget drops what no longer matters.
func (t *throttle) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, table := range []map[try]misses{t.known, t.strangers} {
		for k, m := range table {
			if now.Sub(m.last) > missesLast {
				delete(table, k)
			}
		}
	}
	for id, addrs := range t.good {
		for a := range addrs {
			if !t.isGood(id, a, now) {
				delete(addrs, a)
			}
		}
		if len(addrs) == 0 {
			delete(t.good, id)
		}
	}
	t.addrs.forget(now)
}

const (
	bucketSize = 60          // tries from one address at once
	bucketFill = time.Second // and then one in this time
)

// buckets count down what comes from each address. The owner locks them.
type buckets map[string]bucket

type bucket struct {
	left float64
	at   time.Time
}

// take takes one from addr's bucket. It returns 0, or the time until there is one.
func (b *buckets) take(addr string, now time.Time) time.Duration {
	addr, c := b.level(addr, now)
	if c.left < 1 {
		return time.Duration((1 - c.left) * float64(bucketFill))
	}
	c.left--
	(*b)[addr] = c
	return 0
}

// give puts one back.
func (b *buckets) give(addr string) {
	if c, ok := (*b)[addr]; ok {
		c.left = min(bucketSize, c.left+1)
		(*b)[addr] = c
	}
}

// level returns addr's bucket as it is now. Where there are too many, all new
// addresses share one bucket.
func (b *buckets) level(addr string, now time.Time) (string, bucket) {
	if *b == nil {
		*b = buckets{}
	}
	if _, ok := (*b)[addr]; !ok && len(*b) >= maxStrangers {
		if b.forget(now); len(*b) >= maxStrangers {
			addr = ""
		}
	}
	c, ok := (*b)[addr]
	if !ok {
		return addr, bucket{bucketSize, now}
	}
	return addr, bucket{min(bucketSize, c.left+float64(now.Sub(c.at))/float64(bucketFill)), now}
}

func (b *buckets) forget(now time.Time) {
	for a, c := range *b {
		if c.left+float64(now.Sub(c.at))/float64(bucketFill) >= bucketSize {
			delete(*b, a) // full: as if it were new
		}
	}
}

// source returns whom an address stands for: the host, and for IPv6 the
// network, because a host there has as many addresses as it likes.
func source(addr string) string {
	addr = host(addr)
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Is4() || a.IsLoopback() {
		return addr
	}
	p, _ := a.Prefix(64) // fails only for more bits than there are
	return p.String()
}

// host returns an address without port and zone.
func host(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil {
			return core.Readable(addr, 64)
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone("").String()
}
