#include "http/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "http/message.h"
#include "http/url.h"

namespace wattseal::http {
namespace {

constexpr std::size_t kReadOctets = 16 * 1024, kShortBody = 8 * 1024;
// A peer that is still sending when it is refused gets to see why before the connection ends.
constexpr std::chrono::seconds kDrain{2};

std::string head_of(const Shared& shared, const Response& response, bool keep,
                    const std::string& trace) {
  std::string head;
  head.reserve(512);
  head += "HTTP/1.1 " + std::to_string(response.status) + " ";
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

}  // namespace

Session::Session(int socket, SSL_CTX* context, std::string peer, Shared& shared)
    : socket_(socket),
      shared_(shared),
      wire_(context ? tls_server_wire(socket, context) : plain_wire(socket)),
      peer_(std::move(peer)) {
  ++shared_.open;
  put_off_deadline(shared_.options.idle);
}

Session::~Session() {
  ::close(socket_);
  --shared_.open;
}

void Session::put_off_deadline(std::chrono::microseconds time) {
  deadline_ = shared_.world.clock.monotonic_microseconds() + time.count();
}
std::chrono::microseconds Session::time_left() const {
  return std::chrono::microseconds(deadline_ - shared_.world.clock.monotonic_microseconds());
}

void Session::close_if_idle() {
  const Phase phase = phase_;
  if (phase == Phase::handshake || phase == Phase::head) ::shutdown(socket_, SHUT_RDWR);
}

Next Session::step() {
  for (;;) {
    Next next = Next::close;
    switch (phase_.load()) {
      case Phase::handshake: next = begin(); break;
      case Phase::head:
      case Phase::body: next = read(); break;
      case Phase::write: next = write(); break;
      case Phase::drain: next = drain(); break;
    }
    if (next != Next::go_on) return next;
  }
}

Next Session::begin() {
  const Next next = wire_->handshake();
  if (next != Next::go_on) return next;
  client_certificate_ = wire_->peer_certificate();
  await_request();
  if (shared_.open > shared_.options.connections_max)
    return send({.status = 503,
                 .body = "Too many connections are open; try again.\n",
                 .headers = {{"Retry-After", "1"}}},
                false, false, {});
  return Next::go_on;
}

void Session::await_request() {
  parser_.emplace();
  parser_->header_limit(kHeadOctetsMax);
  parser_->body_limit(shared_.options.body_octets_max);
  parser_->eager(true);
  continued_ = false;
  put_off_deadline(shared_.options.idle);
  phase_ = Phase::head;
}

Next Session::read() {
  if (phase_ == Phase::head && shared_.stopping) return Next::close;
  if (buffer_.size() != 0) {
    const Next next = parse();
    if (next != Next::wait_to_read) return next;
  }
  const auto room = buffer_.prepare(kReadOctets);
  std::size_t count = 0;
  const Next next = wire_->read({static_cast<char*>(room.data()), room.size()}, count);
  if (next == Next::go_on) buffer_.commit(count);
  return next;
}

// wait_to_read: the request is not whole yet.
Next Session::parse() {
  beast::error_code error;
  buffer_.consume(parser_->put(buffer_.data(), error));
  if (error && error != beast::http::error::need_more) return refuse(error);
  if (parser_->is_done()) return handle();
  if (phase_ == Phase::body || !parser_->is_header_done()) return Next::wait_to_read;
  put_off_deadline(shared_.options.idle);
  phase_ = Phase::body;
  if (!beast::iequals(parser_->get()[beast::http::field::expect], "100-continue"))
    return Next::wait_to_read;
  continued_ = true;
  out_[0] = "HTTP/1.1 100 Continue\r\n\r\n";
  out_[1].clear();
  written_ = 0;
  phase_ = Phase::write;
  return Next::go_on;
}

// Answers what HTTP itself forbids.
Next Session::refuse(beast::error_code error) {
  if (error == beast::http::error::header_limit)
    return send({.status = 431, .body = "The request's head is larger than 16 KiB.\n"}, false,
                false, {});
  if (error == beast::http::error::body_limit)
    return send({.status = 413,
                 .body = "The body is larger than " +
                         std::to_string(shared_.options.body_octets_max) + " octets.\n"},
                false, false, {});
  return send({.status = 400, .body = "The request is not HTTP/1.1: " + error.message() + ".\n"},
              false, false, {});
}

Next Session::handle() {
  const beast::http::request<beast::http::string_body>& message = parser_->get();
  const bool keep = message.keep_alive() && !shared_.stopping;
  phase_ = Phase::write;  // not idle
  Request request;
  request.method = std::string(message.method_string());
  std::optional<Target> target = parse_target({message.target().data(), message.target().size()});
  if (!target)
    return send({.status = 400, .body = "The request's target is no path of RFC 9112 3.2.\n"}, keep,
                false, {});
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  for (const auto& field : message)
    request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  const std::string* const given = request.header(kTraceHeader);
  const Result<TraceId> trace =
      given ? TraceId::parse(*given) : Result<TraceId>(shared_.world.new_trace());
  request.trace = trace.ok() ? *trace : shared_.world.new_trace();
  request.body = std::move(parser_->get().body());
  request.client_certificate = client_certificate_;
  request.peer = peer_;
  return send(answer(shared_, request), keep, request.method == "HEAD", request.trace.text());
}

Next Session::send(Response response, bool keep, bool head_only, const std::string& trace) {
  out_[0] = head_of(shared_, response, keep, trace);
  out_[1] = head_only || !carries_body(response.status) ? std::string() : std::move(response.body);
  if (out_[1].size() <= kShortBody) {
    out_[0] += out_[1];
    out_[1].clear();
  }
  written_ = 0;
  keep_ = keep;
  continued_ = false;
  put_off_deadline(shared_.options.idle);
  phase_ = Phase::write;
  return Next::go_on;
}

Next Session::write() {
  while (written_ < out_[0].size() + out_[1].size()) {
    const std::string_view rest = written_ < out_[0].size()
                                      ? std::string_view(out_[0]).substr(written_)
                                      : std::string_view(out_[1]).substr(written_ - out_[0].size());
    std::size_t count = 0;
    const Next next = wire_->write(rest, count);
    if (next != Next::go_on) return next;
    written_ += count;
    put_off_deadline(shared_.options.idle);
  }
  out_[1] = {};
  if (continued_) {
    phase_ = Phase::body;
  } else if (keep_) {
    await_request();
  } else {
    wire_->end();
    put_off_deadline(kDrain);
    phase_ = Phase::drain;
  }
  return Next::go_on;
}

// Takes what the peer was sending, so that the answer reaches it before the reset would.
Next Session::drain() {
  char waste[4096];
  const ssize_t count = ::recv(socket_, waste, sizeof waste, MSG_DONTWAIT);
  if (count > 0) return time_left().count() > 0 ? Next::go_on : Next::close;
  return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? Next::wait_to_read : Next::close;
}

}  // namespace wattseal::http
