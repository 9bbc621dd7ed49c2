#include "apps/rehearsed_pma.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/fault.h"

namespace wattseal::apps {
namespace {

using nlohmann::json;

struct Seat {
  const char *name, *choice;
};
constexpr Seat kTable[] = {
    {"large supplier 1", "for"},       {"large supplier 2", "for"},
    {"small supplier", "for"},         {"networks", "for"},
    {"security sub-committee", "for"}, {"technical sub-committee", "abstain"}};
struct Weighed {
  const char* factor;
  unsigned weight, score;
};
constexpr Weighed kFactors[] = {
    {"devices affected", 30, 9}, {"exposure of the key", 40, 8}, {"risk of using the key", 30, 6}};

json read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  json all = json::parse(in, nullptr, false);
  return all.is_array() ? all : json::array();
}

std::string factors() {
  std::string out;
  for (const Weighed& one : kFactors)
    out += (out.empty() ? "" : ", ") + std::string(one.factor) + " " + std::to_string(one.weight) +
           " x " + std::to_string(one.score);
  return out;
}

}  // namespace

std::string RehearsedPma::votes() const {
  std::string out;
  for (const Seat& seat : kTable)
    out += (out.empty() ? "" : ", ") + std::string(seat.name) + " " + seat.choice;
  return out;
}

recovery::DecisionId RehearsedPma::resolve(const std::string& kind, const std::string& subject) {
  json all = read(file_);
  for (const json& one : all) {
    if (one.at("subject") == subject && one.at("kind") == kind) return one.at("decision");
  }
  const recovery::DecisionId id = all.size() + 1;
  all.push_back({{"decision", id},
                 {"kind", kind},
                 {"subject", subject},
                 {"factors", factors()},
                 {"votes", votes()},
                 {"at", world_.now().iso()}});
  std::filesystem::path part = file_;
  part += ".part";
  std::ofstream out(part, std::ios::binary);
  out << all.dump(2) << '\n';
  out.close();
  if (!out) throw Fault("cannot write " + part.string());
  std::filesystem::rename(part, file_);
  return id;
}

Result<recovery::PmaDecision> RehearsedPma::approved(recovery::DecisionId id, std::string_view kind,
                                                     std::string_view subject) const {
  for (const json& one : read(file_)) {
    if (one.at("decision") != id || one.at("subject") != subject || one.at("kind") != kind)
      continue;
    return recovery::PmaDecision{id, one.at("factors"), one.at("votes"),
                                 UtcTime::parse_iso(one.at("at").get<std::string>()).value()};
  }
  return Refusal{"recovery-decision"_rule,
                 "there is no decision " + std::to_string(id) + " on " + std::string(subject),
                 "decision"};
}

}  // namespace wattseal::apps
