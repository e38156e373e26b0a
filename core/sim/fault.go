package sim

import (
	"encoding/json"
	"slices"
	"time"

	"homeroom/core"
)

// Faults returns what can be broken on purpose, in the order in which it is offered.
func Faults() []core.FaultState {
	return []core.FaultState{
		{Fault: core.FaultWiFi, Title: core.Say("Wi-Fi off for 20 s"),
			Observe: core.Say("The kit falls silent without a goodbye. The broker publishes its will, so $state becomes lost. After 20 s it comes back by itself and tells ready and what holds now.")},
		{Fault: core.FaultDelay, Title: core.Say("Everything 2 s late"),
			Observe: core.Say("Nothing is lost, but the lamp follows its command after 2 s, and its answer comes 2 s after that. A rule sees the past.")},
		{Fault: core.FaultLoss, Title: core.Say("Every third reading is lost"),
			Observe: core.Say("Readings go out with QoS 0, and a third of them never arrives; nobody is told. Buttons and commands have QoS 1 and all arrive.")},
		{Fault: core.FaultStuck, Title: core.Say("Stuck sensor"),
			Observe: core.Say("You move the slider, but the kit goes on seeing the old value and publishes nothing. The line in the chart stays flat, and $state is still ready: only an alarm for silence notices.")},
		{Fault: core.FaultSpace, Title: core.Say("A space after each topic name"),
			Observe: core.Say("The topics look right but are others. The broker refuses them, or they arrive and are not designed; the designed ones stay silent, and commands do not reach the kit.")},
		{Fault: core.FaultPassword, Title: core.Say("Wrong password"),
			Observe: core.Say("The broker refuses the kit, and says so to its owner and the teacher. The kit tries again and again, more and more slowly. $state is lost.")},
		{Fault: core.FaultClientID, Title: core.Say("The client ID of another kit"),
			Observe: core.Say("The client ID belongs to the account that is connected with it, so the broker refuses this kit, and the other one notices nothing. A broker without that rule lets each throw the other one out, for ever.")},
		{Fault: core.FaultClock, Title: core.Say("Clock at 1970"),
			Observe: core.Say("Readings become JSON with the time of the kit: 1970. The chart still draws them now, because the time of arrival at this PC counts. Rules that want a plain number do not understand them.")},
	}
}

// restarts reports whether the kit starts anew for a fault to begin or end.
func restarts(f core.Fault) bool {
	return f == core.FaultWiFi || f == core.FaultSpace || f == core.FaultPassword || f == core.FaultClientID
}

// faultStates are the faults as a kit has them.
func faultStates(on map[core.Fault]bool) []core.FaultState {
	all := Faults()
	for i := range all {
		all[i].On = on[all[i].Fault]
	}
	return all
}

// observe is what the first fault that is on makes one see.
func observe(on map[core.Fault]bool) (core.Sentence, bool) {
	all := Faults()
	i := slices.IndexFunc(all, func(f core.FaultState) bool { return on[f.Fault] })
	if i < 0 {
		return core.Sentence{}, false
	}
	return all[i].Observe, true
}

// dated is a reading as a document that tells when the kit thinks it is.
func dated(p *port, payload string, at time.Time) string {
	var value any = payload
	switch {
	case p.kind == core.Boolean:
		value = p.on
	case p.kind == core.Number, p.kind == core.JSON && json.Valid([]byte(payload)):
		value = json.RawMessage(payload)
	}
	out, err := json.Marshal(struct {
		Value any    `json:"value"`
		At    string `json:"at"`
	}{value, at.UTC().Format(time.RFC3339)})
	if err != nil {
		return payload
	}
	return string(out)
}
