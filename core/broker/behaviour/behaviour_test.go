package behaviour

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// mosquittoDiffers is where Mosquitto 2.0.11 is not what the specification says.
var mosquittoDiffers = map[string]string{
	"MQTT-3.1.2.11.10/v5/authentication data without a method is refused":                               "takes it",
	"MQTT-3.2.2.2/v5/a will to a topic that is denied is refused":                                       "takes it, and drops it when it is due",
	"MQTT-3.8.4-7/v3.1.1/a filter that is denied is told so, and the others are granted":                "its file of rights decides about each delivery instead",
	"MQTT-3.8.4-7/v5/a filter that is denied is told so, and the others are granted":                    "its file of rights decides about each delivery instead",
	"MQTT-4.9.0-1/v5/Receive Maximum is that of the present connection":                                 "sends again all that was in flight",
	"MQTT-4.9.0-2/v5/no more than Receive Maximum are sent unacknowledged, of QoS 1":                    "miscounts when messages wait",
	"MQTT-4.9.0-2/v5/no more than Receive Maximum are sent unacknowledged, of QoS 2":                    "miscounts when messages wait",
	"MQTT-3.3.4-7/v5/more than the server's Receive Maximum end the connection":                         "answers PUBREC 0x97",
	"MQTT-4.3.3-10/v3.1/a QoS 2 message that comes again before PUBREL is delivered once":               "closes at the second repetition",
	"MQTT-4.3.3-10/v3.1.1/a QoS 2 message that comes again before PUBREL is delivered once":             "closes at the second repetition",
	"MQTT-4.3.3-10/v5/a QoS 2 message that comes again before PUBREL is delivered once":                 "closes at the second repetition",
	"MQTT-4.3.3-11/v5/PUBREL of nothing is answered":                                                    "says 0x00",
	"MQTT-3.6.2.1/v5/PUBREC of nothing is answered with 0x92":                                           "says 0x00",
	"MQTT-4.3.3-7/v5/a message does not expire once it was sent":                                        "drops it",
	"MQTT-3.3.2-8/v5/topic alias 0 is refused":                                                          "says 0x81",
	"MQTT-3.3.4-2/v3.1/where subscriptions overlap the highest QoS counts":                              "sends one copy, with the QoS of any of them",
	"MQTT-3.3.4-2/v3.1.1/where subscriptions overlap the highest QoS counts":                            "sends one copy, with the QoS of any of them",
	"MQTT-3.1.2-24/v5/a message that is larger than the client takes is not sent, and all else goes on": "what it does not send stays in flight",
	"MQTT-3.1.3.2.2/v5/a delayed will is sent when a clean start ends the session":                      "forgets it",
	"MQTT-4.8.2-1/v5/a share without a name is refused":                                                 "takes it",
	"MQTT-4.8.2-2/v5/a share name with a wildcard, or without a filter, is refused":                     "takes a name of +",
	"MQTT-3.8.3-4/v5/No Local on a shared subscription is refused":                                      "takes it",
	"MQTT-3.8.4/v5/retained messages do not come to shared subscriptions":                               "sends them",
	"MQTT-3.3.1-2/v5/DUP with QoS 0 is refused":                                                         "takes it",
	"MQTT-3.3.2.3.2/v5/payload format 2 is refused":                                                     "takes it",
	"MQTT-3.3.2-14/v5/a response topic with a wildcard is refused":                                      "takes it",
	"MQTT-3.3.4-6/v5/a Subscription Identifier from a client is refused":                                "takes it",
	"MQTT-2.1.2/v3.1.1/packets that only servers send are refused":                                      "takes some, as bridges do",
	"MQTT-2.1.2/v5/packets that only servers send are refused":                                          "takes some, as bridges do",
	"MQTT-2.1.3-1/v3.1.1/reserved flags of PINGREQ are refused":                                         "does not look",
	"MQTT-2.1.3-1/v5/reserved flags of PINGREQ are refused":                                             "does not look",
	"MQTT-2.1.3-1/v3.1.1/reserved flags of acknowledgements are refused":                                "does not look",
	"MQTT-2.1.3-1/v5/reserved flags of acknowledgements are refused":                                    "does not look",
	"MQTT-2.1.4/v3.1.1/PINGREQ with a body is refused":                                                  "does not look",
	"MQTT-2.1.4/v5/PINGREQ with a body is refused":                                                      "does not look",
	"MQTT-2.1.4/v3.1.1/acknowledgements with more than an identifier are refused":                       "does not look",
	"MQTT-2.1.4/v5/bytes after the end of a packet are refused":                                         "does not look",
}

// TestMosquitto checks the checks: on a server that many people use.
func TestMosquitto(t *testing.T) {
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		program = "/usr/sbin/mosquitto" // where Debian has it; not every PATH has that
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("mosquitto is not installed")
	}
	m := &mosquitto{t: t, program: program, dir: t.TempDir()}
	m.write("passwords", "")
	if out, err := exec.Command("mosquitto_passwd", "-b", filepath.Join(m.dir, "passwords"), "suite", "right").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m.write("acl", "user suite\ntopic readwrite #\ntopic readwrite $SYS/#\ntopic readwrite $share/#\ntopic deny denied\n")
	Run(t, Engine{Addr: m.start(), Login: func(string) (string, string) { return "suite", "right" }, Denied: "denied", Restart: m.restart, Differs: mosquittoDiffers,
		Lacks: []Capability{Reasons, Present}}) // of many errors it gives no reason; absent members have their turn too
}

type mosquitto struct {
	t            *testing.T
	program, dir string
	run          *exec.Cmd
}

func (m *mosquitto) write(name, content string) {
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(content), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// start runs Mosquitto on a free port until it is stopped, and returns its address.
func (m *mosquitto) start() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	m.write("mosquitto.conf", fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous false\npassword_file %s/passwords\nacl_file %[2]s/acl\npersistence true\npersistence_location %[2]s/\nmax_packet_size 100000\nuser root\nlog_dest none\n",
		l.Addr().(*net.TCPAddr).Port, m.dir))
	m.run = exec.Command(m.program, "-c", filepath.Join(m.dir, "mosquitto.conf"))
	if err := m.run.Start(); err != nil {
		m.t.Fatal(err)
	}
	run := m.run
	m.t.Cleanup(func() { _ = run.Process.Kill(); _ = run.Wait() })
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			_ = c.Close()
			return addr
		}
		time.Sleep(10 * time.Millisecond)
	}
	m.t.Fatal("mosquitto does not start")
	return ""
}

func (m *mosquitto) restart() string {
	_ = m.run.Process.Signal(syscall.SIGTERM)
	_ = m.run.Wait()
	return m.start()
}

// FuzzParse reads what no server would send.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"\x20\x02\x01\x00", "\x20\x08\x00\x00\x05\x22\x00\x0a\x25\x01", "\x32\x0b\x00\x03a/b\x00\x01\x02\x01\x01xy", "\x30\x05\x00\x01a\x00x",
		"\x40\x02\x00\x01", "\x50\x03\x00\x01\x10", "\x62\x02\x00\x01", "\x70\x08\x00\x01\x92\x04\x1f\x00\x01x", "\x90\x05\x00\x01\x00\x00\x8f", "\xb0\x04\x00\x01\x00\x11",
		"\xd0\x00", "\xe0\x01\x8e", "\xf0\x09\x18\x07\x15\x00\x01x\x16\x00\x00", "\x30\xff\xff\xff\x7f", "\x30\x80\x80\x80\x80\x01",
	} {
		for _, v := range []byte{3, 4, 5} {
			f.Add(v, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, v byte, stream []byte) {
		r := bufio.NewReader(bytes.NewReader(stream))
		for {
			first, body, err := readPacket(r)
			if err != nil {
				return
			}
			p, err := parse(v, first, body)
			if err != nil {
				continue
			}
			if p.qos() == 3 && p.kind == publish || p.kind == publish && (p.qos() > 0) != (p.id > 0) || p.kind == 0 || p.kind == connect {
				t.Fatalf("took % x: %+v", body, p)
			}
			if _, err := parse(v, first, append(bytes.Clone(body), 0)); err == nil && p.kind != publish && p.kind != suback && p.kind != unsuback && len(body) > 3 {
				t.Fatalf("took % x with a byte more", body)
			}
			for cut := range min(len(body), 256) {
				_, _ = parse(v, first, body[:cut])
			}
		}
	})
}
