// ceremony found | act | list | show | verify
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/options.h"
#include "smki/ceremony.h"
#include "smki/transcript.h"
#include "storage/store.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  PlatformOptions options;
  std::vector<std::string> managers, personnel, custodians, witnesses, roots;
  std::string transcript, text, contingency, file;
  smki::ActId act = 0;
  std::uint64_t number = 0;
  bool live = false;

  Given() { options.data = "wattseal-data"; }
  std::vector<smki::Founder> founders() const {
    std::vector<smki::Founder> all;
    for (const std::string& name : managers) all.push_back({name, "ra-manager"});
    for (const std::string& name : personnel) all.push_back({name, "ra-personnel"});
    for (const std::string& name : custodians) all.push_back({name, "key-custodian"});
    return all;
  }
};

void add_outputs(CLI::App& command, Given& given) {
  command.add_option("--witness", given.witnesses, "Name of a witness; may be given several times")
      ->required();
  command.add_option("--transcript", given.transcript,
                     "Write the signed transcript (JSON) to this file, too");
  command.add_option("--text", given.text, "Write it for people to this file");
}

// What was held stands in the store already; the files are copies for the witnesses.
int report(const Context& context, const Given& given, const Result<smki::CeremonyHeld>& ceremony) {
  if (!ceremony.ok()) return refuse(context, ceremony.refusal());
  const Result<smki::TranscriptReport> read = smki::verify_transcript(ceremony->transcript);
  if (!read.ok()) return refuse(context, read.refusal());
  const std::string text = smki::transcript_text(read->body);
  if (!given.transcript.empty()) write_output(given.transcript, ceremony->transcript + "\n");
  if (!given.text.empty()) write_output(given.text, text);
  if (!given.contingency.empty() && !ceremony->contingency_symmetric_key.empty())
    write_output(given.contingency, to_hex(ceremony->contingency_symmetric_key) + "\n");
  const std::string digest = to_hex(smki::transcript_digest(ceremony->transcript));
  if (context.json)
    print_json({{"ceremony", ceremony->number},
                {"transcript_sha256", digest},
                {"people", ceremony->people},
                {"body", read->body}});
  else
    fmt::print("{}transcript sha256 {}\n", text, digest);
  return kDone;
}

void add_found(CLI::App& ceremony, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command = ceremony.add_subcommand(
      "found",
      "The first ceremony: both hierarchies, the registration authority's first people and the "
      "key custodians, before witnesses; authorities that exist are kept");
  add_platform_options(*command, given->options, false);
  command->add_option("--manager", given->managers, "Name of a manager; two or more")->required();
  command->add_option("--personnel", given->personnel, "Name of one of the personnel; two or more")
      ->required();
  command->add_option("--custodian", given->custodians, "Name of a key custodian; five or more")
      ->required();
  command->add_flag("--live", given->live, "The live hierarchy; its keys stand behind PKCS#11");
  command->add_option("--contingency-key", given->contingency,
                      "Write the contingency symmetric key to this file, for the custodians");
  add_outputs(*command, *given);
  command->footer(
      examples({"wattseal ceremony found --data DIR --manager Ada --manager Ben --personnel Cara "
                "--personnel Dan --custodian Eve --custodian Fay --custodian Gus --custodian Hal "
                "--custodian Ivy --witness Wanda --transcript founding.json --text founding.txt"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      if (given->live) given->options.environment = Environment::live;
      const Result<std::unique_ptr<Platform>> platform =
          Platform::create(context.world, given->options);
      if (!platform.ok()) return refuse(context, platform.refusal());
      return report(context, *given,
                    (*platform)->hold_founding(given->founders(), given->witnesses));
    };
  });
}

void add_act(CLI::App& ceremony, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command = ceremony.add_subcommand(
      "act",
      "Do what an approved authority-key-act permits, once: renew the roots' lists, revoke an "
      "issuing authority, establish one in the place of another, or a new Root OCA");
  add_platform_options(*command, given->options, false);
  command->add_option("--act", given->act, "Number of the approved act")->required();
  command->add_option("--contingency-key", given->contingency,
                      "Of a new root: write the contingency symmetric key to this file");
  add_outputs(*command, *given);
  command->footer(
      examples({"wattseal ra propose authority-key-act purpose=renew-lists --person 1",
                "wattseal ceremony act --data DIR --act 7 --witness Wanda --transcript arl.json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<std::unique_ptr<Platform>> platform =
          Platform::create(context.world, given->options);
      if (!platform.ok()) return refuse(context, platform.refusal());
      return report(context, *given, (*platform)->hold_key_act(given->act, given->witnesses));
    };
  });
}

Result<std::unique_ptr<storage::Store>> open(const Given& given) {
  TRY_ASSIGN(const std::filesystem::path folder, store_folder(given.options.data));
  return storage::open_rocksdb_store(folder);
}

void add_list(CLI::App& ceremony, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command = ceremony.add_subcommand("list", "The ceremonies that were held");
  command->add_option("--data", given->options.data, "Folder of the embedded store")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
  command->footer(examples({"wattseal ceremony list --data DIR --json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<std::unique_ptr<storage::Store>> store = open(*given);
      if (!store.ok()) return refuse(context, store.refusal());
      json list = json::array();
      for (const std::uint64_t number : smki::ceremonies(**store)) {
        const std::string transcript = smki::ceremony_transcript(**store, number).value();
        const json body = json::parse(transcript)["body"];
        const std::string digest = to_hex(smki::transcript_digest(transcript));
        list.push_back({{"ceremony", number},
                        {"purpose", body["purpose"]},
                        {"began", body["began"]},
                        {"act", body["act"]},
                        {"transcript_sha256", digest}});
        if (!context.json)
          fmt::print("{:>4}  {}  {:<20}  {}\n", number, body["began"].get<std::string>(),
                     body["purpose"].get<std::string>(), digest);
      }
      if (context.json) print_json(list);
      return kDone;
    };
  });
}

void add_show(CLI::App& ceremony, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command =
      ceremony.add_subcommand("show", "The transcript of a ceremony, from the store");
  command->add_option("--data", given->options.data, "Folder of the embedded store")
      ->envname("WATTSEAL_DATA")
      ->capture_default_str();
  command->add_option("number", given->number, "Number of the ceremony")->required();
  command->footer(examples({"wattseal ceremony show 1 --data DIR",
                            "wattseal ceremony show 1 --data DIR --json > founding.json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<std::unique_ptr<storage::Store>> store = open(*given);
      if (!store.ok()) return refuse(context, store.refusal());
      const std::optional<std::string> transcript =
          smki::ceremony_transcript(**store, given->number);
      if (!transcript)
        return refuse(context,
                      {"transcript-malformed"_rule,
                       "there was no ceremony " + std::to_string(given->number), "number"});
      if (context.json)
        fmt::print("{}\n", *transcript);
      else
        fmt::print("{}", smki::transcript_text(json::parse(*transcript)["body"]));
      return kDone;
    };
  });
}

int verify(const Context& context, const Given& given) {
  const Result<std::vector<Bytes>> roots = read_roots(given.roots);
  if (!roots.ok()) return refuse(context, roots.refusal());
  std::string transcript = read_input(given.file);
  while (!transcript.empty() && transcript.back() == '\n') transcript.pop_back();
  const Result<smki::TranscriptReport> found = smki::verify_transcript(transcript, *roots);
  if (!found.ok()) return refuse(context, found.refusal());
  json signers = json::array();
  for (const smki::TranscriptReport::Signer& signer : found->signers) {
    signers.push_back({{"profile", signer.profile},
                       {"name", signer.name},
                       {"root", signer.root},
                       {"certificate_sha256", to_hex(signer.fingerprint)}});
    if (!context.json)
      fmt::print("signed by {:<12} {:<16} {}\n", signer.profile, signer.name,
                 to_hex(signer.fingerprint));
  }
  const std::string digest = to_hex(smki::transcript_digest(transcript));
  if (context.json) {
    print_json({{"signers", signers},
                {"roots_given", found->roots_given},
                {"transcript_sha256", digest},
                {"body", found->body}});
    return kDone;
  }
  fmt::print("{}transcript sha256 {}\nEvery digest and signature holds.\n",
             smki::transcript_text(found->body), digest);
  if (!found->roots_given)
    fmt::print("Compare the fingerprints of the roots with those that you know, or give --root.\n");
  return kDone;
}

void add_verify(CLI::App& ceremony, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command = ceremony.add_subcommand(
      "verify", "Check a transcript without a store: digests, signatures, roots");
  command->add_option("transcript", given->file, "The JSON file; - is standard input")->required();
  command->add_option("--root", given->roots,
                      "Certificate (PEM) of a root that you trust; may be given several times");
  command->footer(examples({"wattseal ceremony verify founding.json",
                            "wattseal ceremony verify founding.json --root root-oca.pem --root "
                            "root-dca.pem"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return verify(context, *given); };
  });
}

}  // namespace

void add_ceremony(CLI::App& app, Context& context) {
  CLI::App* const ceremony =
      app.add_subcommand("ceremony", "Witnessed uses of the keys of roots and issuing authorities");
  ceremony->require_subcommand(1);
  add_found(*ceremony, context);
  add_act(*ceremony, context);
  add_list(*ceremony, context);
  add_show(*ceremony, context);
  add_verify(*ceremony, context);
  ceremony->footer(examples({"wattseal ceremony list --data wattseal-data",
                             "wattseal ceremony verify founding.json --root root-oca.pem"}));
}

}  // namespace wattseal::apps
