#include "http/wire.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/fault.h"

namespace wattseal::http {
namespace {

class PlainWire final : public Wire {
 public:
  explicit PlainWire(int socket) : socket_(socket) {}
  Next handshake() override { return Next::go_on; }
  Next read(std::span<char> into, std::size_t& count) override {
    return outcome(::recv(socket_, into.data(), into.size(), 0), count, Next::wait_to_read);
  }
  Next write(std::span<const char> from, std::size_t& count) override {
    return outcome(::send(socket_, from.data(), from.size(), MSG_NOSIGNAL), count,
                   Next::wait_to_write);
  }
  void end() override { ::shutdown(socket_, SHUT_WR); }
  Bytes peer_certificate() const override { return {}; }

 private:
  static Next outcome(ssize_t moved, std::size_t& count, Next waits) {
    count = moved > 0 ? static_cast<std::size_t>(moved) : 0;
    if (moved > 0) return Next::go_on;
    if (moved < 0 && errno == EINTR) return waits;
    return moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? waits : Next::close;
  }
  const int socket_;
};

class TlsWire final : public Wire {
 public:
  TlsWire(int socket, SSL_CTX* context) : socket_(socket), ssl_(SSL_new(context), SSL_free) {
    if (!ssl_ || SSL_set_fd(ssl_.get(), socket) != 1) throw Fault("TLS: no connection object");
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_accept_state(ssl_.get());
  }
  Next handshake() override {
    ERR_clear_error();
    return outcome(SSL_do_handshake(ssl_.get()));
  }
  Next read(std::span<char> into, std::size_t& count) override {
    ERR_clear_error();
    return outcome(SSL_read_ex(ssl_.get(), into.data(), into.size(), &count));
  }
  Next write(std::span<const char> from, std::size_t& count) override {
    ERR_clear_error();
    return outcome(SSL_write_ex(ssl_.get(), from.data(), from.size(), &count));
  }
  void end() override {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());  // says so; waits for nothing
    ::shutdown(socket_, SHUT_WR);
  }
  Bytes peer_certificate() const override {
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(
        SSL_get1_peer_certificate(ssl_.get()), X509_free);
    if (!certificate) return {};
    unsigned char* der = nullptr;
    const int length = i2d_X509(certificate.get(), &der);
    Bytes octets;
    if (length > 0) octets.assign(der, der + length);
    OPENSSL_free(der);
    return octets;
  }

 private:
  Next outcome(int result) {
    if (result == 1) return Next::go_on;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ: return Next::wait_to_read;
      case SSL_ERROR_WANT_WRITE: return Next::wait_to_write;
      default: return Next::close;
    }
  }
  const int socket_;
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

}  // namespace

std::unique_ptr<Wire> plain_wire(int socket) { return std::make_unique<PlainWire>(socket); }
std::unique_ptr<Wire> tls_wire(int socket, SSL_CTX* context) {
  return std::make_unique<TlsWire>(socket, context);
}

}  // namespace wattseal::http
