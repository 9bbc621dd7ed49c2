// repository mirror
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/mirror_copy.h"
#include "base/fault.h"
#include "storage/reading.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string url = "http://127.0.0.1:8083", to, key, ca;
  bool once = false, check = false;
  unsigned follow = 0;  // seconds; 0: once
};

std::filesystem::path store_in(const std::filesystem::path& folder) { return folder / "store"; }

Result<std::unique_ptr<storage::Store>> open_existing(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(store_in(folder)))
    return Refusal{"mirror-none"_rule, folder.string() + " holds no store", "mirror"};
  return storage::open_rocksdb_store_to_read(store_in(folder));
}

smki::Fetch fetch_from(http::Client& client) {
  return [&client](const std::string& path, std::uint64_t octets_max) -> Result<Bytes> {
    const http::Response response = client.get(path);
    if (response.status != 200)
      return Refusal{"mirror-answer"_rule, path + " answered " + std::to_string(response.status)};
    if (response.body.size() > octets_max)
      return Refusal{"mirror-answer"_rule,
                     path + " is longer than " + std::to_string(octets_max) + " octets"};
    return to_bytes(as_bytes(response.body));
  };
}

// The key that is given, else the one that the mirror believes since its first sync, else the one
// that the repository shows: that is believed this once, and said.
Result<tlog::Verifier> trusted_key(const Context& context, const Given& given,
                                   const storage::Reader& store, const smki::Fetch& fetch) {
  if (!given.key.empty()) {
    const bool file = std::filesystem::exists(given.key);
    return tlog::Verifier::parse(file ? read_input(given.key) : given.key);
  }
  const Result<tlog::Verifier> pinned = smki::Mirror::key_of(store);
  if (pinned.ok()) return pinned;
  TRY_ASSIGN(const Bytes shown, fetch("/log/key", 1024));
  TRY_ASSIGN(tlog::Verifier verifier, tlog::Verifier::parse(as_text(shown)));
  if (!context.json)
    fmt::print(stderr, "Believing the key that the repository shows; compare it another way:\n{}\n",
               verifier.text());
  return verifier;
}

void print_report(const Context& context, const smki::MirrorReport& report,
                  std::uint64_t certificates, const tlog::Verifier& key) {
  if (context.json) {
    json out = staleness_json(report, context.world.now());
    out["added"] = report.added;
    out["certificates"] = certificates;
    out["key"] = key.text();
    print_json(out);
  } else {
    fmt::print(
        "Complete: {} entries, {} new, {} certificates.\nThe copy's own tree has the signed root "
        "{}.\n{}\n",
        report.size, report.added, certificates, to_base64(report.root),
        staleness(report, context.world.now()));
  }
  std::fflush(stdout);
}

struct Kept {
  std::unique_ptr<storage::Store> store;
  std::unique_ptr<http::Client> client;
};
Result<Kept> open(const Given& given) {
  http::ClientOptions options;
  if (!given.ca.empty()) options.trusted_ca = given.ca;
  Kept kept;
  TRY_ASSIGN(kept.client, http::Client::open(given.url, std::move(options)));
  std::filesystem::create_directories(given.to);
  TRY_ASSIGN(kept.store, storage::open_rocksdb_store(store_in(given.to)));
  return kept;
}

Status sync(const Context& context, const Given& given, const Kept& kept) {
  const smki::Fetch fetch = fetch_from(*kept.client);
  TRY_ASSIGN(const tlog::Verifier key, trusted_key(context, given, *kept.store, fetch));
  TRY_ASSIGN(smki::Mirror mirror, smki::Mirror::open(context.world, *kept.store, key));
  TRY_ASSIGN(const smki::MirrorReport report, mirror.sync(fetch));
  print_report(context, report, smki::Repository(context.world, *kept.store).count(), key);
  return {};
}

int run(const Context& context, const Given& given) {
  if (given.follow != 0) context.hold_end();
  const Result<Kept> kept = open(given);
  if (!kept.ok()) return refuse(context, kept.refusal());
  for (;;) {
    try {
      const Status synced = sync(context, given, *kept);
      // Only a repository that does not answer is asked again: nothing else mends itself.
      const bool passing = !synced.ok() && synced.refusal().rule == "mirror-answer"_rule;
      if (!synced.ok()) refuse(context, synced.refusal());
      if (given.follow == 0 || (!synced.ok() && !passing)) return synced.ok() ? kDone : kRefused;
    } catch (const Fault& fault) {
      if (given.follow == 0) throw;
      fmt::print(stderr, "wattseal: {}; trying again\n", fault.what());
    }
    if (context.end_within(std::chrono::seconds(given.follow))) return kDone;
  }
}

int check(const Context& context, const Given& given) {
  const Result<std::unique_ptr<storage::Store>> store = open_existing(given.to);
  if (!store.ok()) return refuse(context, store.refusal());
  const Result<smki::MirrorReport> report = smki::Mirror::check(**store);
  if (!report.ok()) return refuse(context, report.refusal());
  const Result<tlog::Verifier> key = smki::Mirror::key_of(**store);
  print_report(context, *report, smki::Repository(context.world, **store).count(), *key);
  return kDone;
}

}  // namespace

Result<MirrorAnswer> ask_mirror(const World& world, const std::filesystem::path& folder,
                                const http::Request& request) {
  TRY_ASSIGN(const std::unique_ptr<storage::Store> store, open_existing(folder));
  MirrorAnswer answer;
  TRY_ASSIGN(answer.copy, smki::Mirror::report(*store));
  const smki::Repository repository(world, *store);
  http::Router router;
  smki::add_repository_routes(router, repository);
  answer.response = router(request);
  return answer;
}

std::string staleness(const smki::MirrorReport& copy, UtcTime now) {
  return fmt::format("As of {}, {} minutes ago; fetched {}.", copy.signed_at.iso(),
                     std::max<std::int64_t>(0, now - copy.signed_at) / 60, copy.fetched_at.iso());
}

json staleness_json(const smki::MirrorReport& copy, UtcTime now) {
  return {{"size", copy.size},
          {"root", to_base64(copy.root)},
          {"signed_at", copy.signed_at.iso()},
          {"fetched_at", copy.fetched_at.iso()},
          {"age_seconds", std::max<std::int64_t>(0, now - copy.signed_at)}};
}

void add_mirror(CLI::App& repository, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command = repository.add_subcommand(
      "mirror", "Keep a local copy of the repository and prove that it is complete");
  command->add_option("--url", given->url, "Address of the repository")
      ->envname("WATTSEAL_REPOSITORY_URL")
      ->capture_default_str();
  command->add_option("--to", given->to, "Folder of the copy")->required();
  command->add_option(
      "--key", given->key,
      "Verifier key of the log, or a file with it; without: what the copy believes, "
      "at first what the repository shows");
  command->add_option("--ca", given->ca, "PEM file of the authority that an https URL needs");
  CLI::Option* const once = command->add_flag("--once", given->once, "Bring it up to date and end");
  CLI::Option* const follow =
      command->add_option("--follow", given->follow, "Bring it up to date every so many seconds")
          ->check(CLI::Range(1, 86400));
  once->excludes(follow);
  command
      ->add_flag(
          "--check", given->check,
          "Ask nobody: read every entry of the copy again and compare it with the signed root")
      ->excludes(once)
      ->excludes(follow);
  command->footer(
      examples({"wattseal repository mirror --url http://127.0.0.1:8083 --to copy --once",
                "wattseal repository mirror --to copy --key log.key --follow 60",
                "wattseal repository mirror --to copy --check",
                "wattseal repository --mirror copy --device 00-57-53-00-00-00-00-00"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      return given->check ? check(context, *given) : run(context, *given);
    };
  });
}

}  // namespace wattseal::apps
