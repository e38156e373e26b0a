package xray

import (
	"fmt"

	"homeroom/assets/lang"
	"homeroom/core"
)

// refused reports whether p says no.
func refused(p core.Packet) bool {
	return p.Reason >= 0x80 || p.Type == "CONNACK" && p.Reason > 0
}

// outcome is the state of the flow after p, or what p answers.
func outcome(p core.Packet) string {
	switch {
	case refused(p):
		return reason(p)
	case p.State == "sent":
		return lang.L("sent")
	case p.State == "received":
		return lang.L("received")
	case p.State == "released":
		return lang.L("released")
	case p.State == "done":
		return lang.L("done")
	case p.Type == "CONNACK":
		return lang.L("accepted")
	case p.Type == "SUBACK":
		return lang.L("granted QoS {n}", "n", p.Reason)
	case p.Type == "DISCONNECT" && p.Reason > 0:
		return reason(p)
	}
	return ""
}

// reason says a reason code (MQTT 5.0, section 2.4), or the return code of MQTT
// 3 (MQTT 3.1.1, sections 3.2.2.3 and 3.9.3).
func reason(p core.Packet) string {
	switch p.Reason {
	case 1:
		return lang.L("Unsupported protocol version")
	case 2:
		return lang.L("Client ID not accepted")
	case 3:
		return lang.L("Server unavailable")
	case 4:
		if p.Type == "DISCONNECT" {
			return lang.L("with the will")
		}
		return lang.L("Bad user name or password")
	case 5:
		return lang.L("Not authorized")
	case 0x80:
		return lang.L("Refused")
	case 0x81:
		return lang.L("Malformed packet")
	case 0x82:
		return lang.L("Protocol error")
	case 0x83:
		return lang.L("Refused by the receiver")
	case 0x84:
		return lang.L("Unsupported protocol version")
	case 0x85:
		return lang.L("Client ID not accepted")
	case 0x86:
		return lang.L("Bad user name or password")
	case 0x87:
		return lang.L("Not authorized")
	case 0x88:
		return lang.L("Server unavailable")
	case 0x89:
		return lang.L("Server busy")
	case 0x8A:
		return lang.L("Banned")
	case 0x8B:
		return lang.L("Server shutting down")
	case 0x8C:
		return lang.L("Bad authentication method")
	case 0x8D:
		return lang.L("Silent for too long")
	case 0x8E:
		return lang.L("Session taken over")
	case 0x8F:
		return lang.L("Topic filter not valid")
	case 0x90:
		return lang.L("Topic name not valid")
	case 0x91:
		return lang.L("Packet number in use")
	case 0x92:
		return lang.L("Packet number not found")
	case 0x93:
		return lang.L("Too many at once")
	case 0x94:
		return lang.L("Topic alias not valid")
	case 0x95:
		return lang.L("Packet too large")
	case 0x96:
		return lang.L("Too many messages a second")
	case 0x97:
		return lang.L("Quota exceeded")
	case 0x98:
		return lang.L("Closed by a person")
	case 0x99:
		return lang.L("Payload format not valid")
	case 0x9A:
		return lang.L("Retained messages not supported")
	case 0x9B:
		return lang.L("QoS not supported")
	case 0x9C, 0x9D:
		return lang.L("Use another server")
	case 0x9E:
		return lang.L("Shared subscriptions not supported")
	case 0x9F:
		return lang.L("Too many connections")
	case 0xA0:
		return lang.L("Connected for long enough")
	case 0xA1:
		return lang.L("Subscription identifiers not supported")
	case 0xA2:
		return lang.L("Wildcards not supported")
	}
	return lang.L("reason code {n}", "n", fmt.Sprintf("0x%02X", p.Reason))
}

// explain says in plain words what p means, and what must come next according
// to the specification (MQTT 5.0; MQTT 3.1.1 is the same in this).
func explain(p core.Packet) (means, next string) {
	client := brief(p.Client)
	from, to := lang.L("The broker"), client // from begins a sentence
	if p.In {
		from, to = client, lang.L("the broker")
	}
	nothing := lang.L("Nothing.")
	why := lang.L("{reason} (0x{code})", "reason", reason(p), "code", fmt.Sprintf("%02X", p.Reason))
	switch p.Type {
	case "CONNECT":
		return lang.L("{client} asks to be let in. It says who it is; its password is not recorded here.", "client", client),
			lang.L("CONNACK from the broker: yes, or no with the reason.")
	case "CONNACK":
		if refused(p) {
			return lang.L("The broker does not let {client} in: {reason}.", "client", client, "reason", why),
				lang.L("The broker closes the connection. Correct what is wrong, then connect again.")
		}
		return lang.L("The broker lets {client} in.", "client", client),
			lang.L("Whatever the client likes: SUBSCRIBE, PUBLISH, or a PINGREQ when it has been silent for its keep-alive time.")
	case "PUBLISH":
		return publish(p, from, to)
	case "PUBACK":
		if refused(p) {
			return lang.L("{from} did not take message #{id}: {reason}.", "from", from, "id", p.ID, "reason", why),
				lang.L("Nothing: the flow ends here, and the number is free. The same message would be refused again.")
		}
		return lang.L("{from} has message #{id} and answers for it from now on. The sender may forget it.", "from", from, "id", p.ID),
			lang.L("Nothing: QoS 1 is done, and the number is free again.")
	case "PUBREC":
		if refused(p) {
			return lang.L("{from} did not take message #{id}: {reason}.", "from", from, "id", p.ID, "reason", why),
				lang.L("Nothing: the flow ends here, and the number is free. The same message would be refused again.")
		}
		return lang.L("Step 2 of 4. {from} has stored message #{id}. If it came again, the number would tell that it is the same.", "from", from, "id", p.ID),
			lang.L("PUBREL #{id} from {who}.", "id", p.ID, "who", to)
	case "PUBREL":
		return lang.L("Step 3 of 4. {from} knows that message #{id} has arrived, forgets it and will not send it again.", "from", from, "id", p.ID),
			lang.L("PUBCOMP #{id} from {who}.", "id", p.ID, "who", to)
	case "PUBCOMP":
		return lang.L("Step 4 of 4. {from} frees number #{id}. The message arrived exactly once.", "from", from, "id", p.ID),
			lang.L("Nothing: QoS 2 is done, and the number is free again.")
	case "SUBSCRIBE":
		return lang.L("{client} asks for the messages on {filters}.", "client", client, "filters", about(p)),
			lang.L("SUBACK #{id} from the broker, with the QoS granted for each filter. Retained messages may come at once.", "id", p.ID)
	case "SUBACK":
		if refused(p) {
			return lang.L("The broker refuses at least one filter: {reason}.", "reason", why),
				lang.L("No messages for what was refused. Accounts shows who may read what.")
		}
		return lang.L("The broker grants the subscription, at most with QoS {n}.", "n", p.Reason),
			lang.L("PUBLISH from the broker: first what is retained, then each new message on these topics.")
	case "UNSUBSCRIBE":
		return lang.L("{client} no longer wants the messages on {filters}.", "client", client, "filters", about(p)),
			lang.L("UNSUBACK #{id} from the broker. Messages that are on their way may still arrive.", "id", p.ID)
	case "UNSUBACK":
		return lang.L("The broker has removed the subscription."), nothing
	case "PINGREQ":
		return lang.L("{client} has been silent and shows that it is still there.", "client", client), lang.L("PINGRESP from the broker.")
	case "PINGRESP":
		return lang.L("The broker is still there, too."), lang.L("Nothing until the keep-alive time is over once more.")
	case "DISCONNECT":
		switch {
		case p.In && p.Reason == 4:
			return lang.L("{client} leaves and wants its will to be sent.", "client", client), lang.L("Nothing: the connection is closed.")
		case p.In && p.Reason == 0:
			return lang.L("{client} leaves as it should, so its will is not sent.", "client", client), lang.L("Nothing: the connection is closed.")
		case p.Reason == 0:
			return lang.L("{from} ends the connection.", "from", from), lang.L("Nothing: the connection is closed.")
		}
		return lang.L("{from} ends the connection: {reason}.", "from", from, "reason", why), lang.L("Nothing: the connection is closed.")
	case "AUTH":
		return lang.L("A step of an extended sign-in."), lang.L("AUTH from the other side, or CONNACK.")
	}
	return "", ""
}

func publish(p core.Packet, from, to string) (means, next string) {
	switch p.QoS {
	case 0:
		return lang.L("{from} sends a message, at most once: nobody will say whether it arrived.", "from", from),
			lang.L("Nothing: QoS 0 has no answer. If the connection breaks now, the message may be lost.")
	case 1:
		return lang.L("{from} sends message #{id}, at least once, and keeps it until it is acknowledged.", "from", from, "id", p.ID),
			lang.L("PUBACK #{id} from {who}. If the connection breaks before, the message is sent again, marked DUP.", "id", p.ID, "who", to)
	case 2:
		return lang.L("Step 1 of 4. {from} sends message #{id}, exactly once, and keeps it until it is received.", "from", from, "id", p.ID),
			lang.L("PUBREC #{id} from {who}. If the connection breaks before, the message is sent again, marked DUP.", "id", p.ID, "who", to)
	}
	return lang.L("QoS 3 does not exist: the packet is malformed."), lang.L("The connection is closed.")
}

// remarks says what else is to be known about p.
func remarks(p core.Packet) (all []string) {
	if p.Dup {
		all = append(all, lang.L("DUP: it was sent before and not answered, so here it is again."))
	}
	switch {
	case p.Retain && p.In && p.Size > 0 && len(p.Payload) == 0:
		all = append(all, lang.L("Retained and empty: the broker forgets what it kept for this topic."))
	case p.Retain && p.In:
		all = append(all, lang.L("Retained: the broker keeps it and gives it to whoever subscribes later."))
	case p.Retain:
		all = append(all, lang.L("Retained: it was published before, and kept by the broker."))
	}
	if _, ok := alias(p); ok {
		all = append(all, lang.L("In place of its topic it has a topic alias, which was agreed on before the X-ray began."))
	}
	return all
}
