// A document against the structures: one walk, each child looked at once. The schema is
// deterministic, so the next child's name says which member it is.
#include <algorithm>

#include "base/check.h"
#include "duis/duis.h"
#include "duis/schema.h"
#include "xml/dsig.h"

namespace wattseal::duis {
namespace {

constexpr std::size_t kNamesShown = 8;

// Where the walk stands: an element and the frames of those around it.
struct Frame {
  const Frame* above;
  const xml::Element& element;
  int depth() const { return above ? above->depth() + 1 : 0; }
};

// An XPath, with positions where an element has siblings of its name.
std::string path_of(const Frame* frame) {
  if (!frame) return {};
  std::string step = "/" + frame->element.name;
  if (frame->above) {
    std::size_t same = 0, position = 0;
    for (const xml::Element& sibling : frame->above->element.children) {
      same += sibling.name == frame->element.name;
      if (&sibling == &frame->element) position = same;
    }
    if (same > 1) step += "[" + std::to_string(position) + "]";
  }
  return path_of(frame->above) + step;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// What a person may put here, shortened.
class Names {
 public:
  void add(std::string_view name) {
    if (++count_ > kNamesShown) return;
    if (!text_.empty()) text_ += ", ";
    text_ += name;
  }
  std::string text() const {
    if (count_ <= kNamesShown) return text_;
    return text_ + " or one of " + std::to_string(count_ - kNamesShown) + " others";
  }

 private:
  std::string text_;
  std::size_t count_ = 0;
};

RuleId rule_of_value(const ValueType& type) {
  if (type.form == Form::request_id) return "duis-request-id"_rule;
  if (type.form == Form::service_reference || type.form == Form::service_variant)
    return "duis-service-reference"_rule;
  if (type.name == "command-variant") return "duis-command-variant"_rule;
  return "duis-value"_rule;
}

class Walk {
 public:
  Walk(const Frame& frame, const Structure& structure, std::uint8_t version)
      : frame_(frame),
        structure_(structure),
        children_(frame.element.children),
        version_(version) {}

  Status check() {
    TRY(attributes());
    if (structure_.text) {
      if (!children_.empty()) return refuse("a value stands here, no element", at(children_[0]));
      if (!is_value(*structure_.text, frame_.element.text))
        return Refusal{rule_of_value(*structure_.text),
                       "the value is not " + describe(*structure_.text), path_of(&frame_)};
      return {};
    }
    const std::string& text = frame_.element.text;
    if (structure_.members.empty() ? !text.empty() : !is_blank(text))
      return refuse(structure_.members.empty()
                        ? "the element is empty, not even white space is in it"
                        : "text stands between the elements",
                    path_of(&frame_));
    for (std::size_t i = 0; i < structure_.members.size();) TRY(item(i));
    if (next_ < children_.size()) return refuse_leftover(children_[next_]);
    return {};
  }

 private:
  std::string at(const xml::Element& child) const {
    const Frame below{&frame_, child};
    return path_of(&below);
  }
  std::string at(std::string_view name) const { return path_of(&frame_) + "/" + std::string(name); }
  Refusal refuse(std::string detail, std::string path) const {
    const bool in_body = frame_.depth() >= 2 && frame_.above->element.name == "Body";
    const bool below = frame_.depth() > 2;
    return {in_body || below ? "duis-body"_rule : "duis-structure"_rule, std::move(detail),
            std::move(path)};
  }

  Status attributes() const {
    const xml::Element& element = frame_.element;
    if (element.foreign_attribute)
      return refuse("the element has an attribute of another namespace", path_of(&frame_));
    for (const xml::Attribute& attribute : element.attributes) {
      const auto row =
          std::ranges::find(structure_.attributes, attribute.name, &AttributeRow::name);
      if (row == structure_.attributes.end())
        return refuse("the element has no such attribute", at("@" + attribute.name));
      if (!is_value(*row->value, attribute.value))
        return Refusal{attribute.name == "schemaVersion" ? "duis-schema-version"_rule
                                                         : rule_of_value(*row->value),
                       "the value is not " + describe(*row->value), at("@" + attribute.name)};
    }
    for (const AttributeRow& row : structure_.attributes) {
      if (element.attribute(row.name)) continue;
      const std::string path = at("@" + std::string(row.name));
      const std::string detail = "the attribute is missing: " + describe(*row.value);
      if (row.name == "schemaVersion") return Refusal{"duis-schema-version"_rule, detail, path};
      return refuse(detail, path);
    }
    return {};
  }

  // One member, or all of a choice; `i` goes past it.
  Status item(std::size_t& i) {
    const std::vector<Member>& members = structure_.members;
    const Member& first = members[i];
    if (!first.is_in(version_) && is_next(first)) return refuse_version(first);
    if (first.choice == 0) return first.is_in(version_) ? take(members[i++]) : pass(i);
    std::size_t end = i;
    while (end < members.size() && members[end].choice == first.choice) ++end;
    const std::size_t begin = std::exchange(i, end);
    for (std::size_t at = begin; at < end; ++at) {
      if (!members[at].is_in(version_) && is_next(members[at])) return refuse_version(members[at]);
    }
    const int alternative = chosen(begin, end);
    if (alternative == 0) return absent_choice(begin, end);
    for (std::size_t at = begin; at < end; ++at) {
      if (members[at].alternative == alternative && members[at].is_in(version_))
        TRY(take(members[at]));
    }
    return {};
  }

  static Status pass(std::size_t& i) {
    ++i;
    return {};
  }

  // The element is of the schema, but not of this version.
  Refusal refuse_version(const Member& member) const {
    const std::span<const SchemaVersion> versions = schema_versions();
    std::string detail =
        "schema version " + std::string(versions[version_].number) + " does not have the element;";
    if (member.from > 0) detail += " the first that has it is " + number(member.from);
    if (member.until < versions.size())
      detail += " the last that has it is " + number(member.until);
    return {"duis-schema-version"_rule, detail, at(children_[next_])};
  }
  static std::string number(std::uint8_t place) {
    return std::string(schema_versions()[place].number);
  }

  int chosen(std::size_t begin, std::size_t end) const {
    if (next_ == children_.size()) return 0;
    for (std::size_t i = begin; i < end; ++i) {
      if (structure_.members[i].name == children_[next_].name)
        return structure_.members[i].alternative;
    }
    return 0;
  }

  // Nothing of the choice is there: right only when one of the alternatives demands nothing.
  Status absent_choice(std::size_t begin, std::size_t end) const {
    Names names;
    for (std::size_t i = begin; i < end; ++i) {
      const Member& member = structure_.members[i];
      if (!member.is_in(version_)) continue;
      const bool first = i == begin || structure_.members[i - 1].alternative != member.alternative;
      if (member.choice_optional || (first && member.min == 0)) return {};
      if (first) names.add(member.name);
    }
    return refuse("one of " + names.text() + " is expected here, " + found_here(),
                  path_of(&frame_));
  }

  std::string found_here() const {
    return next_ < children_.size() ? "not " + children_[next_].name : "but nothing follows";
  }

  bool is_next(const Member& member) const {
    return next_ < children_.size() && children_[next_].name == member.name;
  }

  Status take(const Member& member) {
    std::size_t count = 0;
    for (; is_next(member) && count < member.max; ++count, ++next_)
      TRY(child(member, children_[next_]));
    if (is_next(member))
      return refuse("the element occurs more than " + times(member.max), at(children_[next_]));
    if (count < member.min) {
      const std::string how = count == 0 ? "is missing: it is expected here, " + found_here()
                                         : "occurs " + times(count) + ", not " + times(member.min);
      return refuse("the element " + how, at(member.name));
    }
    return {};
  }

  static std::string times(std::size_t count) {
    return count == 1 ? "once" : std::to_string(count) + " times";
  }

  Status child(const Member& member, const xml::Element& element) const {
    const Frame below{&frame_, element};
    if (member.is_signature) {
      if (element.ns == xml::kDsigNamespace) return {};
      return refuse("only a signature of XML-DSig may stand here", path_of(&below));
    }
    if (element.ns != kNamespace)
      return Refusal{"duis-namespace"_rule, "the element is not of the DUIS namespace",
                     path_of(&below)};
    if (member.structure) return Walk(below, *member.structure, version_).check();
    if (!member.value) return {};  // not judged here
    if (!element.attributes.empty() || element.foreign_attribute)
      return refuse("the element has no attributes", path_of(&below));
    if (!element.children.empty())
      return refuse("a value stands here, no element", path_of(&below));
    if (!is_value(*member.value, element.text))
      return Refusal{rule_of_value(*member.value), "the value is not " + describe(*member.value),
                     path_of(&below)};
    return {};
  }

  Refusal refuse_leftover(const xml::Element& element) const {
    if (element.ns != kNamespace && element.ns != xml::kDsigNamespace)
      return {"duis-namespace"_rule, "the element is not of the DUIS namespace", at(element)};
    Names names;
    for (const Member& member : structure_.members) {
      if (member.name == element.name)
        return refuse(member.choice > 0 ? "the element excludes another one that is there, or "
                                          "stands in the wrong order"
                                        : "the element stands in the wrong order",
                      at(element));
      names.add(member.name);
    }
    const std::string holds = names.text();
    return refuse("the element is not expected here; " + frame_.element.name + " holds " +
                      (holds.empty() ? "nothing" : holds),
                  at(element));
  }

  const Frame& frame_;
  const Structure& structure_;
  const std::vector<xml::Element>& children_;
  const std::uint8_t version_;
  std::size_t next_ = 0;
};

}  // namespace

Status check_structure(const xml::Element& element, const Structure& structure,
                       std::uint8_t version) {
  const Frame root{nullptr, element};
  return Walk(root, structure, version).check();
}

Status check_schema(const xml::Element& document) {
  if (document.ns != kNamespace)
    return Refusal{"duis-namespace"_rule,
                   "the document element is of namespace '" + document.ns + "'", "/"};
  const bool is_response = document.name == "Response";
  if (!is_response && document.name != "Request")
    return Refusal{"duis-structure"_rule,
                   "the document element is " + document.name + ", not Request or Response",
                   "/" + document.name};
  const std::string* const number = document.attribute("schemaVersion");
  const auto newest = static_cast<std::uint8_t>(schema_versions().size() - 1);
  const std::uint8_t version = find_schema_version(number ? *number : "").value_or(newest);
  return check_structure(document, is_response ? response_structure() : request_structure(),
                         version);
}

}  // namespace wattseal::duis
