// The templates, both ways, against octets that others made: every reference request must become
// its reference message, and what is read back from the message must be the request, and nothing
// else may pass.
#include "gbcs/template.h"

#include <gtest/gtest.h>
#include <set>

#include "gbcs/reference_test.h"

namespace wattseal::gbcs {
namespace {

namespace fs = std::filesystem;

// What the reference messages presume of the inventory.
class ReferenceFacts final : public Facts {
 public:
  explicit ReferenceFacts(bool twin) : twin_(twin) {}
  Result<int> device_type_code(Eui64 device) const override {
    const std::string_view type = device_type(device);
    constexpr std::string_view kCodes[] = {"GSME", "ESME", "CHF", "GPF", "HCALCS", "PPMID"};
    const auto found = std::ranges::find(kCodes, type);
    if (found == std::end(kCodes))
      return Refusal{"gbcs-fact-missing"_rule, "no device " + device.text()};
    return static_cast<int>(found - std::begin(kCodes));
  }
  Result<Bytes> key_agreement_certificate(Eui64) const override {
    return Refusal{"gbcs-fact-missing"_rule, "no certificates"};
  }
  Result<std::string> named(std::string_view name) const override {
    if (name == "cin") return std::string("1234");
    if (name == "twin") return std::string(twin_ ? "true" : "false");
    return Refusal{"gbcs-fact-missing"_rule, std::string(name)};
  }
  static std::string_view device_type(Eui64 device) {
    static const std::map<std::uint64_t, std::string_view> kTypes = {
        {0x00db1234567890a0, "ESME"}, {0x00db1234567890a1, "GSME"},  {0x00db1234567890a2, "CHF"},
        {0x00db1234567890a3, "GPF"},  {0x00db1234567890a4, "PPMID"}, {0x00db1234567890a5, "HCALCS"},
        {0x00db1234567890a6, "SAPC"}, {0x00db12345678909c, "GPF"},   {0x00db12345678909a, "HCALCS"},
        {0x00db123456789093, "ESME"}};
    const auto found = kTypes.find(device.number());
    return found == kTypes.end() ? "" : found->second;
  }

 private:
  bool twin_;
};

struct Pair {
  std::string name;
  xml::Document document;
  const xml::Element* body = nullptr;
  std::string variant;
  Eui64 user;
  Message command;
  std::unique_ptr<ReferenceFacts> facts;

  std::optional<Eui64> protected_for() const {
    return command.supplementary_certificate.empty() ? std::nullopt : std::optional(user);
  }
  TransformContext transform() const {
    return {*body,
            command.originator,
            command.target,
            command.counter,
            UtcTime::parse_iso("2015-01-01T00:00:00Z").value(),
            *facts,
            protected_for()};
  }
  ReadContext read() const {
    return {command.originator, command.target, command.counter, *facts, protected_for()};
  }
};

// Every reference request whose use case has a template and whose command is among the reference
// messages.
std::vector<Pair> reference_pairs(const fs::path& vectors) {
  std::map<std::string, fs::path> commands;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(vectors / "rtds" / "rtds-4.5.0"))
    commands[entry.path().filename().string()] = entry.path();
  std::vector<Pair> pairs;
  std::set<fs::path> requests;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(vectors / "rtds" / "duis-templates-db1dd08"))
    requests.insert(entry.path());
  constexpr std::string_view kSuffix = "_REQUEST_DUIS.XML";
  for (const fs::path& path : requests) {
    std::string name = path.filename().string();
    if (!name.ends_with(kSuffix)) continue;
    name.resize(name.size() - kSuffix.size());
    const auto command = commands.find(name + "_COMMAND_GBCS.HEX");
    if (!TemplateSet::built_in()->find(name.substr(0, name.find('_'))) || command == commands.end())
      continue;
    Pair pair{name, xml::parse(wattseal::test::read_text(path)).value(),       nullptr, {},
              {},   decode(wattseal::test::read_hex(command->second)).value(), nullptr};
    const xml::Element* const header = pair.document.root().child("Header");
    pair.variant = header->child("ServiceReferenceVariant")->trimmed();
    pair.user = Eui64::parse(header->child("RequestID")->trimmed().substr(0, 23)).value();
    pair.body = &pair.document.root().child("Body")->children.front();
    pair.facts = std::make_unique<ReferenceFacts>(name.find("TWIN") != std::string::npos);
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

Status accepts(const Template& use_case, BytesView payload, const Pair& pair,
               const xml::Element& body) {
  TRY_ASSIGN(const ReadBack read, read_payload(use_case, payload, pair.read()));
  return compare(read, body, UtcTime::parse_iso("2015-01-01T00:00:00Z").value(), 0);
}

TEST(Templates, LoadAndAreAsMany) {
  EXPECT_GE(TemplateSet::built_in()->all().size(), 68u);
  for (const Template* use_case : TemplateSet::built_in()->all())
    EXPECT_EQ(TemplateSet::built_in()->find(view(*use_case).use_case), use_case);
}

TEST(Templates, TransformEveryReferenceRequestOctetForOctet) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int exact = 0;
  for (const Pair& pair : reference_pairs(folder)) {
    const TransformContext context = pair.transform();
    const Result<const Template*> use_case = TemplateSet::built_in()->select(
        pair.variant, ReferenceFacts::device_type(pair.command.target), context);
    ASSERT_TRUE(use_case.ok()) << pair.name << " " << use_case.refusal().detail;
    EXPECT_EQ(view(**use_case).use_case, pair.name.substr(0, pair.name.find('_')));
    EXPECT_EQ(view(**use_case).code, pair.command.code) << pair.name;
    const Result<Bytes> payload = write_payload(**use_case, context);
    ASSERT_TRUE(payload.ok()) << pair.name << " " << payload.refusal().detail << " "
                              << payload.refusal().field;
    EXPECT_EQ(to_hex(*payload), to_hex(pair.command.payload)) << pair.name;
    ++exact;
  }
  EXPECT_EQ(exact, 89);
}

TEST(Templates, ReadEveryReferenceCommandBackToItsRequest) {
  WATTSEAL_NEEDS_VECTORS(folder);
  for (const Pair& pair : reference_pairs(folder)) {
    const Template& use_case =
        *TemplateSet::built_in()->find(pair.name.substr(0, pair.name.find('_')));
    const Status status = accepts(use_case, pair.command.payload, pair, *pair.body);
    EXPECT_TRUE(status.ok()) << pair.name << " " << status.refusal().rule.text() << " "
                             << status.refusal().detail << " at " << status.refusal().field;
  }
}

// The long-invoke-id of an access request is the low half of the counter; every other octet stands
// for something in the request.
TEST(Templates, LetNoChangedOctetThrough) {
  WATTSEAL_NEEDS_VECTORS(folder);
  std::size_t changed = 0;
  std::vector<std::string> passed;
  for (const Pair& pair : reference_pairs(folder)) {
    const Template& use_case =
        *TemplateSet::built_in()->find(pair.name.substr(0, pair.name.find('_')));
    const std::size_t step = 1 + pair.command.payload.size() / 400;  // long ones are sampled
    for (std::size_t i = 0; i < pair.command.payload.size(); i += step) {
      for (const Octet bits : {Octet{0x01}, Octet{0x80}}) {
        Bytes payload = pair.command.payload;
        payload[i] ^= bits;
        ++changed;
        if (accepts(use_case, payload, pair, *pair.body).ok())
          passed.push_back(pair.name + " octet " + std::to_string(i));
      }
    }
  }
  EXPECT_GT(changed, 10'000u);
  std::string list;
  for (const std::string& one : passed) list += one + "\n";
  EXPECT_TRUE(passed.empty()) << passed.size() << " of " << changed << "\n" << list.substr(0, 4000);
}

using LeafVisitor = std::function<void(xml::Element&, const std::string& path)>;
void for_each_leaf(xml::Element& element, const std::string& path, const LeafVisitor& visit) {
  if (element.children.empty()) visit(element, path);
  for (xml::Element& child : element.children)
    for_each_leaf(child, path.empty() ? child.name : path + "/" + child.name, visit);
}

TEST(Templates, LetNoChangedRequestThrough) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int refused = 0;
  std::vector<std::string> passed;
  for (const Pair& pair : reference_pairs(folder)) {
    const Template& use_case =
        *TemplateSet::built_in()->find(pair.name.substr(0, pair.name.find('_')));
    xml::Element body = *pair.body;
    xml::Element extra = body;
    extra.children.push_back({body.ns, "Unforeseen", {}, "1", {}});
    if (accepts(use_case, pair.command.payload, pair, extra).ok())
      passed.push_back(pair.name + " extra element");
    if (body.children.empty()) continue;
    const ReadBack read = read_payload(use_case, pair.command.payload, pair.read()).value();
    for_each_leaf(body, "", [&](xml::Element& leaf, const std::string& path) {
      const bool unused = std::ranges::any_of(
          read.unused, [&](const std::string& one) { return path.starts_with(one); });
      if (unused || leaf.trimmed().empty()) return;
      const std::string before = leaf.text;
      leaf.text = before == "0" ? "1"
                  : before.find('.') == std::string::npos
                      ? before + "1"
                      : "9" + before;  // digits behind may be rounded away
      if (accepts(use_case, pair.command.payload, pair, body).ok())
        passed.push_back(pair.name + " " + path + " " + before.substr(0, 40));
      leaf.text = before;
      ++refused;
    });
  }
  EXPECT_GT(refused, 400);
  std::string list;
  for (const std::string& one : passed) list += one + "\n";
  EXPECT_TRUE(passed.empty()) << passed.size() << "\n" << list.substr(0, 4000);
}

struct Bad {
  std::string_view text, rule;
};
TEST(Templates, AreRefusedAtLoadingWithFileAndLine) {
  for (const Bad& bad : std::initializer_list<Bad>{
           {"(usecase", "template-syntax"},
           {"\n(nonsense X)", "template-syntax"},
           {"\n(usecase A (code 0x0001))", "template-clause"},
           {"\n(usecase A (code 0x0001) (code 0x0002) (srv \"1\" B) (device ESME) (class nc) (dlms "
            "(get 1 \"0-0:1.0.0.255\" 2)))",
            "template-clause"},
           {"\n(usecase A (code 0x0001) (srv \"1\" B) (device ESME) (class nc) (dlms (get 1 "
            "\"0-0:1.0.0\" 2)))",
            "template-instance"},
           {"\n(usecase A (code 0x0001) (srv \"1\" B) (device ESME) (class nc) (dlms (conjure 1)))",
            "template-operator"},
           {"\n(usecase A (code 0x0001) (srv \"1\" B) (device ESME) (class nc) (same-as NOBODY))",
            "template-reference"}}) {
    const Result<std::shared_ptr<const TemplateSet>> loaded =
        TemplateSet::load({{"bad.gmt", std::string(bad.text)}});
    ASSERT_FALSE(loaded.ok()) << bad.text;
    EXPECT_EQ(loaded.refusal().rule.text(), bad.rule) << bad.text << " " << loaded.refusal().detail;
    EXPECT_NE((loaded.refusal().field + loaded.refusal().detail).find("bad.gmt:"),
              std::string::npos)
        << loaded.refusal().field << loaded.refusal().detail;
  }
}

}  // namespace
}  // namespace wattseal::gbcs
