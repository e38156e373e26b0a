//go:build ignore

// Makes wired.bin out of the linked wired kit, and manifest.json out of all that is
// in this folder. .ci/firmware runs it:
//
//	go run firmware/images/make.go -folder firmware/images [-elf build/wired.elf] [-toolchain TEXT] [-wifi TEXT]
package main

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"

	"homeroom/firmware/images"
)

const flashSize = 4 << 20

func main() {
	log.SetFlags(0)
	folder := flag.String("folder", "firmware/images", "where the images are")
	program := flag.String("elf", "", "the linked wired kit, to make wired.bin of")
	toolchain := flag.String("toolchain", "", "what the wired kit was built with")
	wifi := flag.String("wifi", "", "what the Wi-Fi kits were built with")
	flag.Parse()
	if *program != "" {
		image, err := wired(*program)
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*folder, "wired.bin"), image, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	if err := manifest(*folder, *toolchain, *wifi); err != nil {
		log.Fatal(err)
	}
}

// wired makes the image out of what the linker has put where.
func wired(path string) ([]byte, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var segments []images.Segment
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 {
			continue
		}
		// What the linker puts before the first section is not the program's.
		for _, s := range f.Sections {
			if s.Type != elf.SHT_PROGBITS || s.Flags&elf.SHF_ALLOC == 0 || s.Size == 0 || s.Addr < p.Vaddr || s.Addr >= p.Vaddr+p.Filesz {
				continue
			}
			data, err := s.Data()
			if err != nil {
				return nil, err
			}
			segments = append(segments, images.Segment{Address: uint32(s.Addr), Data: data})
		}
	}
	image, err := images.Encode(uint32(f.Entry), segments)
	if err != nil {
		return nil, err
	}
	if m, ok := images.FindMark(image); !ok || m.Variant != "wired" {
		return nil, errors.New("the image has no mark of a wired kit")
	}
	_, _, err = images.Decode(image)
	return image, err
}

// manifest writes manifest.json. What was not built stays listed.
func manifest(folder, toolchain, wifi string) error {
	path := filepath.Join(folder, "manifest.json")
	var old images.Manifest
	if text, err := os.ReadFile(path); err == nil {
		if old, err = images.ReadManifest(text); err != nil {
			return err
		}
	}
	m := images.Manifest{Name: "Homeroom kit", Builds: []images.Build{
		{Variant: "wired", Toolchain: toolchain, Parts: []images.Part{{Path: "wired.bin"}}},
		{Variant: "wifi", Board: "nodemcuv2", Toolchain: wifi, Parts: []images.Part{{Path: "wifi-nodemcuv2.bin"}}},
		{Variant: "wifi", Board: "d1_mini", Toolchain: wifi, Parts: []images.Part{{Path: "wifi-d1_mini.bin"}}},
	}}
	for i := range m.Builds {
		b := &m.Builds[i]
		b.ChipFamily, b.FlashSize = "ESP8266", flashSize
		part := &b.Parts[0]
		image, err := os.ReadFile(filepath.Join(folder, part.Path))
		if errors.Is(err, fs.ErrNotExist) {
			b.Version, b.Toolchain = m.Version, ""
			continue
		}
		if err != nil {
			return err
		}
		mark, ok := images.FindMark(image)
		if !ok || mark.Variant != b.Variant {
			return fmt.Errorf("%s has no mark of a %s kit", part.Path, b.Variant)
		}
		b.Version = mark.Version
		if m.Version == "" {
			m.Version = mark.Version
		}
		sha, sum := sha256.Sum256(image), md5.Sum(image)
		part.Size, part.SHA256, part.MD5 = len(image), hex.EncodeToString(sha[:]), hex.EncodeToString(sum[:])
		if b.Toolchain == "" { // it was built before
			b.Toolchain = toolchainOf(old, *part)
		}
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err := enc.Encode(m); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

func toolchainOf(m images.Manifest, p images.Part) string {
	for _, b := range m.Builds {
		if b.Parts[0].Path == p.Path && b.Parts[0].SHA256 == p.SHA256 {
			return b.Toolchain
		}
	}
	return ""
}
