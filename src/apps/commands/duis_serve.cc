// duis serve: the signing service
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/official_schema.h"
#include "apps/signing_service.h"

namespace wattseal::apps {
namespace {

struct ServeGiven {
  std::vector<std::string> keys, trusted;
  std::string xsd;
  std::uint16_t port = 8085;
};

int serve(const Context& context, const ServeGiven& given) {
  context.hold_end();
  std::optional<xml::Xsd> official;
  if (!given.xsd.empty()) {
    Result<xml::Xsd> compiled = official_schema(given.xsd);
    if (!compiled.ok()) return refuse(context, compiled.refusal());
    official = std::move(compiled).value();
  }
  const Result<std::unique_ptr<SigningService>> service =
      SigningService::load(context.world, given.keys, given.trusted, std::move(official));
  if (!service.ok()) return refuse(context, service.refusal());
  SigningService& signing = **service;
  http::ServerOptions options;
  options.port = given.port;
  options.body_octets_max = 32 * 1024 * 1024;  // base64 of the longest document
  http::Server server(context.world, options,
                      [&signing](const http::Request& request) { return signing.handle(request); });
  const std::string url = "http://127.0.0.1:" + std::to_string(server.port());
  if (context.json)
    print_json(
        {{"url", url}, {"keys", signing.signers()}, {"certificates", signing.certificates()}});
  else
    fmt::print("{} signs with {} keys and knows {} certificates. Ctrl-C ends it.\n", url,
               signing.signers(), signing.certificates());
  std::fflush(stdout);
  context.wait_for_end();
  server.stop();
  return kDone;
}

}  // namespace

void add_duis_serve(CLI::App& duis, Context& context) {
  const std::shared_ptr<ServeGiven> given = std::make_shared<ServeGiven>();
  CLI::App* const command = duis.add_subcommand(
      "serve", "Sign and verify documents over HTTP on this machine (development only)");
  command
      ->add_option("--test-keys", given->keys,
                   "Folder with private keys NAME.key and certificates NAME.pem")
      ->required();
  command->add_option("--trust", given->trusted, "Folder with certificates of other signers");
  command->add_option("--xsd", given->xsd, "Folder with the official schemas (*.xsd)");
  command->add_option("--port", given->port, "Port on 127.0.0.1; 0 takes a free one")
      ->capture_default_str();
  command->footer(examples({"wattseal duis serve --test-keys keys",
                            "wattseal duis serve --test-keys keys --trust dcc --port 0 --json",
                            "curl -d \"{\\\"message\\\": \\\"$(base64 -w0 request.xml)\\\"}\" "
                            "http://127.0.0.1:8085/sign"}));
  command->callback(
      [given, &context] { context.chosen = [given, &context] { return serve(context, *given); }; });
}

}  // namespace wattseal::apps
