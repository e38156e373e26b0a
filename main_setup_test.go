package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"homeroom/core"
	"homeroom/core/kits/chip"
)

// setupIn names the folder and the port with which this test's program is started once
// more, to be killed.
const setupIn = "HOMEROOM_TEST_SETUP"

// TestSetupKilled: a program that is killed when a board has its settings, and before
// they count, says at its next start which board has to be set up again, knows the
// board when it is there, and goes on to the end.
func TestSetupKilled(t *testing.T) {
	t.Parallel()
	const kit = "blue/lab/wired"
	if data, port, child := strings.Cut(os.Getenv(setupIn), "|"); child {
		p, _ := here(t, data, port)
		eventually(t, "the port is seen", func() bool { return len(p.kits.Ports().All) > 0 })
		id, err := p.kits.Begin(t.Context(), port)
		must(t, err)
		p.waits(t, id, core.StepKit)
		must(t, p.kits.Order(t.Context(), id, core.SetupOrder{Kit: kit, Role: core.AllKit, Label: "À câble", Image: "wired", Cable: true}))
		must(t, p.kits.Start(t.Context(), id, core.StepKit))
		time.Sleep(time.Minute) // it is killed before
		t.Fatal("nobody killed it")
	}
	if len((bundledImages{}).Stub()) == 0 {
		t.Skip("there is no flasher stub here, so nothing is read back: make deps brings it")
	}
	program, err := hostProgram()
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("the kit cannot be built for this PC: %v", err)
		}
		t.Fatal(err)
	}
	const mac = "5c:cf:7f:aa:00:4b"
	b := hold(t, chip.Options{MAC: [6]byte{0x5c, 0xcf, 0x7f, 0xaa, 0x00, 0x4b}, Start: chip.NewHost(program, "--mac", mac).Start},
		chip.Fault{Kind: chip.Slow, Command: 0xD2, Delay: time.Minute}) // READ_FLASH: everything is written by then
	data := t.TempDir()
	p, stop := here(t, data, b.port)
	enrol(t, p.accounts)
	stop()

	cmd := exec.Command(os.Args[0], "-test.run=^TestSetupKilled$")
	cmd.Env = append(os.Environ(), setupIn+"="+data+"|"+b.port)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	must(t, cmd.Start())
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	eventually(t, "the board has what was written", func() bool {
		select {
		case err := <-over:
			t.Fatal("it ended by itself:", err)
		default:
		}
		return b.Count(0xD2) > 0
	})
	must(t, cmd.Process.Kill())
	<-over
	b.Mend()

	p, stop = here(t, data, b.port)
	defer stop()
	all := p.kits.Setups()
	if len(all) != 1 || all[0].Chip.MAC != mac || all[0].Order.Kit != kit || all[0].Step != core.StepFlash || !strings.Contains(all[0].Problem.String(), "ended before") {
		t.Fatalf("the setups are %+v", all)
	}
	eventually(t, "it says which board has to be set up again", func() bool { return strings.Contains(p.real(kit).Problem.String(), mac) })
	id := all[0].ID
	b.PressReset(false)
	eventually(t, "the board is known", func() bool {
		ports := p.kits.Ports().All
		return len(ports) > 0 && ports[0].Setup == id
	})
	must(t, p.kits.Start(t.Context(), id, core.StepFlash))
	asked := ""
	eventually(t, "the setup goes on to the test", func() bool {
		s := p.setup(id)
		if s.Problem.Format != "" {
			t.Fatalf("at %s: %s\n%q", s.Step, s.Problem, s.Log)
		}
		if ask := s.Ask.String(); ask != asked {
			if asked = ask; s.Ask.Format != "" {
				b.PressReset(s.Step == core.StepFlash)
			}
		}
		return s.Step == core.StepTest
	})
	p.says(t, kit+"/$state", "ready")
	if k := p.real(kit); k.Problem.Format != "" {
		t.Errorf("it still says %s", k.Problem)
	}
	unfinished, err := p.db.BegunKits(t.Context())
	if err != nil || len(unfinished) > 0 {
		t.Errorf("it is still kept as unfinished: %+v, %v", unfinished, err)
	}
}
