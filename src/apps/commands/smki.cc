// smki ceremony | inspect | lint | key-reuse; submit and batch are in smki_batch.cc, performance
// and maintenance in smki_service.cc, authorities and renewals in authorities.cc
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/options.h"
#include "base/fault.h"
#include "smki/key_reuse.h"
#include "smki/lint.h"
#include "smki/profiles.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

// ---- ceremony

void add_plain_ceremony(CLI::App& smki, Context& context) {
  struct Given {
    PlatformOptions options;
    std::string contingency_file;
  };
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  given->options.data = "wattseal-data";
  CLI::App* const command = smki.add_subcommand(
      "ceremony",
      "Make the roots and issuing authorities of both hierarchies; what exists is kept");
  add_platform_options(*command, given->options, false);
  command->add_option("--contingency-key", given->contingency_file,
                      "Write the contingency symmetric key to this file, for the custodians");
  command->footer(
      examples({"wattseal smki ceremony --data /var/lib/wattseal --contingency-key envelope.hex"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      Result<std::unique_ptr<Platform>> platform = Platform::create(context.world, given->options);
      if (!platform.ok()) return refuse(context, platform.refusal());
      const Result<smki::CeremonyReport> report = (*platform)->run_ceremony();
      if (!report.ok()) return refuse(context, report.refusal());
      json list = json::array();
      for (const smki::CeremonyReport::Authority& one : report->authorities) {
        list.push_back({{"profile", one.profile},
                        {"name", one.name},
                        {"serial", one.serial.hex()},
                        {"key", one.key_label},
                        {"made_now", one.made_now}});
        if (!context.json)
          fmt::print("{:<14} {:<16} {}  {}\n", one.profile, one.name, one.serial.hex(),
                     one.made_now ? "made" : "kept");
      }
      if (context.json) print_json({{"authorities", list}});
      if (!given->contingency_file.empty() && !report->contingency_symmetric_key.empty())
        write_output(given->contingency_file, to_hex(report->contingency_symmetric_key) + "\n");
      return kDone;
    };
  });
}

// ---- inspect

json describe(const x509::Certificate& certificate) {
  json out{{"kind", "certificate"},
           {"serial", certificate.serial.hex()},
           {"issuer", x509::name_text(certificate.issuer)},
           {"subject", x509::name_text(certificate.subject)},
           {"not_before", certificate.not_before.iso()},
           {"not_after", certificate.not_after.iso()},
           {"public_key", to_hex(certificate.key)}};
  if (certificate.subject_key_id) out["subject_key_id"] = to_hex(*certificate.subject_key_id);
  if (certificate.authority_key_id) out["authority_key_id"] = to_hex(*certificate.authority_key_id);
  for (const Bytes& policy : certificate.policies)
    out["policies"].push_back(x509::oid::to_text(policy));
  const Result<smki::Identity> identity = smki::read_identity(certificate);
  if (identity.ok()) {
    out["entity"] = identity->subject.eui->text();
    out["usage"] = text(identity->use);
    if (identity->subject.role) out["role"] = name(*identity->subject.role);
  }
  return out;
}

json describe(const x509::CertificationRequest& request) {
  json out{{"kind", "request"},
           {"subject", x509::name_text(request.subject)},
           {"public_key", to_hex(request.key)},
           {"proves_possession", x509::proves_possession(request)}};
  const Result<smki::Asked> asked = smki::read_request(request);
  if (asked.ok()) {
    out["profile"] = asked->profile->id;
    out["entity"] = asked->subject.eui->text();
  } else {
    out["rule"] = asked.refusal().rule.text();
    out["found"] = asked.refusal().detail;
  }
  return out;
}

json describe(const x509::Crl& crl) {
  json revoked = json::array();
  for (const x509::RevokedEntry& entry : crl.entries)
    revoked.push_back({{"serial", entry.serial.hex()},
                       {"at", entry.at.iso()},
                       {"reason", entry.reason.value_or(0)}});
  return {{"kind", "revocation list"},
          {"number", crl.number},
          {"this_update", crl.this_update.iso()},
          {"next_update", crl.next_update.iso()},
          {"revoked", revoked}};
}

Result<json> inspect(std::string_view content) {
  Bytes der;
  for (const char* label : {"CERTIFICATE", "CERTIFICATE REQUEST", "X509 CRL"}) {
    const Result<Bytes> found = x509::from_pem(label, content);
    if (found.ok()) der = *found;
  }
  if (der.empty()) {
    TRY_ASSIGN(der, read_octets(content));
  }
  const Result<x509::Certificate> certificate = x509::parse_certificate(der);
  if (certificate.ok()) return describe(*certificate);
  const Result<x509::CertificationRequest> request = x509::parse_request(der);
  if (request.ok()) return describe(*request);
  const Result<x509::Crl> crl = x509::parse_crl(der);
  if (crl.ok()) return describe(*crl);
  return certificate.refusal();
}

void print_fields(const json& object) {
  for (const auto& [key, value] : object.items())
    fmt::print("{:<18} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
}

void add_inspect(CLI::App& smki, Context& context) {
  const std::shared_ptr<std::vector<std::string>> files =
      std::make_shared<std::vector<std::string>>();
  CLI::App* const command = smki.add_subcommand(
      "inspect",
      "Show certificates, signing requests and revocation lists (PEM, DER, hex or base64)");
  command->add_option("files", *files, "Files; - is standard input")->required();
  command->footer(
      examples({"wattseal smki inspect device.pem", "wattseal smki inspect request.der --json",
                "curl -s URL | wattseal smki inspect -"}));
  command->callback([files, &context] {
    context.chosen = [files, &context] {
      int code = kDone;
      json list = json::array();
      for (const std::string& file : *files) {
        const Result<json> found = inspect(read_input(file));
        if (!found.ok()) {
          code = refuse(context, found.refusal());
          continue;
        }
        list.push_back(*found);
        if (!context.json) print_fields(*found);
      }
      if (context.json && !list.empty()) print_json(list);
      return code;
    };
  });
}

// ---- lint

struct LintGiven {
  std::vector<std::string> files, issuers;
  std::string fail_on = "error";
  bool list = false;
};

void print_lints(const Context& context) {
  json list = json::array();
  for (const smki::LintRow& row : smki::lints()) {
    list.push_back({{"id", row.id},
                    {"severity", text(row.severity)},
                    {"applies", row.applies},
                    {"explanation", row.explanation},
                    {"fix", row.fix},
                    {"source", row.source},
                    {"in_force_from", row.in_force_from}});
    if (!context.json)
      fmt::print("{:<30} {:<8} {}\n{:<39} {}\n", row.id, text(row.severity), row.explanation, "",
                 row.source);
  }
  if (context.json) print_json(list);
}

void print_finding(const smki::Finding& finding) {
  fmt::print("{}: {} {}: {}\n  found  {}\n  fix    {}\n  source {}\n", finding.input,
             text(finding.lint->severity), finding.lint->id, finding.lint->explanation,
             finding.detail, finding.lint->fix, finding.lint->source);
}

int lint(const Context& context, const LintGiven& given) {
  smki::Linter linter(context.world.now());
  for (const std::string& file : given.issuers) {
    const Result<std::size_t> added = linter.add_issuers(as_bytes(read_input(file)));
    if (!added.ok()) return refuse(context, added.refusal());
  }
  for (const std::string& file : given.files) {
    const std::string content = read_input(file);
    const bool pem = content.find("-----BEGIN ") != std::string::npos;
    const Result<Bytes> der = pem ? Result<Bytes>(to_bytes(as_bytes(content)))
                                  : read_octets(content);  // or hexadecimal, or base64
    if (!der.ok()) return refuse(context, der.refusal());
    linter.add(file, *der);
  }
  bool failed = false;
  json list = json::array();
  const std::vector<smki::Finding> findings = linter.findings();
  for (const smki::Finding& finding : findings) {
    failed = failed || given.fail_on == "notice" ||
             (given.fail_on == "warning" && finding.lint->severity != smki::LintSeverity::notice) ||
             finding.lint->severity == smki::LintSeverity::error;
    if (!context.json) print_finding(finding);
    list.push_back({{"input", finding.input},
                    {"lint", finding.lint->id},
                    {"severity", text(finding.lint->severity)},
                    {"found", finding.detail},
                    {"explanation", finding.lint->explanation},
                    {"fix", finding.lint->fix},
                    {"source", finding.lint->source}});
  }
  if (context.json)
    print_json({{"inputs", linter.inputs()}, {"findings", list}, {"good", !failed}});
  else
    fmt::print("{} looked at, {} findings\n", linter.inputs(), findings.size());
  return failed ? kRefused : kDone;
}

void add_lint(CLI::App& smki, Context& context) {
  const std::shared_ptr<LintGiven> given = std::make_shared<LintGiven>();
  CLI::App* const command = smki.add_subcommand(
      "lint",
      "Find what is wrong with certificates, signing requests and revocation lists by the profiles "
      "(PEM with any number of blocks, DER, hex or base64)");
  command->add_option("files", given->files, "Files; - is standard input");
  command->add_option("--issuers", given->issuers,
                      "Certificates of the authorities, to check names, key identifiers and "
                      "signatures against");
  command->add_option("--fail-on", given->fail_on, "The mildest finding that makes the exit code 1")
      ->check(CLI::IsMember({"notice", "warning", "error"}))
      ->capture_default_str();
  command->add_flag("--list", given->list, "Show every lint with its source instead");
  command->footer(
      examples({"wattseal smki lint device.pem request.pem crl.der --issuers authorities.pem",
                "wattseal smki lint --json --fail-on warning *.pem", "wattseal smki lint --list"}));
  command->callback([given, &context] {
    if (!given->list && given->files.empty()) throw CLI::RequiredError("files, or --list");
    context.chosen = [given, &context] {
      if (!given->list) return lint(context, *given);
      print_lints(context);
      return kDone;
    };
  });
}

// ---- key-reuse

struct KeyReuseGiven {
  std::string at, environment = "test";
};

int key_reuse(const Context& context, const KeyReuseGiven& given) {
  UtcTime at = context.world.now();
  if (!given.at.empty()) {
    const std::optional<UtcTime> day = UtcTime::parse_iso(given.at + "T00:00:00Z");
    if (!day)
      return refuse(
          context, Refusal{"apps-input"_rule, "'" + given.at + "' is no date as yyyy-mm-dd", "at"});
    at = *day;
  }
  const smki::KeyReusePolicy policy(
      smki::key_reuse_rows(), given.environment == "test" ? Environment::test : Environment::live,
      at);
  json list = json::array();
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (profile.is_ca()) continue;
    const smki::KeyReuseRow* const row = policy.row(profile.id);
    list.push_back({{"profile", profile.id},
                    {"policy", text(policy.of(profile.id))},
                    {"row", row ? json(row->id) : json()},
                    {"meaning", row ? row->meaning : "no row is in force"},
                    {"source", row ? row->source : ""},
                    {"in_force_from", row ? json(row->in_force_from) : json()}});
    if (!context.json)
      fmt::print("{:<16} {:<20} {}\n{:<37} {}\n", profile.id, text(policy.of(profile.id)),
                 row ? row->meaning : "no row is in force", "", row ? row->source : "");
  }
  if (context.json) print_json(list);
  return kDone;
}

void add_key_reuse(CLI::App& smki, Context& context) {
  const std::shared_ptr<KeyReuseGiven> given = std::make_shared<KeyReuseGiven>();
  CLI::App* const command = smki.add_subcommand(
      "key-reuse", "Whether a key may be certified again, by profile (data/key_reuse.tsv)");
  command->add_option("--at", given->at, "The day to look at, yyyy-mm-dd; today by default");
  command->add_option("--environment", given->environment, "Whose rows")
      ->check(CLI::IsMember({"test", "live"}))
      ->capture_default_str();
  command->footer(examples({"wattseal smki key-reuse",
                            "wattseal smki key-reuse --at 2015-01-01 --environment live --json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] { return key_reuse(context, *given); };
  });
}

}  // namespace

void add_smki(CLI::App& app, Context& context) {
  CLI::App* const smki = app.add_subcommand("smki", "The Smart Metering Key Infrastructure");
  smki->require_subcommand(1);
  add_plain_ceremony(*smki, context);
  add_authorities(*smki, context);
  add_inspect(*smki, context);
  add_lint(*smki, context);
  add_key_reuse(*smki, context);
  add_smki_batch(*smki, context);
  add_smki_service(*smki, context);
  add_smki_demand(*smki, context);
  smki->footer(
      examples({"wattseal smki ceremony --data wattseal-data", "wattseal smki lint certificate.pem",
                "wattseal smki submit requests.pem --subscriber EUI"}));
}

}  // namespace wattseal::apps
