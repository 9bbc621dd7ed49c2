// HTTP/1.1 server and client (Boost.Beast behind the door), plain or TLS with optional client
// certificates. It knows nothing of what travels. The server binds loopback unless told otherwise.
// Limits refuse, they never grow: header 16 KiB, body `body_octets_max` (413), idle time (closed),
// connections (503). Threads: Server runs its own I/O threads; a Handler may be called from several
// at once. Client is one connection, one thread. Errors: Fault when a port cannot be bound or a
// peer cannot be reached; refusals http-malformed-url.
#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/types.h"
#include "base/world.h"

namespace wattseal::http {

struct Header {
  std::string name, value;
};

struct Request {
  std::string method;         // "GET", "POST", …
  std::string path;           // without the query, percent-decoded; always starts with '/'
  std::vector<Header> query;  // decoded name and value
  std::vector<Header> headers;
  std::string body;
  TraceId trace;             // from the header X-Trace-Id when well formed, else new
  Bytes client_certificate;  // DER of the verified TLS client certificate; empty without
  std::string peer;          // the client's address, such as "127.0.0.1"
  const std::string* header(std::string_view name) const;       // any case
  const std::string* query_value(std::string_view name) const;  // exact case
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::vector<Header> headers = {};
};

using Handler = std::function<Response(const Request&)>;

// Exact paths and "/prefix/*" patterns; an unknown path is 404, a known path with another method
// 405 with Allow.
class Router {
 public:
  void on(std::string method, std::string path, Handler handler);
  Response operator()(const Request& request) const;
  std::vector<std::pair<std::string, std::string>> routes() const;  // method and pattern
  // Replaces the handler of each route by what `around` makes of it.
  using Wrapper = std::function<Handler(const std::string& method, const std::string& pattern,
                                        Handler handler)>;
  void wrap(const Wrapper& around);

 private:
  struct Route {
    std::string method, path;
    Handler handler;
  };
  std::vector<Route> routes_;
};

struct Tls {
  std::filesystem::path certificate_chain, private_key;  // PEM
  std::filesystem::path client_ca;  // when set, a client certificate is required
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one
  unsigned threads = 2;
  std::size_t body_octets_max = 16 * 1024 * 1024;
  std::size_t connections_max = 1024;
  std::chrono::seconds idle{60};
  std::optional<Tls> tls = {};
};

class Server {
 public:
  Server(const World& world, ServerOptions options,
         Handler handler);  // listens when it returns; throws Fault
  ~Server();                // stop()
  std::uint16_t port() const;
  void stop();  // stops accepting, lets running handlers finish, closes; idempotent
  struct State;

 private:
  std::unique_ptr<State> state_;
};

struct ClientOptions {
  std::chrono::milliseconds timeout{10'000};             // for each request
  std::optional<std::filesystem::path> trusted_ca = {};  // PEM; required for https
  std::optional<Tls> identity = {};                      // client certificate
};

// Keeps one connection alive and reconnects once when the server has closed it.
class Client {
 public:
  // "http://host:port" or "https://host:port". Refuses http-malformed-url.
  static Result<std::unique_ptr<Client>> open(std::string_view base_url,
                                              ClientOptions options = {});
  ~Client();
  Response send(const Request& request);  // throws Fault when the peer cannot be reached or does
                                          // not answer in time
  // All of them at once, without waiting for the answers between them, and the answers in order:
  // fewer when the server ended the connection, or did not answer in time, after these. The peer
  // may have acted on those without an answer. Together at most what the peer buffers: a few dozen
  // of some kilobytes. Throws Fault when there is no answer at all. Source: RFC 9112 9.3.2.
  std::vector<Response> send_all(std::span<const Request> requests);
  Response get(std::string_view path_and_query);
  Response post(std::string_view path_and_query, std::string_view content_type, std::string body);
  struct State;

 private:
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace wattseal::http
