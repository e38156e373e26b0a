package line

import (
	"slices"
	"testing"

	"homeroom/core"
)

func TestIdentify(t *testing.T) {
	for _, tc := range []struct {
		vid, pid uint16
		product  string
		title    string
		likely   bool
	}{
		{0x1A86, 0x7523, "USB Serial", "CH340", true},
		{0x1A86, 0x55D4, "", "CH9102", true},
		{0x10C4, 0xEA60, "CP2102 USB to UART Bridge Controller", "CP2102", true},
		{0x10C4, 0xEA60, "CP2104 USB to UART Bridge Controller", "CP2104", true},
		{0x10C4, 0xEA60, "CP2102N USB to UART Bridge Controller", "CP2102N", true},
		{0x10C4, 0xEA60, "Silicon Labs thing", "CP2102", true},
		{0x0403, 0x6001, "FT232R USB UART", "FT232", true},
		{0x067B, 0x2303, "", "PL2303", true},
		{0x303A, 0x1001, "USB JTAG/serial debug unit", "ESP32 with USB", false},
		{0x2341, 0x0043, "", "Arduino", false},
		{0x0D28, 0x0204, "", "micro:bit", false},
		{0x1234, 0x5678, "A\x1b[31mThing\x00", "A�[31mThing", false},
		{0x1234, 0x5678, "", "", false},
	} {
		if title, likely := identify(tc.vid, tc.pid, tc.product); title != tc.title || likely != tc.likely {
			t.Errorf("%04X:%04X %q is %q, likely %v; want %q, %v", tc.vid, tc.pid, tc.product, title, likely, tc.title, tc.likely)
		}
	}
}

func TestPortOrder(t *testing.T) {
	names := []string{"COM10", "COM9", "/dev/ttyUSB10", "/dev/ttyUSB2", "/dev/ttyACM0", "COM1"}
	slices.SortFunc(names, compareNames)
	if want := []string{"/dev/ttyACM0", "/dev/ttyUSB2", "/dev/ttyUSB10", "COM1", "COM9", "COM10"}; !slices.Equal(names, want) {
		t.Errorf("ports are sorted as %v", names)
	}
}

func TestAdviceOnlyWithoutAPort(t *testing.T) {
	s := System{root: t.TempDir()}
	for name, tc := range map[string]struct {
		port core.SerialPort
		want bool
	}{
		"a likely port":     {core.SerialPort{VID: 0x1A86, PID: 0x7523, Likely: true}, false},
		"an unknown chip":   {core.SerialPort{VID: 0x1234, PID: 0x5678}, false},
		"an Arduino":        {core.SerialPort{VID: 0x2341, PID: 0x0043}, true},
		"the PC's own port": {core.SerialPort{}, true},
	} {
		if got := s.Advice([]core.SerialPort{tc.port}); (len(got) > 0) != tc.want {
			t.Errorf("with %s the advice is %v", name, got)
		}
	}
	if len(s.Advice(nil)) < 2 {
		t.Error("without any port there is advice")
	}
}
