// Keys become full paths with positions, then one walk down the structures builds the elements that
// keys or the schema ask for.
#include "duis/compose.h"

#include <charconv>
#include <map>
#include <set>

#include "base/check.h"
#include "duis/schema.h"
#include "terms/terms.h"

namespace wattseal::duis {
namespace {

using xml::Element;

constexpr std::size_t kShown = 8;
constexpr std::size_t kPositionMax = 9999;

// "A, B, C and 4 more"
std::string list(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kShown); ++i)
    text += (i ? ", " : "") + items[i];
  if (items.size() > kShown) text += " and " + std::to_string(items.size() - kShown) + " more";
  return text;
}

// All keys of a structure, without positions.
void collect_paths(const Structure& structure, const std::string& above,
                   std::vector<std::string>& paths) {
  for (const AttributeRow& attribute : structure.attributes)
    paths.push_back(above + "@" + std::string(attribute.name));
  for (const Member& member : structure.members) {
    const std::string path = above + std::string(member.name);
    paths.push_back(path);
    if (member.structure) collect_paths(*member.structure, path + "/", paths);
  }
}

struct Step {
  std::string name;
  std::size_t position = 1;
};

Result<std::vector<Step>> steps_of(const std::string& key) {
  std::vector<Step> steps;
  std::string_view rest = key;
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view step = rest.substr(0, slash);
    const std::size_t open = step.find('[');
    Step read{std::string(step.substr(0, open))};
    if (open != std::string_view::npos) {
      const std::string_view digits = step.substr(open + 1);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), read.position);
      const bool closed = end != digits.data() + digits.size() && *end == ']' &&
                          end + 1 == digits.data() + digits.size();
      if (error != std::errc{} || !closed || read.position < 1 || read.position > kPositionMax)
        return Refusal{"duis-key"_rule, "a position is written [1], [2], …", key};
    }
    if (read.name.empty()) return Refusal{"duis-key"_rule, "a step of the key is empty", key};
    steps.push_back(std::move(read));
    if (slash == std::string_view::npos) return steps;
    rest.remove_prefix(slash + 1);
  }
}

// Full paths with positions at every element: "A[1]/B[2]/@c".
using Values = std::map<std::string, std::string>;

Result<std::string> full_key(const std::string& key, const std::vector<std::string>& paths) {
  TRY_ASSIGN(const std::vector<Step> steps, steps_of(key));
  std::string names;
  for (const Step& step : steps) names += (names.empty() ? "" : "/") + step.name;
  std::vector<std::string> found;
  for (const std::string& path : paths) {
    if (path == names) {
      found = {path};
      break;
    }
    if (path.ends_with("/" + names)) found.push_back(path);
  }
  if (found.empty()) {
    std::vector<std::string> near;
    const std::string& last = steps.back().name;
    for (const std::string& path : paths) {
      const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
      if (name.find(last) != std::string_view::npos || last.find(name) != std::string::npos)
        near.push_back(path);
    }
    return Refusal{"duis-key"_rule,
                   paths.empty()  ? std::string("the service's body is empty")
                   : near.empty() ? "the service has " + list(paths)
                                  : "the service has no such element; near it are " + list(near),
                   key};
  }
  if (found.size() > 1)
    return Refusal{"duis-key"_rule, "the key fits " + list(found) + "; write more of the path",
                   key};
  std::vector<std::string> all;
  for (std::string_view rest = found.front();;) {
    const std::size_t slash = rest.find('/');
    all.emplace_back(rest.substr(0, slash));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  std::string full;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t skipped = all.size() - steps.size();
    const std::size_t position = i < skipped ? 1 : steps[i - skipped].position;
    full += (i ? "/" : "") + all[i];
    if (!all[i].starts_with('@')) full += "[" + std::to_string(position) + "]";
  }
  return full;
}

class Composer {
 public:
  Composer(Values values, bool fill) : values_(std::move(values)), fill_(fill) {}

  Result<Element> compose(const Member& member) {
    TRY_ASSIGN(Element element, build(member, "", 1));
    if (!missing_.empty())
      return Refusal{"duis-incomplete"_rule, "also needed: " + list(missing_),
                     std::string(member.name)};
    for (const auto& [key, value] : values_) {
      if (!used_.contains(key))
        return Refusal{"duis-key"_rule, "another key excludes this one", key};
    }
    return element;
  }

 private:
  const std::string* given(const std::string& key) {
    const auto found = values_.find(key);
    if (found == values_.end()) return nullptr;
    used_.insert(key);
    return &found->second;
  }
  // How many elements of this name keys ask for.
  std::size_t asked(const std::string& key) const {
    const std::string prefix = key + "[";
    std::size_t most = 0;
    for (auto at = values_.lower_bound(prefix);
         at != values_.end() && at->first.starts_with(prefix); ++at) {
      std::size_t position = 0;
      std::from_chars(at->first.data() + prefix.size(), at->first.data() + at->first.size(),
                      position);
      most = std::max(most, position);
    }
    return most;
  }

  Result<std::string> value(const ValueType& type, const std::string& key) {
    if (const std::string* text = given(key)) {
      if (is_value(type, *text)) return *text;
      return Refusal{"duis-value"_rule, "the value is not " + describe(type), key};
    }
    if (!fill_) missing_.push_back(key + " (" + describe(type) + ")");
    return sample_value(type);
  }

  // `path` is empty for the body's element, whose keys have no name before them.
  Result<Element> build(const Member& member, const std::string& path, std::size_t position) {
    Element element{std::string(kNamespace), std::string(member.name), {}, {}, {}};
    if (member.value) {
      TRY_ASSIGN(element.text, value(*member.value, path));
      return element;
    }
    const Structure& structure = *member.structure;
    const std::string below = path.empty() ? "" : path + "/";
    for (const AttributeRow& row : structure.attributes) {
      const std::string key = below + "@" + std::string(row.name);
      const std::string ordinal = std::to_string(position);
      const bool by_position = row.name == "index" && member.max > 1 && !values_.contains(key) &&
                               is_value(*row.value, ordinal);
      std::string text = ordinal;
      if (!by_position) {
        TRY_ASSIGN(text, value(*row.value, key));
      }
      element.attributes.push_back({std::string(row.name), std::move(text)});
    }
    if (structure.text) {
      TRY_ASSIGN(element.text, value(*structure.text, path));
      return element;
    }
    const std::string* const text = path.empty() ? nullptr : given(path);
    if (text && !text->empty())
      return Refusal{"duis-value"_rule,
                     "the element takes no value of its own: write " + path + "=", path};
    for (std::size_t i = 0; i < structure.members.size();) TRY(item(element, structure, below, i));
    return element;
  }

  // One member, or all of a choice; `i` goes past it.
  Status item(Element& element, const Structure& structure, const std::string& below,
              std::size_t& i) {
    const std::vector<Member>& members = structure.members;
    const std::size_t begin = i;
    if (members[begin].choice == 0) return add(element, members[i++], below);
    while (i < members.size() && members[i].choice == members[begin].choice) ++i;
    TRY_ASSIGN(const int alternative, chosen(members, begin, i, below));
    for (std::size_t at = begin; at < i; ++at) {
      if (members[at].alternative == alternative) TRY(add(element, members[at], below));
    }
    return {};
  }

  // 0: none, and none is needed or what is needed was noted as missing.
  Result<int> chosen(const std::vector<Member>& members, std::size_t begin, std::size_t end,
                     const std::string& below) {
    const Member* asked_for = nullptr;
    std::vector<std::string> names;
    bool optional = false;
    for (std::size_t i = begin; i < end; ++i) {
      const Member& member = members[i];
      const bool first = i == begin || members[i - 1].alternative != member.alternative;
      optional = optional || member.choice_optional || (first && member.min == 0);
      if (first) names.push_back(below + std::string(member.name));
      if (asked(below + std::string(member.name)) == 0) continue;
      if (asked_for && asked_for->alternative != member.alternative)
        return Refusal{"duis-key"_rule, "the key excludes " + std::string(asked_for->name),
                       below + std::string(member.name)};
      asked_for = &member;
    }
    if (asked_for) return asked_for->alternative;
    if (optional) return 0;
    if (fill_) return members[begin].alternative;
    missing_.push_back("one of " + list(names));
    return 0;
  }

  Status add(Element& element, const Member& member, const std::string& below) {
    const std::string key = below + std::string(member.name);
    const std::size_t count = std::max(asked(key), member.min);
    if (count > member.max)
      return Refusal{"duis-key"_rule,
                     "the element occurs at most " + std::to_string(member.max) + " times", key};
    for (std::size_t i = 1; i <= count; ++i) {
      TRY_ASSIGN(Element child, build(member, key + "[" + std::to_string(i) + "]", i));
      element.children.push_back(std::move(child));
    }
    return {};
  }

  Values values_;
  bool fill_;
  std::set<std::string> used_;
  std::vector<std::string> missing_;
};

}  // namespace

Result<ServiceRequest> compose(const Recipe& recipe) {
  const ServiceRequestRow* const row = find_service_request(recipe.service_variant);
  if (!row)
    return Refusal{"duis-service-reference"_rule,
                   "there is no service reference variant " + recipe.service_variant};
  ServiceRequest request{recipe.schema_version,    recipe.id,
                         recipe.first_in_sequence, recipe.preceding,
                         recipe.command_variant,   std::string(row->reference),
                         recipe.service_variant,   {}};
  if (request.command_variant == 0) request.command_variant = row->command_variants.front() - '0';
  if (!row->allows_variant(request.command_variant))
    return Refusal{"duis-command-variant"_rule, recipe.service_variant + " allows " +
                                                    std::string(row->command_variants) + ", not " +
                                                    std::to_string(request.command_variant)};
  const bool is_signed = request.command_variant >= 5 && request.command_variant <= 7;
  const Member* const body = body_member(is_signed ? "SignedPreCommand" : row->element);
  CHECK(body && body->structure);  // every row has a body, and every body is a structure
  std::vector<std::string> paths;
  collect_paths(*body->structure, "", paths);
  Values values;
  for (const GivenValue& value : recipe.values) {
    TRY_ASSIGN(std::string key, full_key(value.key, paths));
    if (!values.emplace(std::move(key), value.value).second)
      return Refusal{"duis-key"_rule, "the key is given twice", value.key};
  }
  Composer composer(std::move(values), recipe.fill);
  TRY_ASSIGN(request.body, composer.compose(*body));
  const Result<ServiceRequest> read = read_request(to_element(request));
  if (!read.ok()) return read.refusal();
  return request;
}

RequestId example_id() {
  return {Eui64::from_number(0x9057530000010000), Eui64::from_number(0x0057530000000001),
          OriginatorCounter(1000)};
}

ServiceRequest example_request(std::string_view service_variant) {
  Recipe recipe{std::string(service_variant), example_id()};
  recipe.fill = true;
  Result<ServiceRequest> request = compose(recipe);
  CHECK(request.ok());
  return std::move(request).value();
}

}  // namespace wattseal::duis
