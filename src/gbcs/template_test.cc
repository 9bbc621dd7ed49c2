// The templates, both ways, against octets that others made: every reference request must become
// its reference message, and what is read back from the message must be the request, and nothing
// else may pass.
#include "gbcs/template.h"

#include <gtest/gtest.h>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "gbcs/reference_test.h"
#include "gbcs/security.h"

namespace wattseal::gbcs {
namespace {

namespace fs = std::filesystem;

// What the reference messages presume of the inventory.
class ReferenceFacts final : public Facts {
 public:
  explicit ReferenceFacts(nlohmann::json notes = nlohmann::json::object())
      : notes_(std::move(notes)) {}
  Result<int> device_type_code(Eui64 device) const override {
    if (notes_.contains("other_device_type")) return notes_["other_device_type"].get<int>();
    const std::string_view type = device_type(device);
    constexpr std::string_view kCodes[] = {"GSME", "ESME", "CHF", "GPF", "HCALCS", "PPMID"};
    const auto found = std::ranges::find(kCodes, type);
    if (found == std::end(kCodes))
      return Refusal{"gbcs-fact-missing"_rule, "no device " + device.text()};
    return static_cast<int>(found - std::begin(kCodes));
  }
  Result<Bytes> key_agreement_certificate(Eui64) const override {
    if (notes_.contains("other_device_ka_certificate"))
      return from_base64(notes_["other_device_ka_certificate"].get<std::string>()).value();
    return Refusal{"gbcs-fact-missing"_rule, "no certificates"};
  }
  Result<std::string> named(std::string_view name) const override {
    if (name == "cin") return std::string("1234");
    if (name == "variant") return notes_.value("esme_variant", "single");
    if (name == "twin") return std::string(*named("variant") == name ? "true" : "false");
    if (name == "chf-network" && notes_.contains("chf_log"))
      return notes_["chf_log"]["head"].get<std::string>();
    if (name == "generation") return notes_.value("device_generation", "newer");
    return Refusal{"gbcs-fact-missing"_rule, std::string(name)};
  }
  Result<RemotePartyRole> role_of(Eui64 party) const override {
    switch (party.number()) {
      case 0x90b3d51f30020000: return RemotePartyRole::network_operator;
      case 0x90b3d51f30010008: return RemotePartyRole::load_controller;
      default: return RemotePartyRole::supplier;
    }
  }
  Result<Rows> rows(std::string_view name) const override {
    if (name == "chf-log" && notes_.contains("chf_log"))
      return notes_["chf_log"]["entries"].get<Rows>();
    if (name != "gpf-log" || !notes_.contains("gpf_log")) return Facts::rows(name);
    Rows rows;
    for (const nlohmann::json& entry : notes_["gpf_log"])
      rows.push_back({entry[0].get<std::string>(), entry[1].dump()});
    return rows;
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
  nlohmann::json notes_;
};

struct Pair {
  std::string name;
  std::unique_ptr<xml::Element> body;  // with the values that the message has
  std::string variant;
  Message header;  // by the request and the notes; without message code, payload and certificate
  Bytes octets;    // the reference command
  Message command;
  std::unique_ptr<ReferenceFacts> facts;

  TransformContext transform() const {
    return {*body,
            header.originator,
            header.target,
            header.counter,
            UtcTime::parse_iso("2015-01-01T00:00:00Z").value(),
            *facts,
            header.supplementary_party};
  }
  ReadContext read() const {
    return {header.originator, header.target, header.counter, *facts, header.supplementary_party};
  }
};

// The triple of the RequestID, or the DCC's own originator and counter where the notes of the
// reference data name them. Source: spec/gbcs-duis.md 5.3.
Message header_of(std::string_view request_id, const nlohmann::json& notes) {
  constexpr std::size_t kEui = 23;
  Message header;
  header.originator = Eui64::parse(request_id.substr(0, kEui)).value();
  header.target = Eui64::parse(request_id.substr(kEui + 1, kEui)).value();
  header.counter = OriginatorCounter(std::stoull(std::string(request_id.substr(2 * (kEui + 1)))));
  if (!notes.contains("gbcs_originator")) return header;
  if (notes.contains("unknown_remote_party")) {
    header.supplementary_party = header.originator;
    header.supplementary_counter = header.counter;
  }
  header.originator =
      Eui64::from_number(get_be(from_hex(notes["gbcs_originator"].get<std::string>()).value()));
  header.counter = OriginatorCounter(notes["gbcs_counter"].get<std::uint64_t>());
  return header;
}

// A few requests contradict their messages: the notes of the reference data say where and what the
// messages have. Source: spec/gbcs-duis.md 5.4.
void correct(xml::Element& body, std::string_view path, const std::string& value) {
  xml::Element* element = &body;
  while (!path.empty()) {
    const std::string_view step = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), step.size() + 1));
    element = &*std::ranges::find(element->children, step, &xml::Element::name);
  }
  element->text = value;
}

// Its message says other events than it (data/reference_exceptions.tsv).
constexpr std::string_view kContradictory = "ECS25a_6.22_SUCCESS";

// Every reference request whose use case has a template and whose command is among the reference
// messages.
std::vector<Pair> reference_pairs(const fs::path& vectors) {
  std::map<std::string, fs::path> commands;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(vectors / "rtds" / "rtds-4.5.0"))
    commands[entry.path().filename().string()] = entry.path();
  const nlohmann::json notes =
      nlohmann::json::parse(wattseal::test::read_text(vectors / "rtds" / "context.json"));
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
    if (name == kContradictory) continue;
    const auto command = commands.find(name + "_COMMAND_GBCS.HEX");
    if (!TemplateSet::built_in()->find(name.substr(0, name.find('_'))) || command == commands.end())
      continue;
    Pair pair;
    pair.name = name;
    const xml::Document document = xml::parse(wattseal::test::read_text(path)).value();
    const xml::Element* const header = document.root().child("Header");
    const nlohmann::json own = notes.value(name, nlohmann::json::object());
    pair.variant = header->child("ServiceReferenceVariant")->trimmed();
    pair.header = header_of(header->child("RequestID")->trimmed(), own);
    pair.octets = wattseal::test::read_hex(command->second);
    pair.command = decode(pair.octets).value();
    pair.body = std::make_unique<xml::Element>(document.root().child("Body")->children.front());
    const nlohmann::json corrections = own.value("xml_contradicts_hex", nlohmann::json::object());
    for (const auto& [at, value] : corrections.items())
      correct(*pair.body, at, value.get<std::string>());
    pair.facts = std::make_unique<ReferenceFacts>(own);
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
  EXPECT_GE(TemplateSet::built_in()->all().size(), 216u);
  for (const Template* use_case : TemplateSet::built_in()->all())
    EXPECT_EQ(TemplateSet::built_in()->find(view(*use_case).use_case), use_case);
}

// The whole command: of the reference only the octets of its signature are taken over.
TEST(Templates, TransformEveryReferenceRequestOctetForOctet) {
  WATTSEAL_NEEDS_VECTORS(folder);
  test::ReferenceKeys keys(folder);
  int exact = 0;
  for (const Pair& pair : reference_pairs(folder)) {
    const TransformContext context = pair.transform();
    const Result<const Template*> use_case = TemplateSet::built_in()->select(
        pair.variant, ReferenceFacts::device_type(pair.header.target), context);
    ASSERT_TRUE(use_case.ok()) << pair.name << " " << use_case.refusal().detail;
    EXPECT_EQ(view(**use_case).use_case, pair.name.substr(0, pair.name.find('_')));
    const Result<Bytes> payload = write_payload(**use_case, context);
    ASSERT_TRUE(payload.ok()) << pair.name << " " << payload.refusal().detail << " "
                              << payload.refusal().field;
    Message made = pair.header;
    made.code = view(**use_case).code;
    made.payload = *payload;
    if (made.supplementary_party && view(**use_case).encrypted) {
      made.supplementary_certificate =
          from_base64(pair.body->child("KAPublicSecurityCredentials")->text).value();
    }
    if (view(**use_case).critical || view(**use_case).dcc_signed) {
      made.signature_field = SignatureField::present;
      made.signature = pair.command.signature;
    }
    add_mac(made, keys.mac_secret(made).value());
    EXPECT_EQ(to_hex(encode(made)), to_hex(pair.octets)) << pair.name;
    ++exact;
  }
  EXPECT_EQ(exact, 193);
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

// No octet is free: the long-invoke-id is the low half of the counter, lengths have one form, and
// all the rest is the template's or the request's. Each octet is changed in its lowest bit and in
// bits drawn by chance.
TEST(Templates, LetNoChangedOctetThrough) {
  WATTSEAL_NEEDS_VECTORS(folder);
  std::mt19937 chance(20261124);
  std::size_t changed = 0;
  std::size_t octets = 0;
  std::vector<std::string> passed;
  for (const Pair& pair : reference_pairs(folder)) {
    const Template& use_case =
        *TemplateSet::built_in()->find(pair.name.substr(0, pair.name.find('_')));
    octets += pair.command.payload.size();
    for (std::size_t i = 0; i < pair.command.payload.size(); ++i) {
      const Octet drawn = static_cast<Octet>(2 + chance() % 254);
      for (const Octet bits : {Octet{0x01}, drawn}) {
        Bytes payload = pair.command.payload;
        payload[i] ^= bits;
        ++changed;
        if (accepts(use_case, payload, pair, *pair.body).ok())
          passed.push_back(pair.name + " octet " + std::to_string(i));
      }
    }
  }
  EXPECT_EQ(changed, 2 * octets);
  EXPECT_GT(octets, 10'000u);
  std::string list;
  for (const std::string& one : passed) list += one + "\n";
  EXPECT_TRUE(passed.empty()) << passed.size() << " of " << changed << "\n" << list.substr(0, 4000);
}

TEST(Templates, LetNoShorterOrLongerPayloadThrough) {
  WATTSEAL_NEEDS_VECTORS(folder);
  for (const Pair& pair : reference_pairs(folder)) {
    const Template& use_case =
        *TemplateSet::built_in()->find(pair.name.substr(0, pair.name.find('_')));
    Bytes payload = pair.command.payload;
    payload.push_back(0x00);
    EXPECT_FALSE(accepts(use_case, payload, pair, *pair.body).ok())
        << pair.name << " with one octet more";
    const std::size_t step = 1 + payload.size() / 40;
    for (std::size_t length = 0; length < pair.command.payload.size(); length += step) {
      EXPECT_FALSE(
          accepts(use_case, BytesView(pair.command.payload).first(length), pair, *pair.body).ok())
          << pair.name << " cut to " << length;
    }
  }
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

// Removes one child after the other, at every depth, and says which removals still pass.
void without_each_child(xml::Element& element, const std::string& path,
                        const std::function<void(const std::string&)>& judge) {
  for (std::size_t i = 0; i < element.children.size(); ++i) {
    const std::string child_path =
        path.empty() ? element.children[i].name : path + "/" + element.children[i].name;
    const xml::Element removed = element.children[i];
    element.children.erase(element.children.begin() + static_cast<std::ptrdiff_t>(i));
    judge(child_path);
    element.children.insert(element.children.begin() + static_cast<std::ptrdiff_t>(i), removed);
    without_each_child(element.children[i], child_path, judge);
  }
}

TEST(Templates, LetNoRequestWithoutOneOfItsElementsThrough) {
  WATTSEAL_NEEDS_VECTORS(folder);
  int removed = 0;
  std::vector<std::string> passed;
  for (const Pair& pair : reference_pairs(folder)) {
    const Template& use_case =
        *TemplateSet::built_in()->find(pair.name.substr(0, pair.name.find('_')));
    const ReadBack read = read_payload(use_case, pair.command.payload, pair.read()).value();
    xml::Element body = *pair.body;
    without_each_child(body, "", [&](const std::string& path) {
      if (std::ranges::any_of(read.unused,
                              [&](const std::string& one) { return path.starts_with(one); }))
        return;
      // Empty in the reference requests: an empty list says what a missing one says.
      if (path.ends_with("/SpecialDays") || path.ends_with("Applicability")) return;
      // A price of 0 is what the payload carries for one that is not there.
      if (path == "PriceElements/ElectricityPriceElement") return;
      ++removed;
      if (compare(read, body, UtcTime::parse_iso("2015-01-01T00:00:00Z").value(), 0).ok())
        passed.push_back(pair.name + " without " + path);
    });
  }
  EXPECT_GT(removed, 400);
  std::string list;
  for (const std::string& one : passed) list += one + "\n";
  EXPECT_TRUE(passed.empty()) << passed.size() << " of " << removed << "\n" << list.substr(0, 4000);
}

TEST(Templates, LetNoTimeThroughThatTheClockDoesNotBear) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const UtcTime then = UtcTime::parse_iso("2015-01-01T00:00:00Z").value();
  int judged = 0;
  for (const Pair& pair : reference_pairs(folder)) {
    const Template& use_case =
        *TemplateSet::built_in()->find(pair.name.substr(0, pair.name.find('_')));
    const ReadBack read = read_payload(use_case, pair.command.payload, pair.read()).value();
    if (read.clock_windows.empty()) continue;
    ++judged;
    EXPECT_TRUE(compare(read, *pair.body, then.plus_seconds(60), 60).ok()) << pair.name;
    for (const std::int64_t late : {61, -61}) {
      const Status status = compare(read, *pair.body, then.plus_seconds(late), 60);
      ASSERT_FALSE(status.ok()) << pair.name;
      EXPECT_EQ(status.refusal().rule.text(), "correlate-clock") << pair.name;
    }
  }
  EXPECT_GT(judged, 5);
}

// ------------------------------------------------------------------------------------------------------------
// without vectors

constexpr std::string_view kSmall = R"(
(usecase SMALL (code 0x0001) (srv "9.9" Small) (device ESME) (class nc) (when (has Limit))
  (dlms (set 1 "0-0:1.0.0.255" 2 (u8 (x Limit)))
        (for Name (set 1 (obisf "0-0:2.%s.0.255" (+ index 1)) 2 (oct (x .))))))
)";

class SmallCase : public ::testing::Test {
 protected:
  SmallCase() : set_(TemplateSet::load({{"small.gmt", std::string(kSmall)}}).value()) {}
  Result<Bytes> write(const xml::Element& body) const {
    const TransformContext context{body, user_, device_, counter_, now_, facts_, {}};
    TRY_ASSIGN(const Template* const use_case, set_->select("9.9", "ESME", context));
    return write_payload(*use_case, context);
  }
  std::string rule_of(const xml::Element& body) const {
    const Result<Bytes> written = write(body);
    return written.ok() ? "accepted" : std::string(written.refusal().rule.text());
  }
  static xml::Element body(const std::string& inside) {
    return xml::parse("<Small xmlns=\"urn:test\">" + inside + "</Small>").value().root();
  }
  Status correlated(BytesView payload, const xml::Element& request) const {
    TRY_ASSIGN(const ReadBack read,
               read_payload(*set_->find("SMALL"), payload, {user_, device_, counter_, facts_, {}}));
    return compare(read, request, now_, 0);
  }

  std::shared_ptr<const TemplateSet> set_;
  ReferenceFacts facts_;
  Eui64 user_ = Eui64::parse("90-B3-D5-1F-30-01-00-00").value();
  Eui64 device_ = Eui64::parse("00-DB-12-34-56-78-90-A0").value();
  OriginatorCounter counter_{1001};
  UtcTime now_ = UtcTime::parse_iso("2015-01-01T00:00:00Z").value();
};

TEST_F(SmallCase, WritesAndReadsBack) {
  const xml::Element request = body("<Limit>7</Limit><Name>ab</Name><Name>c</Name>");
  const Result<Bytes> payload = write(request);
  ASSERT_TRUE(payload.ok()) << payload.refusal().detail;
  EXPECT_EQ(to_hex(*payload),
            "d9200003e900"  // long-invoke-id with the counter's low half, no date-time
            "03"            // three requests: kind, class, instance, attribute
            "020001"
            "0000010000ff"
            "02"
            "020001"
            "0000020100ff"
            "02"
            "020001"
            "0000020200ff"
            "02"
            "03"
            "1107"
            "09026162"
            "090163");
  EXPECT_TRUE(correlated(*payload, request).ok());
}

TEST_F(SmallCase, RefusesWhatDoesNotFitTheFieldOrTheTemplate) {
  EXPECT_EQ(rule_of(body("<Limit>255</Limit>")), "accepted");
  EXPECT_EQ(rule_of(body("<Limit>256</Limit>")), "gbcs-value-range");
  EXPECT_EQ(rule_of(body("<Limit>-1</Limit>")), "gbcs-value-range");
  EXPECT_EQ(rule_of(body("<Limit>seven</Limit>")), "gbcs-value-range");
  EXPECT_EQ(rule_of(body("<Other>7</Other>")), "gbcs-template-none");
}

// What a path picks by a day's name or a block's number must not be there twice.
TEST(Templates, RefuseARequestThatListsTheSameThingTwice) {
  const auto set = TemplateSet::load({{"days.gmt", R"(
(usecase DAYS (code 0x0001) (srv "9.9" Small) (device ESME) (class nc)
  (dlms (set 1 "0-0:1.0.0.255" 2 (flags 2 (bit 0 (has Days/Day[.='Monday'])) (bit 1 (has Days/Day[.='Friday']))))
        (set 1 "0-0:2.0.0.255" 2 (u8 (opt Price[@index='1'] 0)))))
)"}}).value();
  const ReferenceFacts facts;
  const auto refusal = [&](const std::string& inside) {
    const xml::Element body =
        xml::parse("<Small xmlns=\"urn:test\">" + inside + "</Small>").value().root();
    const TransformContext context{body,
                                   Eui64::from_number(1),
                                   Eui64::from_number(2),
                                   OriginatorCounter(7),
                                   UtcTime::from_unix_seconds(0),
                                   facts,
                                   {}};
    const Result<Bytes> written = write_payload(*set->find("DAYS"), context);
    return written.ok()
               ? "accepted"
               : std::string(written.refusal().rule.text()) + " " + written.refusal().field;
  };
  EXPECT_EQ(refusal("<Days><Day>Monday</Day><Day>Friday</Day></Days>"), "accepted");
  EXPECT_EQ(refusal("<Days><Day>Friday</Day><Day>Monday</Day><Day>Friday</Day></Days>"),
            "gbcs-value-repeated Days/Day[.='Friday']");
  EXPECT_EQ(refusal("<Days/><Price index=\"1\">5</Price><Price index=\"2\">6</Price>"), "accepted");
  EXPECT_EQ(refusal("<Days/><Price index=\"1\">5</Price><Price index=\"1\">6</Price>"),
            "gbcs-value-repeated Price[@index='1']");
}

TEST_F(SmallCase, ComparesOrderNumberAndValue) {
  const Bytes payload = write(body("<Limit>7</Limit><Name>ab</Name><Name>c</Name>")).value();
  const auto rule = [&](const std::string& inside) {
    const Status status = correlated(payload, body(inside));
    return status.ok() ? std::string("accepted") : std::string(status.refusal().rule.text());
  };
  EXPECT_EQ(rule("<Limit>007</Limit><Name>ab</Name><Name>c</Name>"), "accepted");
  EXPECT_EQ(rule("<Limit>8</Limit><Name>ab</Name><Name>c</Name>"), "correlate-value");
  EXPECT_EQ(rule("<Limit>7</Limit><Name>c</Name><Name>ab</Name>"), "correlate-value");
  EXPECT_EQ(rule("<Limit>7</Limit><Name>ab</Name>"), "correlate-missing");
  EXPECT_EQ(rule("<Name>ab</Name><Name>c</Name>"), "correlate-missing");
  EXPECT_EQ(rule("<Limit>7</Limit><Name>ab</Name><Name>c</Name><Name>d</Name>"), "correlate-value");
  EXPECT_EQ(rule("<Limit>7</Limit><Name>ab</Name><Name>c</Name><More>d</More>"),
            "correlate-unexplained");
  EXPECT_EQ(rule("<Limit>7</Limit><Name a='1'>ab</Name><Name>c</Name>"), "correlate-unexplained");
}

struct Bad {
  std::string payload, rule;
};
std::string use_case_with(const std::string& payload) {
  return "\n(usecase A (code 0x0001) (srv \"1\" B) (device ESME) (class nc)\n " + payload + ")";
}

TEST(Templates, AreRefusedAtLoadingWithFileAndLine) {
  const std::string get = "(dlms (get 1 \"0-0:1.0.0.255\" 2))";
  for (const auto& [text, rule, line] :
       std::initializer_list<std::tuple<std::string, std::string, int>>{
           {"(usecase", "template-syntax", 1},
           {"\n(nonsense X)", "template-syntax", 2},
           {"\n(usecase A (code 0x0001))", "template-clause", 2},
           {use_case_with("(code 0x0002) " + get), "template-clause", 3},
           {use_case_with("(device TOASTER) " + get), "template-clause", 3},
           {use_case_with("(colour red) " + get), "template-operator", 3},
           {use_case_with("(same-as NOBODY)"), "template-reference", 2},
           {use_case_with(get) + use_case_with(get), "template-duplicate", 4}}) {
    const Result<std::shared_ptr<const TemplateSet>> loaded =
        TemplateSet::load({{"bad.gmt", text}});
    ASSERT_FALSE(loaded.ok()) << text;
    EXPECT_EQ(loaded.refusal().rule.text(), rule) << text << " " << loaded.refusal().detail;
    EXPECT_EQ(loaded.refusal().field, "bad.gmt:" + std::to_string(line)) << text;
  }
}

TEST(Templates, AreRefusedAtLoadingForWhatTheirPayloadSays) {
  for (const Bad& bad : std::initializer_list<Bad>{
           {"(dlms (get 1 \"0-0:1.0.0\" 2))", "template-instance"},
           {"(dlms (get 1 \"0-0:1.0.0.256\" 2))", "template-instance"},
           {"(dlms (set 1 (obisf \"0-0:1.0.0.255\" 1) 2 (u8 1)))", "template-instance"},
           {"(dlms (get 70000 \"0-0:1.0.0.255\" 2))", "template-number"},
           {"(dlms (set 1 \"0-0:1.0.0.255\" 2 (u8 (within 3 2 (x A)))))", "template-number"},
           {"(dlms (conjure 1))", "template-operator"},
           {"(dlms (set 1 \"0-0:1.0.0.255\" 2 (u8 (conjure 1))))", "template-operator"},
           {"(dlms (set 1 \"0-0:1.0.0.255\" 2 (oct 5)))", "template-type"},
           {"(dlms (set 1 \"0-0:1.0.0.255\" 2 (oct (hex \"0\"))))", "template-type"},
           {"(dlms (set 1 \"0-0:1.0.0.255\" 2 (u8 index)))", "template-variable"},
           {"(dlms (set 1 \"0-0:1.0.0.255\" 2 (u8 (x A[@b=c]))))", "template-variable"},
           {"(dlms (set 1 \"0-0:1.0.0.255\" 2 (for A (u8 1))))", "template-syntax"},
           {"(dlms (set 1 \"0-0:1.0.0.255\" 2 (oct (t12 exec))))", "template-clause"},
           {"(gbz (comp 0x0702 0 0 (i8 1)))", "template-operator"},
           {"(gbz (comp 0x0702 0 0 (u16 (periods (x A) now 60))))", "template-type"},
           {"(gbz (comp 0x0702 0 0 (u16 (periods (x A) (opt B 0) 60))))", "template-type"},
           {"(gbz (comp 0x0702 0 0 (u16 (periods (x A) (x B) 0))))", "template-number"},
           {"(gbz (event-settings (x A)))", "template-syntax"},
           {"(dlms (event-settings A))", "template-operator"},
           {"(gbz (comp 0x0702 0 0 (u8 (if (in (x A) (x B)) 1 2))))", "template-syntax"},
           {"(asn1 (bits 8 \"80\"))", "template-number"},
           {"(asn1 (oct (hex \"00)))", "template-syntax"}}) {
    const Result<std::shared_ptr<const TemplateSet>> loaded =
        TemplateSet::load({{"bad.gmt", use_case_with(bad.payload)}});
    ASSERT_FALSE(loaded.ok()) << bad.payload;
    EXPECT_EQ(loaded.refusal().rule.text(), bad.rule)
        << bad.payload << " " << loaded.refusal().detail;
    EXPECT_TRUE(loaded.refusal().field.starts_with("bad.gmt:")) << loaded.refusal().field;
  }
}

TEST(Templates, AreRefusedAtLoadingWhenNestedTooDeep) {
  const std::string deep = std::string(100'000, '(');
  EXPECT_FALSE(TemplateSet::load({{"bad.gmt", deep}}).ok());
}

}  // namespace
}  // namespace wattseal::gbcs
