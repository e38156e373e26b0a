package gateway

import (
	"net"

	"homeroom/core"
	"homeroom/core/topic"
)

// Bus hands on every message as it comes, and takes connections that became MQTT.
type Bus interface {
	// Subscribe calls sink with every message that f, a real filter, selects,
	// until cancel is called. It checks no permission. sink runs on the goroutine
	// of whoever publishes and must not wait.
	Subscribe(f topic.Filter, sink func(core.Message)) (cancel func())
	// Serve speaks MQTT on a connection until that ends, and closes it.
	Serve(net.Conn)
}
