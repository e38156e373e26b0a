// TLS as BearSSL on the board speaks it, with its suites and sizes of buffers, where
// the host is built with -DKIT_TLS; it is then linked with -lbearssl.
#pragma once
#include <stddef.h>
#include <stdint.h>

// How many bytes hal_esp8266.cpp takes and sends at once.
constexpr size_t kTlsReceive = 1024, kTlsSend = 512;

#ifdef KIT_TLS
#include <bearssl.h>
#include <string.h>

#include <vector>

constexpr bool kTlsBuilt = true;

// TlsKey is a P-256 key that a server must have.
struct TlsKey {
  uint8_t point[65];  // uncompressed

  // read takes a SubjectPublicKeyInfo (DER, RFC 5480). No means that it is none of P-256.
  bool read(const uint8_t *der, size_t length) {
    static const uint8_t head[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                                   0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
    if (length != sizeof head + sizeof point || memcmp(der, head, sizeof head) != 0 || der[sizeof head] != 4) return false;
    memcpy(point, der + sizeof head, sizeof point);
    return true;
  }
};

// TlsEngine is a client's side of one connection, without the network.
struct TlsEngine {
  TlsKey key;
  br_ssl_client_context client;
  br_x509_minimal_context minimal;  // that BearSSL begins with; it is not asked
  br_x509_knownkey_context known;
  std::vector<uint8_t> in, out;

  TlsEngine(const TlsKey &k, size_t receive, size_t send)
      : key(k), in(receive + 325), out(send + 85) {  // what BearSSL adds to a record at most, as in setBufferSizes of the core
    br_ssl_client_init_full(&client, &minimal, nullptr, 0);
    br_ssl_engine_add_flags(&client.eng, BR_OPT_NO_RENEGOTIATION);
    const br_ec_public_key ec = {BR_EC_secp256r1, key.point, sizeof key.point};
    br_x509_knownkey_init_ec(&known, &ec, BR_KEYTYPE_KEYX | BR_KEYTYPE_SIGN);
    br_ssl_engine_set_x509(&client.eng, &known.vtable);
    br_ssl_engine_set_buffers_bidi(&client.eng, in.data(), in.size(), out.data(), out.size());
    br_ssl_client_reset(&client, nullptr, 0);  // what fails is told by state and error
  }
  TlsEngine(const TlsEngine &) = delete;
  TlsEngine &operator=(const TlsEngine &) = delete;

  br_ssl_engine_context *engine() { return &client.eng; }
  bool is(unsigned state) const { return (br_ssl_engine_current_state(&client.eng) & state) != 0; }
  int error() const { return br_ssl_engine_last_error(&client.eng); }  // 0: none

  // take gives application data that has come, put takes some to be sent. Both tell how
  // many bytes that were.
  size_t take(uint8_t *to, size_t size) {
    size_t n = 0;
    const uint8_t *from = br_ssl_engine_recvapp_buf(engine(), &n);
    if (from == nullptr) return 0;
    if (n > size) n = size;
    memcpy(to, from, n);
    br_ssl_engine_recvapp_ack(engine(), n);
    return n;
  }
  size_t put(const uint8_t *bytes, size_t length) {
    size_t n = 0;
    uint8_t *to = br_ssl_engine_sendapp_buf(engine(), &n);
    if (to == nullptr || length == 0) return 0;
    if (n > length) n = length;
    memcpy(to, bytes, n);
    br_ssl_engine_sendapp_ack(engine(), n);
    br_ssl_engine_flush(engine(), 0);
    return n;
  }
};

#else

constexpr bool kTlsBuilt = false;

#endif
