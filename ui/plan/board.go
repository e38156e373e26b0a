package plan

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/theme"

	"homeroom/assets/lang"
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// newBoard returns the picture of a virtual kit, which does what a person does.
func newBoard(e editor, boards Boards) *widget.Board {
	q := &deeds{shell: e.shell()}
	return widget.NewBoard(widget.BoardActions{
		Press: func(kit topic.Name, slot topic.ID, down bool) {
			q.do("", func(ctx context.Context) error { return boards.Press(ctx, kit, slot, down) })
		},
		Turn: func(kit topic.Name, slot topic.ID, value string) {
			q.do(string(slot), func(ctx context.Context) error { return boards.Turn(ctx, kit, slot, value) })
		},
		Break: func(kit topic.Name, f core.Fault, on bool) {
			q.do("", func(ctx context.Context) error { return boards.Break(ctx, kit, f, on) })
		},
	}, e.shell())
}

// maxBoards is how many boards are shown side by side.
const maxBoards = 6

// showBoards puts virtual kits side by side over the window, large enough for a class.
func (i *inspector) showBoards(kits []topic.Name) {
	row := container.NewGridWithColumns(min(len(kits), 3))
	shown := map[topic.Name]*widget.Board{}
	for _, n := range kits[:min(len(kits), maxBoards)] {
		shown[n] = newBoard(i.e, i.p.Boards)
		row.Add(widget.NewSurface(theme.ColorNameInputBackground, shown[n]))
	}
	i.large = shown
	i.drawBoards()
	room := i.e.shell().Window().Canvas().Size()
	d := dialog.NewCustom(lang.L("Boards"), lang.L("Close"), widget.Scroll(row), i.e.shell().Window())
	d.SetOnClosed(func() { i.large = nil })
	d.Resize(fyne.NewSize(min(room.Width-60, float32(len(row.Objects))*520), room.Height-60))
	d.Show()
}

// drawBoards shows the boards over the window as they are now.
func (i *inspector) drawBoards() {
	if len(i.large) == 0 {
		return
	}
	for _, s := range i.p.Boards.Boards() {
		if b := i.large[s.Kit.Name]; b != nil {
			b.Set(s)
		}
	}
}

// virtual are the virtual kits among items.
func (i *inspector) virtual(items []item) (kits []topic.Name) {
	if i.p.Boards == nil {
		return nil
	}
	for _, it := range items {
		if p := i.place(it.place); it.place != "" && p != nil && p.Kind == core.KitPlace && p.Virtual {
			kits = append(kits, p.Name)
		}
	}
	return kits
}

// deeds are done one after another: a button that is let go before its press
// was done would stay down.
type deeds struct {
	shell widget.Shell
	queue []deed
	busy  bool
}

// deed is something to do. Of those with the same key that wait, the last counts.
type deed struct {
	key  string
	work func(ctx context.Context) error
}

func (q *deeds) do(key string, work func(ctx context.Context) error) {
	if n := len(q.queue); n > 0 && key != "" && q.queue[n-1].key == key {
		q.queue[n-1].work = work
	} else {
		q.queue = append(q.queue, deed{key, work})
	}
	q.next()
}

func (q *deeds) next() {
	if q.busy || len(q.queue) == 0 {
		return
	}
	d := q.queue[0]
	q.queue, q.busy = q.queue[1:], true
	q.shell.Do(func(ctx context.Context) (func(), error) {
		err := d.work(ctx)
		return func() {
			q.busy = false
			if err != nil {
				q.shell.Tell(lang.Error(err))
			}
			q.next()
		}, nil
	})
}
