// Asks for a name in .local, as lwIP does on the board: a one-shot question of
// RFC 6762, sections 5.1 and 6.7.
#pragma once
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include <string>

// mdnsQuestion asks for the IPv4 address of a name. It is "" where the name cannot be
// asked for: each part has 1 to 63 bytes, the whole at most 253.
std::string mdnsQuestion(uint16_t id, const std::string &name);

// mdnsAnswer finds the address in a packet that anybody may have sent. As lwIP it wants
// the answer of section 6.7: with the question's id, and the question once more.
bool mdnsAnswer(const uint8_t *packet, size_t size, const std::string &question, uint8_t address[4]);

// mdnsPlace reads ADDRESS:PORT.
bool mdnsPlace(const std::string &text, sockaddr_in *to);

// mdnsGroup is where everybody is asked.
sockaddr_in mdnsGroup();

// mdnsAsk asks to, twice within ms, and waits so long.
bool mdnsAsk(const sockaddr_in &to, const std::string &name, uint16_t id, int ms, uint8_t address[4]);
