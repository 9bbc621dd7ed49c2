#include "gbcs/mmc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "gbcs/mmc/rows.h"
#include "gbcs/reference_test.h"
#include "terms/terms.h"
#include "xml/xsd.h"

namespace wattseal::gbcs {
namespace {

using nlohmann::json;
using xml::Element;

using test::no_key;
using test::with_reference_keys;

xml::Xsd official(const std::filesystem::path& vectors) {
  const std::filesystem::path folder = vectors / "rtds" / "duis-xsd-and-xmldsig-keys";
  std::vector<xml::SchemaFile> files;
  for (const char* name : {"MMC Schema V5.4.xsd", "xmldsig-core-schema.xsd"})
    files.push_back({name, wattseal::test::read_text(folder / name)});
  return xml::Xsd::compile(files).value();
}

Status check(const xml::Xsd& schema, const Mmc& mmc) {
  return schema.check(xml::parse(write(mmc)).value());
}

const Element* find(const Element& from, std::string_view path) {
  const Element* at = &from;
  while (at && !path.empty()) {
    const std::size_t end = path.find('/');
    at = at->child(path.substr(0, end));
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return at;
}
std::string text_at(const Element& from, std::string_view path) {
  const Element* const found = find(from, path);
  return found ? found->text : "(none)";
}

struct Expected {
  json tree;
  Message message;
  std::string service;  // empty when the message belongs to none
};
std::vector<Expected> answers(const std::filesystem::path& folder) {
  std::vector<Expected> found;
  std::istringstream lines(wattseal::test::read_text(folder / "rtds" / "expected.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    json tree = json::parse(line);
    if (tree["kind"] != "RESPONSE" && tree["kind"] != "ALERT") continue;
    const std::string file = tree["file"], service = tree["srv"];
    Message message =
        decode(wattseal::test::read_hex(folder / "rtds" / "rtds-4.5.0" / file)).value();
    found.push_back({std::move(tree), std::move(message),
                     find_service_request(service) ? service : std::string()});
  }
  return found;
}

// Values that the reference decode shows in its own words, to be found in the document.
void compare(const Expected& expected, const Mmc& mmc, std::size_t& compared) {
  const std::string file = expected.tree["file"];
  const Element& header = *mmc.document.child("Header");
  const auto dashed = [](const std::string& hex) {
    return Eui64::from_number(get_be(from_hex(hex).value())).text();
  };
  EXPECT_EQ(text_at(header, "BusinessOriginatorID"), dashed(expected.tree["originator"])) << file;
  EXPECT_EQ(text_at(header, "BusinessTargetID"), dashed(expected.tree["target"])) << file;
  EXPECT_EQ(text_at(header, "OriginatorCounter"),
            std::to_string(expected.tree["counter"].get<std::uint64_t>()));
  EXPECT_EQ(text_at(header, "GBCSHexadecimalMessageCode"), expected.tree["message_code"]) << file;
  compared += 4;
  const Element& body = *mmc.document.child("Body");
  if (expected.tree["kind"] == "ALERT") {
    EXPECT_EQ(text_at(body, "DeviceAlertMessage/DeviceAlertContent/GBCSHexAlertCode"),
              expected.tree["alert_code"])
        << file;
    ++compared;
    return;
  }
  if (!expected.service.empty()) {
    EXPECT_EQ(text_at(header, "ServiceReferenceVariant"), expected.service) << file;
  }
  if (!expected.tree.contains("results")) return;
  const Element* const list = find(body, "ResponseMessage/DebugInfo/COSEMDebug");
  ASSERT_TRUE(list) << file;
  const json& results = expected.tree["results"];
  ASSERT_EQ(list->children.size(), results.size()) << file;
  bool success = true;
  for (std::size_t i = 0; i < results.size(); ++i) {
    EXPECT_EQ(*list->children[i].attribute("ResponseCode"), results[i][1].dump()) << file;
    success = success && results[i][1] == 0;
    ++compared;
  }
  EXPECT_EQ(mmc.success, success) << file;
}

TEST(Mmc, EveryReferenceAnswerIsValidAgainstTheSchemaAndSaysWhatTheDecodeSays) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const xml::Xsd schema = official(folder);
  test::ReferenceKeys keys(folder);
  std::size_t documents = 0, values = 0, mapped = 0, placeless = 0, compared = 0, whole = 0;
  std::map<std::string, std::size_t> missing;
  for (const Expected& expected : answers(folder)) {
    const std::string file = expected.tree["file"];
    const Result<Mmc> mmc = to_mmc(expected.message, with_reference_keys(keys), expected.service);
    ASSERT_TRUE(mmc.ok()) << file << " " << mmc.refusal().detail;
    const Status valid = check(schema, *mmc);
    EXPECT_TRUE(valid.ok()) << file << " " << valid.refusal().detail << "\n" << write(*mmc);
    compare(expected, *mmc, compared);
    for (const MmcUnmapped& one : mmc->unmapped)
      ++missing[mmc->use_case + " " + one.where + " " + std::string(one.rule.text()) + " " +
                one.detail];
    const Result<Mmc> closed = to_mmc(expected.message, no_key, expected.service);
    ASSERT_TRUE(closed.ok()) << file;
    EXPECT_TRUE(check(schema, *closed).ok()) << file << write(*closed);
    const Result<Mmc> alone = to_mmc(expected.message, with_reference_keys(keys));
    ASSERT_TRUE(alone.ok()) << file;
    EXPECT_TRUE(check(schema, *alone).ok()) << file << write(*alone);
    ++documents;
    values += mmc->values;
    mapped += mmc->mapped;
    placeless += mmc->placeless;
    whole += mmc->values == mmc->mapped + mmc->placeless ? 1 : 0;
  }
  std::cout << documents << " documents, " << mapped << " of " << values << " values mapped, "
            << placeless << " without an element in the schema, " << whole << " documents whole, "
            << compared << " values compared\n";
  if (std::getenv("WATTSEAL_SHOW_UNMAPPED")) {
    for (const auto& [where, count] : missing) std::cout << "  " << where << " " << count << "\n";
  }
  EXPECT_EQ(documents, 429u);
  EXPECT_EQ(mapped + placeless, values);
  EXPECT_EQ(whole, documents);
  EXPECT_GE(compared, 2500u);
}

Mmc reference(const std::filesystem::path& folder, test::ReferenceKeys& keys,
              const std::string& file, std::string_view service = {}) {
  return to_mmc(decode(wattseal::test::read_hex(folder / "rtds" / "rtds-4.5.0" / file)).value(),
                with_reference_keys(keys), service)
      .value();
}

TEST(Mmc, GivesValuesUnitsAndTimes) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  const std::string data = "ResponseMessage/SMETSData/";
  const Mmc registers =
      reference(folder, keys, "4.1.1_ECS17b/ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX");
  const Element& body = *registers.document.child("Body");
  const std::string at = data + "ReadInstantaneousImportRegistersRsp/Electricity/";
  EXPECT_EQ(text_at(body, at + "ActiveImportRegister/Value"), "10");
  EXPECT_EQ(text_at(body, at + "ActiveImportRegister/ActiveEnergyUnit"), "Wh");
  EXPECT_EQ(text_at(body, at + "ReactiveImportRegister/ReactiveEnergyUnit"), "varh");
  EXPECT_EQ(registers.values, registers.mapped);
  const Mmc gas =
      reference(folder, keys, "4.1.1_GCS13a/GCS13a_4.1.1_SUCCESS_RELIABLE_GPF_RESPONSE_GBCS.HEX");
  EXPECT_EQ(text_at(*gas.document.child("Body"),
                    data + "ReadInstantaneousImportRegistersRsp/Gas/ConsumptionRegister/Value"),
            "12.345");
  EXPECT_EQ(*gas.document.child("Header")->child("Timestamp")->attribute("ClockStatus"),
            "reliable");
  const Mmc daily = reference(folder, keys, "4.6.2_ECS21c/ECS21c_4.6.2_SUCCESS_RESPONSE_GBCS.HEX");
  const Element* const log =
      find(*daily.document.child("Body"), data + "RetrieveExportDailyReadLogRsp");
  ASSERT_TRUE(log);
  ASSERT_EQ(log->all("LogEntry").size(), 31u);
  EXPECT_EQ(text_at(log->children[0], "TimeStamp"), "2014-12-01T00:00:00Z");
  EXPECT_EQ(text_at(log->children[0], "ActiveExportRegisterValue"), "10");
  const Mmc alert = reference(
      folder, keys,
      "1.1.1_ECS01a/ECS01a_1.1.1_8F66_FUTURE_DATED_TOU_BLOCK_SUCCESS_ALERT_CURRENCY_UNIT_GBCS.HEX");
  EXPECT_EQ(text_at(*alert.document.child("Body"),
                    "DeviceAlertMessage/DeviceAlertContent/Payload/"
                    "FutureDatedCommandOutcomeDeviceAlert/COSEMFutureDatedAlert/"
                    "DLMSCOSEMFDInstructionIdentification/InstanceId"),
            "00005E2C0200");
}

TEST(Mmc, JsonHasArraysWhereElementsMayRepeat) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  const json document = json_of(
      reference(folder, keys, "1.6_ECS02/ECS02_1.6_IMMEDIATE_SINGLE_ERROR_RESPONSE_GBCS.HEX"));
  const json& message = document["GBCSResponse"]["Body"]["ResponseMessage"];
  EXPECT_EQ(message["SMETSData"]["UpdatePaymentModeRsp"]["@MessageSuccess"], "false");
  ASSERT_TRUE(message["DebugInfo"]["COSEMDebug"]["COSEMResponse"].is_array());
  EXPECT_EQ(message["DebugInfo"]["COSEMDebug"]["COSEMResponse"][1]["DataAccessResult"],
            "hardware-fault");
}

TEST(Mmc, AsksForTheServiceWhereACodeIsShared) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  const std::string file =
      "6.15.1_CS02bSupplierBySupplier/"
      "CS02bSupplierBySupplier_6.15.1_IMMEDIATE_SUCCESS_RESPONSE_GBCS.HEX";
  const Mmc unknown = reference(folder, keys, file);
  EXPECT_FALSE(find(*unknown.document.child("Body"), "ResponseMessage/SMETSData"));
  ASSERT_FALSE(unknown.unmapped.empty());
  EXPECT_EQ(unknown.unmapped[0].rule, "mmc-service-unknown"_rule);
  const Mmc known = reference(folder, keys, file, "6.15.1");
  const Element* const outcome =
      find(*known.document.child("Body"),
           "ResponseMessage/SMETSData/UpdateSecurityCredentialsKRPRsp/ExecutionOutcome");
  ASSERT_TRUE(outcome);
  EXPECT_EQ(text_at(*outcome, "CredentialsReplacementMode"), "SupplierBySupplier");
  ASSERT_EQ(outcome->all("ReplacementOutcome").size(), 3u);
  EXPECT_EQ(text_at(*outcome->all("ReplacementOutcome")[2], "CertificateType"),
            "KeyAgreementTopUp");
}

TEST(Mmc, SealedValuesWithoutKeyStayAsFragments) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const Message message =
      decode(wattseal::test::read_hex(folder / "rtds" / "rtds-4.5.0" /
                                      "4.1.1_ECS17b/ECS17b_4.1.1_SINGLE_SUCCESS_RESPONSE_GBCS.HEX"))
          .value();
  const Mmc mmc = to_mmc(message, no_key).value();
  const Element* const data = find(*mmc.document.child("Body"), "ResponseMessage/GBCSData");
  ASSERT_TRUE(data);
  EXPECT_EQ(*data->attribute("format"), "encrypted");
  EXPECT_EQ(from_base64(data->text).value()[0], 0x31);
  ASSERT_FALSE(mmc.unmapped.empty());
  EXPECT_EQ(mmc.unmapped[0].rule, "gbcs-no-key"_rule);
}

TEST(Mmc, RefusesCommands) {
  WATTSEAL_NEEDS_VECTORS(folder);
  for (const test::Reference& reference : test::reference_messages(folder)) {
    const Message message = decode(reference.octets).value();
    if (message.cra != Cra::command) continue;
    EXPECT_EQ(to_mmc(message, no_key).refusal().rule, "mmc-command"_rule) << reference.name;
  }
}

// Cut at every octet and with an octet more, a payload is refused or makes a document; whatever
// makes a document makes a valid one.
TEST(Mmc, SurvivesAnyCutAndAnyChange) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  const xml::Xsd schema = official(folder);
  std::mt19937 random(4);
  for (const Expected& expected : answers(folder)) {
    const Bytes& whole = expected.message.payload;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      Message cut = expected.message;
      cut.payload.resize(size);
      (void)to_mmc(cut, no_key, expected.service).ok();
    }
    Message more = expected.message;
    more.payload.push_back(0);
    if (payload_kind(more.payload).value() != PayloadKind::gbz || more.cra != Cra::alert) {
      EXPECT_FALSE(to_mmc(more, no_key, expected.service).ok()) << expected.tree["file"];
    }
    for (int i = 0; i < 10; ++i) {
      Message changed = expected.message;
      changed.payload[random() % whole.size()] = static_cast<Octet>(random());
      const Result<Mmc> mmc = to_mmc(changed, with_reference_keys(keys), expected.service);
      if (!mmc.ok()) continue;
      const Status valid = check(schema, *mmc);
      EXPECT_TRUE(valid.ok()) << mmc->use_case << " " << valid.refusal().detail;
    }
  }
}

// Every row can be read, every key names something, and elements are those of the schema's order:
// the validity test above walks them; here that no row points nowhere.
TEST(Mmc, EveryRowBelongsToAUseCaseAServiceOrAnAlert) {
  for (const UseCaseRow& row : use_cases()) (void)mmc_rows(row.use_case);
  EXPECT_FALSE(mmc_rows("ECS17b").empty());
  EXPECT_TRUE(mmc_rows("ECS999").empty());
  EXPECT_TRUE(mmc_repeats("LogEntry"));
  EXPECT_FALSE(mmc_repeats("Header"));
  EXPECT_EQ(mmc_code("zcl-status", "8B"), "NOT_FOUND");
  EXPECT_FALSE(mmc_code("zcl-status", "55"));
}

}  // namespace
}  // namespace wattseal::gbcs
