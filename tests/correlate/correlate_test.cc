// Correlate, exhaustively: of every reference pre-command, every octet is changed to each of its
// 255 other values, every shorter message and one with an octet more is tried. All are refused but
// those that only move a time which the DCC's clock chose, and these are reported. Of the few long
// pre-commands, which carry certificates, each octet has its eight bits changed one by one;
// WATTSEAL_EXHAUSTIVE=1 gives them all 255 values too, in minutes.
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <fstream>
#include <thread>

#include "apps/rtds/data_set.h"
#include "tests/vectors.h"

namespace wattseal {
namespace {

struct Pair {
  std::string name;
  duis::ServiceRequest request;
  Bytes pre_command;
  UtcTime now;
  std::unique_ptr<apps::RtdsFacts> facts;
  gateway::Correlation whole;
};

Result<gateway::Correlation> correlate(const Pair& pair, BytesView octets) {
  return gateway::correlate(*gbcs::TemplateSet::built_in(), pair.request, octets, *pair.facts,
                            pair.now);
}

std::vector<Pair> pairs(const apps::RtdsDataSet& data) {
  std::vector<Pair> found;
  for (const auto& [name, file] : data.pre_commands) {
    const auto request = data.requests.find(name);
    if (request == data.requests.end()) continue;
    const xml::Document document = xml::parse(test::read_text(request->second)).value();
    Result<duis::ServiceRequest> read = duis::read_request(document.root());
    if (!read.ok()) continue;
    const std::optional<apps::Correction> corrected = data.corrected(name, *read);
    Pair pair{name,
              corrected ? corrected->request : std::move(read).value(),
              test::read_hex(file),
              data.now(name).value(),
              std::make_unique<apps::RtdsFacts>(data, name),
              {}};
    const Result<gateway::Correlation> whole = correlate(pair, pair.pre_command);
    if (!whole.ok()) {
      ADD_FAILURE() << name << " " << whole.refusal().rule.text() << " " << whole.refusal().field
                    << " " << whole.refusal().detail;
      continue;
    }
    pair.whole = *whole;
    found.push_back(std::move(pair));
  }
  return found;
}

struct Place {
  const Pair* pair;
  std::size_t octet;
};

constexpr std::size_t kLong = 300;  // octets

struct Counts {
  std::atomic<std::size_t> mutations = 0, windows = 0;
};

// Whether all other values of this octet are refused; those that move a clock's time are counted.
bool all_refused(const Place& place, Counts& counts) {
  static const bool everything = std::getenv("WATTSEAL_EXHAUSTIVE") != nullptr;
  const bool bits_only = !everything && place.pair->pre_command.size() > kLong;
  Bytes changed = place.pair->pre_command;
  const Octet original = changed[place.octet];
  for (unsigned value = 0; value < 256; ++value) {
    if (value == original) continue;
    if (bits_only && std::popcount(value ^ original) != 1) continue;
    ++counts.mutations;
    changed[place.octet] = static_cast<Octet>(value);
    const Result<gateway::Correlation> result = correlate(*place.pair, changed);
    if (!result.ok()) continue;
    if (result->clock_windows == place.pair->whole.clock_windows) return false;
    ++counts.windows;
  }
  return true;
}

TEST(Correlate, RefusesEveryOtherValueOfEveryOctetOfEveryReferencePreCommand) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const apps::RtdsDataSet data = apps::RtdsDataSet::open(folder).value();
  const std::vector<Pair> all = pairs(data);
  std::vector<Place> places;
  for (const Pair& pair : all) {
    for (std::size_t i = 0; i < pair.pre_command.size(); ++i) places.push_back({&pair, i});
  }
  Counts counts;
  std::atomic<std::size_t> next = 0, accepted = 0;
  std::atomic<const Place*> worst = nullptr;
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < std::max(2u, std::thread::hardware_concurrency()); ++i) {
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < places.size(); at = next++) {
        if (all_refused(places[at], counts)) continue;
        ++accepted;
        worst = &places[at];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::cout << all.size() << " pre-commands, " << places.size() << " octets, " << counts.mutations
            << " mutations, " << counts.windows
            << " of them within the window of the DCC's clock\n";
  EXPECT_EQ(accepted, 0u) << (worst.load() ? worst.load()->pair->name : "") << " octet "
                          << (worst.load() ? worst.load()->octet : 0);
  EXPECT_GE(all.size(), 80u);
  EXPECT_LT(counts.windows * 50, counts.mutations);
}

TEST(Correlate, RefusesEveryCutAndEveryOctetMore) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const apps::RtdsDataSet data = apps::RtdsDataSet::open(folder).value();
  for (const Pair& pair : pairs(data)) {
    for (std::size_t size = 0; size < pair.pre_command.size(); ++size) {
      EXPECT_FALSE(correlate(pair, BytesView(pair.pre_command).first(size)).ok())
          << pair.name << " cut to " << size;
    }
    Bytes more = pair.pre_command;
    more.push_back(0);  // an empty signature: the same message
    EXPECT_TRUE(correlate(pair, more).ok()) << pair.name;
    more.push_back(0);
    EXPECT_EQ(correlate(pair, more).refusal().rule, "gbcs-trailing"_rule) << pair.name;
  }
}

// Repeats one element after the other, at every depth, right behind itself.
void with_each_repeated(xml::Element& element,
                        const std::function<void(const std::string&)>& judge) {
  for (std::size_t i = 0; i < element.children.size(); ++i) {
    const xml::Element one = element.children[i];
    const auto place = element.children.begin() + static_cast<std::ptrdiff_t>(i);
    element.children.insert(place, one);
    judge(one.name);
    element.children.erase(element.children.begin() + static_cast<std::ptrdiff_t>(i));
    with_each_repeated(element.children[i], judge);
  }
}

// A request that the schema admits though it lists something twice (a day of a schedule, a block's
// price): what Transform makes of it correlates, or Transform refuses it.
TEST(Correlate, WhatTransformMakesOfARequestWithARepeatedElementCorrelates) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const apps::RtdsDataSet data = apps::RtdsDataSet::open(folder / "rtds").value();
  std::size_t carried = 0, refused = 0;
  for (Pair& pair : pairs(data)) {
    const gbcs::Template& use_case = *gbcs::TemplateSet::built_in()->find(pair.whole.use_case);
    gbcs::Message message = gbcs::decode(pair.pre_command).value();
    with_each_repeated(pair.request.body, [&](const std::string& name) {
      if (!duis::check_schema(pair.request).ok()) return;
      const gbcs::TransformContext context{pair.request.body,
                                           message.originator,
                                           message.target,
                                           message.counter,
                                           pair.now,
                                           *pair.facts,
                                           {}};
      const Result<Bytes> payload = gbcs::write_payload(use_case, context);
      if (!payload.ok()) {
        EXPECT_EQ(payload.refusal().rule, "gbcs-value-repeated"_rule) << pair.name << " " << name;
        ++refused;
        return;
      }
      message.payload = *payload;
      const Result<gateway::Correlation> result = correlate(pair, gbcs::encode(message));
      EXPECT_TRUE(result.ok()) << pair.name << " " << name << " " << result.refusal().rule.text()
                               << " " << result.refusal().field << " " << result.refusal().detail;
      ++carried;
    });
  }
  std::cout << carried << " carried, " << refused << " refused\n";
  EXPECT_GT(carried, 100u);
  EXPECT_GT(refused, 100u);
}

TEST(Correlate, ReportsTimesThatTheClockChoseAndRefusesThoseFarOff) {
  WATTSEAL_NEEDS_VECTORS(folder);
  const apps::RtdsDataSet data = apps::RtdsDataSet::open(folder).value();
  std::size_t with_windows = 0;
  for (const Pair& pair : pairs(data)) {
    if (pair.whole.clock_windows.empty()) continue;
    ++with_windows;
    const Result<gateway::Correlation> later =
        gateway::correlate(*gbcs::TemplateSet::built_in(), pair.request, pair.pre_command,
                           *pair.facts, pair.now.plus_seconds(86'400));
    ASSERT_FALSE(later.ok()) << pair.name;
    EXPECT_EQ(later.refusal().rule, "correlate-clock"_rule) << pair.name;
  }
  EXPECT_GE(with_windows, 10u);
}

}  // namespace
}  // namespace wattseal
