// Threads serve whoever has something to say. A thread stays with its connection for a moment after
// an answer, because a client that asks one thing after the other asks again at once and then
// nobody has to be woken; a connection that is silent for longer, or whose peer is slow, is parked:
// one doorman waits for all of those and costs no thread for each.
#include <poll.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "base/fault.h"
#include "http/session.h"

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

constexpr int kLingerMilliseconds = 10, kLingerTimes = 20;

using SessionPointer = std::shared_ptr<Session>;

}  // namespace

struct Server::State {
  State(const World& world, ServerOptions options, Handler handler)
      : shared{world, std::move(options), std::move(handler), 0, false},
        // One of eight stays free for those who come new.
        lingering_max(std::max(1u, shared.options.threads) - 1 - shared.options.threads / 8),
        acceptor(io) {}

  void listen() {
    try {
      if (shared.options.tls) {
        tls.emplace(tls_context(asio::ssl::context::tls_server, *shared.options.tls));
        SSL_CTX_set_session_id_context(tls->native_handle(),
                                       reinterpret_cast<const unsigned char*>("wattseal"), 8);
      }
      const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(shared.options.address),
                                             shared.options.port);
      acceptor.open(endpoint.protocol());
      acceptor.set_option(asio::socket_base::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen();
    } catch (const boost::system::system_error& failure) {
      throw Fault("cannot listen on " + shared.options.address + ":" +
                  std::to_string(shared.options.port) + ": " + failure.code().message());
    }
    accept();
    for (unsigned i = 0; i < std::max(1u, shared.options.threads); ++i)
      threads.emplace_back([this] { serve(); });
    doorman = std::thread([this] { io.run(); });
  }

  // ---- the doorman's thread

  void accept() {
    acceptor.async_accept([this](beast::error_code error, asio::ip::tcp::socket socket) {
      if (error == asio::error::operation_aborted || shared.stopping) return;
      if (!error) begin(std::move(socket));
      accept();
    });
  }

  void begin(asio::ip::tcp::socket socket) {
    beast::error_code failed;
    socket.set_option(asio::ip::tcp::no_delay(true), failed);
    const asio::ip::tcp::endpoint peer = socket.remote_endpoint(failed);
    // Those above connections_max are told; a flood of them is not.
    if (failed || shared.open >= 2 * shared.options.connections_max + 16) return;
    socket.non_blocking(true, failed);
    const int descriptor = socket.release(failed);
    if (failed) return;
    try {
      take_in(std::make_shared<Session>(descriptor, tls ? tls->native_handle() : nullptr,
                                        peer.address().to_string(), shared));
    } catch (const Fault&) {
      ::close(descriptor);  // no memory for TLS
    }
  }

  struct Parked {
    Parked(asio::io_context& context, SessionPointer the_session)
        : session(std::move(the_session)),
          socket(context, session->socket()),
          timer(context, session->time_left()) {}
    ~Parked() { give_back(); }
    void give_back() {  // the socket is the session's
      if (socket.is_open()) socket.release();
    }
    const SessionPointer session;
    asio::posix::stream_descriptor socket;
    asio::steady_timer timer;
    bool over = false;
  };

  void park(SessionPointer session, Next wait) {
    const auto parked = std::make_shared<Parked>(io, std::move(session));
    const auto kind = wait == Next::wait_to_read ? asio::posix::stream_descriptor::wait_read
                                                 : asio::posix::stream_descriptor::wait_write;
    parked->socket.async_wait(kind, [this, parked](beast::error_code error) {
      parked->timer.cancel();
      if (std::exchange(parked->over, true)) return;
      parked->give_back();
      if (error)
        forget(parked->session);
      else
        hand_over(parked->session);
    });
    parked->timer.async_wait([this, parked](beast::error_code error) {
      if (error || std::exchange(parked->over, true)) return;
      parked->give_back();
      forget(parked->session);
    });
  }

  // ---- the threads that serve

  void take_in(SessionPointer session) {
    {
      const std::lock_guard lock(mutex);
      sessions.insert(session);
    }
    hand_over(std::move(session));
  }

  void hand_over(SessionPointer session) {
    {
      const std::lock_guard lock(mutex);
      ready.push_back(std::move(session));
      ++waiting;
    }
    changed.notify_one();
  }

  void serve() {
    for (;;) {
      SessionPointer session;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return !ready.empty() || shared.stopping; });
        if (ready.empty()) return;
        session = std::move(ready.front());
        ready.pop_front();
        --waiting;
      }
      accompany(std::move(session));
    }
  }

  void accompany(SessionPointer session) {
    for (;;) {
      const Next next = session->step();
      if (next == Next::close) break;
      if (lingers(*session, next)) continue;
      if (shared.stopping || session->time_left().count() <= 0) break;
      asio::post(io, [this, session, next] { park(session, next); });
      return;
    }
    forget(session);
  }

  void forget(const SessionPointer& session) {
    const std::lock_guard lock(mutex);
    sessions.erase(session);
  }

  // Whether the connection can go on within a moment in which nobody else wants the thread.
  bool lingers(const Session& session, Next wait) {
    const bool spare = lingering.fetch_add(1) < lingering_max;
    pollfd one{session.socket(), static_cast<short>(wait == Next::wait_to_read ? POLLIN : POLLOUT),
               0};
    bool can_go_on = false;
    for (int i = 0; spare && !can_go_on && waiting == 0 && i < kLingerTimes; ++i)
      can_go_on = ::poll(&one, 1, kLingerMilliseconds) > 0;
    --lingering;
    return can_go_on;
  }

  void stop() {
    if (shared.stopping.exchange(true)) return;
    asio::post(io, [this] {
      beast::error_code ignored;
      acceptor.close(ignored);
    });
    {
      const std::lock_guard lock(mutex);
      for (const SessionPointer& session : sessions) session->close_if_idle();
    }
    changed.notify_all();
    for (std::thread& thread : threads) thread.join();
    io.stop();
    doorman.join();
  }

  Shared shared;
  const unsigned lingering_max;
  std::optional<asio::ssl::context> tls;
  asio::io_context io{1};
  asio::ip::tcp::acceptor acceptor;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<SessionPointer> ready;
  std::set<SessionPointer> sessions;
  std::atomic<unsigned> lingering = 0, waiting = 0;  // threads; sessions in `ready`
  std::vector<std::thread> threads;
  std::thread doorman;
};

Server::Server(const World& world, ServerOptions options, Handler handler)
    : state_(std::make_unique<State>(world, std::move(options), std::move(handler))) {
  state_->listen();
}
Server::~Server() { stop(); }
std::uint16_t Server::port() const { return state_->acceptor.local_endpoint().port(); }
void Server::stop() { state_->stop(); }

}  // namespace wattseal::http
