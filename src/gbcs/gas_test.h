// What the tests of gas meters' templates share: cases, how their payloads are laid out, and the
// fixture that writes them and reads them back. Tests only.
#pragma once
#include <gtest/gtest.h>

#include "gbcs/template.h"

namespace wattseal::gbcs::test {

// A meter (type 0) or its mirror on the hub (3), of one generation.
class GasFacts final : public Facts {
 public:
  GasFacts(int type, std::string generation) : type_(type), generation_(std::move(generation)) {}
  Result<int> device_type_code(Eui64) const override { return type_; }
  Result<Bytes> key_agreement_certificate(Eui64) const override {
    return Refusal{"gbcs-fact-missing"_rule, "no certificates"};
  }
  Result<std::string> named(std::string_view name) const override {
    if (name == "generation") return generation_;
    return Refusal{"gbcs-fact-missing"_rule, std::string(name)};
  }

 private:
  int type_;
  std::string generation_;
};

struct Component {
  unsigned cluster;
  Octet frame_control, command;
  std::string fields;
};

// Profile, number, and each component with its place in the sequence; the last one says so.
inline std::string payload_of(const std::vector<Component>& components) {
  Bytes out{0x01, 0x09, static_cast<Octet>(components.size())};
  Octet sequence = 0;
  for (const Component& one : components) {
    const Bytes fields = from_hex(one.fields).value();
    out.push_back(sequence + 1u == components.size() ? 1 : 0);
    put_be(out, one.cluster, 2);
    put_be(out, fields.size() + 3, 2);
    append(out, Bytes{one.frame_control, sequence++, one.command});
    append(out, fields);
  }
  return to_hex(out);
}

struct Case {
  std::string use_case, variant, element, inside;
  std::vector<Component> components;
  std::string device = "GSME";
  std::string generation = "newer";
};

constexpr const char* kNow = "2024-03-01T00:00:00Z";  // 00d7732d

inline std::string event(const std::string& code, const char* wan, const char* han, const char* log,
                         const char* alarm) {
  return "<" + code + "><WANAlert>" + wan + "</WANAlert><HANAlert>" + han +
         "</HANAlert><EventLog>" + log + "</EventLog><Alarm>" + alarm + "</Alarm></" + code + ">";
}
constexpr const char *kOn = "Enable", *kOff = "Disable";

class Gas : public ::testing::Test {
 protected:
  static xml::Element body_of(const Case& one) {
    return xml::parse("<" + one.element + " xmlns=\"urn:test\">" + one.inside + "</" + one.element +
                      ">")
        .value()
        .root();
  }
  static GasFacts facts_of(const Case& one) {
    return GasFacts(one.device == "GPF" ? 3 : 0, one.generation);
  }
  Result<Bytes> write(const Case& one, std::string* chosen = nullptr) const {
    const xml::Element body = body_of(one);
    const GasFacts facts = facts_of(one);
    const TransformContext context{body, user_, device_, counter_, now_, facts, {}};
    TRY_ASSIGN(const Template* const use_case,
               TemplateSet::built_in()->select(one.variant, one.device, context));
    if (chosen != nullptr) *chosen = view(*use_case).use_case;
    return write_payload(*use_case, context);
  }
  Status correlated(const Case& one, BytesView payload) const {
    const GasFacts facts = facts_of(one);
    TRY_ASSIGN(const ReadBack read, read_payload(*TemplateSet::built_in()->find(one.use_case),
                                                 payload, {user_, device_, counter_, facts, {}}));
    return compare(read, body_of(one), now_, 0);
  }
  void judge(const std::vector<Case>& cases) const {
    for (const Case& one : cases) {
      std::string chosen;
      const Result<Bytes> written = write(one, &chosen);
      ASSERT_TRUE(written.ok()) << one.use_case << " " << written.refusal().detail;
      EXPECT_EQ(chosen, one.use_case);
      EXPECT_EQ(to_hex(*written), payload_of(one.components)) << one.use_case << one.inside;
      const Status same = correlated(one, *written);
      EXPECT_TRUE(same.ok()) << one.use_case << one.inside << " " << same.refusal().detail << " "
                             << same.refusal().field;
      for (std::size_t i = 0; i < 8 * written->size(); ++i) {
        Bytes changed = *written;
        changed[i / 8] ^= static_cast<Octet>(1 << i % 8);
        EXPECT_FALSE(correlated(one, changed).ok()) << one.use_case << " bit " << i;
      }
    }
  }
  std::string rule_of(const Case& one) const {
    const Result<Bytes> written = write(one);
    return written.ok() ? "accepted" : std::string(written.refusal().rule.text());
  }

  Eui64 user_ = Eui64::parse("90-B3-D5-1F-30-01-00-00").value();
  Eui64 device_ = Eui64::parse("00-DB-12-34-56-78-90-A1").value();
  OriginatorCounter counter_{1001};
  UtcTime now_ = UtcTime::parse_iso(kNow).value();
};

}  // namespace wattseal::gbcs::test
