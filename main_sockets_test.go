package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestWebClients lets MQTT.js and the centrifuge SDK from npm use the running
// program, and disables an account while they are connected.
func TestWebClients(t *testing.T) {
	lacks := func(what string) {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s missing: make deps installs them", what)
		}
		t.Skipf("%s missing: make deps installs them", what)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		lacks("Node.js is")
	}
	for _, module := range []string{"centrifuge", "mqtt", "ws"} {
		if _, err := os.Stat(filepath.Join(".ci", "web", "node_modules", module)); err != nil {
			lacks("the clients from npm are")
		}
	}
	data := t.TempDir()
	const password = "a good password"
	tool(t, data, password+"\n", "account", "add", "teacher", "--role", "teacher", "--password-stdin")
	tool(t, data, password+"\n", "account", "add", "ana", "--role", "student", "--team", "blue", "--password-stdin")
	tool(t, data, "", "account", "add", "kit-3", "--role", "kit", "--team", "red")
	s := serve(t, data)
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(".ci", "web", "clients.mjs"))
	cmd.Env = append(os.Environ(), "PAGE=http://127.0.0.1:"+s.http, "PASSWORD="+password)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch lines.Text() {
		case "joined":
			tool(t, data, "", "account", "disable", "ana")
		case "done":
			done = true
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil || !done {
		t.Errorf("%v\n%s", err, errs.Bytes())
	}
}
