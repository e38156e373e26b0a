//go:build !headless

package ui

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/image/font/sfnt"
)

// span is a range of characters, both ends within.
type span struct{ first, last rune }

// eastAsian is what the bundled font is used for: Hangul, and the Chinese
// characters, kana and wide forms that stand beside it; and spaces, which take
// the font of the character before them.
var eastAsian = []span{
	{' ', ' '}, {0xA0, 0xA0}, {0x1100, 0x11FF}, {0x2000, 0x200A}, {0x202F, 0x202F},
	{0x2E80, 0xD7FF}, {0xF900, 0xFAFF}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF},
}

var be = binary.BigEndian

// fit returns a copy of ttf that can stand before like in a theme: it has no
// other characters than those in spans, and its lines are as high as those of
// like. (Fyne asks the theme's font first for every character, so a whole
// Korean font there would also replace the Latin letters; and Fyne puts each
// font at its own height, so Hangul would float above them.) The glyphs stay;
// the table that finds them, cmap, is replaced by a smaller one in format 12.
// Table names and offsets are those of OpenType 1.9.
func fit(ttf []byte, spans []span, like []byte) ([]byte, error) {
	cmap, err := characters(ttf, spans)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(ttf)+3+len(cmap)), ttf...)
	for len(out)%4 != 0 {
		out = append(out, 0)
	}
	if r := tableRecord(out, "cmap"); r != nil {
		be.PutUint32(r[8:], uint32(len(out)))
		be.PutUint32(r[12:], uint32(len(cmap)))
	}
	out = append(out, cmap...)

	mine, its := table(out, "hhea"), table(like, "hhea")
	head, likeHead := table(out, "head"), table(like, "head")
	if len(mine) < 10 || len(its) < 10 || len(head) < 20 || len(likeHead) < 20 {
		return nil, errors.New("the font has no head or hhea table")
	}
	em, likeEm := int(be.Uint16(head[18:])), int(be.Uint16(likeHead[18:]))
	if likeEm == 0 {
		return nil, errors.New("the font has no units")
	}
	var height [3]uint16 // ascender, descender, line gap
	for i := range height {
		height[i] = uint16(int(int16(be.Uint16(its[4+2*i:]))) * em / likeEm)
		be.PutUint16(mine[4+2*i:], height[i])
	}
	if os2 := table(out, "OS/2"); len(os2) >= 78 {
		for i := range height {
			be.PutUint16(os2[68+2*i:], height[i]) // sTypoAscender and so on
		}
	}
	return out, nil
}

// characters returns the cmap table for those characters of ttf that are in spans.
func characters(ttf []byte, spans []span) ([]byte, error) {
	f, err := sfnt.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("read font: %w", err)
	}
	type group struct{ first, last, glyph uint32 }
	var groups []group
	var buf sfnt.Buffer
	for _, s := range spans {
		for r := s.first; r <= s.last; r++ {
			g, err := f.GlyphIndex(&buf, r)
			if err != nil {
				return nil, fmt.Errorf("read font: %w", err)
			}
			if g == 0 {
				continue
			}
			if n := len(groups) - 1; n >= 0 && groups[n].last+1 == uint32(r) &&
				groups[n].glyph+uint32(r)-groups[n].first == uint32(g) {
				groups[n].last++
				continue
			}
			groups = append(groups, group{uint32(r), uint32(r), uint32(g)})
		}
	}
	if len(groups) == 0 {
		return nil, errors.New("the font has none of the characters")
	}
	cmap := be.AppendUint16(nil, 0)  // version
	cmap = be.AppendUint16(cmap, 1)  // one encoding record:
	cmap = be.AppendUint16(cmap, 3)  // Windows
	cmap = be.AppendUint16(cmap, 10) // full Unicode
	cmap = be.AppendUint32(cmap, 12) // where its subtable starts
	cmap = be.AppendUint16(cmap, 12) // format
	cmap = be.AppendUint16(cmap, 0)  // reserved
	cmap = be.AppendUint32(cmap, uint32(16+12*len(groups)))
	cmap = be.AppendUint32(cmap, 0) // language
	cmap = be.AppendUint32(cmap, uint32(len(groups)))
	for _, g := range groups {
		cmap = be.AppendUint32(cmap, g.first)
		cmap = be.AppendUint32(cmap, g.last)
		cmap = be.AppendUint32(cmap, g.glyph)
	}
	return cmap, nil
}

// tableRecord returns the table's entry in the directory: tag, checksum, offset,
// length. Checksums are not kept: nothing here reads them.
func tableRecord(font []byte, tag string) []byte {
	const header, size = 12, 16
	if len(font) < header {
		return nil
	}
	for i := range int(be.Uint16(font[4:])) {
		at := header + i*size
		if at+size > len(font) {
			return nil
		}
		if string(font[at:at+4]) == tag {
			return font[at : at+size]
		}
	}
	return nil
}

// table returns the bytes of a table, or nil.
func table(font []byte, tag string) []byte {
	r := tableRecord(font, tag)
	if r == nil {
		return nil
	}
	at, n := int(be.Uint32(r[8:])), int(be.Uint32(r[12:]))
	if at+n > len(font) {
		return nil
	}
	return font[at : at+n]
}
