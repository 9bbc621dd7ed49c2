// One session an open connection: read a request, call the handler, write the answer, again while
// the client keeps the connection. Everything of a session runs on its strand, one step at a time;
// the handler runs there too and may block (that is what the server's threads are for). A session
// lives as long as one of its callbacks does.
#include <openssl/x509.h>

#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include "base/fault.h"
#include "base/log.h"
#include "http/beast.h"
#include "http/message.h"
#include "http/url.h"

namespace wattseal::http {

asio::ssl::context tls_context(asio::ssl::context::method method, const Tls& identity) {
  try {
    asio::ssl::context context(method);
    context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                        asio::ssl::context::no_tlsv1_1);
    if (!identity.certificate_chain.empty()) {
      context.use_certificate_chain_file(identity.certificate_chain.string());
      context.use_private_key_file(identity.private_key.string(), asio::ssl::context::pem);
    }
    if (!identity.client_ca.empty()) {
      context.load_verify_file(identity.client_ca.string());
      context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    }
    return context;
  } catch (const boost::system::system_error& failure) {
    throw Fault(std::string("TLS: ") + failure.what());
  }
}

namespace {

// What all sessions of a server share.
struct Shared {
  const World& world;
  const ServerOptions options;
  const Handler handler;
  std::atomic<std::size_t> open = 0;
  std::atomic<bool> stopping = false;
};

class AnySession {
 public:
  virtual ~AnySession() = default;
  virtual void close_when_idle() = 0;
};

std::string head_of(const Shared& shared, const Response& response, bool keep,
                    const std::string& trace) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += reason_phrase(response.status);
  head += "\r\nDate: " + date_text(shared.world.now()) + "\r\n";
  for (const Header& header : response.headers) {
    if (travels(header) && !belongs_to_connection(header.name))
      head += header.name + ": " + header.value + "\r\n";
  }
  if (carries_body(response.status)) {
    if (travels({"Content-Type", response.content_type}))
      head += "Content-Type: " + response.content_type + "\r\n";
    head += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  }
  if (!trace.empty()) head += std::string(kTraceHeader) + ": " + trace + "\r\n";
  if (!keep) head += "Connection: close\r\n";
  return head + "\r\n";
}

Response answer(const Shared& shared, const Request& request) {
  try {
    return shared.handler(request);
  } catch (const Fault& fault) {
    log::error("http_handler_fault",
               {{"path", request.path}, {"trace", request.trace.text()}, {"what", fault.what()}});
    return {
        .status = 503,
        .body = "The service cannot do this now. Nothing that was accepted is lost; try again.\n",
        .headers = {{"Retry-After", "1"}}};
  } catch (const std::exception& bug) {
    log::error("http_handler_failed",
               {{"path", request.path}, {"trace", request.trace.text()}, {"what", bug.what()}});
    return {.status = 500,
            .body = "The service failed on this request. The trace id finds it in the log.\n"};
  }
}

Bytes peer_certificate(PlainStream&) { return {}; }
Bytes peer_certificate(TlsStream& stream) {
  X509* const certificate = SSL_get1_peer_certificate(stream.native_handle());
  if (!certificate) return {};
  unsigned char* der = nullptr;
  const int length = i2d_X509(certificate, &der);
  Bytes octets;
  if (length > 0) octets.assign(der, der + length);
  OPENSSL_free(der);
  X509_free(certificate);
  return octets;
}

template <typename Stream>
class Session final : public AnySession, public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(Stream stream, std::shared_ptr<Shared> shared)
      : stream_(std::move(stream)), shared_(std::move(shared)) {
    ++shared_->open;
  }
  ~Session() override { --shared_->open; }

  void start() {
    asio::dispatch(stream_.get_executor(), [self = this->shared_from_this()] { self->begin(); });
  }

  // A connection that waits for its next request is closed; one that is being answered closes
  // itself afterwards.
  void close_when_idle() override {
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (self->idle_) beast::get_lowest_layer(self->stream_).close();
    });
  }

 private:
  using Parser = beast::http::request_parser<beast::http::string_body>;

  void begin() {
    beast::get_lowest_layer(stream_).expires_after(shared_->options.idle);
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      stream_.async_handshake(asio::ssl::stream_base::server,
                              [self = this->shared_from_this()](beast::error_code error) {
                                if (!error) self->admit();
                              });
    } else {
      admit();
    }
  }

  void admit() {
    if (shared_->open > shared_->options.connections_max) {
      return send({.status = 503,
                   .body = "Too many connections are open; try again.\n",
                   .headers = {{"Retry-After", "1"}}},
                  false, false, {});
    }
    client_certificate_ = peer_certificate(stream_);
    beast::error_code gone;
    const auto endpoint = beast::get_lowest_layer(stream_).socket().remote_endpoint(gone);
    if (!gone) peer_ = endpoint.address().to_string();
    read_head();
  }

  void read_head() {
    if (shared_->stopping) return finish();
    parser_.emplace();
    parser_->header_limit(kHeadOctetsMax);
    parser_->body_limit(shared_->options.body_octets_max);
    beast::get_lowest_layer(stream_).expires_after(shared_->options.idle);
    idle_ = true;
    beast::http::async_read_header(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](beast::error_code error, std::size_t) {
          self->idle_ = false;
          if (error) return self->refuse(error);
          self->read_body();
        });
  }

  void read_body() {
    const std::uint64_t announced = parser_->content_length().value_or(0);
    if (announced > shared_->options.body_octets_max) return refuse(beast::http::error::body_limit);
    const bool waits = beast::iequals(parser_->get()[beast::http::field::expect], "100-continue");
    if (!waits) return read_rest();
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(stream_, asio::buffer(kContinue),
                      [self = this->shared_from_this()](beast::error_code error, std::size_t) {
                        if (!error) self->read_rest();
                      });
  }

  void read_rest() {
    beast::http::async_read(
        stream_, buffer_, *parser_,
        [self = this->shared_from_this()](beast::error_code error, std::size_t) {
          if (error) return self->refuse(error);
          self->handle();
        });
  }

  // Answers what HTTP itself forbids; a peer that has gone is no one to answer.
  void refuse(beast::error_code error) {
    if (error == beast::http::error::header_limit)
      return send({.status = 431, .body = "The request's head is larger than 16 KiB.\n"}, false,
                  false, {});
    if (error == beast::http::error::body_limit) {
      return send({.status = 413,
                   .body = "The body is larger than " +
                           std::to_string(shared_->options.body_octets_max) + " octets.\n"},
                  false, false, {});
    }
    const bool malformed =
        error.category() ==
            beast::http::make_error_code(beast::http::error::bad_method).category() &&
        error != beast::http::error::end_of_stream && error != beast::http::error::partial_message;
    if (malformed)
      return send(
          {.status = 400, .body = "The request is not HTTP/1.1: " + error.message() + ".\n"}, false,
          false, {});
    finish();
  }

  void handle() {
    const beast::http::request<beast::http::string_body>& message = parser_->get();
    const bool keep = message.keep_alive() && !shared_->stopping;
    Request request;
    request.method = std::string(message.method_string());
    std::optional<Target> target = parse_target({message.target().data(), message.target().size()});
    if (!target)
      return send({.status = 400, .body = "The request's target is no path of RFC 9112 3.2.\n"},
                  keep, false, {});
    request.path = std::move(target->path);
    request.query = std::move(target->query);
    for (const auto& field : message)
      request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    const std::string* const given = request.header(kTraceHeader);
    const Result<TraceId> trace =
        given ? TraceId::parse(*given) : Result<TraceId>(shared_->world.new_trace());
    request.trace = trace.ok() ? *trace : shared_->world.new_trace();
    request.body = std::move(parser_->get().body());
    request.client_certificate = client_certificate_;
    request.peer = peer_;
    send(answer(*shared_, request), keep, request.method == "HEAD", request.trace.text());
  }

  void send(Response response, bool keep, bool head_only, const std::string& trace) {
    head_ = head_of(*shared_, response, keep, trace);
    body_ = head_only || !carries_body(response.status) ? std::string() : std::move(response.body);
    beast::get_lowest_layer(stream_).expires_after(shared_->options.idle);
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head_), asio::buffer(body_)};
    asio::async_write(
        stream_, parts,
        [self = this->shared_from_this(), keep](beast::error_code error, std::size_t) {
          if (error) return;
          if (keep)
            self->read_head();
          else
            self->finish();
        });
  }

  void finish() {
    if constexpr (std::is_same_v<Stream, TlsStream>) {
      beast::get_lowest_layer(stream_).expires_after(std::chrono::seconds(2));
      stream_.async_shutdown([self = this->shared_from_this()](beast::error_code) {
        beast::get_lowest_layer(self->stream_).close();
      });
    } else {
      beast::error_code ignored;
      stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    }
  }

  Stream stream_;
  const std::shared_ptr<Shared> shared_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  Bytes client_certificate_;
  std::string peer_;
  std::string head_, body_;
  bool idle_ = false;
};

}  // namespace

struct Server::State {
  State(const World& world, ServerOptions options, Handler handler)
      : shared(new Shared{world, std::move(options), std::move(handler), 0, false}),
        io(static_cast<int>(shared->options.threads)),
        acceptor(asio::make_strand(io)) {}

  void listen() {
    try {
      if (shared->options.tls) {
        tls.emplace(tls_context(asio::ssl::context::tls_server, *shared->options.tls));
        SSL_CTX_set_session_id_context(tls->native_handle(),
                                       reinterpret_cast<const unsigned char*>("wattseal"), 8);
      }
      const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(shared->options.address),
                                             shared->options.port);
      acceptor.open(endpoint.protocol());
      acceptor.set_option(asio::socket_base::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen();
    } catch (const boost::system::system_error& failure) {
      throw Fault("cannot listen on " + shared->options.address + ":" +
                  std::to_string(shared->options.port) + ": " + failure.code().message());
    }
    accept();
    for (unsigned i = 0; i < std::max(1u, shared->options.threads); ++i)
      threads.emplace_back([this] { io.run(); });
  }

  void accept() {
    acceptor.async_accept(asio::make_strand(io),
                          [this](beast::error_code error, asio::ip::tcp::socket socket) {
                            if (error == asio::error::operation_aborted || shared->stopping) return;
                            if (!error) begin(std::move(socket));
                            accept();
                          });
  }

  void begin(asio::ip::tcp::socket socket) {
    beast::error_code ignored;
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    if (tls)
      start(std::make_shared<Session<TlsStream>>(
          TlsStream(beast::tcp_stream(std::move(socket)), *tls), shared));
    else
      start(std::make_shared<Session<PlainStream>>(PlainStream(std::move(socket)), shared));
  }

  template <typename SessionType>
  void start(std::shared_ptr<SessionType> session) {
    {
      const std::lock_guard lock(mutex);
      std::erase_if(sessions, [](const std::weak_ptr<AnySession>& one) { return one.expired(); });
      sessions.push_back(session);
    }
    session->start();
  }

  void stop() {
    if (shared->stopping.exchange(true)) return;
    asio::post(acceptor.get_executor(), [this] {
      beast::error_code ignored;
      acceptor.close(ignored);
    });
    {
      const std::lock_guard lock(mutex);
      for (const std::weak_ptr<AnySession>& one : sessions) {
        if (const std::shared_ptr<AnySession> session = one.lock()) session->close_when_idle();
      }
    }
    for (std::thread& thread : threads) thread.join();
  }

  const std::shared_ptr<Shared> shared;
  std::optional<asio::ssl::context> tls;
  asio::io_context io;
  asio::ip::tcp::acceptor acceptor;
  std::mutex mutex;
  std::vector<std::weak_ptr<AnySession>> sessions;
  std::vector<std::thread> threads;
};

Server::Server(const World& world, ServerOptions options, Handler handler)
    : state_(std::make_unique<State>(world, std::move(options), std::move(handler))) {
  state_->listen();
}
Server::~Server() { stop(); }
std::uint16_t Server::port() const { return state_->acceptor.local_endpoint().port(); }
void Server::stop() { state_->stop(); }

}  // namespace wattseal::http
