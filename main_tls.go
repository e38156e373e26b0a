package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/broker"
	"homeroom/core/trust"
	"homeroom/storage"
)

// openBroker opens the broker, with TLS where that is wanted. TLS that no flag
// asks for does not keep a PC from its lesson: what is in its way is told, and
// the broker serves without.
func (p *program) openBroker(ctx context.Context, cfg broker.Config, l listeners) (err error) {
	addr := tlsAddr(l, p.settings.Settings())
	if addr != "" {
		if p.broker, p.trust, err = openTLS(ctx, cfg, addr, p.db); err == nil {
			return nil
		}
		if l.MQTTS != "" {
			return err
		}
	}
	tlsErr := err
	if p.broker, err = broker.Open(ctx, cfg); err != nil || tlsErr == nil {
		return unboundOr(err, l.MQTT, p.settings.Settings(), false)
	}
	said := core.Say("Homeroom serves without TLS: {reason}", "reason", lang.Error(tlsErr))
	if errors.Is(tlsErr, core.ErrConflict) {
		_, port, _ := net.SplitHostPort(addr)
		said = core.Say("Homeroom serves without TLS, because another program uses port {port}. Close it, or choose another port in Settings, and start Homeroom again.", "port", port)
	}
	p.noTLS = &core.Problem{Sentence: said, Kind: tlsErr}
	p.accounts.Refuse(core.Refusal{Say: said})
	return nil
}

func openTLS(ctx context.Context, cfg broker.Config, addr string, s trust.Store) (*broker.Broker, *trust.Authority, error) {
	a, err := trust.Open(ctx, trust.Config{Store: s, Log: cfg.Log})
	if err != nil {
		return nil, nil, err
	}
	cfg.TLS, cfg.TLSAddr = a.TLSConfig(), addr
	b, err := broker.Open(ctx, cfg)
	return b, a, err
}

// tlsAddr returns where MQTT over TLS is to listen, or "". Where --mqtt names one
// address of this PC, TLS without a flag of its own stays there too.
func tlsAddr(l listeners, s core.Settings) string {
	addr := cmp.Or(l.MQTTS, s.MQTTS)
	if addr == "-" {
		return ""
	}
	if host, _, err := net.SplitHostPort(l.MQTT); err == nil && host != "" && l.MQTTS == "" {
		if _, port, err := net.SplitHostPort(addr); err == nil {
			return net.JoinHostPort(host, port)
		}
	}
	return addr
}

type certCmd struct {
	Out string `placeholder:"FILE" help:"Write the CA certificate into FILE, not to standard output."`
}

// Run prints the pin and writes the CA certificate, beside a program that may
// be running.
func (c *certCmd) Run(ctx context.Context, e env) error {
	db, err := storage.Open(ctx, e.data)
	if err != nil {
		return err
	}
	a, err := trust.Open(ctx, trust.Config{Store: db, Log: slog.New(slog.DiscardHandler)})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "pin: %s\nfingerprint: %s\n", a.Pin(), a.Fingerprint())
	if c.Out == "" {
		_, err = e.out.Write(a.CA())
		return err
	}
	if err := os.WriteFile(c.Out, a.CA(), 0o644); err != nil {
		return core.Fail(err, "The certificate was not written: {reason}. Choose another file with --out.", "reason", err)
	}
	return nil
}
