// Work of many subscribers that shares one worker fairly: subscribers take turns, and single
// requests go before batched ones without shutting them out. Private to smki. Not synchronised.
// Source: spec/features.md D-05 (without undue discrimination).
#pragma once
#include <deque>
#include <map>

#include "base/types.h"

namespace wattseal::smki {

enum class Lane : Octet { single = 0, batched = 1 };

template <typename Item>
class FairQueue {
 public:
  // So many turns of single requests, then one of batched ones, when both wait.
  explicit FairQueue(unsigned singles_a_turn) : singles_a_turn_(singles_a_turn) {}

  void push(Lane lane, Eui64 subscriber, Item item) {
    of(lane).waiting[subscriber].push_back(std::move(item));
  }
  void push_front(Lane lane, Eui64 subscriber, Item item) {
    of(lane).waiting[subscriber].push_front(std::move(item));
  }
  bool empty(Lane lane) const { return lanes_[static_cast<std::size_t>(lane)].waiting.empty(); }

  // Whose turn it is; nothing when nothing waits.
  std::optional<Lane> next_lane() {
    if (empty(Lane::single) && empty(Lane::batched)) return {};
    const bool singles = !empty(Lane::single) && (empty(Lane::batched) || turn_ < singles_a_turn_);
    turn_ = singles ? turn_ + 1 : 0;
    return singles ? Lane::single : Lane::batched;
  }
  // The oldest item of the subscriber whose turn it is. The lane is not empty.
  Item take(Lane lane) {
    One& one = of(lane);
    auto next = one.waiting.upper_bound(one.last);
    if (next == one.waiting.end()) next = one.waiting.begin();
    CHECK(next != one.waiting.end());
    Item item = std::move(next->second.front());
    next->second.pop_front();
    one.last = next->first;
    if (next->second.empty()) one.waiting.erase(next);
    return item;
  }

 private:
  struct One {
    std::map<Eui64, std::deque<Item>> waiting;  // no empty ones
    Eui64 last;
  };
  One& of(Lane lane) { return lanes_[static_cast<std::size_t>(lane)]; }

  One lanes_[2];
  unsigned singles_a_turn_, turn_ = 0;
};

}  // namespace wattseal::smki
