package core

import (
	"time"

	"homeroom/core/topic"
)

// What a kit says and hears about itself, below its name (firmware/PROTOCOL.md).
const (
	KitState = "$state"
	KitInfo  = "$info"
	KitAsked = "$do" // only Program publishes there, and only the kit hears it
	KitTold  = "$told"
)

// Ports is where kits may be plugged in, and what to do where there is nowhere.
type Ports struct {
	All []SerialPort // in order of name
	// Advice is why no port is there and what to do, most likely first; none where
	// a port is that a kit may be on.
	Advice []Sentence
}

// SerialPort is a port of this PC that a kit may be plugged into.
type SerialPort struct {
	Name  string // "/dev/ttyUSB0", "COM3"
	Title string // "CH340" by its USB ID, or what the system calls it
	VID   uint16 // USB vendor and product, 0 where it is not on USB
	PID   uint16
	// Likely means that its USB chip is one that ESP8266 boards have.
	Likely bool
	// Since is when it was plugged in; zero for what was there when the program started.
	Since time.Time
	// Problem is why it cannot be opened and what to do: who holds it, which group
	// is missing. Format is "" where nothing is known against it.
	Problem Sentence
	Setup   int64      // the setup that uses it, or 0
	Kit     topic.Name // of a wired kit that is on it, or ""
}

// KitChip is the chip of a kit, as it says itself.
type KitChip struct {
	Name      string // "ESP8266EX"
	ID        uint32
	MAC       string // "5c:cf:7f:01:02:03"
	FlashID   uint32 // JEDEC manufacturer and device, as esptool prints them
	FlashSize int64  // bytes
}

// KitImage is firmware that can be written to a kit.
type KitImage struct {
	ID      string // "wifi", "wired", or the SHA-256 of a file that was chosen
	Title   Sentence
	Variant string // "wifi", "wired", or "" for firmware that is not Homeroom's
	Version string // "1.0.0", or ""
	Chip    string // "ESP8266"
	Size    int64  // bytes; 0 where it has to be built or chosen first
	Flash   int64  // bytes of flash that it needs
	SHA256  string
	MD5     string
	// Missing is why it cannot be written now and what to do; Format is "" where it can.
	Missing Sentence
	// Buildable means that this PC can build what is missing.
	Buildable bool
}

// Network is a Wi-Fi network as a kit sees it.
type Network struct {
	Name    string // SSID
	Signal  int    // dBm; 0 where nobody sees it now
	Channel int
	Open    bool // without a key
	// Enterprise networks ask for a user name (802.1X); kits cannot join them.
	Enterprise bool
	// Unfit networks have WEP, or WPA3 alone, which kits do not know.
	Unfit bool
	Known bool // its key is remembered
}

// SetupStep is one step of setting up a kit, in their order.
type SetupStep string

// The steps of a setup.
const (
	StepPort     SetupStep = "port"     // a port is chosen; chip, MAC and flash are read
	StepKit      SetupStep = "kit"      // which kit, room and team: account and grants
	StepNetwork  SetupStep = "network"  // by which Wi-Fi, or the cable
	StepFlash    SetupStep = "flash"    // firmware and settings are written and verified
	StepSettings SetupStep = "settings" // the kit started and says that it has them
	StepJoin     SetupStep = "join"     // the broker has seen it
	StepTest     SetupStep = "test"     // lamp, button and sensor work
	StepCard     SetupStep = "card"     // the label; done
)

// SetupSteps are all steps in their order.
var SetupSteps = []SetupStep{StepPort, StepKit, StepNetwork, StepFlash, StepSettings, StepJoin, StepTest, StepCard}

// SetupOrder is what a person wants made of a board. Nobody keeps Key.
type SetupOrder struct {
	Kit   topic.Name // where it is, or will be drawn: its room is what comes before
	Role  KitRole    // of a kit that is to be drawn
	Label string     // display name of a kit that is to be drawn
	Image string     // KitImage.ID; "" leaves the firmware that is there
	// Network is the SSID, "" for the cable or where it is not known yet; Key its
	// key, "" where it is open or remembered.
	Network, Key string
	Remember     bool // the key, in the keyring of the system where it has one
	Cable        bool // the kit uses no Wi-Fi
	TLS          bool // it speaks to the broker over TLS, with a pinned key
	Pins         []KitPin
	EraseAll     bool // everything that was on the flash
	Baud         int  // fastest rate of flashing; 0 is as fast as is safe
}

// KitPin is the pin that a part of a kit is on.
type KitPin struct {
	Slot     topic.ID
	GPIO     int  // 0 to 16, or PinA0
	Inverted bool // the part is on, or pressed, while the pin is low
	PullUp   bool
}

// PinA0 is the analog input.
const PinA0 = 17

// Setup is a board that is being made a kit.
type Setup struct {
	ID    int64
	Port  string
	Chip  KitChip
	Order SetupOrder
	// Step is where it stands. Running means that something goes on now.
	Step    SetupStep
	Running bool
	Started time.Time
	Ended   time.Time // zero until Done or Failed
	// Doing is what goes on, Done and Total how far it is in bytes (0 of 0 where
	// that is not known), and Left how long it will still take, 0 where not known.
	Doing       Sentence
	Done, Total int64
	Left        time.Duration
	// Ask is what the person has to do with their hands now: "Hold FLASH, press RST."
	Ask Sentence
	// Problem is which step failed, why, and what to do. Format is "" where none did.
	Problem Sentence
	// Firmware is what the board ran when it was plugged in: "Homeroom 1.0.0 (Wi-Fi)", or "".
	Firmware string
	Networks []Network // that the board sees; nil before it has looked
	Tests    []KitTest
	Log      []string // what was said with the board, for who wants to know; at most 200 lines
	Passed   bool     // it has joined, and every test passed
}

// KitTest is one thing to try on a new kit.
type KitTest struct {
	Slot   topic.ID
	Say    Sentence // "Press the button."
	Value  string   // what the kit says now, "" for a lamp
	Asks   bool     // a person has to say what they saw: a lamp
	Tried  bool
	Passed bool
}

// RealKit is a kit of the plan as the Kits screen shows it, real, wired or virtual.
type RealKit struct {
	Place
	Link  string // "wifi", "cable", "virtual", or "" for one that was never seen
	State string // Homie's $state, "" where it never told
	// What it told the last time. Signal is in dBm, Heap in bytes; 0 is not known.
	Signal  int
	Uptime  time.Duration
	Heap    int
	Image   string // "wifi", "wired"
	Version string // of its firmware
	Newer   string // the version that it could be updated to, or ""
	Address string // on the network, or the serial port
	MAC     string
	Pins    []KitPin  // nil is as its role has them
	Since   time.Time // it was set up
	Seen    time.Time // it was heard the last time
	// Waiting means that the plan has changed and the kit has not taken it over yet.
	Waiting bool
	// Doing is what goes on with it: an update, new settings. Done is in percent, -1 where not known.
	Doing   Sentence
	Done    int
	Problem Sentence
}

// Rollout is an update of several kits over the air, one after another; it stops
// at the first that fails.
type Rollout struct {
	Kits    []topic.Name // in their order
	Next    int          // index of the one at work; len(Kits) at the end
	Version string
	Stopped Sentence // why it stopped before its end
	Running bool
}

// KitProgress is how far one step of work with a board is.
type KitProgress struct {
	Step        string // "reset", "sync", "stub", "erase", "write", "verify", "read", "settings", "run"
	Done, Total int64  // bytes; 0 of 0 where that is not known
	Left        time.Duration
}
