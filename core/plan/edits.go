package plan

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"homeroom/core"
	"homeroom/core/topic"
)

// How many edits are kept to be undone or redone, and how much of them. The
// oldest go.
const (
	maxEdits  = 500
	maxImages = 16 << 20 // bytes, packed
	maxArg    = 512      // bytes of one value in what is said about an edit
)

// Edit is one that is kept: what a person reads of it, and how it is undone.
type Edit struct {
	core.Edit
	Undone bool
	// Kind is "" where only the design changed; a Move, a Remove and an Undo of
	// one took along what hangs on From.
	Kind     Kind
	From, To topic.Name
	Task     int64 // of a Remove or an Undo: the removal, as it was made the last time
	// Images is what changed as it was before and after: JSON, packed. Size is
	// how many bytes.
	Images []byte
	Size   int
}

// images is what an edit changed.
type images struct {
	Topics  []image[core.Topic]   `json:",omitempty"`
	Places  []image[core.Place]   `json:",omitempty"`
	Rules   []image[core.Rule]    `json:",omitempty"`
	Alarms  []image[core.Alarm]   `json:",omitempty"`
	Renamed []image[core.Renamed] `json:",omitempty"`
}

// image is one thing before and after; nil where there was none.
type image[T any] struct{ Before, After *T }

// begun returns an edit that core.Actor(ctx) makes now.
func (s *Service) begun(ctx context.Context, k Kind, say core.Sentence) *Edit {
	args := make([]any, len(say.Args))
	for i, a := range say.Args {
		args[i] = core.Readable(fmt.Sprint(a), maxArg)
	}
	if len(args) == 0 {
		args = nil
	}
	return &Edit{Kind: k, Edit: core.Edit{At: now(), Account: core.Actor(ctx), Say: core.Sentence{Format: say.Format, Args: args}}}
}

// record gives the edit of c, where it has one, its ID and images, and makes room
// for it: what was undone before can be redone no more, and the oldest go.
func (v *view) record(c *Change) error {
	if c.Edit == nil {
		return nil
	}
	c.Edit.ID = v.Revision + 1
	packed, err := pack(images{
		imagesOf(v.Topics, c.Topics, topicKey), imagesOf(v.Places, c.Places, placeKey), imagesOf(v.Rules, c.Rules, ruleKey),
		imagesOf(v.Alarms, c.Alarms, alarmKey), imagesOf(v.renamed, c.Renamed, renamedKey),
	})
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	c.Edit.Images, c.Edit.Size = packed, len(packed)
	n, size := 1, len(packed)
	for _, e := range slices.Backward(v.edits) {
		if n, size = n+1, size+e.Size; e.Undone {
			n, size = n-1, size-e.Size
			c.Forget = append(c.Forget, e.ID)
		} else if n > maxEdits || size > maxImages {
			c.Forget = append(c.Forget, e.ID)
		}
	}
	if len(packed) > maxImages { // nothing could be undone before it is
		c.Edit = nil
	}
	return nil
}

func imagesOf[K ~string, T any](old []*T, rows Rows[K, T], key func(*T) K) (is []image[T]) {
	for _, k := range rows.Remove {
		if was := find(old, k, key); was != nil {
			is = append(is, image[T]{was, nil})
		}
	}
	for i := range rows.Put {
		is = append(is, image[T]{find(old, key(&rows.Put[i]), key), &rows.Put[i]})
	}
	return is
}

// pack returns i as JSON, packed: 100,000 topics that were imported are a megabyte.
func pack(i images) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(json.NewEncoder(w).Encode(i), w.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpack(packed []byte) (i images, err error) {
	err = json.NewDecoder(flate.NewReader(bytes.NewReader(packed))).Decode(&i)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return i, err
}

// turned returns the edits of v with c.
func (v *view) turned(c Change) []Edit {
	edits := slices.DeleteFunc(slices.Clone(v.edits), func(e Edit) bool { return slices.Contains(c.Forget, e.ID) })
	for i := range edits {
		if edits[i].ID == c.Turn {
			edits[i].Undone = !edits[i].Undone
		}
		if c.Again != 0 && edits[i].Task == c.Again {
			edits[i].Task = v.Revision + 1
		}
	}
	if c.Edit != nil {
		began := *c.Edit
		began.Images = nil
		edits = append(edits, began)
	}
	return edits
}

// Edits returns what can be undone and what can be redone: the first of each is
// what Undo or Redo would do.
func (s *Service) Edits() (undo, redo []core.Edit) {
	for _, e := range s.view.Load().edits {
		if e.Undone {
			redo = append(redo, e.Edit)
		} else {
			undo = append(undo, e.Edit)
		}
	}
	slices.Reverse(undo)
	return undo, redo
}

// next returns the edit that Undo or, unless back, Redo is about.
func (v *view) next(back bool) (Edit, error) {
	i := slices.IndexFunc(v.edits, func(e Edit) bool { return e.Undone })
	if i < 0 {
		i = len(v.edits)
	}
	switch {
	case back && i > 0:
		return v.edits[i-1], nil
	case back:
		return Edit{}, core.Fail(core.ErrNotFound, "There is nothing to undo.")
	case i < len(v.edits):
		return v.edits[i], nil
	}
	return Edit{}, core.Fail(core.ErrNotFound, "There is nothing to redo.")
}

// Undo takes back the newest edit that is not undone yet, whoever and whichever
// process made it, and returns it. What is moved or removed takes readings and
// retained messages along.
//
// Where it is too late, core.ErrNotFound, or something of it was changed since
// otherwise, core.ErrConflict: nothing changes, but the next Undo goes on to the
// edit before, because this one can never be undone.
func (s *Service) Undo(ctx context.Context) (core.Edit, error) { return s.turn(ctx, true) }

// Redo makes the edit that was undone last again, and returns it. It fails like Undo.
func (s *Service) Redo(ctx context.Context) (core.Edit, error) { return s.turn(ctx, false) }

// errStale wraps what is wrong with an edit that can never be undone or redone.
type errStale struct {
	error
	edit int64
}

func (e errStale) Unwrap() error { return e.error }

func (s *Service) turn(ctx context.Context, back bool) (core.Edit, error) {
	if err := s.follow(ctx); err != nil { // another process may have made the newest edit
		return core.Edit{}, err
	}
	e, err := s.view.Load().next(back)
	if err != nil {
		return core.Edit{}, err
	}
	if e.Kind != "" && s.cfg.Broker != nil { // what it takes along may still be on its way
		s.working.Lock()
		defer s.working.Unlock()
		if err := s.work(ctx); err != nil {
			return core.Edit{}, err
		}
	}
	_, err = s.edit(ctx, func(v *view) (Change, error) {
		now, err := v.next(back)
		if err != nil {
			return Change{}, err
		}
		if now.Kind != "" && s.cfg.Broker == nil {
			return Change{}, core.Fail(core.ErrDenied, "This took readings and retained messages along. Undo or redo it in the program itself: {what}", "what", now.Say)
		}
		if now.Kind != "" && e.Kind == "" { // another came meanwhile
			return Change{}, core.Fail(core.ErrConflict, "The plan was changed meanwhile. Look at it again, and undo or redo then.")
		}
		e = now
		return s.turning(ctx, v, e, back)
	})
	var stale errStale
	if errors.As(err, &stale) {
		_, forgot := s.edit(ctx, func(v *view) (Change, error) { return Change{Forget: v.stale(stale.edit)}, nil })
		return core.Edit{}, errors.Join(stale.error, forgot)
	}
	if err != nil {
		return core.Edit{}, err
	}
	if e.Kind != "" {
		s.workLater(ctx)
	}
	if back {
		s.note(ctx, core.Say("Undone: {what}", "what", e.Say))
	} else {
		s.note(ctx, core.Say("Done again: {what}", "what", e.Say))
	}
	return e.Edit, nil
}

// stale returns the edits that cannot be turned because the one with that ID
// cannot: what can be redone after it builds on it.
func (v *view) stale(id int64) (ids []int64) {
	for _, e := range v.edits {
		if e.ID == id || e.Undone && e.ID > id && len(ids) > 0 {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// turning returns the change that undoes e or, unless back, makes it again.
func (s *Service) turning(ctx context.Context, v *view, e Edit, back bool) (Change, error) {
	packed, err := s.cfg.Store.ReadImages(context.WithoutCancel(ctx), e.ID)
	if err != nil {
		return Change{}, fmt.Errorf("plan: %w", err)
	}
	is, err := unpack(packed)
	if err != nil {
		return Change{}, fmt.Errorf("plan: edit %d: %w", e.ID, err)
	}
	c := Change{Turn: e.ID}
	comes := e.Kind == Remove && back || e.Kind == Undo && !back
	goes := e.Kind == Remove && !back || e.Kind == Undo && back
	if comes {
		i, found := v.task(e.Task)
		if !found || !v.tasks[i].undoable() {
			return c, errStale{tooLate(), e.ID}
		}
		t := v.tasks[i]
		t.Kind = Undo
		c.Task = &t
	}
	var who any
	c.Topics, who = turnRows(who, v.Topics, is.Topics, back, topicKey, func(t *core.Topic) *time.Time { return &t.Changed })
	c.Places, who = turnRows(who, v.Places, is.Places, back, placeKey, func(p *core.Place) *time.Time { return &p.Changed })
	c.Rules, who = turnRows(who, v.Rules, is.Rules, back, ruleKey, func(r *core.Rule) *time.Time { return &r.Changed })
	c.Alarms, who = turnRows(who, v.Alarms, is.Alarms, back, alarmKey, func(a *core.Alarm) *time.Time { return &a.Changed })
	if who == nil {
		who = s.collision(v, c)
	}
	if who != nil {
		return Change{}, errStale{core.Fail(core.ErrConflict, "{name} is not as it was then, so this cannot be undone or redone: {what}. Change {name} itself.", "name", who, "what", e.Say), e.ID}
	}
	c.Renamed = v.turnRenamed(is.Renamed, back)
	switch {
	case goes:
		c.Task = s.begin(ctx, Remove, e.From)
		c.Task.Topics, c.Task.Places, c.Task.Rules, c.Task.Alarms = gone(is.Topics, back), gone(is.Places, back), gone(is.Rules, back), gone(is.Alarms, back)
		c.Again = e.Task
	case e.Kind == Move && back:
		c.Task = s.begin(ctx, Move, e.To)
		c.Task.To = e.From
	case e.Kind == Move:
		c.Task = s.begin(ctx, Move, e.From)
		c.Task.To = e.To
	}
	if c.Task != nil && c.Task.Kind == Move {
		if err := retainable(c.Task); err != nil {
			return Change{}, err
		}
	}
	s.stamp()
	c.bury(v, core.Actor(ctx), goes || e.Kind == "" && !back)
	return c, nil
}

// gone is what an edit took away, turned.
func gone[T any](is []image[T], back bool) (all []T) {
	for _, i := range is {
		if back {
			i.Before, i.After = i.After, i.Before
		}
		if i.After == nil && i.Before != nil {
			all = append(all, *i.Before)
		}
	}
	return all
}

// turnRows returns the rows that make all, which is in order of key, what it was
// before is, or after it. who is the first that is not as is says, or was said before.
func turnRows[K ~string, T any](who any, all []*T, is []image[T], back bool, key func(*T) K, changed func(*T) *time.Time) (rows Rows[K, T], _ any) {
	for _, i := range is {
		from, to := i.Before, i.After
		if back {
			from, to = to, from
		}
		for _, t := range []*T{from, to} {
			if t != nil {
				*changed(t) = time.UnixMilli(changed(t).UnixMilli()) // JSON forgets which zone
			}
		}
		var k K
		if from != nil {
			k = key(from)
		} else {
			k = key(to)
		}
		if there := find(all, k, key); who == nil && ((there == nil) != (from == nil) || from != nil && !reflect.DeepEqual(*there, *from)) {
			who = k
		}
		if to == nil {
			rows.Remove = append(rows.Remove, k)
		} else {
			rows.Put = append(rows.Put, *to)
		}
	}
	return rows, who
}

// collision returns a name of c that somebody else uses meanwhile, or nil. The
// caller holds editing.
func (s *Service) collision(v *view, c Change) any {
	gone := map[topic.Name]bool{}
	for _, n := range slices.Concat(c.Topics.Remove, c.Places.Remove) {
		gone[n] = true
	}
	for _, t := range c.Topics.Put {
		if other, taken := s.folded[fold(t.Name)]; taken && !gone[other] && (other != t.Name || v.Topic(other) == nil) {
			return other
		}
	}
	for _, p := range c.Places.Put {
		if other, taken := s.folded[fold(p.Name)]; taken && !gone[other] && (other != p.Name || v.Place(other) == nil) {
			return other
		}
	}
	return nil
}

// turnRenamed does the same with names that were given up, whose time may be over.
func (v *view) turnRenamed(is []image[core.Renamed], back bool) (rows Rows[topic.Name, core.Renamed]) {
	for _, i := range is {
		from, to := i.Before, i.After
		if back {
			from, to = to, from
		}
		switch {
		case to != nil && time.Now().Before(to.Until):
			to.Until = time.UnixMilli(to.Until.UnixMilli())
			rows.Put = append(rows.Put, *to)
		case from != nil && find(v.renamed, from.Old, renamedKey) != nil:
			rows.Remove = append(rows.Remove, from.Old)
		}
	}
	return rows
}

// note tells the audit what was done; it is done, whether or not that works.
func (s *Service) note(ctx context.Context, say core.Sentence) {
	if s.cfg.Note == nil {
		return
	}
	if err := s.cfg.Note(context.WithoutCancel(ctx), say); err != nil {
		s.cfg.Log.Error("plan: audit", "err", err)
	}
}
