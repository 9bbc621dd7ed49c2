#include "smki/transcript.h"

#include <algorithm>

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::string_view kFormat = "wattseal-ceremony-1";
constexpr int kDepthMax = 8;
constexpr std::string_view kContext = "wattseal ceremony transcript 1\n";

crypto::Digest signed_digest(const json& body) {
  const std::string octets = body.dump();
  return crypto::sha256({as_bytes(kContext), as_bytes(octets)});
}

Refusal malformed(std::string detail, std::string field = {}) {
  return {"transcript-malformed"_rule, std::move(detail), std::move(field)};
}

// The text under a name; nothing when it is missing or no text.
const std::string* text_at(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const json::const_iterator found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}
const json* list_at(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const json::const_iterator found = object.find(name);
  return found == object.end() || !found->is_array() ? nullptr : &*found;
}

Status check_steps(const json& body) {
  const json* const steps = list_at(body, "steps");
  if (!steps) return malformed("it has no steps", "body/steps");
  for (std::size_t i = 0; i < steps->size(); ++i) {
    const json& step = (*steps)[i];
    const std::string field = "body/steps/" + std::to_string(i);
    const std::string* const octets = text_at(step, "octets");
    const std::string* const digest = text_at(step, "sha256");
    if (!octets || !digest || !text_at(step, "what") || !text_at(step, "object") ||
        !text_at(step, "at"))
      return malformed("a step lacks what, object, at, octets or sha256", field);
    const std::optional<Bytes> object = from_base64(*octets);
    if (!object) return malformed("the octets are not base64", field);
    if (to_hex(crypto::sha256(*object)) != *digest)
      return Refusal{"transcript-changed"_rule, "the digest is of other octets", field};
  }
  return {};
}

struct Signed {
  x509::Certificate certificate;
  TranscriptReport::Signer signer;
};

Result<std::vector<Signed>> check_signatures(const json& document) {
  const json& body = document["body"];
  const json* const signers = list_at(body, "signers");
  const json* const signatures = list_at(document, "signatures");
  if (!signers || !signatures || signers->empty() || signers->size() != signatures->size())
    return malformed("signers and signatures are not as many as each other", "signatures");
  const crypto::Digest digest = signed_digest(body);
  std::vector<Signed> all;
  for (std::size_t i = 0; i < signers->size(); ++i) {
    const std::string field = "signatures/" + std::to_string(i);
    const std::string* const encoded = text_at((*signers)[i], "certificate");
    const std::string* const profile = text_at((*signers)[i], "profile");
    const std::string* const signature = (*signatures)[i].get_ptr<const std::string*>();
    const std::optional<Bytes> der = encoded ? from_base64(*encoded) : std::nullopt;
    const std::optional<Bytes> octets = signature ? from_hex(*signature) : std::nullopt;
    if (!profile || !der || !octets || octets->size() != sizeof(crypto::Signature))
      return malformed("a signer lacks profile, certificate or signature", field);
    TRY_ASSIGN(x509::Certificate certificate, x509::parse_certificate(*der));
    crypto::Signature rs{};
    std::ranges::copy(*octets, rs.begin());
    if (!crypto::verify(certificate.key, digest, rs))
      return Refusal{"transcript-signature"_rule,
                     "the signature of " + *profile + " is not over this transcript", field};
    TranscriptReport::Signer signer{*profile, x509::name_text(certificate.subject),
                                    crypto::sha256(*der),
                                    x509::signed_by(certificate, certificate.key)};
    all.push_back({std::move(certificate), std::move(signer)});
  }
  return all;
}

// Every signer is a root that is believed, or was certified by one: of those given, else of those
// that signed, too.
Status check_authority(const std::vector<Signed>& all, const std::vector<Bytes>& roots) {
  std::vector<x509::Certificate> anchors;
  for (const Bytes& der : roots) {
    TRY_ASSIGN(x509::Certificate root, x509::parse_certificate(der));
    anchors.push_back(std::move(root));
  }
  for (const Signed& one : all) {
    if (roots.empty() && one.signer.root) anchors.push_back(one.certificate);
  }
  for (const Signed& one : all) {
    const bool good = std::ranges::any_of(anchors, [&](const x509::Certificate& root) {
      return root.der == one.certificate.der ||
             (!one.signer.root &&
              x509::validate_path(std::span(&one.certificate, 1), root, one.certificate.not_before,
                                  x509::TimeCheck::disapply)
                  .ok());
    });
    if (!good)
      return Refusal{"transcript-signature"_rule,
                     one.signer.name + (one.signer.root ? " is no root that was given"
                                                        : " has no root that is believed"),
                     "body/signers"};
  }
  return {};
}

}  // namespace

TranscriptWriter::TranscriptWriter(std::string_view purpose, Environment environment,
                                   std::string_view key_store, UtcTime began, TraceId trace) {
  body_ = {{"format", kFormat},
           {"purpose", purpose},
           {"environment", environment == Environment::test ? "test" : "live"},
           {"key_store", key_store},
           {"began", began.iso()},
           {"trace", trace.text()},
           {"act", 0},
           {"number", 0},
           {"people", json::array()},
           {"witnesses", json::array()},
           {"steps", json::array()},
           {"signers", json::array()}};
}

void TranscriptWriter::person(std::string_view name, std::string_view role) {
  body_["people"].push_back({{"name", name}, {"role", role}});
}

void TranscriptWriter::step(UtcTime at, std::string_view what, std::string_view object,
                            BytesView octets) {
  body_["steps"].push_back({{"at", at.iso()},
                            {"what", what},
                            {"object", object},
                            {"octets", to_base64(octets)},
                            {"sha256", to_hex(crypto::sha256(octets))}});
}

std::string TranscriptWriter::sign(UtcTime ended, std::span<const TranscriptSigner> signers) {
  body_["ended"] = ended.iso();
  for (const TranscriptSigner& signer : signers)
    body_["signers"].push_back(
        {{"profile", signer.profile}, {"certificate", to_base64(signer.certificate)}});
  const crypto::Digest digest = signed_digest(body_);
  json document{{"body", body_}, {"signatures", json::array()}};
  for (const TranscriptSigner& signer : signers)
    document["signatures"].push_back(to_hex(signer.key->sign(digest)));
  return document.dump();
}

Result<TranscriptReport> verify_transcript(std::string_view text, const std::vector<Bytes>& roots) {
  if (text.size() > limit("transcript_octets_max"))
    return malformed("it is longer than " + std::to_string(limit("transcript_octets_max")) +
                     " octets");
  bool deep = false;  // what is nested deeper than any transcript is dropped, not read
  const auto shallow = [&deep](int depth, json::parse_event_t, json&) {
    deep = deep || depth > kDepthMax;
    return depth <= kDepthMax;
  };
  const json document = json::parse(text, shallow, false);
  if (deep) return malformed("it is nested too deeply");
  const std::string* const format = document.is_object() && document.contains("body")
                                        ? text_at(document["body"], "format")
                                        : nullptr;
  if (!format || *format != kFormat)
    return malformed("it is no JSON of format " + std::string(kFormat), "body/format");
  TRY(check_steps(document["body"]));
  TRY_ASSIGN(const std::vector<Signed> all, check_signatures(document));
  TRY(check_authority(all, roots));
  TranscriptReport report{document["body"], {}, !roots.empty()};
  for (const Signed& one : all) report.signers.push_back(one.signer);
  return report;
}

crypto::Digest transcript_digest(std::string_view text) { return crypto::sha256(as_bytes(text)); }

namespace {
// What stands under a name, whatever it is: a body is believed for its signature, not its form.
std::string shown(const json& object, const char* name) {
  if (const std::string* const text = text_at(object, name)) return *text;
  if (!object.is_object() || !object.contains(name)) return "-";
  return object[name].dump();
}
}  // namespace

std::string transcript_text(const json& body) {
  static const json kNone = json::array();
  const auto list = [&](const char* name) -> const json& {
    const json* const found = list_at(body, name);
    return found ? *found : kNone;
  };
  std::string out = "Ceremony " + shown(body, "number") + ", " + shown(body, "purpose") + ", " +
                    shown(body, "environment") + " environment, keys behind " +
                    shown(body, "key_store") + "\nbegan " + shown(body, "began") + ", ended " +
                    shown(body, "ended") + ", permitted by act " + shown(body, "act") + "\n";
  for (const json& person : list("people"))
    out += shown(person, "role") + ": " + shown(person, "name") + "\n";
  for (const json& witness : list("witnesses")) {
    const std::string* const name = witness.get_ptr<const std::string*>();
    out += "witness: " + (name ? *name : witness.dump()) + "\n";
  }
  std::size_t number = 0;
  for (const json& step : list("steps"))
    out += std::to_string(++number) + ". " + shown(step, "at") + " " + shown(step, "what") + " " +
           shown(step, "object") + "\n   sha256 " + shown(step, "sha256") + "\n";
  return out;
}

}  // namespace wattseal::smki
