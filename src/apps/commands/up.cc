#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/options.h"
#include "base/fault.h"

namespace wattseal::apps {
namespace {

int run_repository(const Context& context, Platform& platform) {
  platform.start_repository();
  if (context.json)
    print_json({{"repository", platform.repository_url()}, {"issuing", "stopped"}});
  else
    fmt::print("repository  {}\nNothing is issued. Ctrl-C ends it.\n", platform.repository_url());
  std::fflush(stdout);
  context.wait_for_end();
  platform.stop();
  return kDone;
}

// TLS of all servers: with --tls-client-ca every caller shows a certificate that it issued.
void add_tls_options(CLI::App& command, PlatformOptions& options) {
  const auto on = [&](const char* name, const char* variable, const char* what,
                      std::filesystem::path http::Tls::*part) {
    return command
        .add_option_function<std::string>(
            name,
            [&options, part](const std::string& file) {
              if (!options.tls) options.tls.emplace();
              (*options.tls).*part = file;
            },
            what)
        ->envname(variable);
  };
  CLI::Option* const chain =
      on("--tls-certificate", "WATTSEAL_TLS_CERTIFICATE",
         "Serve TLS with this certificate chain, PEM", &http::Tls::certificate_chain);
  CLI::Option* const key =
      on("--tls-key", "WATTSEAL_TLS_KEY", "Its private key, PEM", &http::Tls::private_key);
  chain->needs(key);
  key->needs(chain);
  on("--tls-client-ca", "WATTSEAL_TLS_CLIENT_CA",
     "Ask every caller for a certificate of these authorities, PEM", &http::Tls::client_ca)
      ->needs(chain);
}

}  // namespace

void add_up(CLI::App& app, Context& context) {
  const std::shared_ptr<PlatformOptions> options = std::make_shared<PlatformOptions>();
  options->data = "wattseal-data";
  options->gateway_port = 8079;
  options->smki_port = 8081;
  options->repository_port = 8083;
  CLI::App* const command = app.add_subcommand(
      "up", "Run the SMKI service, the repository and the gateway until interrupted");
  add_platform_options(*command, *options, true);
  add_tls_options(*command, *options);
  const std::shared_ptr<std::vector<std::string>> managers =
      std::make_shared<std::vector<std::string>>();
  command
      ->add_option(
          "--manager", *managers,
          "Names of the registration authority's first managers, two or more; ignored when "
          "it has people")
      ->envname("WATTSEAL_MANAGERS")
      ->delimiter(',');
  command->add_flag("--repository-only", options->repository_only,
                    "Open no keys: publish and serve the repository alone, while issuing is down");
  command->footer(examples(
      {"wattseal up",
       "wattseal up --data /var/lib/wattseal --keys pkcs11 --wan http://127.0.0.1:9000",
       "wattseal up --manager 'Ada Moss' --manager 'Ben Reed'", "wattseal up --repository-only",
       "wattseal up --tls-certificate server.pem --tls-key server.key --tls-client-ca "
       "clients.pem",
       "WATTSEAL_GATEWAY_PORT=9079 wattseal up --json"}));
  command->callback([options, managers, &context] {
    context.chosen = [options, managers, &context] {
      context.hold_end();
      Result<std::unique_ptr<Platform>> platform = Platform::create(context.world, *options);
      if (!platform.ok()) return refuse(context, platform.refusal());
      if (options->repository_only) return run_repository(context, **platform);
      const Result<smki::CeremonyReport> ceremony = (*platform)->run_ceremony();
      if (!ceremony.ok()) return refuse(context, ceremony.refusal());
      smki::Office& office = (*platform)->office();
      if (!managers->empty() && office.people().empty()) {
        const Result<std::vector<smki::PersonId>> founded =
            office.found(*managers, context.world.new_trace());
        if (!founded.ok()) return refuse(context, founded.refusal());
      }
      for (const Status& started : {(*platform)->start_smki(), (*platform)->start_gateway()}) {
        if (!started.ok()) return refuse(context, started.refusal());
      }
      if (context.json) {
        print_json({{"gateway", (*platform)->gateway_url()},
                    {"repository", (*platform)->repository_url()},
                    {"smki", (*platform)->smki_url()},
                    {"keys", (*platform)->key_store_kind()}});
      } else {
        fmt::print(
            "gateway     {}\nrepository  {}\nSMKI        {}\nkeys        {}\nCtrl-C ends it.\n",
            (*platform)->gateway_url(), (*platform)->repository_url(), (*platform)->smki_url(),
            (*platform)->key_store_kind());
      }
      std::fflush(stdout);
      context.wait_for_end();
      (*platform)->stop();
      return kDone;
    };
  });
}

}  // namespace wattseal::apps
