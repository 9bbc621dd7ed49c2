#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/fault.h"
#include "http/beast.h"
#include "http/message.h"
#include "http/url.h"
#include "http/wire.h"

namespace wattseal::http {
namespace {

constexpr std::size_t kAnswerOctetsMax = 64u << 20, kReadOctets = 16 * 1024;
using Parser = beast::http::response_parser<beast::http::string_body>;

std::string head_of(const BaseUrl& url, const Request& request) {
  std::string head =
      request.method + " " +
      escape_unsafe(request.query.empty() ? request.path
                                          : encode_target(request.path, request.query)) +
      " HTTP/1.1\r\nHost: " + url.authority() + "\r\n";
  for (const Header& header : request.headers) {
    if (travels(header) && !belongs_to_connection(header.name))
      head += header.name + ": " + header.value + "\r\n";
  }
  if (request.trace != TraceId())
    head += std::string(kTraceHeader) + ": " + request.trace.text() + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT")
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return head + "\r\n";
}

Response response_of(Parser& parser) {
  beast::http::response<beast::http::string_body>& message = parser.get();
  Response response;
  response.status = message.result_int();
  for (const auto& field : message)
    response.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  const std::string* const type = find_header(response.headers, "Content-Type");
  response.content_type = type ? *type : "";
  response.body = std::move(message.body());
  return response;
}

}  // namespace

struct Client::State {
  State(BaseUrl base, ClientOptions given) : url(std::move(base)), options(std::move(given)) {
    if (!url.secure) return;
    tls.emplace(tls_context(asio::ssl::context::tls_client, options.identity.value_or(Tls{})));
    beast::error_code error;
    if (options.trusted_ca) tls->load_verify_file(options.trusted_ca->string(), error);
    if (!options.trusted_ca || error)
      throw Fault("TLS: no usable trusted CA is given for " + url.authority());
    tls->set_verify_mode(asio::ssl::verify_peer);
  }
  ~State() { disconnect(); }

  [[noreturn]] void fail(const std::string& why) const {
    throw Fault(url.authority() + " does not answer: " + why);
  }
  void disconnect() {
    wire.reset();
    if (socket >= 0) ::close(socket);
    socket = -1;
    buffer.clear();
  }

  // Waits for the socket until the request's time is over.
  void await(Next what) const {
    for (;;) {
      const std::int64_t left = deadline - clock->monotonic_microseconds();
      if (left <= 0) fail("it took more than its time");
      pollfd one{socket, static_cast<short>(what == Next::wait_to_read ? POLLIN : POLLOUT), 0};
      if (::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left / 1000 + 1, 1000))) > 0)
        return;
    }
  }
  // Repeats a step of the wire; false: the connection has ended.
  template <typename Step>
  bool go(const Step& step) const {
    for (;;) {
      const Next next = step();
      if (next == Next::go_on) return true;
      if (next == Next::close) return false;
      await(next);
    }
  }

  // The first address of the host that takes the connection.
  bool reach(const asio::ip::tcp::endpoint& endpoint) {
    socket = ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) return false;
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0)
      return true;
    if (errno != EINPROGRESS) return false;
    await(Next::wait_to_write);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size);
    errno = error;
    return error == 0;
  }

  void connect() {
    asio::io_context io;
    asio::ip::tcp::resolver resolver(io);
    beast::error_code error;
    const auto found = resolver.resolve(url.host, std::to_string(url.port), error);
    if (error) fail(error.message());
    bool reached = false;
    for (auto one = found.begin(); !reached && one != found.end(); ++one) {
      disconnect();
      reached = reach(one->endpoint());
    }
    if (!reached) fail(std::generic_category().message(errno));
    wire = tls ? tls_client_wire(socket, tls->native_handle(), url.host) : plain_wire(socket);
    if (go([&] { return wire->handshake(); })) return;
    const std::string why = wire->failure();
    fail("the TLS handshake failed" + (why.empty() ? why : ": " + why));
  }

  bool write(std::string_view octets) const {
    while (!octets.empty()) {
      std::size_t count = 0;
      if (!go([&] { return wire->write(octets, count); })) return false;
      octets.remove_prefix(count);
    }
    return true;
  }

  // Nothing: the server closed the connection before it said anything.
  std::optional<Response> read(bool head_only) {
    Parser parser;
    parser.body_limit(kAnswerOctetsMax);
    parser.header_limit(kHeadOctetsMax);
    parser.skip(head_only);
    parser.eager(true);
    beast::error_code error;
    while (!parser.is_done()) {
      const auto room = buffer.prepare(kReadOctets);
      std::size_t count = 0;
      const bool open = go([&] {
        return wire->read({static_cast<char*>(room.data()), room.size()}, count);
      });
      if (!open && !parser.got_some()) return std::nullopt;
      if (open) {
        buffer.commit(count);
        buffer.consume(parser.put(buffer.data(), error));
      } else {
        parser.put_eof(error);
      }
      if (error && error != beast::http::error::need_more) fail(error.message());
    }
    Response response = response_of(parser);
    if (!parser.get().keep_alive()) disconnect();
    return response;
  }

  // Nothing: a kept connection had been closed by the server while it stood, which is found out
  // only by using it.
  std::optional<Response> attempt(const Request& request) {
    const bool reused = wire != nullptr;
    if (!reused) connect();
    std::string head = head_of(url, request);
    std::string_view body = request.body;
    if (body.size() <= kReadOctets) {  // in one packet
      head += body;
      body = {};
    }
    std::optional<Response> response;
    if (write(head) && write(body)) response = read(request.method == "HEAD");
    if (response) return response;
    if (!reused) fail("it closed the connection");
    return std::nullopt;
  }

  Response send(const Request& request) {
    deadline = clock->monotonic_microseconds() + options.timeout.count() * 1000;
    try {
      for (;;) {
        if (std::optional<Response> response = attempt(request)) return std::move(*response);
        disconnect();
      }
    } catch (const Fault&) {
      disconnect();
      throw;
    }
  }

  // Until the server ends the connection. Nothing: as attempt() has it.
  std::optional<std::vector<Response>> attempt_all(std::span<const Request> requests) {
    const bool reused = wire != nullptr;
    if (!reused) connect();
    std::string octets;
    for (const Request& request : requests) octets += head_of(url, request) + request.body;
    std::vector<Response> responses;
    try {
      const bool written = write(octets);
      while (written && wire && responses.size() < requests.size()) {
        std::optional<Response> response = read(requests[responses.size()].method == "HEAD");
        if (!response) break;
        responses.push_back(std::move(*response));
      }
    } catch (const Fault&) {
      if (responses.empty()) throw;  // else the caller learns what was answered
    }
    if (responses.size() < requests.size()) disconnect();
    if (!responses.empty()) return responses;
    if (!reused) fail("it closed the connection");
    return std::nullopt;
  }

  std::vector<Response> send_all(std::span<const Request> requests) {
    deadline = clock->monotonic_microseconds() + options.timeout.count() * 1000;
    try {
      for (;;) {
        if (std::optional<std::vector<Response>> responses = attempt_all(requests))
          return std::move(*responses);
      }
    } catch (const Fault&) {
      disconnect();
      throw;
    }
  }

  const BaseUrl url;
  const ClientOptions options;
  const std::unique_ptr<Clock> clock = system_clock();  // a peer takes real time
  std::int64_t deadline = 0;                            // of the request, microseconds
  std::optional<asio::ssl::context> tls;
  int socket = -1;
  std::unique_ptr<Wire> wire;
  beast::flat_buffer buffer;
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::open(std::string_view base_url, ClientOptions options) {
  TRY_ASSIGN(BaseUrl url, parse_base_url(base_url));
  return std::unique_ptr<Client>(
      new Client(std::make_unique<State>(std::move(url), std::move(options))));
}

Response Client::send(const Request& request) { return state_->send(request); }

std::vector<Response> Client::send_all(std::span<const Request> requests) {
  return requests.empty() ? std::vector<Response>() : state_->send_all(requests);
}

Response Client::get(std::string_view path_and_query) {
  Request request;
  request.method = "GET";
  request.path = path_and_query;
  return send(request);
}

Response Client::post(std::string_view path_and_query, std::string_view content_type,
                      std::string body) {
  Request request;
  request.method = "POST";
  request.path = path_and_query;
  request.headers = {{"Content-Type", std::string(content_type)}};
  request.body = std::move(body);
  return send(request);
}

}  // namespace wattseal::http
