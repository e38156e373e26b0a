// Package images is the firmware that is bundled with the program: what `make
// firmware` and `make firmware-wifi` have put in this folder. It also reads the
// form in which the ESP8266's boot ROM takes an image from its flash.
package images

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed manifest.json *.bin stub
var files embed.FS

// A Manifest is manifest.json: the form of ESP Web Tools, with what a flasher
// should know of each file besides.
type Manifest struct {
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Builds  []Build `json:"builds"`
}

// A Build is firmware for a chip.
type Build struct {
	ChipFamily string `json:"chipFamily"` // "ESP8266"
	Parts      []Part `json:"parts"`
	Variant    string `json:"variant"` // "wired" or "wifi"
	Board      string `json:"board"`   // the profile of sketch.yaml it is built with, or ""
	Version    string `json:"version"`
	FlashSize  uint32 `json:"flashSize"` // bytes that the chip must have
	Toolchain  string `json:"toolchain"` // what it was built with, or ""
}

// A Part is a file and where in the flash it goes. Size, SHA256 and MD5 are
// empty where the file was not built.
type Part struct {
	Path   string `json:"path"`
	Offset uint32 `json:"offset"`
	Size   int    `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	MD5    string `json:"md5,omitempty"`
}

// Limits of ReadManifest.
const (
	mostManifest = 64 << 10
	mostBuilds   = 16
	mostParts    = 8
	mostImage    = 4 << 20
)

// ReadManifest reads the text of a manifest.json. It fails where a path leaves the
// folder, a hash is none, or there is too much of anything.
func ReadManifest(text []byte) (Manifest, error) {
	var m Manifest
	if len(text) > mostManifest {
		return m, errors.New("manifest: too large")
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, fmt.Errorf("manifest: %w", err)
	}
	if len(m.Builds) > mostBuilds {
		return Manifest{}, errors.New("manifest: too many builds")
	}
	for _, b := range m.Builds {
		if b.ChipFamily == "" || len(b.Parts) == 0 || len(b.Parts) > mostParts {
			return Manifest{}, fmt.Errorf("manifest: build %q is not complete", b.Variant)
		}
		for _, p := range b.Parts {
			if !fs.ValidPath(p.Path) || strings.Contains(p.Path, "/") || p.Size < 0 || p.Size > mostImage {
				return Manifest{}, fmt.Errorf("manifest: %q is not a file of the folder", p.Path)
			}
			if p.Size > 0 && (!isHex(p.SHA256, sha256.Size) || !isHex(p.MD5, md5.Size)) {
				return Manifest{}, fmt.Errorf("manifest: %q has no hash", p.Path)
			}
		}
	}
	return m, nil
}

func isHex(s string, n int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == n && s == strings.ToLower(s)
}

// Bundled returns what this program has been built with. Builds whose files were
// not there are listed too; Open fails for them.
func Bundled() (Manifest, error) {
	text, err := files.ReadFile("manifest.json")
	if err != nil {
		return Manifest{}, err
	}
	return ReadManifest(text)
}

// Open returns a bundled file by the path of its Part. It fails with
// fs.ErrNotExist where the file is not bundled, and where it is not what the manifest says.
func Open(path string) ([]byte, error) {
	m, err := Bundled()
	if err != nil {
		return nil, err
	}
	return open(files, m, path)
}

func open(from fs.FS, m Manifest, path string) ([]byte, error) {
	for _, b := range m.Builds {
		for _, p := range b.Parts {
			if p.Path != path {
				continue
			}
			image, err := fs.ReadFile(from, p.Path)
			if p.Size == 0 {
				err = fmt.Errorf("firmware %s was not built: %w", path, fs.ErrNotExist)
			}
			if err != nil {
				return nil, err
			}
			return image, p.verify(image)
		}
	}
	return nil, fmt.Errorf("firmware %s: %w", path, fs.ErrNotExist)
}

func (p Part) verify(image []byte) error {
	sha, sum := sha256.Sum256(image), md5.Sum(image)
	if len(image) != p.Size || hex.EncodeToString(sha[:]) != p.SHA256 || hex.EncodeToString(sum[:]) != p.MD5 {
		return fmt.Errorf("firmware %s is not what the manifest says", p.Path)
	}
	return nil
}

// Stub returns esptool-js's esp8266.json. It reports false in a build without it.
func Stub() ([]byte, bool) {
	text, err := files.ReadFile("stub/esp8266.json")
	return text, err == nil
}

// StubLicence returns the licence of the stub, "" in a build without it.
func StubLicence() string {
	text, _ := files.ReadFile("stub/LICENSE")
	return string(text)
}

// A Mark is what an image of this project says about itself: the text
// @HOMEROOM-FIRMWARE@variant@version@ somewhere in it.
type Mark struct {
	Variant, Version string
}

const mark = "@HOMEROOM-FIRMWARE@"

// FindMark looks for the mark of an image. It reports false where there is none.
func FindMark(image []byte) (Mark, bool) {
	for {
		_, after, found := bytes.Cut(image, []byte(mark))
		if !found {
			return Mark{}, false
		}
		variant, rest, _ := bytes.Cut(after[:min(len(after), 40)], []byte("@"))
		version, _, ended := bytes.Cut(rest, []byte("@"))
		if ended && isWord(variant) && isWord(version) {
			return Mark{string(variant), string(version)}, true
		}
		image = after
	}
}

func isWord(b []byte) bool {
	for _, c := range b {
		if c != '.' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(b) > 0
}
