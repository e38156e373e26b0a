package main

import (
	"net"
	"strings"

	"homeroom/assets/lang"
	"homeroom/assets/snippets"
	"homeroom/core"
	"homeroom/core/gateway"
)

// snippet writes client code for t with the address by which who asks reached
// the page. That of this PC alone is no use on a kit: there it is the first by
// which other machines reach us.
func (p *program) snippet(kind string, t core.Topic, where gateway.Place) (string, error) {
	host, port, err := net.SplitHostPort(where.Host)
	if err != nil {
		host, port = strings.Trim(where.Host, "[]"), "80"
	}
	mqttHost, mqttPort, err := net.SplitHostPort(addresses(p.info).MQTT[0])
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		host = mqttHost
	}
	language := lang.Closest(where.Language)
	return snippets.Write(kind, t, snippets.Place{Host: host, MQTT: mqttPort, Page: port, Account: where.Account, Say: language.Say})
}
