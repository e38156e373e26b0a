//go:build !headless

package ui

import (
	"homeroom/core"
	"homeroom/ui/accounts"
	"homeroom/ui/home"
	"homeroom/ui/kits"
	"homeroom/ui/messages"
	"homeroom/ui/plan"
	"homeroom/ui/record"
	"homeroom/ui/rooms"
	"homeroom/ui/rules"
	"homeroom/ui/settings"
	"homeroom/ui/setup"
	"homeroom/ui/welcome"
	"homeroom/ui/xray"
)

// Parts is what the window shows and does. It names no concrete part.
type Parts struct {
	Feed      *core.Feed
	Info      core.Info
	Addresses func() core.Addresses
	Broker    Broker
	History   History
	Accounts  Accounts
	Alarms    Alarms
	Rehearsal home.Rehearsal
	Plan      plan.Parts
	Kits      kits.Parts
	Setup     setup.Parts
	Rules     rules.Parts
	// Recordings are made and played.
	Recordings Recordings
	Settings   settings.Store
	// Restart ends the window and starts the program again.
	Restart func()
}

// Broker is what the window asks the broker.
type Broker interface {
	home.Broker
	messages.Broker
	xray.Broker
}

// History is what the window asks the history.
type History interface {
	rooms.History
	messages.History
}

// Recordings is what the window asks the recorder.
type Recordings interface {
	record.Recorder
	record.Player
}

// Accounts is what the window asks the accounts.
type Accounts interface {
	// Claimed reports whether there is a teacher.
	Claimed() bool
	welcome.Accounts
	home.People
	rooms.Teams
	accounts.People
	accounts.Rights
	accounts.Phones
}

// screensOf returns the screens in the order of the navigation, and their names
// for widget.Shell.Go.
func screensOf(p Parts, s *shell) ([]screen, []string) {
	return []screen{
		home.New(p.Broker, p.Accounts, p.Rehearsal, p.Info, p.Addresses, s),
		rooms.New(p.History, p.Accounts, p.Plan.Plan, p.Alarms, s),
		plan.New(p.Plan, s),
		kits.New(p.Kits, s),
		rules.New(p.Rules, s),
		messages.New(p.Broker, p.History, s),
		record.New(p.Recordings, p.Recordings, s),
		xray.New(p.Broker, s),
		accounts.New(p.Accounts, p.Accounts, p.Accounts, p.Addresses, func() core.Limits { return p.Settings.Settings().Limits }, s),
		settings.New(p.Settings, p.Info, p.Restart, s),
		setup.New(p.Setup, s),
	}, []string{"home", "rooms", "plan", "kits", "rules", "messages", "record", "xray", "accounts", "settings", "setup"}
}

// under are the screens that have no line in the navigation, and the one that they
// belong to.
var under = map[string]string{"setup": "kits"}
