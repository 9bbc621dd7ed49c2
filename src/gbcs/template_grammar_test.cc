// What templates can say beyond fixed items: parts, bit strings, bit fields, names and predicates
// with variables, rows of facts, and whom a use case serves. Each is written, read back, and
// refused where it must be.
#include <gtest/gtest.h>

#include "gbcs/template.h"

namespace wattseal::gbcs {
namespace {

class Knows final : public Facts {
 public:
  std::map<std::string, std::string, std::less<>> facts;
  std::optional<RemotePartyRole> role;
  std::map<std::string, Rows, std::less<>> tables;

  Result<int> device_type_code(Eui64) const override { return 1; }
  Result<Bytes> key_agreement_certificate(Eui64) const override {
    return Refusal{"gbcs-fact-missing"_rule, "none"};
  }
  Result<std::string> named(std::string_view name) const override {
    const auto found = facts.find(name);
    if (found != facts.end()) return found->second;
    return Refusal{"gbcs-fact-missing"_rule, std::string(name)};
  }
  Result<RemotePartyRole> role_of(Eui64 party) const override {
    return role ? Result<RemotePartyRole>(*role) : Facts::role_of(party);
  }
  Result<Rows> rows(std::string_view name) const override {
    const auto found = tables.find(name);
    return found == tables.end() ? Facts::rows(name) : Result<Rows>(found->second);
  }
};

class Grammar : public ::testing::Test {
 protected:
  static std::string use_case(const std::string& clauses, const std::string& name = "A") {
    return "(usecase " + name + " (code 0x0001) (srv \"9.9\" Small) (device ESME) (class nc) " +
           clauses + ")";
  }
  void load(const std::string& text) {
    Result<std::shared_ptr<const TemplateSet>> loaded = TemplateSet::load({{"t.gmt", text}});
    ASSERT_TRUE(loaded.ok()) << loaded.refusal().detail << " " << loaded.refusal().field;
    set_ = *loaded;
  }
  // One set of attribute 2, whose data the text says.
  void load_data(const std::string& data, const std::string& before = "") {
    load(before + use_case("(dlms (set 1 \"0-0:1.0.0.255\" 2 " + data + "))"));
  }
  static std::string refused(const std::string& text) {
    const Result<std::shared_ptr<const TemplateSet>> loaded = TemplateSet::load({{"t.gmt", text}});
    return loaded.ok() ? "accepted" : std::string(loaded.refusal().rule.text());
  }
  static std::string data_refused(const std::string& data) {
    return refused(use_case("(dlms (set 1 \"0-0:1.0.0.255\" 2 " + data + "))"));
  }
  static xml::Element body(const std::string& inside, const std::string& attributes = "") {
    return xml::parse("<Small xmlns=\"urn:test\" " + attributes + ">" + inside + "</Small>")
        .value()
        .root();
  }
  Result<Bytes> write(const xml::Element& request, std::string* chosen = nullptr) const {
    const TransformContext context{request, user_, device_, counter_, now_, facts_, {}};
    TRY_ASSIGN(const Template* const one, set_->select("9.9", "ESME", context));
    if (chosen != nullptr) *chosen = view(*one).use_case;
    return write_payload(*one, context);
  }
  // The octets of the one datum; empty with the rule in `rule` when it was refused.
  std::string datum(const std::string& inside, const std::string& attributes = "") {
    const Result<Bytes> written = write(body(inside, attributes));
    rule_ = written.ok() ? "" : std::string(written.refusal().rule.text());
    constexpr std::size_t kBefore = 6 + 1 + 10 + 1;  // head, count, specification, count
    return written.ok() ? to_hex(BytesView(*written).subspan(kBefore)) : "";
  }
  Status correlated(BytesView payload, const xml::Element& request) const {
    TRY_ASSIGN(const ReadBack read,
               read_payload(*set_->find("A"), payload, {user_, device_, counter_, facts_, {}}));
    return compare(read, request, now_, 0);
  }
  // What was written reads back; with one bit changed anywhere it does not.
  void holds(const std::string& inside, const std::string& attributes = "") {
    const xml::Element request = body(inside, attributes);
    const Bytes payload = write(request).value();
    const Status status = correlated(payload, request);
    EXPECT_TRUE(status.ok()) << status.refusal().detail << " at " << status.refusal().field;
    for (std::size_t i = 0; i < payload.size() * 8; ++i) {
      Bytes changed = payload;
      changed[i / 8] ^= static_cast<Octet>(1 << i % 8);
      EXPECT_FALSE(correlated(changed, request).ok()) << "bit " << i << " of " << to_hex(payload);
    }
  }
  std::string correlation(const std::string& written, const std::string& other) const {
    const Status status = correlated(write(body(written)).value(), body(other));
    return status.ok() ? "accepted" : std::string(status.refusal().rule.text());
  }

  std::shared_ptr<const TemplateSet> set_;
  Knows facts_;
  std::string rule_;
  Eui64 user_ = Eui64::parse("90-B3-D5-1F-30-01-00-00").value();
  Eui64 device_ = Eui64::parse("00-DB-12-34-56-78-90-A0").value();
  OriginatorCounter counter_{1001};
  UtcTime now_ = UtcTime::parse_iso("2015-01-01T00:00:00Z").value();
};

TEST_F(Grammar, BitStringsHaveTheBitsThatHold) {
  load_data("(flags 10 (bit 0 true) (bit 9 (has Last)) (each e (2 4) (bit e (has Bit{e}))))");
  EXPECT_EQ(datum(""), "040a8000");
  EXPECT_EQ(datum("<Last/><Bit4/>"), "040a8840");
  holds("<Last/><Bit2/>");
  EXPECT_EQ(correlation("<Bit2/>", "<Bit4/>"), "correlate-missing");
  EXPECT_EQ(correlation("", "<Bit4/>"), "correlate-unexplained");
}

TEST_F(Grammar, BitStringsAreAsLongAsCountedAndNoLonger) {
  load_data(
      "(struct (array (for Day (u8 (x .))))"
      " (flags (count Day) (range d 1 3 (bit (- d 1) (has On[@number=d])))))");
  EXPECT_EQ(datum("<Day>7</Day><Day>8</Day><On number='2'/>"),
            "020201021107110804"
            "0240");
  holds("<Day>7</Day><Day>8</Day><On number='2'/>");
  EXPECT_EQ(datum("<Day>7</Day><On number='2'/>"), "");
  EXPECT_EQ(rule_, "gbcs-value-range");
}

TEST_F(Grammar, BitFieldsAreReadOneByOne) {
  load_data("(u16 (packed (4 (if (has In) 2 1)) (4 (at . n)) (8 (within 0 100 (x Level)))))");
  EXPECT_EQ(datum("<Level>50</Level><In/>", "n='3'"), "122332");
  holds("<Level>50</Level>", "n='5'");
  EXPECT_EQ(datum("<Level>1</Level>", "n='16'"), "");
  EXPECT_EQ(rule_, "gbcs-value-range");
  EXPECT_EQ(data_refused("(u16 (packed (17 1) (16 1)))"), "template-number");
  EXPECT_EQ(data_refused("(u16 (packed 4))"), "template-syntax");
}

TEST_F(Grammar, NamesMayEndInAVariable) {
  load_data("(array (each e (0x0D 0xA2) (u8 (opt Set/x81{e:X} 0))) (range i 2 3 (u8 (x N{i}))))");
  EXPECT_EQ(datum("<Set><x810D>7</x810D></Set><N2>1</N2><N3>2</N3>"),
            "0104110711001101"
            "1102");
  holds("<Set><x810D>7</x810D></Set><N2>1</N2><N3>2</N3>");
  EXPECT_EQ(data_refused("(u8 (x N{i}))"), "template-variable");
  EXPECT_EQ(data_refused("(range i 1 2 (u8 (x N{i)))"), "template-syntax");
}

TEST_F(Grammar, PredicatesLookAtTextAndChildren) {
  load_data(
      "(struct (u8 (x Phase[Number='2']/Limit)) (bool (has Day[.='Monday']))"
      " (u8 (x Phase[Number='1']/Limit)))");
  const std::string phases =
      "<Phase><Number>1</Number><Limit>5</Limit></Phase>"
      "<Phase><Number>2</Number><Limit>6</Limit></Phase>";
  EXPECT_EQ(datum(phases + "<Day>Monday</Day>"),
            "0203"
            "1106"
            "03ff"
            "1105");
  holds(phases + "<Day>Monday</Day>");
  EXPECT_EQ(correlation(phases, phases + "<Day>Monday</Day>"), "correlate-unexplained");
  EXPECT_EQ(correlation(phases + "<Day>Monday</Day>", phases + "<Day>Sunday</Day>"),
            "correlate-missing");
  EXPECT_EQ(data_refused("(u8 (x A[B]))"), "template-syntax");
  EXPECT_EQ(data_refused("(u8 (x A[B=c]))"), "template-variable");
}

TEST_F(Grammar, DatesWithoutTheDayOfTheWeek) {
  load_data("(oct (date5 (x Date)))");
  EXPECT_EQ(datum("<Date>2014-10-27Z</Date>"), "090507de0a1bff");
  EXPECT_EQ(datum("<Date>65535-04-29</Date>"), "0905ffff041dff");
  holds("<Date>65535-04-29Z</Date>");
  holds("<Date>2014-10-27</Date>");
  for (const char* bad : {"2014-13-01Z", "2014-1-01Z", "3000-01-01Z", "14-01-01", "x", ""}) {
    EXPECT_EQ(datum("<Date>" + std::string(bad) + "</Date>"), "") << bad;
    EXPECT_EQ(rule_, "gbcs-value-range") << bad;
  }
}

TEST_F(Grammar, RemaindersAreKnownWhenTheirNumbersAre) {
  load_data("(array (u8 (within 1 12 (x Month))) (u8 (+ 1 (mod (+ (x Month) 2) 12))))");
  EXPECT_EQ(datum("<Month>11</Month>"), "0102110b1102");
  holds("<Month>4</Month>");
}

TEST_F(Grammar, NothingStandsWhereNoneIs) {
  load_data("(u8 (if (has On) 1 (if (has Off) 2 none)))");
  EXPECT_EQ(datum("<Off/>"), "1102");
  holds("<On/>");
  EXPECT_EQ(datum(""), "");
  EXPECT_EQ(rule_, "gbcs-value-range");
}

TEST_F(Grammar, PartsStandForTheirItems) {
  load_data("(struct (use pair) (u8 3))",
            "(define one (u8 1))\n(define pair (use one) (u8 (x B)))\n");
  EXPECT_EQ(datum("<B>2</B>"), "0203110111021103");
  holds("<B>2</B>");
  EXPECT_EQ(refused(use_case("(dlms (use nothing))")), "template-reference");
  EXPECT_EQ(refused("(define a (u8 1)) (define a (u8 2))"), "template-duplicate");
  EXPECT_EQ(refused("(define a)"), "template-syntax");
  EXPECT_EQ(refused("(define a (use a))"), "template-reference");
  std::string doubling = "(define p0 (u8 1) (u8 1))";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "(use p" + std::to_string(i - 1) + ")";
    doubling += "(define p" + std::to_string(i) + " " + before + before + ")";
  }
  EXPECT_EQ(refused(doubling), "template-syntax");
}

TEST_F(Grammar, RowsOfFactsAreWrittenAndCompared) {
  load_data("(array (rows log (struct (oct (hex (col 0))) (u8 (col 1)))))");
  EXPECT_EQ(datum(""), "");
  EXPECT_EQ(rule_, "gbcs-fact-missing");
  facts_.tables["log"] = {{"00-AB", "1"}, {"CD", "2"}};
  EXPECT_EQ(datum(""),
            "01020202"
            "090200ab"
            "1101"
            "0202"
            "0901cd"
            "1102");
  holds("");
  facts_.tables["log"] = {{"00"}};
  EXPECT_EQ(datum(""), "");
  EXPECT_EQ(rule_, "gbcs-fact-missing");
  EXPECT_EQ(data_refused("(u8 (col 1))"), "template-variable");
}

TEST_F(Grammar, AnEmptyRequestOfRequestsIsRefused) {
  load(use_case("(dlms (when (has A) (get 1 \"0-0:1.0.0.255\" 2)))"));
  EXPECT_EQ(write(body("")).refusal().rule.text(), "gbcs-value-range");
  EXPECT_TRUE(write(body("<A/>")).ok());
}

// ----------------------------------------------------------------------------------------------------
// whom a use case serves

constexpr const char *kOne = "(dlms (get 1 \"0-0:1.0.0.255\" 2))",
                     *kOther = "(dlms (get 1 \"0-0:2.0.0.255\" 2))";

TEST_F(Grammar, GenerationVariantAndRoleDecide) {
  for (const auto& [clause, other, fact, one_value, other_value] :
       {std::tuple("(gen older)", "(gen newer)", "generation", "older", "newer"),
        std::tuple("(variant single twin)", "(variant polyphase)", "variant", "twin",
                   "polyphase")}) {
    load(use_case(std::string(clause) + kOne) + use_case(std::string(other) + kOther, "B"));
    std::string chosen;
    EXPECT_EQ(write(body("")).refusal().rule.text(), "gbcs-fact-missing");
    facts_.facts[fact] = one_value;
    EXPECT_TRUE(write(body(""), &chosen).ok());
    EXPECT_EQ(chosen, "A");
    facts_.facts[fact] = other_value;
    EXPECT_TRUE(write(body(""), &chosen).ok());
    EXPECT_EQ(chosen, "B");
    facts_.facts[fact] = "unheard of";
    EXPECT_EQ(write(body("")).refusal().rule.text(), "gbcs-template-none");
  }
  load(use_case(std::string("(role Supplier)") + kOne) +
       use_case(std::string("(role NetworkOperator LoadController)") + kOther, "B"));
  std::string chosen;
  EXPECT_EQ(write(body("")).refusal().rule.text(), "gbcs-fact-missing");
  facts_.role = RemotePartyRole::load_controller;
  EXPECT_TRUE(write(body(""), &chosen).ok());
  EXPECT_EQ(chosen, "B");
  facts_.role = RemotePartyRole::root;
  EXPECT_EQ(write(body("")).refusal().rule.text(), "gbcs-template-none");
}

TEST_F(Grammar, WhatCannotBeToldApartIsRefusedAtLoading) {
  const auto two = [](const std::string& one, const std::string& other) {
    return refused(use_case(one + kOne) + use_case(other + kOther, "B"));
  };
  EXPECT_EQ(two("(gen older)", ""), "template-duplicate");
  EXPECT_EQ(two("(gen older)", "(gen newer)"), "accepted");
  EXPECT_EQ(two("(variant single twin)", "(variant twin)"), "template-duplicate");
  EXPECT_EQ(two("(variant single)", "(role Supplier)"), "template-duplicate");
  EXPECT_EQ(two("(role Supplier)", "(role NetworkOperator)"), "accepted");
  EXPECT_EQ(refused(use_case(std::string("(gen eternal)") + kOne)), "template-clause");
  EXPECT_EQ(refused(use_case(std::string("(gen older newer)") + kOne)), "template-syntax");
  EXPECT_EQ(refused(use_case(std::string("(variant)") + kOne)), "template-syntax");
  EXPECT_EQ(refused(use_case(std::string("(variant twin twin)") + kOne)), "template-clause");
  EXPECT_EQ(refused(use_case(std::string("(role King)") + kOne)), "template-clause");
}

}  // namespace
}  // namespace wattseal::gbcs
