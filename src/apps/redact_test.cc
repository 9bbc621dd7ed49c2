#include "apps/redact.h"

#include <gtest/gtest.h>

#include <set>

#include "smki/office.h"

namespace wattseal::apps {
namespace {

std::string value_of(const FactWriter& writer, std::string_view name, People people) {
  const Bytes octets = writer.bytes();
  for (const FactFieldView& field : describe(FactView::read(octets).value(), people)) {
    if (field.name == name) return field.value;
  }
  return "none";
}

TEST(Redaction, ReplacesNamesAndFreeTextOfActsUnlessAskedFor) {
  FactWriter act(FactKind::act_proposed, UtcTime(), {});
  const std::string payload =
      R"({"evidence":"passport 123","name":"Ada Lind","party":"90-57-53-00-00-01-00-00"})";
  act.number(FactField::act, 3).text(FactField::payload, payload);
  const std::string without =
      R"x({"evidence":"(withheld)","name":"(withheld)","party":"90-57-53-00-00-01-00-00"})x";
  EXPECT_EQ(value_of(act, "payload", People::withheld), without);
  EXPECT_EQ(value_of(act, "payload", People::shown), payload);
  EXPECT_EQ(value_of(act, "act", People::withheld), "3");
}

TEST(Redaction, NamesPeopleByTheirNumber) {
  FactWriter person(FactKind::person_changed, UtcTime(), {});
  person.number(FactField::person, 7).text(FactField::name_of_person, "Ada Lind");
  EXPECT_EQ(value_of(person, "name_of_person", People::withheld), "person 7");
  EXPECT_EQ(value_of(person, "name_of_person", People::shown), "Ada Lind");
}

TEST(Redaction, ShowsNothingOfTranscriptsWitnessesAndWhatIsNoAct) {
  FactWriter held(FactKind::ceremony_held, UtcTime(), {});
  held.text(FactField::witnesses, "Wanda Ash")
      .text(FactField::payload, R"({"body":{"witnesses":["Wanda Ash"]},"party":"x"})");
  EXPECT_EQ(value_of(held, "witnesses", People::withheld), "(9 octets)");
  EXPECT_EQ(value_of(held, "payload", People::withheld), "(48 octets)");
  EXPECT_EQ(value_of(held, "witnesses", People::shown), "Wanda Ash");
  FactWriter odd(FactKind::act_proposed, UtcTime(), {});
  odd.text(FactField::payload, "Ada Lind");
  EXPECT_EQ(value_of(odd, "payload", People::withheld), "(8 octets)");
}

// A new particular is a decision about people, too.
TEST(Redaction, KnowsEveryParticularOfEveryKindOfAct) {
  for (const smki::ActRow& row : smki::act_rows()) {
    std::string_view rest = smki::act_fields(row.id);
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      std::string field(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
      if (field.back() == '?') field.pop_back();
      static const std::set<std::string> kWithheld{
          "name",         "evidence",  "screened_on", "certificate", "statement", "reason",
          "organisation", "affiliate", "text",        "factors",     "reasons",   "urgency"};
      const bool withheld = kWithheld.contains(field);
      EXPECT_NE(is_shown(field), withheld) << row.id << " " << field;
    }
  }
  EXPECT_FALSE(is_shown("anything-new"));
}

}  // namespace
}  // namespace wattseal::apps
