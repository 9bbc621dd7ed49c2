// One connection: reads a request, calls the handler, writes the answer, again while the client
// keeps the connection. It is stepped: a step never blocks but in the handler, and says what the
// session waits for, so that a silent peer costs no thread. Private to http. One thread at a time;
// close_if_idle() from any.
#pragma once
#include <atomic>
#include <chrono>
#include <optional>

#include "http/beast.h"
#include "http/wire.h"

namespace wattseal::http {

// What all sessions of a server share.
struct Shared {
  const World& world;
  const ServerOptions options;
  const Handler handler;
  std::atomic<std::size_t> open = 0;
  std::atomic<bool> stopping = false;
};

class Session {
 public:
  // Owns the socket, which does not block. `context` null: plain.
  Session(int socket, SSL_CTX* context, std::string peer, Shared& shared);
  ~Session();
  Session(const Session&) = delete;

  // Goes on until it has to wait, or is at its end (close).
  Next step();
  int socket() const { return socket_; }
  // Until it has waited too long.
  std::chrono::microseconds time_left() const;
  // A session that waits for its next request ends; one that is being answered ends afterwards.
  void close_if_idle();

 private:
  using Parser = beast::http::request_parser<beast::http::string_body>;
  enum class Phase : char { handshake, head, body, write, drain };

  Next begin();
  void await_request();
  Next read();
  Next parse();
  Next handle();
  Next refuse(beast::error_code error);
  Next send(Response response, bool keep, bool head_only, const std::string& trace);
  Next write();
  Next drain();
  void put_off_deadline(std::chrono::microseconds time);

  const int socket_;
  Shared& shared_;
  const std::unique_ptr<Wire> wire_;
  const std::string peer_;
  Bytes client_certificate_;
  std::atomic<Phase> phase_ = Phase::handshake;
  std::int64_t deadline_ = 0;  // of the monotonic clock, microseconds
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  std::string out_[2];  // head, with a short body; a long body
  std::size_t written_ = 0;
  bool keep_ = false, continued_ = false;
};

}  // namespace wattseal::http
