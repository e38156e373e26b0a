package kits

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // the kit checks it over the air
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"homeroom/core"
	"homeroom/core/kits/esp"
)

const (
	maxImage  = 4 << 20 // bytes of a file
	maxFiles  = 50      // files that are kept
	buildFor  = 20 * time.Minute
	builtName = "kit.ino.bin" // that arduino-cli makes of the sketch kit
	profile   = "nodemcuv2"   // of sketch.yaml: a board and the version of what it needs
	board4M   = "esp8266:esp8266:nodemcuv2:eesz=4M2M"
	wifiID    = "wifi"
	wiredID   = "wired"
)

// Images returns the firmware that can be chosen, what is bundled first. The one
// that cannot be written now says why in Missing.
func (s *Service) Images() []core.KitImage {
	all := slices.Clone(s.cfg.Images.All())
	s.mu.Lock()
	files := slices.Clone(s.files)
	s.mu.Unlock()
	slices.Reverse(files) // the newest first
	for _, id := range []string{wifiID, wiredID} {
		i := slices.IndexFunc(all, func(i core.KitImage) bool { return i.ID == id })
		if i < 0 {
			i = len(all)
			all = append(all, core.KitImage{ID: id, Variant: id, Chip: "ESP8266", Flash: flashMin})
		}
		all[i].Title = title(id)
		if all[i].Size > 0 {
			continue
		}
		all[i].Missing, all[i].Buildable = s.missing(id), id == wifiID && s.canBuild()
		// What was built here, or chosen, is as good.
		if k := slices.IndexFunc(files, func(f Firmware) bool { return f.Variant == id }); k >= 0 {
			all[i] = files[k].image()
			all[i].ID, all[i].Title = id, title(id)
		}
	}
	for _, f := range files {
		all = append(all, f.image())
	}
	return all
}

// title is what a bundled image is called.
func title(id string) core.Sentence {
	if id == wiredID {
		return core.Say("Kit on the USB cable")
	}
	return core.Say("Kit with Wi-Fi")
}

// canBuild reports whether there is a sketch, and who builds it.
func (s *Service) canBuild() bool { return s.cli.Load() && s.cfg.Sketch != nil }

// missing is what to do without an image.
func (s *Service) missing(id string) core.Sentence {
	if id == wiredID {
		return core.Say("This program was built without the firmware for the cable. Choose a file, or build the program with: make firmware")
	}
	if !s.canBuild() {
		return core.Say("This program was built without the firmware for Wi-Fi, and there is no arduino-cli to build it with. Choose a file, or use the cable.")
	}
	return core.Say("This program was built without the firmware for Wi-Fi. Build it now with the arduino-cli of this PC, choose a file, or use the cable.")
}

// image is a file as it can be chosen.
func (f Firmware) image() core.KitImage {
	i := core.KitImage{ID: f.SHA256, Title: core.Say("{name}", "name", f.Name), Variant: f.Variant, Version: f.Version, Chip: "ESP8266",
		Size: f.Size, Flash: f.Flash, SHA256: f.SHA256, MD5: f.MD5}
	if f.Name == "" {
		i.Title = core.Say("Built here {time}", "time", f.Added.Format("2006-01-02 15:04"))
	}
	return i
}

// image returns one of Images.
func (s *Service) image(id string) (core.KitImage, bool) {
	all := s.Images()
	i := slices.IndexFunc(all, func(i core.KitImage) bool { return i.ID == id })
	if i < 0 {
		return core.KitImage{}, false
	}
	return all[i], true
}

// newest returns the newest image of a variant that can be written.
func (s *Service) newest(variant string) (core.KitImage, bool) {
	var best core.KitImage
	for _, i := range s.Images() {
		if i.Variant == variant && variant != "" && i.Missing.Format == "" && (best.ID == "" || newer(i.Version, best.Version)) {
			best = i
		}
	}
	return best, best.ID != ""
}

// newer reports whether version a comes after b: numbers between dots.
func newer(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			m, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			n, _ = strconv.Atoi(y[i])
		}
		if m != n {
			return m > n
		}
	}
	return false
}

// load returns an image and what is in its file, once that was found to be what it
// should be.
func (s *Service) load(id string) (core.KitImage, []byte, error) {
	i, ok := s.image(id)
	if !ok {
		return i, nil, core.Fail(core.ErrNotFound, "This firmware is gone. Choose another.")
	}
	if i.Missing.Format != "" {
		return i, nil, &core.Problem{Sentence: i.Missing, Kind: core.ErrNotFound}
	}
	r, err := s.open(i)
	if err != nil {
		return i, nil, core.Fail(core.ErrNotFound, "The file of the firmware {name} cannot be read: {error}. Choose it again.", "name", i.Title, "error", err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxImage+1))
	if err != nil {
		return i, nil, fmt.Errorf("kits: firmware: %w", err)
	}
	if sum := sha256.Sum256(data); i.SHA256 != "" && i.SHA256 != hex.EncodeToString(sum[:]) {
		return i, nil, core.Fail(core.ErrInvalid, "The file of the firmware {name} is damaged. Choose another.", "name", i.Title)
	}
	if _, err := esp.CheckImage(data); err != nil {
		return i, nil, err
	}
	return i, data, nil
}

// open opens the file of an image.
func (s *Service) open(i core.KitImage) (io.ReadCloser, error) {
	s.mu.Lock()
	kept := slices.ContainsFunc(s.files, func(f Firmware) bool { return f.SHA256 == i.SHA256 })
	s.mu.Unlock()
	if kept {
		return os.Open(s.path(i.SHA256))
	}
	return s.cfg.Images.Open(i.ID)
}

func (s *Service) path(sha string) string { return filepath.Join(s.cfg.Folder, sha+".bin") }

// OpenImage returns the file with that SHA-256, for a kit that gets it over the air
// from UpdatePath. The caller closes it.
func (s *Service) OpenImage(sha string) (io.ReadCloser, int64, error) {
	for _, i := range s.Images() {
		if i.SHA256 == sha && sha != "" && i.Missing.Format == "" {
			r, err := s.open(i)
			return r, i.Size, err
		}
	}
	return nil, 0, core.Fail(core.ErrNotFound, "This firmware is gone. Choose another.")
}

// UpdatePath is where the web door has an image for kits.
func UpdatePath(sha string) string { return "/firmware/" + sha + ".bin" }

// AddImage keeps a file as firmware that can be chosen, after a look whether it is some.
func (s *Service) AddImage(ctx context.Context, name string, r io.Reader) (core.KitImage, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxImage+1))
	if err != nil {
		return core.KitImage{}, core.Fail(core.ErrInvalid, "The file cannot be read: {error}", "error", err)
	}
	if name = core.Readable(filepath.Base(filepath.ToSlash(name)), lineMost); name == "." || name == "/" {
		name = ""
	}
	return s.addImage(ctx, cmp.Or(name, "firmware.bin"), data)
}

// addImage keeps an image; name is "" where it was built here.
func (s *Service) addImage(ctx context.Context, name string, data []byte) (core.KitImage, error) {
	info, err := esp.CheckImage(data)
	if err != nil {
		return core.KitImage{}, err
	}
	sum, sum5 := sha256.Sum256(data), md5.Sum(data) //nolint:gosec // the kit checks it over the air
	f := Firmware{SHA256: hex.EncodeToString(sum[:]), MD5: hex.EncodeToString(sum5[:]), Name: name, Variant: info.Variant, Version: info.Version,
		Size: int64(len(data)), Flash: info.Flash, Added: time.Now().Truncate(time.Millisecond)}
	s.mu.Lock()
	n := len(s.files)
	here := slices.ContainsFunc(s.files, func(o Firmware) bool { return o.SHA256 == f.SHA256 })
	s.mu.Unlock()
	if here {
		return f.image(), nil
	}
	if n >= maxFiles {
		return core.KitImage{}, core.Fail(core.ErrConflict, "{n} files of firmware are kept already. Remove one first.", "n", n)
	}
	if err = os.MkdirAll(s.cfg.Folder, 0o700); err == nil {
		err = writeFile(s.path(f.SHA256), data)
	}
	if err != nil {
		return core.KitImage{}, core.Fail(err, "The firmware cannot be kept in {folder}: {error}", "folder", s.cfg.Folder, "error", err)
	}
	if err := s.cfg.Store.SaveFirmware(ctx, f); err != nil {
		return core.KitImage{}, err
	}
	s.mu.Lock()
	s.files = append(s.files, f)
	s.mu.Unlock()
	s.compare() // kits may have something newer now
	s.tell()
	return f.image(), nil
}

// writeFile writes all of a file or none.
func writeFile(path string, data []byte) error {
	part := path + ".part"
	if err := os.WriteFile(part, data, 0o600); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// RemoveImage forgets a file that was chosen or built.
func (s *Service) RemoveImage(ctx context.Context, sha string) error {
	s.mu.Lock()
	i := slices.IndexFunc(s.files, func(f Firmware) bool { return f.SHA256 == sha })
	s.mu.Unlock()
	if i < 0 {
		return core.Fail(core.ErrNotFound, "This firmware is gone. Choose another.")
	}
	if err := s.cfg.Store.RemoveFirmware(ctx, sha); err != nil {
		return err
	}
	s.mu.Lock()
	s.files = slices.DeleteFunc(s.files, func(f Firmware) bool { return f.SHA256 == sha })
	s.mu.Unlock()
	s.tell()
	if err := os.Remove(s.path(sha)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("kits: firmware: %w", err)
	}
	return nil
}

// arduino is where arduino-cli is.
func arduino() (string, error) { return exec.LookPath("arduino-cli") }

// lookForCLI finds out whether BuildImage has what it needs.
func (s *Service) lookForCLI() {
	_, err := arduino()
	s.cli.Store(err == nil)
}

// Building is what a build says now, and whether one runs.
func (s *Service) Building() (core.Sentence, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.building, s.building.Format != ""
}

// BuildImage builds the Wi-Fi firmware with the arduino-cli of this PC, and returns
// when that is over. Building tells how far it is.
func (s *Service) BuildImage(ctx context.Context) error {
	cli, err := arduino()
	switch {
	case s.cfg.Sketch == nil:
		return core.Fail(core.ErrNotFound, "This program was built without the sketch of the kit. Choose a file, or use the cable.")
	case err != nil:
		return core.Fail(core.ErrNotFound, "There is no arduino-cli on this PC. Install it (arduino.github.io/arduino-cli), choose a file, or use the cable.")
	}
	s.mu.Lock()
	if s.building.Format != "" {
		s.mu.Unlock()
		return core.Fail(core.ErrConflict, "The firmware is being built already. Wait until it is done.")
	}
	s.building = core.Say("Building the firmware.")
	s.mu.Unlock()
	s.tell()
	defer func() {
		s.mu.Lock()
		s.building = core.Sentence{}
		s.mu.Unlock()
		s.tell()
	}()
	ctx, cancel := context.WithTimeout(ctx, buildFor)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	data, err := s.build(ctx, cli)
	if err != nil {
		return err
	}
	_, err = s.addImage(ctx, "", data)
	return err
}

// build runs arduino-cli on a copy of the sketch. The profile fetches what it names, at
// the first time, and keeps that apart. Where this does not work, what this PC has for
// ESP8266 boards is tried; arduino-cli looks at that only in a sketch without a profile.
func (s *Service) build(ctx context.Context, cli string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "homeroom-kit-")
	if err != nil {
		return nil, fmt.Errorf("kits: build: %w", err)
	}
	defer os.RemoveAll(dir)
	sketch, out := filepath.Join(dir, "kit"), filepath.Join(dir, "out")
	if err := os.CopyFS(sketch, s.cfg.Sketch); err != nil {
		return nil, fmt.Errorf("kits: build: %w", err)
	}
	first, err := s.compile(ctx, cli, "--profile", profile, "--output-dir", out, sketch)
	said := first
	if err != nil && first.bare && ctx.Err() == nil {
		if err := os.Remove(filepath.Join(sketch, "sketch.yaml")); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("kits: build: %w", err)
		}
		said, err = s.compile(ctx, cli, "--fqbn", board4M, "--output-dir", out, sketch)
	}
	switch {
	case ctx.Err() != nil:
		return nil, core.Fail(ctx.Err(), "The build was stopped.")
	case err != nil && said.bare && first.fetch != "":
		return nil, core.Fail(core.ErrNotFound, "arduino-cli could not fetch what ESP8266 boards need: {error}. Connect this PC to the internet and build again, choose a file, or use the cable.", "error", first.fetch)
	case err != nil && said.bare:
		return nil, core.Fail(core.ErrNotFound, "arduino-cli does not know ESP8266 boards yet. Run once, with internet: arduino-cli core install esp8266:esp8266 --additional-urls https://arduino.esp8266.com/stable/package_esp8266com_index.json")
	case err != nil:
		return nil, core.Fail(core.ErrInvalid, "arduino-cli could not build the firmware: {error}", "error", cmp.Or(said.fault, said.last, err.Error()))
	}
	data, err := os.ReadFile(filepath.Join(out, builtName))
	if err != nil {
		return nil, core.Fail(core.ErrNotFound, "arduino-cli built no {file}. Choose a file, or use the cable.", "file", builtName)
	}
	return data, nil
}

// told is what arduino-cli said: its last words, the first fault that the compiler found,
// what it could not fetch, and whether it lacks what is needed for the board.
type told struct {
	last, fault, fetch string
	bare               bool
}

// compile runs arduino-cli compile.
func (s *Service) compile(ctx context.Context, cli string, args ...string) (told, error) {
	cmd := exec.CommandContext(ctx, cli, append([]string{"compile"}, args...)...)
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = hidden()
	// In English, since it is read, and without news of itself, which would be its last words.
	cmd.Env = append(os.Environ(), "ARDUINO_LOCALE=en", "LC_ALL=C.UTF-8", "ARDUINO_UPDATER_ENABLE_NOTIFICATION=false", "ARDUINO_OUTPUT_NO_COLOR=true")
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	heard := make(chan told)
	go func() { heard <- s.follows(r) }()
	err := cmd.Run()
	_ = w.Close()
	return <-heard, err
}

// follows tells what a build prints.
func (s *Service) follows(r io.Reader) (t told) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 4096), 1<<20)
	in.Split(words)
	for in.Scan() {
		text := string(bytes.TrimSpace(in.Bytes()))
		if text == "" {
			continue
		}
		t.last = core.Readable(text, lineMost)
		_, fetch, _ := strings.Cut(text, "loading required ")
		t.fetch = cmp.Or(t.fetch, core.Readable(fetch, lineMost))
		if strings.Contains(text, " error: ") {
			t.fault = cmp.Or(t.fault, t.last)
		}
		// An old arduino-cli knows no profiles.
		t.bare = t.bare || fetch != "" || strings.Contains(text, "platform not installed") || strings.Contains(text, "unknown flag: --profile")
		s.mu.Lock()
		s.building = core.Say("Building the firmware: {line}", "line", t.last)
		s.printed = true
		s.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, r) // a line that is too long must not stop the build
	return t
}

// words splits at the ends of lines, and where a progress bar is drawn anew.
func words(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
