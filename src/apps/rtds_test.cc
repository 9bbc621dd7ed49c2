// The comparison with the reference test data set: the whole set as it is, and small copies of it
// in which one thing is spoilt, each of which must be found.
#include "apps/rtds.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/bytes.h"
#include "tests/vectors.h"

namespace wattseal::apps {
namespace {

namespace fs = std::filesystem;
using Counts = std::map<std::string, std::map<std::string, int>>;

std::string text(const RtdsRow& row) {
  return row.result + " " + row.check + " " + row.name + " " + row.detail;
}

TEST(Rtds, IsTheSameOctetForOctet) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const Result<RtdsReport> report = compare_rtds(folder, "");
  ASSERT_TRUE(report.ok()) << report.refusal().detail;
  for (const RtdsRow& row : report->rows) EXPECT_NE(row.result, "differs") << text(row);
  EXPECT_FALSE(report->differs());
  const Counts wanted{{"decode", {{"pass", 914}}},
                      {"mac", {{"pass", 559}, {"no-key", 4}}},  // between two devices
                      {"signature", {{"pass", 359}}},
                      {"request", {{"pass", 213}}},
                      {"pre-command", {{"pass", 81}}},
                      {"command", {{"pass", 190}, {"exception", 4}}},
                      {"signed-pre-command", {{"pass", 1}}},
                      {"pair",
                       {{"command-without-request", 158},
                        {"pre-command-without-request", 52},
                        {"request-without-command", 19}}}};
  EXPECT_EQ(report->counts(), wanted);
}

// Every message that is encoded, the data set's and our own, as another implementation reads it.
TEST(Rtds, IsTheSameToAnotherDissector) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const Result<RtdsReport> report = compare_rtds(folder, "", {"tshark", {}});
  ASSERT_TRUE(report.ok()) << report.refusal().detail;
  std::map<std::string, int> results = report->counts()["dissector"];
  if (results["skipped"] > 0)
    GTEST_SKIP() << results["skipped"] << " messages are not dissected: there is no tshark";
  for (const RtdsRow& row : report->rows) EXPECT_NE(row.result, "differs") << text(row);
  EXPECT_GT(results["pass"], 1000);
  EXPECT_EQ(results.size(), 2u);
}

// A copy of the files of some use cases.
class SmallSet : public ::testing::Test {
 protected:
  void SetUp() override {
    WATTSEAL_NEEDS_VECTORS(vectors);
    from_ = vectors / "rtds";
    fs::remove_all(folder_);
    fs::create_directories(set_ / kMessages);
    fs::create_directories(set_ / kRequests);
    fs::copy(from_ / "context.json", set_);
    fs::create_directory_symlink(fs::absolute(from_ / "keystore"), set_ / "keystore");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void take(const std::string& name) {
    for (const char* suffix : {"_COMMAND_GBCS.HEX", "_PRECOMMAND_GBCS.HEX"}) {
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from_ / kMessages)) {
        if (entry.path().filename() == name + suffix) fs::copy(entry.path(), set_ / kMessages);
      }
    }
    fs::copy(from_ / kRequests / (name + "_REQUEST_DUIS.XML"), set_ / kRequests);
  }
  fs::path request(const std::string& name) const {
    return set_ / kRequests / (name + "_REQUEST_DUIS.XML");
  }
  fs::path command(const std::string& name) const {
    return set_ / kMessages / (name + "_COMMAND_GBCS.HEX");
  }
  fs::path pre_command(const std::string& name) const {
    return set_ / kMessages / (name + "_PRECOMMAND_GBCS.HEX");
  }

  static void write(const fs::path& file, const std::string& content) {
    std::ofstream(file, std::ios::binary) << content;
  }
  static void replace(const fs::path& file, const std::string& old, const std::string& with) {
    std::string content = wattseal::test::read_text(file);
    const std::size_t at = content.find(old);
    ASSERT_NE(at, std::string::npos) << old;
    write(file, content.replace(at, old.size(), with));
  }
  RtdsReport compared() const { return compare_rtds(folder_, "").value(); }
  // Such as "command differs", in order; what is said of messages on their own is left out.
  std::vector<std::string> outcome() const {
    std::vector<std::string> found;
    for (const RtdsRow& row : compared().rows) {
      if (row.check != "decode" && row.check != "mac" && row.check != "signature")
        found.push_back(row.check + " " + row.result);
    }
    return found;
  }
  using Outcome = std::vector<std::string>;

  static constexpr const char *kMessages = "rtds-4.5.0", *kRequests = "duis-templates-db1dd08";
  static constexpr const char *kPlain = "ECS17b_4.1.1_SINGLE_SUCCESS",
                              *kCritical = "ECS42_7.1_SUCCESS",
                              *kUnknownParty = "ECS21b_4.14_URP_SUCCESS";
  const fs::path folder_ =
      fs::temp_directory_path() / ("wattseal-rtds-" + std::to_string(::getpid()));
  const fs::path set_ = folder_ / "rtds";
  fs::path from_;
};

TEST_F(SmallSet, IsFoundByItsFolderAndByItsParent) {
  take(kPlain);
  for (const fs::path& given : {folder_, set_}) {
    const Result<RtdsReport> report = compare_rtds(given, "");
    ASSERT_TRUE(report.ok()) << report.refusal().detail;
    EXPECT_FALSE(report->differs());
    EXPECT_EQ(report->rows.size(), 4u);  // decode, mac, request, command
  }
  for (const fs::path& given : {folder_ / "none", set_ / kMessages}) {
    const Result<RtdsReport> report = compare_rtds(given, "");
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.refusal().rule.text(), "apps-vectors");
  }
  write(set_ / "context.json", "[");
  EXPECT_EQ(compare_rtds(set_, "").refusal().rule.text(), "apps-vectors");
}

TEST_F(SmallSet, KnowsItsUseCases) {
  take(kPlain);
  take(kCritical);
  EXPECT_EQ(compare_rtds(folder_, "ECS17b")->rows.size(), 4u);
  const Result<RtdsReport> report = compare_rtds(folder_, "NOPE");
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.refusal().rule.text(), "apps-use-case");
  EXPECT_EQ(report.refusal().field, "--use-case");
}

// Whatever octet of a command is changed, the command is found to differ: header, payload,
// signature and MAC alike.
TEST_F(SmallSet, FindsEveryChangedOctet) {
  for (const char* name : {kPlain, kCritical, kUnknownParty}) {
    take(name);
    const bool critical = std::string_view(name) == kCritical;
    for (const fs::path& file : {command(name), pre_command(name)}) {
      if (!fs::exists(file)) continue;
      const std::string check = file == command(name) ? "command" : "pre-command";
      const std::string original = wattseal::test::read_text(file);
      const Bytes octets = wattseal::test::read_hex(file);
      for (std::size_t i = 0; i < octets.size(); ++i) {
        Bytes changed = octets;
        changed[i] ^= 1;
        write(file, to_hex(changed));
        const RtdsReport report = compared();
        const auto row = std::ranges::find_if(report.rows, [&](const RtdsRow& one) {
          return one.check == check && one.name == name;
        });
        ASSERT_NE(row, report.rows.end());
        EXPECT_EQ(row->result, "differs") << name << " " << check << " octet " << i;
      }
      write(file, original);
    }
    EXPECT_EQ(fs::exists(pre_command(name)), critical);
    EXPECT_FALSE(compared().differs());
  }
}

TEST_F(SmallSet, FindsAnyChangeOfARequest) {
  const auto spoilt = [this](const char* name, const std::string& old, const std::string& with) {
    take(name);
    replace(request(name), old, with);
    const Outcome found = outcome();
    fs::remove_all(set_ / kMessages);
    fs::create_directory(set_ / kMessages);
    fs::remove(request(name));
    return found;
  };
  const Outcome differs{"request pass", "command differs"};
  const Outcome unread{"request differs"};
  EXPECT_EQ(spoilt(kPlain, "90-A0:", "90-A1:"), differs);  // another device, another use case
  EXPECT_EQ(spoilt(kPlain, "90-A0:", "90-A9:"), differs);  // no such device
  EXPECT_EQ(spoilt(kPlain, ":1000<", ":7<"), differs);     // the counter
  EXPECT_EQ(spoilt(kPlain, "RequestID>90", "RequestID>91"), differs);  // the originator
  EXPECT_EQ(spoilt(kPlain, "Variant>1<", "Variant>4<"),
            (Outcome{"request differs", "pair request-without-pre-command", "command pass"}));
  EXPECT_EQ(spoilt(kPlain, "</sr:Request>", ""), unread);  // no XML
  EXPECT_EQ(spoilt(kPlain, "<sr:CommandVariant>1</sr:CommandVariant>", ""), unread);
  EXPECT_EQ(spoilt(kPlain, "ReferenceVariant>4.1.1", "ReferenceVariant>4.1.9"), unread);
  EXPECT_EQ(spoilt(kUnknownParty, "StartDateTime>2", "StartDateTime>x"), unread);
  EXPECT_EQ(
      spoilt(kUnknownParty, "KAPublicSecurityCredentials>MIIB", "KAPublicSecurityCredentials>AAAA"),
      differs);
  EXPECT_EQ(spoilt(kUnknownParty, "StartDateTime>20", "StartDateTime>19"), differs);
}

TEST_F(SmallSet, FindsFilesThatCannotBeRead) {
  take(kPlain);
  const std::string hex = wattseal::test::read_text(command(kPlain));
  write(command(kPlain), "not hexadecimal");
  EXPECT_EQ(outcome(), (Outcome{"request pass", "command differs"}));
  write(command(kPlain), hex);
  fs::remove(request(kPlain));
  fs::create_symlink("nowhere", request(kPlain));
  EXPECT_EQ(outcome(), Outcome{"request differs"});
}

TEST_F(SmallSet, FindsATemplateOfAnotherUseCase) {
  take(kPlain);
  fs::rename(request(kPlain), request("ECS42_4.1.1"));
  fs::rename(command(kPlain), command("ECS42_4.1.1"));
  EXPECT_EQ(outcome(), (Outcome{"request pass", "command differs"}));
}

TEST_F(SmallSet, SaysWhatIsUnsupportedOnlyWhereThereIsNoTemplate) {
  take(kPlain);
  fs::rename(request(kPlain), request("ECS0_4.1.1"));  // no use case of any device
  fs::rename(command(kPlain), command("ECS0_4.1.1"));
  EXPECT_EQ(outcome(), (Outcome{"request pass", "command unsupported"}));
  EXPECT_FALSE(compared().differs());
}

TEST_F(SmallSet, ListsWhatHasNoCounterpart) {
  take(kPlain);
  take(kCritical);
  fs::remove(command(kPlain));
  fs::remove(pre_command(kCritical));
  EXPECT_EQ(outcome(), (Outcome{"request pass", "pair request-without-command", "request pass",
                                "pair request-without-pre-command", "command pass"}));
  take("ECS17c_4.16_SUCCESS");
  fs::remove(request(kCritical));
  fs::remove(request("ECS17c_4.16_SUCCESS"));
  EXPECT_EQ(outcome(), (Outcome{"request pass", "pair request-without-command",
                                "pair command-without-request", "pair command-without-request"}));
}

TEST_F(SmallSet, NamesTheExceptionThatItsNotesGive) {
  take(kUnknownParty);
  const std::string file = wattseal::test::read_text(request(kUnknownParty));
  const std::size_t at = file.find("StartDateTime>") + 14;
  const std::string value = file.substr(at, file.find('<', at) - at);
  replace(request(kUnknownParty), value, "2013-03-03T03:03:03.00Z");
  EXPECT_EQ(outcome(), (Outcome{"request pass", "command differs"}));
  replace(
      set_ / "context.json", "\"ECS21b_4.14_URP_SUCCESS\": {",
      "\"ECS21b_4.14_URP_SUCCESS\": {\"xml_contradicts_hex\": {\"ReadLogPeriod/StartDateTime\": "
      "\"" +
          value + "\"},");
  const RtdsReport report = compared();
  EXPECT_EQ(report.rows.back().result, "exception");
  EXPECT_NE(report.rows.back().detail.find("ReadLogPeriod/StartDateTime is 2013-03-03"),
            std::string::npos)
      << report.rows.back().detail;
  EXPECT_FALSE(report.differs());
  // A note that does not explain the difference excuses nothing.
  replace(set_ / "context.json", value, "2014-04-04T04:04:04.00Z");
  EXPECT_EQ(outcome(), (Outcome{"request pass", "command differs"}));
}

TEST_F(SmallSet, SaysWhenAKeyIsNotThere) {
  take(kPlain);
  fs::remove(set_ / "keystore");
  EXPECT_EQ(compared().counts()["mac"]["no-key"], 1);
  EXPECT_EQ(outcome(), (Outcome{"request pass", "command no-key"}));
  replace(request(kPlain), ":1000<", ":7<");
  EXPECT_EQ(outcome(), (Outcome{"request pass", "command differs"}));
}

TEST_F(SmallSet, AsksTheDissectorThatIsNamed) {
  take(kPlain);
  const auto asked = [this](const std::string& program) {
    return compare_rtds(folder_, "", {program, {}});
  };
  const RtdsReport absent = asked("no-such-dissector").value();
  EXPECT_EQ(absent.counts()["dissector"], (std::map<std::string, int>{{"skipped", 2}}));
  EXPECT_FALSE(absent.differs());
  // One that says nothing, and one that fails.
  EXPECT_EQ(asked("true").value().counts()["dissector"],
            (std::map<std::string, int>{{"differs", 2}}));
  const Result<RtdsReport> failed = asked("false");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.refusal().rule.text(), "apps-dissector");

  const fs::path kept = folder_ / "kept.pcap";
  ASSERT_TRUE(compare_rtds(folder_, "", {"true", kept}).ok());
  const std::string capture = wattseal::test::read_text(kept);
  const std::string octets = to_hex(as_bytes(capture));
  EXPECT_TRUE(octets.starts_with("d4c3b2a1020004000000000000000000000001009300000000000000"));
  const std::string message = to_hex(wattseal::test::read_hex(command(kPlain)));
  EXPECT_NE(octets.find(message), octets.rfind(message));  // the data set's and our own
}

// A dissector that reads one octet of the counter otherwise is contradicted.
TEST_F(SmallSet, ContradictsADissectorThatReadsAnotherCounter) {
  std::map<std::string, int> alone =
      compare_rtds(from_, "ECS17b", {"tshark", {}}).value().counts()["dissector"];
  if (alone["skipped"] > 0) GTEST_SKIP() << "no message is dissected: there is no tshark";
  ASSERT_GT(alone["pass"], 0);
  take(kPlain);
  const fs::path wrong = folder_ / "wrong";
  write(wrong, "#!/bin/sh\ntshark \"$@\" | sed 's/\t1000\t/\t1001\t/'\n");
  fs::permissions(wrong, fs::perms::owner_all);
  const RtdsReport report = compare_rtds(folder_, "", {wrong.string(), {}}).value();
  EXPECT_TRUE(report.differs());
  EXPECT_NE(text(report.rows.back()).find("originator_counter is '1001'"), std::string::npos)
      << text(report.rows.back());
}

TEST_F(SmallSet, JudgesASignedPreCommandThatARequestCarries) {
  const std::string carrier = "ECS42_7.1";
  take(kCritical);
  fs::copy(from_ / kRequests / (carrier + "_REQUEST_DUIS.XML"), set_ / kRequests);
  const auto result = [this] {
    for (const RtdsRow& row : compared().rows) {
      if (row.check == "signed-pre-command") return row.result;
    }
    return std::string("none");
  };
  EXPECT_EQ(result(), "pass");
  const std::string file = wattseal::test::read_text(request(carrier));
  replace(request(carrier), "GBCSPayload>3wkBAAAAAAAAA+gI", "GBCSPayload>3wkBAAAAAAAAA+kI");
  EXPECT_EQ(result(), "differs");  // the header
  write(request(carrier), file);
  replace(request(carrier), "CltwHQ5Y<", "CltwHQ5Z<");
  EXPECT_EQ(result(), "differs");  // the signature
  write(request(carrier), file);
  fs::remove(pre_command(kCritical));
  EXPECT_EQ(result(), "differs");  // the data set has no such pre-command
}

}  // namespace
}  // namespace wattseal::apps
