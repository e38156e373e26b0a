// Homeroom is the MQTT lab that fits on a lab PC: a broker, accounts, a history
// and a page in one program with a window. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/alecthomas/kong"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/kits"
	"homeroom/core/mdns"
	"homeroom/ui"
)

// version is set by the build.
var version = "dev"

// cli is the command line (DESIGN: section 5). kong reads it from the tags.
type cli struct {
	Data string `help:"Folder for everything Homeroom keeps." placeholder:"DIR"`

	Window  windowCmd  `cmd:"" default:"withargs" help:"Show the window. This is what a double click does."`
	Serve   serveCmd   `cmd:"" help:"Run without a window."`
	Account accountCmd `cmd:"" help:"Add, list and change accounts; also while Homeroom runs."`
	History historyCmd `cmd:"" help:"Readings."`
	Plan    planCmd    `cmd:"" help:"Designed topics; also while Homeroom runs."`
	Kit     kitCmd     `cmd:"" help:"Boards on a serial port: find, flash, provision, watch."`
	Cert    certCmd    `cmd:"" help:"Print how kits recognise this Homeroom over TLS: the pin, and the CA certificate."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// listeners are the flags of what serves.
type listeners struct {
	MQTT   string   `name:"mqtt" placeholder:":1883" help:"Address for MQTT; port 0 picks one."`
	MQTTS  string   `name:"mqtts" placeholder:":8883" help:"Address for MQTT over TLS; - is none."`
	HTTP   string   `name:"http" placeholder:":8080" help:"Address for the page; port 0 picks one."`
	Serial []string `name:"serial" placeholder:"PORT" help:"A serial port that the system does not list, such as an emulator's; may be repeated."`

	NoMDNS bool `name:"no-mdns" help:"Do not answer to a name of its own in the network, by which kits and people find this PC after its address changed."`

	Open bool `help:"Everybody may do everything. Only for tests and the first lesson."`
}

// env is what commands use of the world, so that tests can stand in.
type env struct {
	in       io.Reader
	out, err io.Writer
	data     string       // folder
	lines    kits.Lines   // serial ports; nil is those of this PC
	network  mdns.Network // where names are asked for; nil is the networks of this PC
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ui.ProbeIfAsked()
	lang.Use("", "")
	code := run(ctx, os.Args[1:], env{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run is the program with its arguments. It returns the exit code: 0, 2 for
// arguments that make no sense, 1 for anything else that fails.
func run(ctx context.Context, args []string, e env) int {
	var c cli
	ended := -1
	parser, err := kong.New(&c, kong.Name("homeroom"), kong.Description("The MQTT lab that fits on a lab PC."),
		kong.Writers(e.out, e.err), kong.Exit(func(code int) { ended = code }), kong.UsageOnError())
	if err != nil {
		panic(err) // the struct above is wrong
	}
	k, err := parser.Parse(args)
	if ended == 0 {
		return 0 // --help
	}
	if err != nil {
		misused(args, e, err)
		fmt.Fprintf(e.err, "homeroom: %v\n", err)
		return 2
	}
	e.data = c.Data
	if e.data == "" {
		e.data = dataFolder()
	}
	k.BindTo(ctx, (*context.Context)(nil))
	err = k.Run(e)
	if err == nil {
		return 0
	}
	fmt.Fprintf(e.err, "homeroom: %s\n", lang.Error(err))
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

// errUsage marks a failure that other arguments would mend.
var errUsage = errors.New("bad arguments")

type versionCmd struct{}

func (versionCmd) Run(e env) error {
	_, err := fmt.Fprintln(e.out, "homeroom", version)
	return err
}

type serveCmd struct{ listeners }

// Run serves until a signal ends it.
func (c *serveCmd) Run(ctx context.Context, e env) error {
	go tuneMemory(ctx)
	p, err := open(ctx, e, c.listeners)
	if err != nil {
		return err
	}
	p.announce(e)
	return p.run(ctx)
}

type windowCmd struct{ listeners }

// Run shows the window. Where none can be shown it serves instead, says so, and
// opens the page.
func (c *windowCmd) Run(ctx context.Context, e env) error {
	unusable := ui.Usable()
	p, err := open(ctx, e, c.listeners)
	if err != nil {
		if port := (*unbound)(nil); unusable == nil && errors.As(err, &port) {
			return anotherPort(ctx, e, port)
		}
		if unusable == nil {
			ui.ShowFailure(lang.L("Homeroom cannot start"), lang.Error(err))
		}
		return err
	}
	if unusable != nil {
		fmt.Fprintln(e.err, lang.L("No window: {reason}. Homeroom serves without one; open {page} in a browser.", "reason", lang.Error(unusable), "page", p.page()))
		p.announce(e)
		openBrowser(p.page())
		return p.run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var restart atomic.Bool
	p.restart = func() {
		restart.Store(true)
		cancel()
	}
	done := make(chan error, 1)
	go func() {
		defer cancel()
		done <- p.run(ctx)
	}()
	err = p.show(ctx)
	cancel()
	if err = errors.Join(err, <-done); err == nil && restart.Load() {
		return again()
	}
	return err
}

// announce prints where the program listens, and what comes first.
func (p *program) announce(e env) {
	if p.info.Open {
		fmt.Fprintln(e.err, lang.L("OPEN: everybody on this network may read and publish everything."))
	}
	if p.noTLS != nil {
		fmt.Fprintln(e.err, lang.Error(p.noTLS))
	}
	fmt.Fprintf(e.out, "mqtt listening on %s\n", p.info.MQTT)
	if p.info.MQTTS != "" {
		fmt.Fprintf(e.out, "mqtts listening on %s\n", p.info.MQTTS)
	}
	fmt.Fprintf(e.out, "http listening on %s\n", p.info.Page)
	if !p.accounts.Claimed() && !p.info.Open {
		fmt.Fprintf(e.out, "claim code: %s\n", p.accounts.ClaimCode())
		fmt.Fprintln(e.out, lang.L("There is no teacher yet. Open {page} and enter the code.", "page", p.page()))
	}
	fmt.Fprintln(e.out, "ready")
}

// page is the best address of the page.
func (p *program) page() string { return addresses(p.info).Page[0] }

// addresses returns where other machines reach the program: the address of each
// network first, this machine alone last.
func addresses(info core.Info) core.Addresses {
	a := core.Addresses{MQTT: hosts(info.MQTT)}
	if info.MQTTS != "" {
		a.MQTTS = hosts(info.MQTTS)
	}
	for _, host := range hosts(info.Page) {
		a.Page = append(a.Page, "http://"+host+"/")
	}
	return a
}

// hosts returns the host:port of every way to a bound address.
func hosts(bound string) []string {
	host, port, err := net.SplitHostPort(bound)
	if err != nil {
		return []string{bound}
	}
	if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
		return []string{bound}
	}
	var near, far []string
	interfaces, err := net.Interfaces()
	if err != nil {
		interfaces = nil
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, addr := range addrs {
			ip, ok := addr.(*net.IPNet)
			if !ok || ip.IP.To4() == nil || ip.IP.IsLinkLocalUnicast() {
				continue
			}
			if ip.IP.IsPrivate() {
				near = append(near, net.JoinHostPort(ip.IP.String(), port))
			} else {
				far = append(far, net.JoinHostPort(ip.IP.String(), port))
			}
		}
	}
	return append(append(near, far...), net.JoinHostPort("localhost", port))
}
