// The C interface over the doors of gbcs, duis and gateway. Every call goes through `answer`, which
// lets nothing but a status out.
#include <wattseal_pc.h>

#include <nlohmann/json.hpp>

#include "duis/duis.h"
#include "gateway/transform.h"
#include "gbcs/mmc.h"
#include "gbcs/utrn.h"
#include "pc/context.h"

using namespace wattseal;
using nlohmann::json;

struct wattseal_pc {
  pc::Book book;
};

struct wattseal_pc_result {
  std::string text, rule, explanation, found, field, fix;
};

namespace {

// Runs `work`, which returns the text of the result or refuses.
template <typename Work>
wattseal_pc_status answer(wattseal_pc_result** result, const Work& work) noexcept {
  if (result) *result = nullptr;
  try {
    auto made = std::make_unique<wattseal_pc_result>();
    const Result<std::string> text = work();
    if (text.ok()) {
      made->text = *text;
    } else {
      const Refusal& refusal = text.refusal();
      const RuleRow& row = rule_row(refusal.rule);
      made->rule = refusal.rule.text();
      made->explanation = row.explanation;
      made->found = refusal.detail;
      made->field = refusal.field;
      made->fix = row.fix;
    }
    if (result) *result = made.release();
    return text.ok() ? WATTSEAL_PC_OK : WATTSEAL_PC_REFUSED;
  } catch (...) {
    return WATTSEAL_PC_FAILED;
  }
}

wattseal_pc_status misuse(wattseal_pc_result** result) noexcept {
  if (result) *result = nullptr;
  return WATTSEAL_PC_MISUSE;
}

std::string verdict(const json& value) { return value.dump(); }

Result<std::string> verify(const pc::Book& book, const gbcs::Message& message) {
  json out{{"signature", "absent"}, {"mac", "absent"}};
  if (message.signature_field == gbcs::SignatureField::present) {
    const std::optional<crypto::PublicPoint> signer = book.signer(message.originator);
    if (signer) TRY(gbcs::verify_signature(message, *signer));
    out["signature"] = signer ? "verified" : "no key";
  }
  if (message.mac) {
    const Result<crypto::SharedSecret> secret = book.mac_secret(message);
    if (secret.ok()) TRY(gbcs::verify_mac(message, *secret));
    out["mac"] = secret.ok() ? "verified" : "no key";
  }
  return verdict(out);
}

std::string report_of(const gbcs::Mmc& mmc) {
  json unmapped = json::array();
  for (const gbcs::MmcUnmapped& one : mmc.unmapped)
    unmapped.push_back({{"where", one.where}, {"rule", one.rule.text()}, {"detail", one.detail}});
  return verdict({{"use_case", mmc.use_case},
                  {"success", mmc.success},
                  {"values", mmc.values},
                  {"mapped", mmc.mapped},
                  {"unmapped", std::move(unmapped)}});
}

}  // namespace

extern "C" {

uint32_t wattseal_pc_abi(void) { return WATTSEAL_PC_ABI; }
const char* wattseal_pc_version(void) { return WATTSEAL_VERSION; }

wattseal_pc_status wattseal_pc_open(wattseal_pc** pc) {
  if (!pc) return WATTSEAL_PC_MISUSE;
  *pc = new (std::nothrow) wattseal_pc;
  return *pc ? WATTSEAL_PC_OK : WATTSEAL_PC_FAILED;
}
void wattseal_pc_close(wattseal_pc* pc) { delete pc; }

wattseal_pc_status wattseal_pc_add_key(wattseal_pc* pc, uint64_t owner, int prepayment,
                                       const char* pem, size_t size, wattseal_pc_result** result) {
  if (!pc || !pem) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    TRY(pc->book.add_key(Eui64::from_number(owner), prepayment != 0, {pem, size}));
    return std::string();
  });
}

wattseal_pc_status wattseal_pc_add_certificate(wattseal_pc* pc, const uint8_t* certificate,
                                               size_t size, wattseal_pc_result** result) {
  if (!pc || !certificate) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    TRY(pc->book.add_certificate({certificate, size}));
    return std::string();
  });
}

wattseal_pc_status wattseal_pc_add_device(wattseal_pc* pc, uint64_t device, const char* type,
                                          wattseal_pc_result** result) {
  if (!pc || !type) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    TRY(pc->book.add_device(Eui64::from_number(device), type));
    return std::string();
  });
}

wattseal_pc_status wattseal_pc_parse(const wattseal_pc* pc, const uint8_t* message, size_t size,
                                     wattseal_pc_result** result) {
  if (!pc || !message) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    TRY_ASSIGN(const gbcs::Message decoded, gbcs::decode({message, size}));
    TRY_ASSIGN(const json tree, gbcs::parse_tree(decoded, pc->book.opener()));
    return verdict(tree);
  });
}

wattseal_pc_status wattseal_pc_correlate(const wattseal_pc* pc, const char* request,
                                         size_t request_size, const uint8_t* pre_command,
                                         size_t pre_command_size, int64_t now,
                                         wattseal_pc_result** result) {
  constexpr int64_t kSecondsMax = 253'402'300'799;  // the year 9999
  if (!pc || !request || !pre_command || now < 0 || now > kSecondsMax) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    TRY_ASSIGN(const xml::Document document, xml::parse({request, request_size}));
    TRY_ASSIGN(const duis::ServiceRequest asked, duis::read_request(document.root()));
    TRY_ASSIGN(
        const gateway::Correlation found,
        gateway::correlate(*gbcs::TemplateSet::built_in(), asked, {pre_command, pre_command_size},
                           pc->book, UtcTime::from_unix_seconds(now)));
    return verdict({{"use_case", found.use_case},
                    {"values", found.values},
                    {"clock_windows", found.clock_windows}});
  });
}

wattseal_pc_status wattseal_pc_verify(const wattseal_pc* pc, const uint8_t* message, size_t size,
                                      wattseal_pc_result** result) {
  if (!pc || !message) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    TRY_ASSIGN(const gbcs::Message decoded, gbcs::decode({message, size}));
    return verify(pc->book, decoded);
  });
}

wattseal_pc_status wattseal_pc_mmc(const wattseal_pc* pc, const uint8_t* message, size_t size,
                                   const char* service, int form, wattseal_pc_result** result) {
  if (!pc || !message || form < WATTSEAL_PC_XML || form > WATTSEAL_PC_REPORT) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    TRY_ASSIGN(const gbcs::Message decoded, gbcs::decode({message, size}));
    TRY_ASSIGN(const gbcs::Mmc mmc,
               gbcs::to_mmc(decoded, pc->book.opener(), service ? service : ""));
    if (form == WATTSEAL_PC_XML) return gbcs::write(mmc);
    return form == WATTSEAL_PC_JSON ? verdict(gbcs::json_of(mmc)) : report_of(mmc);
  });
}

wattseal_pc_status wattseal_pc_utrn_make(const wattseal_pc* pc, uint64_t supplier, uint64_t meter,
                                         uint64_t counter, int pounds, uint32_t value,
                                         wattseal_pc_result** result) {
  if (!pc) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    const Eui64 from = Eui64::from_number(supplier), to = Eui64::from_number(meter);
    TRY_ASSIGN(const crypto::SharedSecret secret, pc->book.prepayment_secret(from, to));
    return gbcs::make_utrn(secret,
                           {from, to, OriginatorCounter(counter),
                            pounds ? gbcs::UtrnUnit::pounds : gbcs::UtrnUnit::pence, value});
  });
}

wattseal_pc_status wattseal_pc_utrn_check(const wattseal_pc* pc, const char* digits,
                                          wattseal_pc_result** result) {
  if (!pc || !digits) return misuse(result);
  return answer(result, [&]() -> Result<std::string> {
    TRY_ASSIGN(const gbcs::UtrnFields fields, gbcs::parse_utrn(digits));
    return verdict({{"value", fields.value},
                    {"unit", fields.unit == gbcs::UtrnUnit::pence ? "pence" : "pounds"},
                    {"truncated_counter", fields.truncated_counter},
                    {"mac", fields.mac}});
  });
}

const char* wattseal_pc_text(const wattseal_pc_result* result, size_t* size) {
  if (size) *size = result ? result->text.size() : 0;
  return result ? result->text.c_str() : "";
}
const char* wattseal_pc_rule(const wattseal_pc_result* result) {
  return result ? result->rule.c_str() : "";
}
const char* wattseal_pc_explanation(const wattseal_pc_result* result) {
  return result ? result->explanation.c_str() : "";
}
const char* wattseal_pc_found(const wattseal_pc_result* result) {
  return result ? result->found.c_str() : "";
}
const char* wattseal_pc_field(const wattseal_pc_result* result) {
  return result ? result->field.c_str() : "";
}
const char* wattseal_pc_fix(const wattseal_pc_result* result) {
  return result ? result->fix.c_str() : "";
}
void wattseal_pc_free(wattseal_pc_result* result) { delete result; }

}  // extern "C"
