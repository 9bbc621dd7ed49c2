// A connection's octets, plain or TLS, never blocking: what cannot go on says what it waits for.
// Private to http. Source: RFC 8446 through OpenSSL. One thread at a time. No signal is raised.
#pragma once
#include <openssl/ssl.h>

#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"

namespace wattseal::http {

enum class Next : char { go_on, wait_to_read, wait_to_write, close };

class Wire {
 public:
  virtual ~Wire() = default;
  // Whatever comes before the first octet of a message.
  virtual Next handshake() = 0;
  // go_on: `count` octets moved, at least one. close: the peer has gone, or broke the protocol.
  virtual Next read(std::span<char> into, std::size_t& count) = 0;
  virtual Next write(std::span<const char> from, std::size_t& count) = 0;
  // Nothing more will be written; the peer may still send.
  virtual void end() = 0;
  virtual Bytes peer_certificate() const = 0;  // DER; empty without
  virtual std::string failure() const = 0;     // why it closed, where that is known
};

// The socket is not blocking and outlives the wire.
std::unique_ptr<Wire> plain_wire(int socket);
std::unique_ptr<Wire> tls_server_wire(int socket, SSL_CTX* context);
// The server must be certified for this host, a name or an address.
std::unique_ptr<Wire> tls_client_wire(int socket, SSL_CTX* context, const std::string& host);

}  // namespace wattseal::http
