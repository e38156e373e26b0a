package line

import (
	"bytes"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"homeroom/core"
)

// denied says why this person may not use a port, by the group that its file belongs to.
func (s System) denied(port string) core.Sentence {
	info, err := os.Stat(s.root + port)
	if err != nil {
		return nobody(port)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&0o060 != 0o060 {
		return nobody(port)
	}
	group, members := s.group(int(st.Gid))
	me, err := user.Current()
	if err != nil || group == "" || group == "root" {
		return nobody(port)
	}
	return s.outside(port, group, me.Username, slices.Contains(members, me.Username))
}

// outside says how a person gets into the group of a port.
func (s System) outside(port, group, person string, member bool) core.Sentence {
	if member {
		return core.Say("You are in the group {group} now, but not since you logged in. Log out and in again to use {port}.", "group", group, "port", port)
	}
	return core.Say("{port} belongs to the group {group}, and you are not in it. Type in a terminal: sudo usermod -aG {group} {person} – then log out and in again.", "port", port, "group", group, "person", person)
}

func nobody(port string) core.Sentence {
	return core.Say("You may not use {port}. Unplug the board and plug it in again; if it stays so, ask who looks after this PC.", "port", port)
}

// group returns the name of a group and who is in it besides those whose own group
// it is. It reads /etc/group itself, which works without cgo.
func (s System) group(gid int) (name string, members []string) {
	b, err := head(s.root+"/etc/group", 1<<16)
	if err != nil {
		return "", nil
	}
	for l := range bytes.Lines(b) {
		f := strings.Split(strings.TrimSpace(string(l)), ":")
		if len(f) == 4 && f[2] == strconv.Itoa(gid) {
			return f[0], strings.Split(f[3], ",")
		}
	}
	return "", nil
}
