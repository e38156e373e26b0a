package mdns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
)

const (
	port = 5353
	hops = 255 // RFC 6762, section 11

	sendWithin = 100 * time.Millisecond // that an interface that takes nothing makes others wait
)

// group is where all who speak mDNS listen (RFC 6762, section 3).
var group = netip.AddrPortFrom(netip.AddrFrom4([4]byte{224, 0, 0, 251}), port)

// Interface is an interface to a network.
type Interface struct {
	Index int
	Name  string
	Nets  []netip.Prefix // IPv4 addresses of this PC with their networks: 192.168.1.20/24
}

// Packet is what came in.
type Packet struct {
	Bytes  int // in the buffer
	Index  int // of the interface that it came in on; 0 where the system does not tell
	From   netip.AddrPort
	Direct bool // it was sent to this PC alone
}

// Network is where names are asked for.
type Network interface {
	// Interfaces returns those at which others may be.
	Interfaces() ([]Interface, error)
	// Listen takes the port of mDNS.
	Listen(ctx context.Context) (Conn, error)
}

// Conn is the port of mDNS. Read may be called beside the others.
type Conn interface {
	// Join listens to the group at an interface.
	Join(i Interface) error
	// Leave listens there no longer.
	Leave(i Interface)
	Read(b []byte) (Packet, error)
	// Send sends to one, or at the interface to the group.
	Send(b []byte, i Interface, to netip.AddrPort) error
	Close() error
}

// System is the networks that this PC is in.
type System struct{}

// Interfaces returns the interfaces of this PC at which there may be others: neither
// itself nor a tunnel to one.
func (System) Interfaces() ([]Interface, error) {
	found, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var all []Interface
	for _, f := range found {
		if f.Flags&(net.FlagUp|net.FlagMulticast) != net.FlagUp|net.FlagMulticast || f.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0 {
			continue
		}
		addrs, err := f.Addrs()
		if err != nil {
			continue // it went away
		}
		i := Interface{Index: f.Index, Name: f.Name}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				ip, _ := netip.AddrFromSlice(n.IP.To4())
				bits, _ := n.Mask.Size()
				i.Nets = append(i.Nets, netip.PrefixFrom(ip, bits))
			}
		}
		if len(i.Nets) > 0 {
			all = append(all, i)
		}
	}
	return all, nil
}

// Listen binds the port at every address, together with whoever has it already.
func (System) Listen(ctx context.Context) (Conn, error) {
	l := net.ListenConfig{Control: share}
	c, err := l.ListenPacket(ctx, "udp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return nil, err
	}
	p := ipv4.NewPacketConn(c)
	// Windows cannot tell the interface; then the network of who asks tells it.
	_ = p.SetControlMessage(ipv4.FlagInterface|ipv4.FlagDst, true)
	for _, set := range []func() error{
		func() error { return p.SetMulticastTTL(hops) },
		func() error { return p.SetTTL(hops) },
		func() error { return p.SetMulticastLoopback(true) }, // programs of this PC ask too
	} {
		if err := set(); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	return &systemConn{p: p}, nil
}

type systemConn struct {
	p  *ipv4.PacketConn
	mu sync.Mutex // held from the choice of an interface until it is used
}

func (c *systemConn) Join(i Interface) error {
	return c.p.JoinGroup(&net.Interface{Index: i.Index, Name: i.Name}, net.UDPAddrFromAddrPort(group))
}

func (c *systemConn) Leave(i Interface) {
	_ = c.p.LeaveGroup(&net.Interface{Index: i.Index, Name: i.Name}, net.UDPAddrFromAddrPort(group)) // it may be gone
}

func (c *systemConn) Read(b []byte) (Packet, error) {
	n, m, from, err := c.p.ReadFrom(b)
	if err != nil {
		return Packet{}, err
	}
	p := Packet{Bytes: n}
	if u, ok := from.(*net.UDPAddr); ok {
		a := u.AddrPort()
		p.From = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	if m != nil {
		p.Index, p.Direct = m.IfIndex, m.Dst != nil && !m.Dst.IsMulticast()
	}
	return p, nil
}

func (c *systemConn) Send(b []byte, i Interface, to netip.AddrPort) error {
	if to == group {
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := c.p.SetMulticastInterface(&net.Interface{Index: i.Index, Name: i.Name}); err != nil {
			return err
		}
	}
	_ = c.p.SetWriteDeadline(time.Now().Add(sendWithin))
	_, err := c.p.WriteTo(b, nil, net.UDPAddrFromAddrPort(to))
	return err
}

func (c *systemConn) Close() error { return c.p.Close() }
