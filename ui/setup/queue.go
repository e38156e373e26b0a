package setup

import (
	"strconv"
	"strings"

	"homeroom/core"
	"homeroom/core/topic"
)

// maxQueue is how many kits can wait for a board.
const maxQueue = 200

// job is a kit that waits for a board.
type job struct {
	kit   topic.Name
	fresh bool // it is to be drawn
	role  core.KitRole
}

// order is the job as the service takes it.
func (j job) order(l *link, images []core.KitImage) core.SetupOrder {
	o := l.order(images)
	o.Kit = j.kit
	if j.fresh {
		o.Role = j.role
	}
	return o
}

// numbered returns n new jobs in a branch or room whose names follow a pattern with
// {n} in it, from the first number that is free.
func numbered(in topic.Name, pattern string, n int, role core.KitRole, taken func(topic.ID) bool) []job {
	var jobs []job
	for i := 1; len(jobs) < n && i < 10_000; i++ {
		id := topic.ID(strings.ReplaceAll(pattern, "{n}", strconv.Itoa(i)))
		if taken(id) {
			continue
		}
		jobs = append(jobs, job{kit: in + "/" + topic.Name(id), fresh: true, role: role})
	}
	return jobs
}

// explainPattern says what is wrong with a pattern of names, or "".
func explainPattern(pattern string) string {
	return explainID(strings.ReplaceAll(pattern, "{n}", "1"))
}

// waits reports whether a kit is in the queue.
func waits(queue []job, kit topic.Name) bool {
	for _, j := range queue {
		if j.kit == kit {
			return true
		}
	}
	return false
}
