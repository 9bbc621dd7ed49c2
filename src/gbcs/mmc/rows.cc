#include "gbcs/mmc/rows.h"

#include <algorithm>
#include <set>

#include "base/check.h"

namespace wattseal::gbcs {
namespace {

struct ElementRow {
  std::string_view of, from, to, form, source, in_force_from;
};
constexpr ElementRow kElements[] = {
#include "tables/mmc_elements.inc"
};
struct CodeRow {
  std::string_view table, code, text, source, in_force_from;
};
constexpr CodeRow kCodes[] = {
#include "tables/mmc_codes.inc"
};

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::size_t number_in(std::string_view digits) {
  CHECK(!digits.empty() && digits.size() < 6);
  std::size_t number = 0;
  for (const char c : digits) {
    CHECK(c >= '0' && c <= '9');
    number = number * 10 + static_cast<std::size_t>(c - '0');
  }
  return number;
}

// "text{7}" gives 7 and leaves "text".
std::optional<std::size_t> take_guard(std::string& text) {
  const std::size_t open = text.find('{');
  if (open == std::string::npos) return std::nullopt;
  CHECK(text.back() == '}');
  const std::size_t number = number_in(text.substr(open + 1, text.size() - open - 2));
  text.resize(open);
  return number;
}

Step compile_step(std::string text) {
  Step step;
  step.has_items = take_guard(text);
  if (text == "*") {
    step.kind = Step::Kind::each;
  } else if (text == "..") {
    step.kind = Step::Kind::parent;
  } else if (text == "bits") {
    step.kind = Step::Kind::bits;
  } else if (text.starts_with('+')) {
    step.kind = Step::Kind::behind;
    step.at = number_in(text.substr(1));
  } else if (text.starts_with('@')) {
    step.exact = text.ends_with('=');
    if (step.exact) text.pop_back();
    step.kind = text.ends_with("+*")  ? Step::Kind::counted
                : text.ends_with('*') ? Step::Kind::records
                                      : Step::Kind::slice;
    while (text.ends_with('*') || text.ends_with('+')) text.pop_back();
    const std::size_t dot = text.find('.');
    step.at = number_in(text.substr(1, dot == std::string::npos ? dot : dot - 1));
    if (dot != std::string::npos) step.size = number_in(text.substr(dot + 1));
    CHECK(step.kind == Step::Kind::slice || step.size > 0);
    CHECK(!step.exact || step.kind == Step::Kind::records);
  } else {
    step.at = number_in(text);
    CHECK(step.at > 0);
  }
  return step;
}

Address compile_address(std::string_view text) {
  Address address;
  std::vector<std::string> parts = split(text, '/');
  std::string first = parts[0];
  const bool is_head = first == "sealed" || first == "only" || first == "whole" ||
                       first == "list" ||
                       (first.size() >= 7 && (first[4] == '.' || first[4] == ':'));
  const bool guarded_head = first.starts_with("list{") || first.starts_with("sealed{");
  if (is_head || guarded_head) {
    address.has_items = take_guard(first);
    address.head = first == "list" ? "" : first;
    parts.erase(parts.begin());
  }
  for (std::string& part : parts) address.steps.push_back(compile_step(std::move(part)));
  return address;
}

std::vector<Segment> compile_path(std::string_view text) {
  std::vector<Segment> path;
  if (text == "-") return path;
  for (std::string part : split(text, '/')) {
    Segment segment;
    if (const std::size_t hash = part.find('#'); hash != std::string::npos) {
      segment.index = part.substr(hash + 1);
      part.resize(hash);
    }
    if (part.ends_with('*')) {
      segment.repeats = true;
      part.pop_back();
    } else if (const std::size_t open = part.find('['); open != std::string::npos) {
      segment.position = number_in(part.substr(open + 1, part.size() - open - 2));
      part.resize(open);
    }
    segment.name = part;
    path.push_back(std::move(segment));
  }
  return path;
}

// The last argument "1..5" or "-128..127".
std::optional<MmcRow::Range> take_range(std::vector<std::string>& arguments) {
  if (arguments.empty()) return std::nullopt;
  const std::size_t dots = arguments.back().find("..");
  if (dots == std::string::npos) return std::nullopt;
  const MmcRow::Range range{std::stoll(arguments.back().substr(0, dots)),
                            std::stoll(arguments.back().substr(dots + 2))};
  CHECK(range.low <= range.high);
  arguments.pop_back();
  return range;
}

MmcRow compile(const ElementRow& row) {
  MmcRow compiled;
  if (row.from != "-") compiled.from = compile_address(row.from);
  compiled.to = compile_path(row.to);
  compiled.arguments = split(row.form, ':');
  compiled.form = compiled.arguments[0];
  compiled.arguments.erase(compiled.arguments.begin());
  compiled.range = take_range(compiled.arguments);
  const char mark = compiled.form.back();
  if (mark == '!' || mark == '?') {
    compiled.demand = mark == '!' ? MmcRow::Demand::element : MmcRow::Demand::one_of;
    compiled.form.pop_back();
  }
  CHECK((row.from == "-") == (compiled.form == "always"));
  const bool nowhere = compiled.form == "none";
  CHECK(row.to != "-" || nowhere || compiled.form == "result");
  if (nowhere) {  // whose argument is the reason
    CHECK(compiled.arguments.size() == 1);
    (void)mmc_reason(compiled.arguments[0]);
  }
  return compiled;
}

using Table = std::map<std::string, std::vector<MmcRow>, std::less<>>;

const Table& table() {
  static const Table compiled = [] {
    Table rows;
    for (const ElementRow& row : kElements) rows[std::string(row.of)].push_back(compile(row));
    return rows;
  }();
  return compiled;
}

class Finder {
 public:
  explicit Finder(const std::function<void(const Found&)>& each) : each_(each) {}

  void walk(const Node& node, const Node* next, const std::vector<Step>& steps, std::size_t at) {
    if (at == steps.size()) {
      each_({&node, next, entries_});
      return;
    }
    const Step& step = steps[at];
    if (step.kind == Step::Kind::parent) return up(steps, at);
    path_.push_back(&node);
    if (step.kind == Step::Kind::slice || step.kind == Step::Kind::records)
      octets(node, step, steps, at);
    else if (step.kind == Step::Kind::counted)
      counted(node, step, steps, at);
    else if (step.kind == Step::Kind::behind)
      behind(node, step, steps, at);
    else if (step.kind == Step::Kind::bits)
      bits(node, steps, at);
    else if (node.kind == Node::Kind::list)
      items(node, step, steps, at);
    path_.pop_back();
  }

 private:
  void up(const std::vector<Step>& steps, std::size_t at) {
    std::size_t levels = 0;
    while (at < steps.size() && steps[at].kind == Step::Kind::parent) {
      ++levels;
      ++at;
    }
    if (levels > path_.size()) return;
    std::vector<const Node*> below(path_.end() - static_cast<std::ptrdiff_t>(levels), path_.end());
    path_.resize(path_.size() - levels);
    walk(*below.front(), nullptr, steps, at);
    path_.insert(path_.end(), below.begin(), below.end());
  }

  void items(const Node& node, const Step& step, const std::vector<Step>& steps, std::size_t at) {
    const std::size_t count = node.items.size();
    const std::size_t first = step.kind == Step::Kind::each ? 0 : step.at - 1;
    const std::size_t last = step.kind == Step::Kind::each ? count : std::min(step.at, count);
    for (std::size_t i = first; i < last; ++i) {
      const Node& item = node.items[i];
      if (step.has_items && item.items.size() != *step.has_items) continue;
      if (step.kind == Step::Kind::each) entries_.push_back(i);
      walk(item, i + 1 < count ? &node.items[i + 1] : nullptr, steps, at + 1);
      if (step.kind == Step::Kind::each) entries_.pop_back();
    }
  }

  void part(const Node& node, std::size_t begin, std::size_t size, const std::vector<Step>& steps,
            std::size_t at) {
    Node piece;
    piece.kind = node.kind;
    piece.little = node.little;
    const auto first = node.content.begin() + static_cast<std::ptrdiff_t>(begin);
    piece.content.assign(first, first + static_cast<std::ptrdiff_t>(size));
    walk(piece, nullptr, steps, at + 1);
  }

  void counted(const Node& node, const Step& step, const std::vector<Step>& steps, std::size_t at) {
    const Bytes& all = node.content;
    std::size_t begin = step.at;
    for (std::size_t i = 0; begin + step.size < all.size(); ++i) {
      const std::size_t size = step.size + 1 + all[begin + step.size];
      if (begin + size > all.size()) return;
      node.used = true;
      entries_.push_back(i);
      part(node, begin, size, steps, at);
      entries_.pop_back();
      begin += size;
    }
  }

  void behind(const Node& node, const Step& step, const std::vector<Step>& steps, std::size_t at) {
    const Bytes& all = node.content;
    if (step.at >= all.size()) return;
    const std::size_t begin = step.at + 1 + all[step.at];
    if (begin > all.size()) return;
    node.used = true;
    part(node, begin, all.size() - begin, steps, at);
  }

  void bits(const Node& node, const std::vector<Step>& steps, std::size_t at) {
    if (node.kind != Node::Kind::octets) return;
    node.used = true;
    for (std::size_t bit = 0; bit < node.content.size() * 8; ++bit) {
      if ((node.content[bit / 8] >> (7 - bit % 8) & 1) == 0) continue;
      entries_.push_back(bit);
      walk(node, nullptr, steps, at + 1);
      entries_.pop_back();
    }
  }

  void octets(const Node& node, const Step& step, const std::vector<Step>& steps, std::size_t at) {
    if (node.kind != Node::Kind::octets && node.kind != Node::Kind::text) return;
    const std::size_t total = node.content.size();
    if (step.at > total || step.at + step.size > total) return;
    if (step.exact && (total - step.at) % step.size != 0) return;
    node.used = true;
    const std::size_t size = step.size == 0 ? total - step.at : step.size;
    const std::size_t count = step.kind == Step::Kind::slice ? 1 : (total - step.at) / step.size;
    for (std::size_t i = 0; i < count; ++i) {
      if (step.kind == Step::Kind::records) entries_.push_back(i);
      part(node, step.at + i * size, size, steps, at);
      if (step.kind == Step::Kind::records) entries_.pop_back();
    }
  }

  const std::function<void(const Found&)>& each_;
  std::vector<const Node*> path_;
  std::vector<std::size_t> entries_;
};

}  // namespace

std::span<const MmcRow> mmc_rows(std::string_view key) {
  const auto found = table().find(key);
  if (found == table().end()) return {};
  return found->second;
}

bool mmc_repeats(std::string_view name) {
  static const std::set<std::string, std::less<>> names = [] {
    std::set<std::string, std::less<>> found{"GBCSData", "COSEMResponse", "ZIGBEEClusterResponse",
                                             "ZIGBEECommandResponse", "ZIGBEEDataResponse"};
    for (const auto& [key, rows] : table()) {
      for (const MmcRow& row : rows) {
        for (const Segment& segment : row.to) {
          if (segment.repeats || segment.position > 0) found.insert(segment.name);
        }
      }
    }
    return found;
  }();
  return names.contains(name);
}

std::span<const MmcCode> mmc_codes(std::string_view table_name) {
  using Codes = std::map<std::string_view, std::vector<MmcCode>>;
  static const Codes codes = [] {
    Codes made;
    for (const CodeRow& row : kCodes) made[row.table].push_back({row.code, row.text});
    return made;
  }();
  const auto found = codes.find(table_name);
  if (found == codes.end()) return {};
  return found->second;
}

std::optional<std::string_view> mmc_code(std::string_view table_name, std::string_view code) {
  const std::span<const MmcCode> codes = mmc_codes(table_name);
  const auto found = std::ranges::find(codes, code, &MmcCode::code);
  if (found == codes.end()) return std::nullopt;
  return found->text;
}

std::string_view mmc_reason(std::string_view code) {
  const std::optional<std::string_view> words = mmc_code("reason", code);
  CHECK(words.has_value());
  return *words;
}

void find_values(const Answer& answer, const Address& address,
                 const std::function<void(const Found&)>& each) {
  const auto head = answer.heads.find(address.head);
  if (head == answer.heads.end()) return;
  if (address.has_items && head->second.items.size() != *address.has_items) return;
  Finder(each).walk(head->second, nullptr, address.steps, 0);
}

Builder& Builder::child(const Segment& segment, std::size_t entry) {
  const auto [known, fresh] = known_.try_emplace({segment.name, entry}, nullptr);
  if (fresh) {
    children_.push_back(std::make_unique<Builder>(segment.name));
    known->second = children_.back().get();
    if (!segment.index.empty()) {
      const std::size_t number = segment.position > 0 ? segment.position : entry + 1;
      known->second->set_attribute(segment.index, std::to_string(number));
    }
  }
  return *known->second;
}

void Builder::set_attribute(std::string name, std::string value) {
  for (xml::Attribute& attribute : attributes_) {
    if (attribute.name == name) {
      attribute.value = std::move(value);
      return;
    }
  }
  attributes_.push_back({std::move(name), std::move(value)});
}

void Builder::take(Builder&& other) {
  text_ = std::move(other.text_);
  for (xml::Attribute& attribute : other.attributes_)
    set_attribute(std::move(attribute.name), std::move(attribute.value));
  for (std::unique_ptr<Builder>& child : other.children_) children_.push_back(std::move(child));
}

bool Builder::each_has(std::span<const Segment> path, std::span<const std::string> names) const {
  const auto named = [](std::string_view name) {
    return [name](const std::unique_ptr<Builder>& child) { return child->name_ == name; };
  };
  if (path.empty()) {
    return std::ranges::any_of(names, [&](const std::string& name) {
      return std::ranges::any_of(children_, named(name));
    });
  }
  return std::ranges::all_of(children_, [&](const std::unique_ptr<Builder>& child) {
    return child->name_ != path.front().name || child->each_has(path.subspan(1), names);
  });
}

xml::Element Builder::build() const {
  xml::Element element;
  element.ns = std::string(kMmcNamespace);
  element.name = name_;
  element.attributes = attributes_;
  element.text = text_;
  element.children.reserve(children_.size());
  for (const std::unique_ptr<Builder>& child : children_)
    element.children.push_back(child->build());
  return element;
}

}  // namespace wattseal::gbcs
