package core

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestFeedCoalesces(t *testing.T) {
	var f Feed
	l := f.Listen()
	defer l.Close()
	if c, _ := l.Next(t.Context()); c != ^Change(0) {
		t.Fatalf("first look = %b, want everything", c)
	}
	for range 1000 {
		f.Tell(MessagesChanged)
	}
	f.Tell(ClientsChanged)
	if c, _ := l.Next(t.Context()); c != MessagesChanged|ClientsChanged {
		t.Fatalf("second look = %b", c)
	}
}

func TestGroupStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var stopped []string
		var g Group
		for _, name := range []string{"storage", "broker", "gateway"} {
			g.Add(name, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second)
				mu.Lock()
				defer mu.Unlock()
				stopped = append(stopped, name)
				return ctx.Err()
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if want := []string{"gateway", "broker", "storage"}; !slices.Equal(stopped, want) {
			t.Fatalf("stopped %v, want %v", stopped, want)
		}
	})
}

func TestGroupReportsStuckPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("port taken")
		release := make(chan struct{})
		var g Group
		g.Add("stuck", func(context.Context) error { <-release; return nil })
		g.Add("broker", func(context.Context) error { return boom })
		err := g.Run(t.Context())
		if !errors.Is(err, boom) {
			t.Fatalf("err = %v", err)
		}
		close(release)
	})
}

func TestSentence(t *testing.T) {
	s := Say("{who} may not publish to {topic}", "who", "{topic}", "topic", "a/b")
	if got, want := s.String(), "{topic} may not publish to a/b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := s.As("{topic}: nein, {who}"), "a/b: nein, {topic}"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	err := Fail(ErrConflict, "{name} is taken", "name", "ana")
	if !errors.Is(err, ErrConflict) || err.Error() != "ana is taken" {
		t.Errorf("err = %v", err)
	}
}

func TestSeries(t *testing.T) {
	for s, want := range map[Series][2]string{
		"a/b":       {"a/b", ""},
		"a/b#t.out": {"a/b", "t.out"},
		"a#":        {"a", ""},
		"a#x#y":     {"a", "x#y"},
	} {
		if got := [2]string{string(s.Topic()), s.Leaf()}; got != want {
			t.Errorf("%q = %q, want %q", s, got, want)
		}
	}
}
