package page

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// TestPage keeps the page small, without a second way for payloads to become
// HTML, and within the gateway's policy: everything from here, nothing inline.
func TestPage(t *testing.T) {
	size := 0
	err := fs.WalkDir(Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(Files, name)
		if err != nil {
			return err
		}
		size += len(data)
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "javascript:", "@import"} {
			if strings.Contains(string(data), bad) {
				t.Errorf("%s has %s", name, bad)
			}
		}
		if strings.HasSuffix(name, ".html") {
			for what, bad := range map[string]string{"an inline script": `<script[^>]*>[^<]`, "an inline style": `<style|\sstyle=`, "a handler": `\son\w+=`} {
				if found := regexp.MustCompile(bad).FindString(string(data)); found != "" {
					t.Errorf("%s has %s, which the policy refuses: %s", name, what, found)
				}
			}
		}
		if strings.HasSuffix(name, ".svg") {
			return nil // names its namespace
		}
		if found := regexp.MustCompile(`(src|href|import|url\()[^\n]{0,10}(https?:)?//`).FindString(string(data)); found != "" {
			t.Errorf("%s loads something from elsewhere: %s", name, found)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if size > 72<<10 {
		t.Errorf("the page has %d bytes; it is to load at once over a crowded Wi-Fi", size)
	}
}
