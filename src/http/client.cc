#include "base/fault.h"
#include "http/beast.h"
#include "http/message.h"
#include "http/url.h"

namespace wattseal::http {
namespace {

constexpr std::size_t kAnswerOctetsMax = 64u << 20;
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

  // Runs what was started until it is done; the stream's own deadline ends it at the latest.
  void run(const beast::error_code& error, const char* what) {
    io.restart();
    io.run();
    if (error) throw boost::system::system_error(error, what);
  }

  beast::tcp_stream& lowest() { return secure ? beast::get_lowest_layer(*secure) : *plain; }
  bool connected() const { return plain || secure; }
  void disconnect() {
    plain.reset();
    secure.reset();
    buffer.clear();
  }

  void connect() {
    beast::error_code error;
    asio::ip::tcp::resolver resolver(io);
    const asio::ip::tcp::resolver::results_type endpoints =
        resolver.resolve(url.host, std::to_string(url.port), error);
    if (error) throw boost::system::system_error(error, "resolve");
    if (url.secure)
      secure.emplace(io, *tls);
    else
      plain.emplace(io);
    lowest().expires_after(options.timeout);
    lowest().async_connect(endpoints, [&error](beast::error_code result,
                                               const asio::ip::tcp::endpoint&) { error = result; });
    run(error, "connect");
    lowest().socket().set_option(asio::ip::tcp::no_delay(true), error);
    if (!secure) return;
    SSL_set_tlsext_host_name(secure->native_handle(), url.host.c_str());
    secure->set_verify_callback(asio::ssl::host_name_verification(url.host));
    secure->async_handshake(asio::ssl::stream_base::client,
                            [&error](beast::error_code result) { error = result; });
    run(error, "TLS handshake");
  }

  template <typename Stream>
  Response exchange(Stream& stream, const Request& request) {
    const std::string head = head_of(url, request);
    const std::array<asio::const_buffer, 2> parts{asio::buffer(head), asio::buffer(request.body)};
    beast::error_code error;
    lowest().expires_after(options.timeout);
    asio::async_write(stream, parts,
                      [&error](beast::error_code result, std::size_t) { error = result; });
    run(error, "write");
    Parser parser;
    parser.body_limit(kAnswerOctetsMax);
    parser.header_limit(kHeadOctetsMax);
    parser.skip(request.method == "HEAD");
    beast::http::async_read(stream, buffer, parser,
                            [&error](beast::error_code result, std::size_t) { error = result; });
    run(error, "read");
    Response response = response_of(parser);
    if (!parser.get().keep_alive()) disconnect();
    return response;
  }

  Response attempt(const Request& request) {
    if (!connected()) connect();
    return secure ? exchange(*secure, request) : exchange(*plain, request);
  }

  Response send(const Request& request) {
    for (bool reused = connected();; reused = false) {
      try {
        return attempt(request);
      } catch (const boost::system::system_error& failure) {
        disconnect();
        // A kept connection may have been closed by the server while it stood; that is found out
        // only by using it.
        const bool closed = failure.code() == beast::http::error::end_of_stream ||
                            failure.code() == asio::error::connection_reset ||
                            failure.code() == asio::error::broken_pipe ||
                            failure.code() == asio::error::eof;
        if (!(reused && closed))
          throw Fault(url.authority() + " does not answer: " + failure.code().message());
      }
    }
  }

  const BaseUrl url;
  const ClientOptions options;
  asio::io_context io;
  std::optional<asio::ssl::context> tls;
  std::optional<PlainStream> plain;
  std::optional<TlsStream> secure;
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
