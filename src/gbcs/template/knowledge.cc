#include "gbcs/template/knowledge.h"

namespace wattseal::gbcs::gmt {
namespace {

constexpr std::size_t kWholeSeconds = 19;  // of yyyy-mm-ddThh:mm:ss

// Times read from encodings with and without hundredths agree when their seconds do.
bool agree(const ReadValue& a, const ReadValue& b) {
  if (a.form != ReadForm::date_time || a.value.size() == b.value.size()) return a.value == b.value;
  return a.value.compare(0, kWholeSeconds, b.value, 0, kWholeSeconds) == 0;
}

}  // namespace

void Knowledge::push(Entry entry) {
  by_path_[entry.value.path].push_back(entries_.size());
  entries_.push_back(std::move(entry));
}

const std::vector<std::size_t>* Knowledge::at(const std::string& path) const {
  const auto found = by_path_.find(path);
  return found == by_path_.end() ? nullptr : &found->second;
}

void Knowledge::roll_back(Mark to) {
  CHECK(to <= entries_.size());
  while (entries_.size() > to) {
    const auto found = by_path_.find(entries_.back().value.path);
    found->second.pop_back();
    if (found->second.empty()) by_path_.erase(found);
    entries_.pop_back();
  }
}

bool Knowledge::learn_value(ReadValue value) {
  bool known = false;
  if (const std::vector<std::size_t>* const others = at(value.path)) {
    for (const std::size_t i : *others) {
      const Entry& other = entries_[i];
      if (other.what == What::absent && !value.may_be_absent) return false;
      if (other.what != What::value || other.value.form != value.form) continue;
      if (!agree(other.value, value)) return false;
      known = known || (other.value.value == value.value &&
                        other.value.may_be_absent == value.may_be_absent);
    }
  }
  if (!known) push({What::value, std::move(value)});
  return true;
}

bool Knowledge::learn_presence(const std::string& path, bool present) {
  const What now = present ? What::present : What::absent;
  bool known = false;
  if (const std::vector<std::size_t>* const others = at(path)) {
    for (const std::size_t i : *others) {
      const Entry& other = entries_[i];
      if (other.what == What::value && !other.value.may_be_absent && !present) return false;
      if (other.what == (present ? What::absent : What::present)) return false;
      known = known || other.what == now;
    }
  }
  if (!known) push({now, {path, {}}});
  return true;
}

void Knowledge::learn_clock(std::string iso) { push({What::clock, {{}, std::move(iso)}}); }

std::optional<std::string> Knowledge::value(const std::string& path) const {
  if (const std::vector<std::size_t>* const entries = at(path)) {
    for (const std::size_t i : *entries) {
      if (entries_[i].what == What::value) return entries_[i].value.value;
    }
  }
  return std::nullopt;
}

std::optional<bool> Knowledge::presence(const std::string& path) const {
  if (const std::vector<std::size_t>* const entries = at(path)) {
    for (const std::size_t i : *entries) {
      const Entry& entry = entries_[i];
      if (entry.what == What::absent) return false;
      if (entry.what == What::present || (entry.what == What::value && !entry.value.may_be_absent))
        return true;
    }
  }
  return std::nullopt;
}

ReadBack Knowledge::take() {
  ReadBack read;
  for (Entry& entry : entries_) {
    switch (entry.what) {
      case What::value: read.values.push_back(std::move(entry.value)); break;
      case What::present: read.present.push_back(std::move(entry.value.path)); break;
      case What::absent: read.absent.push_back(std::move(entry.value.path)); break;
      case What::clock: read.clock_windows.push_back(std::move(entry.value.value)); break;
    }
  }
  entries_.clear();
  by_path_.clear();
  return read;
}

}  // namespace wattseal::gbcs::gmt
