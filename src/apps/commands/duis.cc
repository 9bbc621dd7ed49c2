// duis sign | verify | show | correlate; the other commands of duis are in duis_schema.cc and
// duis_serve.cc
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "apps/signing_service.h"
#include "duis/duis.h"
#include "gateway/transform.h"
#include "terms/terms.h"
#include "x509/x509.h"
#include "xml/dsig.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Given {
  std::string file, key, certificate, out = "-";
};

Result<std::string> signed_document(const Given& given) {
  TRY_ASSIGN(const crypto::KeyHandle key, read_test_key(given.key));
  TRY_ASSIGN(const x509::Certificate certificate,
             x509::parse_certificate_pem(read_input(given.certificate)));
  if (certificate.key != key->public_point())
    return Refusal{"apps-key-pair"_rule,
                   "the key is not that of certificate " + certificate.serial.hex()};
  return xml::sign(read_input(given.file),
                   {x509::name_text(certificate.issuer), certificate.serial}, *key);
}

void add_sign(CLI::App& duis, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command =
      duis.add_subcommand("sign", "Sign a document as the field's XML signature profile wants it");
  command->add_option("file", given->file, "Document; - is standard input")->required();
  command->add_option("--test-key", given->key, "Private key (PEM or DER, development only)")
      ->required();
  command->add_option("--certificate", given->certificate, "The key's certificate (PEM)")
      ->required();
  command->add_option("--out", given->out, "Where the signed document goes")->capture_default_str();
  command->footer(
      examples({"wattseal duis sign request.xml --test-key xml.key --certificate xml.pem --out "
                "signed.xml"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<std::string> document = signed_document(*given);
      if (!document.ok()) return refuse(context, document.refusal());
      write_output(given->out, *document);
      return kDone;
    };
  });
}

Status verify(const Given& given) {
  TRY_ASSIGN(const xml::Document document, xml::parse(read_input(given.file)));
  TRY_ASSIGN(const xml::IssuerSerial signer, xml::claimed_signer(document));
  TRY_ASSIGN(const x509::Certificate certificate,
             x509::parse_certificate_pem(read_input(given.certificate)));
  if (signer.serial != certificate.serial ||
      !x509::same_name_text(signer.issuer_name, x509::name_text(certificate.issuer))) {
    return Refusal{"apps-key-pair"_rule,
                   "the document names signer " + signer.issuer_name + " " + signer.serial.hex()};
  }
  return xml::verify_signature(document, certificate.key);
}

void add_verify(CLI::App& duis, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command =
      duis.add_subcommand("verify", "Verify a document's signature against a certificate");
  command->add_option("file", given->file, "Document; - is standard input")->required();
  command->add_option("--certificate", given->certificate, "Certificate (PEM) of the signer")
      ->required();
  command->footer(examples({"wattseal duis verify response.xml --certificate dcc-xml.pem"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      const Status status = verify(*given);
      if (!status.ok()) return refuse(context, status.refusal());
      if (context.json)
        print_json({{"verified", true}});
      else
        fmt::print("The signature is good.\n");
      return kDone;
    };
  });
}

Result<duis::ServiceRequest> read_request(const std::string& file) {
  TRY_ASSIGN(const xml::Document document, xml::parse(read_input(file)));
  return duis::read_request(document.root());
}

void add_show(CLI::App& duis, Context& context) {
  const std::shared_ptr<Given> given = std::make_shared<Given>();
  CLI::App* const command =
      duis.add_subcommand("show", "Check a service request's structure and show its header");
  command->add_option("file", given->file, "Document; - is standard input")->required();
  command->footer(examples({"wattseal duis show request.xml --json"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<duis::ServiceRequest> request = read_request(given->file);
      if (!request.ok()) return refuse(context, request.refusal());
      const ServiceRequestRow* const row = find_service_request(request->service_variant);
      const json shown{{"request_id", request->id.text()},
                       {"command_variant", request->command_variant},
                       {"service", request->service_variant},
                       {"name", row ? row->name : ""},
                       {"element", request->body.name},
                       {"eligible_roles", row ? row->eligible_roles : ""},
                       {"schema_version", request->schema_version}};
      if (context.json)
        print_json(shown);
      else {
        for (const auto& [key, value] : shown.items())
          fmt::print("{:<16} {}\n", key,
                     value.is_string() ? value.get<std::string>() : value.dump());
      }
      return kDone;
    };
  });
}

// What a person at a terminal can say of devices: "EUI=TYPE" pairs.
class GivenFacts final : public gbcs::Facts {
 public:
  Status add(std::string_view pair) {
    const std::size_t equals = pair.find('=');
    const std::optional<DeviceType> type = equals == std::string_view::npos
                                               ? std::nullopt
                                               : wattseal::device_type(pair.substr(equals + 1));
    if (!type)
      return Refusal{"apps-input"_rule, "'" + std::string(pair) + "' is not of the form EUI=TYPE"};
    TRY_ASSIGN(const Eui64 device, Eui64::parse(pair.substr(0, equals)));
    types_[device] = *type;
    return {};
  }
  Result<int> device_type_code(Eui64 device) const override {
    const auto found = types_.find(device);
    if (found == types_.end())
      return Refusal{"gbcs-fact-missing"_rule, "give --device " + device.text() + "=TYPE"};
    return gbcs_type_code(found->second);
  }
  Result<Bytes> key_agreement_certificate(Eui64 device) const override {
    return Refusal{"gbcs-fact-missing"_rule, "no certificate of " + device.text()};
  }
  Result<std::string> named(std::string_view name) const override {
    if (name == "twin" || name == "polyphase") return std::string("false");
    if (name == "variant") return std::string("single");
    if (name == "generation") return std::string("newer");
    return Refusal{"gbcs-fact-missing"_rule, "nothing is known of '" + std::string(name) + "'"};
  }

 private:
  std::map<Eui64, DeviceType> types_;
};

Result<gateway::Correlation> correlate(const Context& context, const std::string& request_file,
                                       const std::string& pre_command_file,
                                       const std::vector<std::string>& devices) {
  GivenFacts facts;
  for (const std::string& device : devices) TRY(facts.add(device));
  TRY_ASSIGN(const duis::ServiceRequest request, read_request(request_file));
  TRY_ASSIGN(const Bytes pre_command, read_octets(read_input(pre_command_file)));
  return gateway::correlate(*gbcs::TemplateSet::built_in(), request, pre_command, facts,
                            context.world.now());
}

}  // namespace

// One command under two names.
static void add_correlate_as(const std::string& called, CLI::App& app, Context& context) {
  struct CorrelateGiven {
    std::string request, pre_command;
    std::vector<std::string> devices;
  };
  const std::shared_ptr<CorrelateGiven> given = std::make_shared<CorrelateGiven>();
  CLI::App* const command = app.add_subcommand(
      "correlate", "Whether a pre-command says exactly what its request said: before you sign");
  command->add_option("request", given->request, "The service request")->required();
  command
      ->add_option("pre-command", given->pre_command,
                   "The pre-command: raw octets, hexadecimal or base64")
      ->required();
  command->add_option("--device", given->devices,
                      "Type of another device that the request names: EUI=ESME");
  command->footer(examples({called + " request.xml pre-command.b64",
                            called + " request.xml pc.hex --device 00-57-53-00-00-00-00-01=GSME"}));
  command->callback([given, &context] {
    context.chosen = [given, &context] {
      const Result<gateway::Correlation> result =
          correlate(context, given->request, given->pre_command, given->devices);
      if (!result.ok()) return refuse(context, result.refusal());
      if (context.json) {
        print_json({{"use_case", result->use_case},
                    {"values", result->values},
                    {"clock_windows", result->clock_windows}});
      } else {
        fmt::print("{} says exactly what the request says; {} values compared.\n", result->use_case,
                   result->values);
        for (const std::string& time : result->clock_windows)
          fmt::print("The DCC's clock chose {}.\n", time);
      }
      return kDone;
    };
  });
}

void add_correlate(CLI::App& app, Context& context) {
  add_correlate_as("wattseal correlate", app, context);
}

void add_duis(CLI::App& app, Context& context) {
  CLI::App* const duis = app.add_subcommand(
      "duis", "Service requests and responses: describe, make, validate, sign, verify, show");
  duis->require_subcommand(1);
  add_sign(*duis, context);
  add_verify(*duis, context);
  add_show(*duis, context);
  add_correlate_as("wattseal duis correlate", *duis, context);
  add_duis_schema(*duis, context);
  add_duis_serve(*duis, context);
  duis->footer(examples({"wattseal duis describe 1.1.1", "wattseal duis show request.xml",
                         "wattseal duis verify response.xml --certificate dcc-xml.pem"}));
}

}  // namespace wattseal::apps
