#include "http/wire.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

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
  std::string failure() const override { return {}; }

 private:
  static Next outcome(ssize_t moved, std::size_t& count, Next waits) {
    count = moved > 0 ? static_cast<std::size_t>(moved) : 0;
    if (moved > 0) return Next::go_on;
    if (moved < 0 && errno == EINTR) return waits;
    return moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? waits : Next::close;
  }
  const int socket_;
};

// OpenSSL's own BIO of a socket writes with write(), which raises SIGPIPE when the peer has gone.
int bio_send(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))),
                              data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}
int bio_receive(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))),
                             data, static_cast<std::size_t>(size), 0);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    BIO_set_retry_read(bio);
  return static_cast<int>(got);
}
long bio_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO* socket_bio(int socket) {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
    if (!made) throw Fault("TLS: no method for sockets");
    BIO_meth_set_write(made, bio_send);
    BIO_meth_set_read(made, bio_receive);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  BIO* const bio = BIO_new(method);
  if (!bio) throw Fault("TLS: no memory for a connection");
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  return bio;
}

class TlsWire final : public Wire {
 public:
  TlsWire(int socket, SSL_CTX* context) : socket_(socket), ssl_(SSL_new(context), SSL_free) {
    if (!ssl_) throw Fault("TLS: no memory for a connection");
    BIO* const bio = socket_bio(socket);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_mode(ssl_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // One call of the kernel takes a record's head and what follows it. Nobody waits for the socket
    // before read() has said that there is no more.
    SSL_set_read_ahead(ssl_.get(), 1);
  }
  void accept() { SSL_set_accept_state(ssl_.get()); }
  void connect(const std::string& host) {
    SSL_set_connect_state(ssl_.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1) return;
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_set1_host(ssl_.get(), host.c_str()) != 1 ||
        SSL_set_tlsext_host_name(ssl_.get(), host.c_str()) != 1)
      throw Fault("TLS: " + host + " is no host name");
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
  std::string failure() const override { return failure_; }

 private:
  Next outcome(int result) {
    if (result == 1) return Next::go_on;
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ: return Next::wait_to_read;
      case SSL_ERROR_WANT_WRITE: return Next::wait_to_write;
      default: break;
    }
    const long verified = SSL_get_verify_result(ssl_.get());
    const char* const reason = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                                                     : ERR_reason_error_string(ERR_peek_error());
    failure_ = reason ? reason : "";
    return Next::close;
  }
  const int socket_;
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  std::string failure_;
};

}  // namespace

std::unique_ptr<Wire> plain_wire(int socket) { return std::make_unique<PlainWire>(socket); }
std::unique_ptr<Wire> tls_server_wire(int socket, SSL_CTX* context) {
  auto wire = std::make_unique<TlsWire>(socket, context);
  wire->accept();
  return wire;
}
std::unique_ptr<Wire> tls_client_wire(int socket, SSL_CTX* context, const std::string& host) {
  auto wire = std::make_unique<TlsWire>(socket, context);
  wire->connect(host);
  return wire;
}

}  // namespace wattseal::http
