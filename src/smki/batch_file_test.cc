#include "smki/batch_file.h"

#include <gtest/gtest.h>

namespace wattseal::smki {
namespace {

const Bytes kRequest = *from_hex("3081900102");
const std::string kBase64 = to_base64(kRequest), kHex = to_hex(kRequest);
const std::string kPem = x509::to_pem("CERTIFICATE REQUEST", kRequest);

// By row: "ok", the rule of a refused row; or the rule that refuses the file.
std::vector<std::string> outcome(std::string_view content, std::string_view type = "") {
  const Result<BatchFile> file = read_batch_file(content, type);
  if (!file.ok()) return {"file " + std::string(file.refusal().rule.text())};
  std::vector<std::string> rows(file->requests.size(), "ok");
  for (const RowRefusal& one : file->unreadable) rows.at(one.row) = one.refusal.rule.text();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i] == "ok" && file->requests[i] != kRequest) rows[i] = "other octets";
  }
  return rows;
}
using Rows = std::vector<std::string>;

TEST(BatchFile, ReadsPemAndRefusesABadBlockAlone) {
  EXPECT_EQ(outcome(kPem + "text between\n" + kPem), (Rows{"ok", "ok"}));
  const std::string unended = kPem.substr(0, kPem.size() - 40);
  EXPECT_EQ(outcome(kPem + unended + "\n" + kPem), (Rows{"ok", "batch-row-pem", "ok"}));
  EXPECT_EQ(outcome(kPem + unended), (Rows{"ok", "batch-row-pem"}));
  const std::string head = "-----BEGIN CERTIFICATE REQUEST-----\n";
  const std::string foot = "-----END CERTIFICATE REQUEST-----\n";
  EXPECT_EQ(outcome(head + "!!\n" + foot + kPem), (Rows{"batch-row-pem", "ok"}));
  EXPECT_EQ(outcome(head + std::string(20'000, 'A') + foot + kPem), (Rows{"batch-row-long", "ok"}));
  EXPECT_EQ(outcome("-----BEGIN NEW CERTIFICATE REQUEST-----\n" + kBase64 +
                    "\n-----END NEW CERTIFICATE REQUEST-----"),
            (Rows{"ok"}));
  EXPECT_EQ(outcome("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n" + kPem),
            (Rows{"ok"}));
}

TEST(BatchFile, ReadsCsvByItsHeader) {
  EXPECT_EQ(outcome("device,request\n1," + kBase64 + "\n2," + kHex + "\r\n"), (Rows{"ok", "ok"}));
  EXPECT_EQ(outcome("\xEF\xBB\xBF"
                    "CSR;note\n" +
                    kBase64 + ";\"a \"\"quoted\"\"; note\"\n"),
            (Rows{"ok"}));
  EXPECT_EQ(outcome("note,request\n\"two\nlines\"," + kBase64 + "\nx,\"" + kPem + "\"\n"),
            (Rows{"ok", "ok"}));
  EXPECT_EQ(outcome("device,request\n1,what is this?\n2\n\n3,\n4," + kBase64 + "\n"),
            (Rows{"batch-row-text", "batch-row-empty", "batch-row-empty", "ok"}));
  EXPECT_EQ(outcome("request\n\"" + kBase64 + "\n" + kBase64 + "\n"),
            (Rows{"batch-csv-quote", "ok"}));
  EXPECT_EQ(outcome("request\n" + std::string(20'000, 'M') + "\n" + kBase64),
            (Rows{"batch-row-long", "ok"}));
  EXPECT_EQ(outcome("device,certificate\n1,2\n", "text/csv; charset=utf-8"),
            (Rows{"file batch-csv-column"}));
}

TEST(BatchFile, ReadsJsonLines) {
  EXPECT_EQ(outcome("{\"request\": \"" + kBase64 + "\", \"note\": 1}\n\n\"" + kHex + "\"\n"),
            (Rows{"ok", "ok"}));
  EXPECT_EQ(
      outcome("{\"request\": \"" + kBase64 + "\"}\n{\"request\": 5}\n{\"other\": \"\"}\n[\n" +
              std::string(9000, '[') + "\n{\"pkcs10\": \"" + kBase64 + "\"}"),
      (Rows{"ok", "batch-row-json", "batch-row-json", "batch-row-json", "batch-row-json", "ok"}));
  EXPECT_EQ(outcome("{\"request\": \"" + std::string(20'000, 'M') + "\"}\n"),
            (Rows{"batch-row-long"}));
}

TEST(BatchFile, TellsTheFormByContentAndRefusesWhatIsNone) {
  const auto form = [](std::string_view content, std::string_view type = "") {
    const Result<BatchFile> file = read_batch_file(content, type);
    return file.ok() ? std::string(text(file->form)) : std::string(file.refusal().rule.text());
  };
  EXPECT_EQ(form(kPem), "pem");
  EXPECT_EQ(form("request\n"), "csv");
  EXPECT_EQ(form("\"request\",x\n"), "csv");
  EXPECT_EQ(form("{}"), "jsonl");
  EXPECT_EQ(form(as_text(kRequest)), "der");
  EXPECT_EQ(form(make_zip({})), "zip");
  EXPECT_EQ(form(kPem, "text/csv"), "batch-csv-column") << "the sender's word counts first";
  for (const char* none : {"", "hello", "\x30", "-----BEGIN CERTIFICATE-----"})
    EXPECT_EQ(form(none), "batch-format") << none;
  EXPECT_EQ(form("PK\x03\x04 and no more"), "batch-zip");
  EXPECT_EQ(form(std::string(64 * 1024 * 1024 + 1, 'x')), "batch-too-long");
}

TEST(BatchFile, TakesFiftyThousandRowsAndNotOneMore) {
  std::string lines = "request\n";
  for (int i = 0; i < 50'000; ++i) lines += kBase64 + "\n";
  EXPECT_EQ(read_batch_file(lines, "")->requests.size(), 50'000u);
  EXPECT_EQ(outcome(lines + "x\n"), (Rows{"file ra-batch-too-large"}));
}

TEST(BatchFile, KnowsTheSameUnreadableRowAgain) {
  const auto requests = [](std::string_view content) {
    return read_batch_file(content, "")->requests;
  };
  EXPECT_EQ(requests("request\nwhat?\n"), requests("request\nwhat?\n"));
  EXPECT_NE(requests("request\nwhat?\n"), requests("request\nwho?\n"));
}

// ---- ZIP

TEST(BatchFile, ReadsZipMembersAndRefusesBadOnesAlone) {
  const std::string der(as_text(kRequest));
  EXPECT_EQ(outcome(make_zip({{"a.pem", kPem}, {"sub/b.der", der}, {"c.csr", kHex}})),
            (Rows{"ok", "ok", "ok"}));
  EXPECT_EQ(outcome(make_zip({{"/etc/a.pem", kPem},
                              {"../b.pem", kPem},
                              {"c:\\d.pem", kPem},
                              {"inner.zip", make_zip({{"a.pem", kPem}})},
                              {"read.me", "hello"},
                              {"two.pem", kPem + kPem},
                              {"empty.der", ""},
                              {"good.PEM", kPem}})),
            (Rows{"batch-row-member", "batch-row-member", "batch-row-member", "batch-row-member",
                  "batch-row-member", "batch-row-pem", "batch-row-empty", "ok"}));
}

TEST(BatchFile, UnpacksNoBomb) {
  // A megabyte of zeros deflates to a thousandth.
  EXPECT_EQ(outcome(make_zip({{"bomb.pem", std::string(1 << 20, '\0')}, {"good.pem", kPem}})),
            (Rows{"batch-row-long", "ok"}));
  std::vector<ZipMember> members;
  const std::string full(16384, 'M');
  for (int i = 0; i < 5000; ++i) members.push_back({std::to_string(i) + ".csr", full});
  const std::string archive = make_zip(members);
  EXPECT_LT(archive.size(), 2u << 20);
  EXPECT_EQ(outcome(archive), (Rows{"file batch-zip-unpacked"}));
}

TEST(BatchFile, RefusesADamagedMemberOrArchive) {
  const std::string archive = make_zip({{"a.pem", kPem + std::string(300, '\n')}, {"b.pem", kPem}});
  std::string damaged = archive;
  damaged[45] ^= 0x55;  // in the first member's data
  EXPECT_EQ(outcome(damaged), (Rows{"batch-row-member", "ok"}));
  for (std::size_t n = 4; n < archive.size(); n += 7)
    EXPECT_EQ(outcome(archive.substr(0, n)), (Rows{"file batch-zip"})) << n;
}

TEST(BatchFile, ArchivesOfTheSameMembersAreTheSameOctets) {
  EXPECT_EQ(make_zip({{"a.pem", kPem}}), make_zip({{"a.pem", kPem}}));
}

}  // namespace
}  // namespace wattseal::smki
