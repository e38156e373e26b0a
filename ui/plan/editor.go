package plan

import (
	"homeroom/core"
	"homeroom/core/topic"
	"homeroom/ui/widget"
)

// item is one thing that can be chosen: a place or a topic. Exactly one is set.
type item struct{ place, topic topic.Name }

// name returns the name of whichever is set.
func (i item) name() topic.Name {
	if i.place != "" {
		return i.place
	}
	return i.topic
}

// editor is what the parts of the screen ask of it, all on the UI goroutine.
type editor interface {
	design() *core.Design
	// live returns the newest message of a topic, designed or not.
	live(n topic.Name) (core.TopicState, bool)
	chosen() []item
	// choose makes these the choice of tree, canvas and inspector.
	choose(items ...item)
	// change is applied off the UI goroutine; a failure is told.
	change(b core.Batch)
	// move renames a place or topic with everything below it. Where readings or
	// permissions hang on it so that something would break, it asks first.
	move(from, to topic.Name)
	// remove shows what goes with them and asks; it can be undone for ten minutes.
	remove(items ...item)
	shell() widget.Shell
}

// The parts of the screen beside the canvas are made with
//
//	newTree(e editor) *tree
//	newInspector(e editor, p Parts) *inspector
//	newProblems(e editor, p Plan) *problems
//	newPlayground(e editor, p Plan, r Rights) *playground
//
// and have
//
//	content() fyne.CanvasObject
//	show()                                          // the design or the choice is another
//	age(now time.Time, changed []core.TopicState)   // values are, at most 10 times a second
//
// The inspector also has focusName(), which puts the keyboard into the name of
// the one chosen thing.
