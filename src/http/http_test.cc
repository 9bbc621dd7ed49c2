#include "http/http.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/fault.h"
#include "base/log.h"
#include "http/url.h"

namespace wattseal::http {
namespace {

namespace fs = std::filesystem;

const World& world() {
  static const std::unique_ptr<Clock> clock = system_clock();
  static const std::unique_ptr<Random> random = system_random();
  static const World instance{*clock, *random};
  return instance;
}

Router routes() {
  Router router;
  router.on("GET", "/hello", [](const Request& request) {
    const std::string* const name = request.query_value("name");
    return Response{.body = "hello " + (name ? *name : "you")};
  });
  router.on("POST", "/echo", [](const Request& request) {
    return Response{.status = 201, .content_type = "application/xml", .body = request.body};
  });
  router.on("GET", "/files/*",
            [](const Request& request) { return Response{.body = request.path}; });
  router.on("GET", "/fault", [](const Request&) -> Response { throw Fault("disk full"); });
  router.on("GET", "/bug", [](const Request&) -> Response { throw std::runtime_error("oops"); });
  return router;
}

std::unique_ptr<Client> client_of(const Server& server) {
  return std::move(Client::open("http://127.0.0.1:" + std::to_string(server.port())).value());
}

// A peer that does what it likes with its connection.
class Peer {
 public:
  explicit Peer(const Server& server) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Peer() { ::close(socket_); }
  Peer(const Peer&) = delete;
  void say(const std::string& octets) const {
    EXPECT_EQ(::send(socket_, octets.data(), octets.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(octets.size()));
  }
  std::string hear() const {  // everything until the server ends the connection
    std::string answer;
    char piece[4096];
    for (ssize_t got; (got = ::recv(socket_, piece, sizeof piece, 0)) > 0;)
      answer.append(piece, static_cast<std::size_t>(got));
    return answer;
  }

 private:
  const int socket_;
};

// What a peer that does not keep to HTTP gets back.
std::string raw(const Server& server, const std::string& octets) {
  const Peer peer(server);
  peer.say(octets);
  return peer.hear();
}

TEST(HttpServer, AnswersOverOneKeptConnection) {
  Server server(world(), {}, routes());
  const std::unique_ptr<Client> client = client_of(server);
  EXPECT_EQ(client->get("/hello?name=a%20b+c").body, "hello a b c");
  const Response echo = client->post("/echo", "text/xml", "<a/>");
  EXPECT_EQ(echo.status, 201);
  EXPECT_EQ(echo.body, "<a/>");
  EXPECT_EQ(echo.content_type, "application/xml");
  EXPECT_EQ(client->get("/files/x%2Fy/z").body, "/files/x/y/z");
  EXPECT_EQ(client->get("/nothing").status, 404);
  const Response wrong = client->post("/hello", "text/plain", "");
  EXPECT_EQ(wrong.status, 405);
  Request head;
  head.method = "HEAD";
  head.path = "/hello";
  EXPECT_EQ(client->send(head).body, "");
  EXPECT_EQ(client->get("/hello").body, "hello you") << "the connection is in step after HEAD";
}

TEST(HttpServer, CarriesTheTraceIdOrMakesOne) {
  Server server(world(), {},
                [](const Request& request) { return Response{.body = request.trace.text()}; });
  const std::unique_ptr<Client> client = client_of(server);
  Request request;
  request.method = "GET";
  request.path = "/";
  request.trace = TraceId::parse("00112233445566778899aabbccddeeff").value();
  EXPECT_EQ(client->send(request).body, "00112233445566778899aabbccddeeff");
  const std::string made = client->get("/").body;
  EXPECT_EQ(made.size(), 32u);
  EXPECT_NE(made, client->get("/").body);
}

TEST(HttpServer, TellsFaultsFromBugsAndLives) {
  log::set_level(log::Level::off);
  Server server(world(), {}, routes());
  const std::unique_ptr<Client> client = client_of(server);
  EXPECT_EQ(client->get("/fault").status, 503);
  EXPECT_EQ(client->get("/bug").status, 500);
  EXPECT_EQ(client->get("/bug").body.find("oops"), std::string::npos) << "inner texts stay inside";
  EXPECT_EQ(client->get("/hello").status, 200);
  log::set_level(log::Level::info);
}

TEST(HttpServer, RefusesWhatIsTooLargeOrNoHttp) {
  Server server(world(), {.body_octets_max = 1000}, routes());
  EXPECT_TRUE(raw(server, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n")
                  .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(
      raw(server, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" +
                      std::string(1001, 'x') + "\r\n0\r\n\r\n")
          .starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(raw(server, "GET /hello HTTP/1.1\r\nX: " + std::string(17000, 'x') + "\r\n\r\n")
                  .starts_with("HTTP/1.1 431 "));
  EXPECT_TRUE(raw(server, "\x16\x03\x01 garbage\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(raw(server, "GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                  .starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(raw(server, "GET /hello HTTP/1.0\r\n\r\n").ends_with("\r\n\r\nhello you"));
  EXPECT_EQ(client_of(server)->post("/echo", "text/plain", std::string(1000, 'x')).body.size(),
            1000u);
}

TEST(HttpServer, LetsNoHandlerForgeAHeader) {
  Server server(world(), {}, [](const Request&) {
    return Response{
        .headers = {{"X-Good", "1"}, {"X-Bad", "a\r\nSet-Cookie: b"}, {"Content-Length", "9"}}};
  });
  const std::string answer = raw(server, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("X-Good: 1"), std::string::npos);
  EXPECT_EQ(answer.find("Set-Cookie"), std::string::npos);
  EXPECT_NE(answer.find("Content-Length: 0"), std::string::npos);
}

TEST(HttpServer, RefusesConnectionsAboveItsLimit) {
  Server server(world(), {.connections_max = 1}, routes());
  const std::unique_ptr<Client> first = client_of(server), second = client_of(server);
  EXPECT_EQ(first->get("/hello").status, 200);
  EXPECT_EQ(second->get("/hello").status, 503);
}

TEST(HttpServer, FinishesRunningHandlersWhenStopped) {
  std::atomic<bool> inside = false;
  Server server(world(), {}, [&inside](const Request&) {
    inside = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    return Response{.body = "done"};
  });
  std::string body;
  std::thread caller([&] { body = client_of(server)->get("/").body; });
  while (!inside) std::this_thread::yield();
  const std::unique_ptr<Client> idle = client_of(server);
  server.stop();
  caller.join();
  EXPECT_EQ(body, "done");
  EXPECT_THROW(idle->get("/"), Fault);
}

TEST(HttpServer, ClosesIdleConnectionsAndTheClientComesBack) {
  Server server(world(), {.idle = std::chrono::seconds(1)}, routes());
  const std::unique_ptr<Client> client = client_of(server);
  EXPECT_EQ(client->get("/hello").status, 200);
  std::this_thread::sleep_for(std::chrono::milliseconds(1300));
  EXPECT_EQ(client->get("/hello").status, 200);
}

TEST(HttpServer, SlowPeersCostNoThread) {
  Server server(world(), {.threads = 2, .idle = std::chrono::seconds(1)}, routes());
  std::vector<std::unique_ptr<Peer>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<Peer>(server));
    slow.back()->say(i % 2 == 0 ? "GET /hel"
                                : "POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc");
  }
  const std::unique_ptr<Client> client = client_of(server);
  EXPECT_EQ(client->get("/hello").status, 200);
  slow[0]->say("lo HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(slow[0]->hear().ends_with("hello you")) << "a slow request is served all the same";
  for (std::size_t i = 1; i < slow.size(); ++i)
    EXPECT_EQ(slow[i]->hear(), "") << "ended when its time was over";
}

TEST(HttpServer, ASlowReaderGetsItAll) {
  const std::string large(20'000'000, 'x');
  Server server(world(), {.threads = 2}, [&large](const Request& request) {
    return Response{.body = request.path == "/large" ? large : "small"};
  });
  std::vector<std::unique_ptr<Peer>> readers;
  for (int i = 0; i < 4; ++i) {
    readers.push_back(std::make_unique<Peer>(server));
    readers.back()->say("GET /large HTTP/1.1\r\nConnection: close\r\n\r\n");
  }
  EXPECT_EQ(client_of(server)->get("/").body, "small");
  for (const std::unique_ptr<Peer>& reader : readers)
    EXPECT_GT(reader->hear().size(), large.size());
}

TEST(HttpServer, APeerThatStillSendsReadsWhyItIsRefused) {
  Server server(world(), {.body_octets_max = 1000}, routes());
  EXPECT_TRUE(raw(server, "POST /echo HTTP/1.1\r\nContent-Length: 400000\r\n\r\n" +
                              std::string(400'000, 'x'))
                  .starts_with("HTTP/1.1 413 "));
}

TEST(HttpServer, AnswersRequestsThatComeTogether) {
  Server server(world(), {}, routes());
  const std::string answer =
      raw(server,
          "GET /hello?name=a HTTP/1.1\r\n\r\nPOST /echo HTTP/1.1\r\nContent-Length: 2\r\n"
          "Expect: 100-continue\r\n\r\nhiGET /hello?name=b HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::size_t first = answer.find("hello a"), second = answer.find("\r\n\r\nhi"),
                    third = answer.find("hello b");
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_NE(third, std::string::npos);
}

TEST(HttpServer, ServesManyClientsAtOnce) {
  Server server(world(), {.threads = 4}, routes());
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      const std::unique_ptr<Client> client = client_of(server);
      for (int i = 0; i < 200; ++i)
        good += client->post("/echo", "text/plain", std::to_string(i)).body == std::to_string(i)
                    ? 1
                    : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 1600);
}

TEST(HttpClient, SendsManyWithoutWaitingAndGetsTheAnswersInOrder) {
  std::atomic<int> seen = 0;
  Server server(world(), {.threads = 2}, [&](const Request& request) {
    ++seen;
    return request.body == "end" ? Response{.status = 500, .headers = {{"X-Last", "1"}}}
                                 : Response{.body = request.body};
  });
  const std::unique_ptr<Client> client = client_of(server);
  std::vector<Request> requests(32);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    requests[i].method = "POST";
    requests[i].path = "/";
    requests[i].body = std::string(2000, 'x') + std::to_string(i);
  }
  for (int round = 0; round < 3; ++round) {
    const std::vector<Response> answers = client->send_all(requests);
    ASSERT_EQ(answers.size(), requests.size());
    for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i].body, requests[i].body);
  }
  requests[5].body = "end";
  EXPECT_EQ(client->send_all(requests)[5].status, 500);
  EXPECT_EQ(seen, 4 * 32);
  EXPECT_TRUE(client->send_all({}).empty());
  server.stop();
  EXPECT_THROW(client->send_all(requests), Fault);
}

TEST(HttpServer, SaysWhenAPortIsTaken) {
  Server server(world(), {}, routes());
  EXPECT_THROW(Server(world(), {.port = server.port()}, routes()), Fault);
}

TEST(HttpClient, RefusesMalformedUrlsAndReportsSilence) {
  for (const std::string_view bad : {"", "ftp://x", "http://", "http://a:0", "http://a:70000",
                                     "http://a b", "http://a:1/path"}) {
    EXPECT_EQ(Client::open(bad).refusal().rule, "http-malformed-url"_rule) << bad;
  }
  std::uint16_t free_port = 0;
  { free_port = Server(world(), {}, routes()).port(); }
  EXPECT_THROW(Client::open("http://127.0.0.1:" + std::to_string(free_port)).value()->get("/"),
               Fault);
  Server slow(world(), {}, [](const Request&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    return Response{};
  });
  const Result<std::unique_ptr<Client>> hasty =
      Client::open("http://127.0.0.1:" + std::to_string(slow.port()),
                   {.timeout = std::chrono::milliseconds(100)});
  EXPECT_THROW((*hasty)->get("/"), Fault);
}

class Tls13 : public ::testing::Test {
 protected:
  fs::path folder_ = fs::temp_directory_path() / ("wattseal-tls-" + std::to_string(::getpid()));
  void SetUp() override {
    if (std::system("command -v openssl >/dev/null 2>&1") != 0)
      GTEST_SKIP() << "the openssl command is missing";
    fs::create_directories(folder_);
    const std::string make = "cd " + folder_.string() +
                             " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
                             "-nodes -keyout %.key -out %.pem -days 2 -subj /CN=% -addext "
                             "subjectAltName=IP:127.0.0.1 >%.log 2>&1";
    for (const char* name : {"server", "client", "stranger"}) {
      std::string command = make;
      for (std::size_t at; (at = command.find('%')) != std::string::npos;)
        command.replace(at, 1, name);
      ASSERT_EQ(std::system(command.c_str()), 0) << command;
    }
  }
  void TearDown() override { fs::remove_all(folder_); }
  Tls identity(const std::string& name) const {
    return {folder_ / (name + ".pem"), folder_ / (name + ".key"), {}};
  }
};

TEST_F(Tls13, AsksForAClientCertificateAndShowsItToTheHandler) {
  Tls tls = identity("server");
  tls.client_ca = folder_ / "client.pem";
  Server server(world(), {.tls = tls}, [](const Request& request) {
    return Response{.body = std::to_string(request.client_certificate.size())};
  });
  const std::string url = "https://127.0.0.1:" + std::to_string(server.port());
  const fs::path ca = folder_ / "server.pem";
  EXPECT_GT(std::stoi(Client::open(url, {.trusted_ca = ca, .identity = identity("client")})
                          .value()
                          ->get("/")
                          .body),
            300);
  EXPECT_THROW(Client::open(url, {.trusted_ca = ca}).value()->get("/"), Fault);
  EXPECT_THROW(
      Client::open(url, {.trusted_ca = ca, .identity = identity("stranger")}).value()->get("/"),
      Fault);
  EXPECT_THROW(
      Client::open(url, {.trusted_ca = folder_ / "client.pem", .identity = identity("client")})
          .value()
          ->get("/"),
      Fault)
      << "another server";
  EXPECT_THROW(Server(world(), {.tls = Tls{"/nowhere.pem", "/nowhere.key", {}}}, routes()), Fault);
}

TEST(Urls, DecodeStrictly) {
  EXPECT_EQ(parse_target("/a%20b?x=1&y=a+b&z")->query.size(), 3u);
  EXPECT_EQ(parse_target("http://host/a")->path, "/a");
  for (const std::string_view bad : {"", "a", "/%", "/%0", "/%g0", "/%00", "/a b", "*", "http://"})
    EXPECT_FALSE(parse_target(bad).has_value()) << bad;
  const std::string odd = "/ä b/%&?#";
  EXPECT_EQ(parse_target(encode_target(odd, {{"q&", "=+ "}}))->path, odd);
  EXPECT_EQ(parse_target(encode_target(odd, {{"q&", "=+ "}}))->query[0].value, "=+ ");
}

}  // namespace
}  // namespace wattseal::http
