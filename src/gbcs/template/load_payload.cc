// Payload items: requests of DLMS, data in them, components and fields of GBZ, nodes of DER, and
// the loops and conditions that may stand wherever a list of them does. One table says what may
// stand in which list.
#include <algorithm>

#include "gbcs/template/loader.h"

namespace wattseal::gbcs::gmt {
namespace {

constexpr std::size_t kAnyNumber = 100'000;
constexpr std::int64_t kLongest = 0xFFFF;

// Octets of an integer on the wire; DLMS types carry their tag as well.
struct IntegerType {
  std::string_view name;
  Octet tag;
  std::size_t width;
  bool is_signed;
};
constexpr IntegerType kDlmsIntegers[] = {
    {"i8", 15, 1, true}, {"u8", 17, 1, false}, {"i16", 16, 2, true},  {"u16", 18, 2, false},
    {"i32", 5, 4, true}, {"u32", 6, 4, false}, {"enum", 22, 1, false}};
constexpr IntegerType kZclIntegers[] = {
    {"u8", 0, 1, false},  {"e8", 0, 1, false},  {"b8", 0, 1, false},
    {"u16", 0, 2, false}, {"u24", 0, 3, false}, {"u32", 0, 4, false},
    {"b32", 0, 4, false}, {"u48", 0, 6, false}, {"i32", 0, 4, true}};

bool is_loop(NodeKind kind) {
  return kind == NodeKind::for_each || kind == NodeKind::when || kind == NodeKind::range ||
         kind == NodeKind::repeat || kind == NodeKind::each || kind == NodeKind::rows;
}

bool reads_index_attribute(const Expr& expr) {
  if (expr.op == Op::attribute_of && expr.path.steps.empty() && expr.text == "index") return true;
  return std::ranges::any_of(expr.arguments, reads_index_attribute);
}
// Whether an item reads the index attribute of the loop's own element. Loops inside have other
// elements.
bool reads_index_attribute(const Node& node) {
  if (node.kind == NodeKind::for_each) return false;
  return std::ranges::any_of(node.arguments,
                             [](const Expr& e) { return reads_index_attribute(e); }) ||
         std::ranges::any_of(node.children, [](const Node& n) { return reads_index_attribute(n); });
}

}  // namespace

struct Items {
  using Understand = Result<Node> (*)(Scope&, const Sexpr&, Family);
  struct Row {
    std::string_view name;
    std::size_t least, most;  // parts after the name
    Understand understand;
  };
  static const Row* find(std::string_view name, Family family);

  static Node made(NodeKind kind, const Sexpr& from) {
    Node node;
    node.kind = kind;
    node.line = from.line;
    return node;
  }

  static Result<Node> for_each(Scope& scope, const Sexpr& from, Family family) {
    Node node = made(NodeKind::for_each, from);
    TRY_ASSIGN(node.path, scope.path(from.items[1]));
    if (node.path.steps.empty())
      return scope.refuse("template-syntax"_rule, from, "for needs a path of elements");
    TRY_ASSIGN(node.slot, scope.declare(from, "index"));
    TRY_ASSIGN(node.children, scope.items(from.items, 2, family));
    scope.variables_.pop_back();
    node.positional =
        std::ranges::none_of(node.children, [](const Node& n) { return reads_index_attribute(n); });
    return node;
  }
  static Result<Node> when(Scope& scope, const Sexpr& from, Family family) {
    Node node = made(NodeKind::when, from);
    TRY_ASSIGN(Expr condition, scope.expression(from.items[1], Kind::boolean));
    node.arguments.push_back(std::move(condition));
    TRY_ASSIGN(node.children, scope.items(from.items, 2, family));
    return node;
  }
  static Result<Node> repeat(Scope& scope, const Sexpr& from, Family family) {
    Node node = made(NodeKind::repeat, from);
    TRY_ASSIGN(Expr times, scope.expression(from.items[1], Kind::integer));
    node.arguments.push_back(std::move(times));
    TRY_ASSIGN(node.slot, scope.declare(from, "index"));
    TRY_ASSIGN(node.children, scope.items(from.items, 2, family));
    scope.variables_.pop_back();
    return node;
  }
  static Result<Node> range(Scope& scope, const Sexpr& from, Family family) {
    Node node = made(NodeKind::range, from);
    if (!from.items[1].is_symbol())
      return scope.refuse("template-syntax"_rule, from, "range needs the name of a variable");
    for (const std::size_t bound : {2u, 3u}) {
      TRY_ASSIGN(const std::int64_t value, scope.literal(from.items[bound], 0, 1000));
      Expr literal;
      literal.number = value;
      literal.line = from.line;
      node.arguments.push_back(std::move(literal));
    }
    TRY_ASSIGN(node.slot, scope.declare(from, from.items[1].text));
    TRY_ASSIGN(node.children, scope.items(from.items, 4, family));
    scope.variables_.pop_back();
    return node;
  }
  static Result<Node> each(Scope& scope, const Sexpr& from, Family family) {
    Node node = made(NodeKind::each, from);
    if (!from.items[1].is_symbol() || !from.items[2].is_list() || from.items[2].items.empty())
      return scope.refuse("template-syntax"_rule, from, "each needs a variable and (VALUE...)");
    for (const Sexpr& value : from.items[2].items) {
      Expr literal;
      TRY_ASSIGN(literal.number, scope.literal(value, 0, kLongest));
      literal.line = value.line;
      node.arguments.push_back(std::move(literal));
    }
    TRY_ASSIGN(node.slot, scope.declare(from, from.items[1].text));
    TRY_ASSIGN(node.children, scope.items(from.items, 3, family));
    scope.variables_.pop_back();
    return node;
  }
  static Result<Node> rows(Scope& scope, const Sexpr& from, Family family) {
    Node node = made(NodeKind::rows, from);
    if (!from.items[1].is_symbol())
      return scope.refuse("template-syntax"_rule, from, "rows needs the name of a fact");
    node.name = from.items[1].text;
    TRY_ASSIGN(node.slot, scope.declare(from, "index", node.name));
    TRY_ASSIGN(node.children, scope.items(from.items, 2, family));
    scope.variables_.pop_back();
    return node;
  }
  static Result<Node> choose(Scope& scope, const Sexpr& from, Family family) {
    Node node = made(NodeKind::choose, from);
    TRY_ASSIGN(Expr condition, scope.expression(from.items[1], Kind::boolean));
    node.arguments.push_back(std::move(condition));
    for (const std::size_t branch : {2u, 3u}) {
      TRY_ASSIGN(Node chosen, scope.single(from.items[branch], family));
      node.children.push_back(std::move(chosen));
    }
    return node;
  }

  static Status attribute_of_instance(Scope& scope, const Sexpr& from, Node& node) {
    TRY_ASSIGN(const std::int64_t class_id, scope.literal(from.items[1], 0, kLongest));
    node.class_id = static_cast<unsigned>(class_id);
    TRY_ASSIGN(const std::int64_t member, scope.literal(from.items[3], 1, 127));
    node.member = static_cast<Octet>(member);
    Expr instance;
    if (from.items[2].is == Sexpr::Is::string) {
      const std::optional<Bytes> octets = instance_octets(from.items[2].text, nullptr);
      if (!octets) {
        return scope.refuse("template-instance"_rule, from.items[2],
                            "\"" + from.items[2].text + "\" is no instance A-B:C.D.E.F");
      }
      instance.op = Op::octets_literal;
      instance.kind = Kind::octets;
      instance.octets = *octets;
    } else {
      TRY_ASSIGN(instance, scope.expression(from.items[2], Kind::octets));
      if (instance.op != Op::instance)
        return scope.refuse("template-instance"_rule, from.items[2], "an instance must stand here");
    }
    node.arguments.push_back(std::move(instance));
    return {};
  }
  template <NodeKind kind>
  static Result<Node> request(Scope& scope, const Sexpr& from, Family) {
    Node node = made(kind, from);
    TRY(attribute_of_instance(scope, from, node));
    if (kind == NodeKind::set || kind == NodeKind::action) {
      TRY_ASSIGN(Node data, scope.single(from.items[4], Family::dlms_data));
      node.children.push_back(std::move(data));
    }
    for (std::size_t i = 4; kind == NodeKind::get_range && i < 6; ++i) {
      TRY_ASSIGN(Expr moment, scope.expression(from.items[i], Kind::moment));
      node.arguments.push_back(std::move(moment));
    }
    return node;
  }
  static Result<Node> protected_object(Scope& scope, const Sexpr& from, Family) {
    Node node = made(NodeKind::protected_object, from);
    TRY(attribute_of_instance(scope, from, node));
    if (from.items.size() == 5)
      return scope.refuse("template-syntax"_rule, from, "obj takes both times or none");
    for (std::size_t i = 4; i < from.items.size(); ++i) {
      TRY_ASSIGN(Expr moment, scope.expression(from.items[i], Kind::moment));
      node.arguments.push_back(std::move(moment));
    }
    return node;
  }

  // One expression of a kind: (oct E), (bool E), (gt E), (str E), (raw E)…
  template <NodeKind kind, Kind wanted, Octet tag>
  static Result<Node> value(Scope& scope, const Sexpr& from, Family) {
    Node node = made(kind, from);
    node.tag = tag;
    TRY_ASSIGN(Expr expr, scope.expression(from.items[1], wanted));
    node.arguments.push_back(std::move(expr));
    return node;
  }
  static Result<Node> integer(Scope& scope, const Sexpr& from, Family family) {
    const bool dlms = family == Family::dlms_data;
    const std::span<const IntegerType> types =
        dlms ? std::span<const IntegerType>(kDlmsIntegers) : kZclIntegers;
    const auto type = std::ranges::find(types, from.head(), &IntegerType::name);
    Node node = made(dlms ? NodeKind::dlms_integer : NodeKind::zcl_integer, from);
    node.tag = type->tag;
    node.width = type->width;
    node.is_signed = type->is_signed;
    TRY_ASSIGN(Expr expr, scope.expression(from.items[1], Kind::integer));
    node.arguments.push_back(std::move(expr));
    return node;
  }
  template <NodeKind kind, Family inside>
  static Result<Node> group(Scope& scope, const Sexpr& from, Family) {
    Node node = made(kind, from);
    TRY_ASSIGN(node.children, scope.items(from.items, 1, inside));
    return node;
  }
  static Result<Node> dlms_bits(Scope& scope, const Sexpr& from, Family) {
    Node node = made(NodeKind::dlms_bits, from);
    const std::string& bits = from.items[1].text;
    if (from.items[1].is != Sexpr::Is::string || bits.size() > 64 ||
        bits.find_first_not_of("01") != std::string::npos) {
      return scope.refuse("template-type"_rule, from,
                          "bits takes a string of at most 64 zeros and ones");
    }
    node.width = bits.size();
    node.literal.resize((bits.size() + 7) / 8);
    for (std::size_t i = 0; i < bits.size(); ++i) {
      if (bits[i] == '1') node.literal[i / 8] |= static_cast<Octet>(0x80 >> (i % 8));
    }
    return node;
  }

  // A bit string of so many bits, and which of them are set when.
  static Result<Node> flags(Scope& scope, const Sexpr& from, Family) {
    Node node = made(NodeKind::dlms_flags, from);
    TRY_ASSIGN(Expr width, scope.expression(from.items[1], Kind::integer));
    node.arguments.push_back(std::move(width));
    TRY_ASSIGN(node.children, scope.items(from.items, 2, Family::dlms_flag));
    return node;
  }
  static Result<Node> flag(Scope& scope, const Sexpr& from, Family) {
    Node node = made(NodeKind::flag, from);
    TRY_ASSIGN(Expr position, scope.expression(from.items[1], Kind::integer));
    TRY_ASSIGN(Expr condition, scope.expression(from.items[2], Kind::boolean));
    node.arguments = {std::move(position), std::move(condition)};
    return node;
  }

  static Result<Node> component(Scope& scope, const Sexpr& from, Family) {
    Node node = made(NodeKind::component, from);
    TRY_ASSIGN(const std::int64_t cluster, scope.literal(from.items[1], 0, kLongest));
    TRY_ASSIGN(const std::int64_t frame_control, scope.literal(from.items[2], 0, 0xFF));
    TRY_ASSIGN(const std::int64_t command, scope.literal(from.items[3], 0, 0xFF));
    node.class_id = static_cast<unsigned>(cluster);
    node.frame_control = static_cast<Octet>(frame_control);
    node.member = static_cast<Octet>(command);
    std::size_t first_field = 4;
    if (from.items.size() > 4 && from.items[4].head() == "from") {
      if (from.items[4].items.size() != 2)
        return scope.refuse("template-syntax"_rule, from.items[4], "from takes one time");
      TRY_ASSIGN(Expr start, scope.expression(from.items[4].items[1], Kind::integer));
      node.arguments.push_back(std::move(start));
      first_field = 5;
    }
    TRY_ASSIGN(node.children, scope.items(from.items, first_field, Family::zcl_field));
    return node;
  }

  static Result<Node> event_settings(Scope& scope, const Sexpr& from, Family) {
    Node node = made(NodeKind::event_settings, from);
    TRY_ASSIGN(node.path, scope.path(from.items[1]));
    return node;
  }

  static Result<Node> der_bits(Scope& scope, const Sexpr& from, Family) {
    Node node = made(NodeKind::der_bits, from);
    TRY_ASSIGN(const std::int64_t unused, scope.literal(from.items[1], 0, 7));
    node.unused_bits = static_cast<unsigned>(unused);
    const std::optional<Bytes> octets = from_hex(from.items[2].text);
    if (from.items[2].is != Sexpr::Is::string || !octets) {
      return scope.refuse("template-type"_rule, from,
                          "bits takes the unused bits and hexadecimal octets");
    }
    node.literal = *octets;
    return node;
  }
  template <NodeKind kind>
  static Result<Node> context_tagged(Scope& scope, const Sexpr& from, Family) {
    Node node = made(kind, from);
    TRY_ASSIGN(const std::int64_t number, scope.literal(from.items[1], 0, 30));
    const bool constructed = kind == NodeKind::der_context_sequence;
    node.tag = static_cast<Octet>((constructed ? 0xA0 : 0x80) | number);
    if (constructed) {
      TRY_ASSIGN(node.children, scope.items(from.items, 2, Family::der_node));
      return node;
    }
    if (from.items.size() != 3)
      return scope.refuse("template-syntax"_rule, from, "ctx-int takes a tag number and a number");
    TRY_ASSIGN(Expr expr, scope.expression(from.items[2], Kind::integer));
    node.arguments.push_back(std::move(expr));
    return node;
  }
};

const Items::Row* Items::find(std::string_view name, Family family) {
  static constexpr Row kControl[] = {{"for", 2, kAnyNumber, for_each},
                                     {"when", 2, kAnyNumber, when},
                                     {"repeat", 2, kAnyNumber, repeat},
                                     {"range", 4, kAnyNumber, range},
                                     {"each", 3, kAnyNumber, each},
                                     {"rows", 2, kAnyNumber, rows},
                                     {"if", 3, 3, choose}};
  // The bits of a string are all there, so nothing that may or may not be read stands among them.
  static constexpr Row kFlags[] = {
      {"bit", 2, 2, flag}, {"range", 4, kAnyNumber, range}, {"each", 3, kAnyNumber, each}};
  static constexpr Row kDlmsItems[] = {{"get", 3, 3, request<NodeKind::get>},
                                       {"get-range", 5, 5, request<NodeKind::get_range>},
                                       {"set", 4, 4, request<NodeKind::set>},
                                       {"action", 4, 4, request<NodeKind::action>}};
  static constexpr Row kDlmsData[] = {
      {"i8", 1, 1, integer},
      {"u8", 1, 1, integer},
      {"i16", 1, 1, integer},
      {"u16", 1, 1, integer},
      {"i32", 1, 1, integer},
      {"u32", 1, 1, integer},
      {"enum", 1, 1, integer},
      {"bits", 1, 1, dlms_bits},
      {"flags", 2, kAnyNumber, flags},
      {"bool", 1, 1, value<NodeKind::dlms_boolean, Kind::boolean, 3>},
      {"oct", 1, 1, value<NodeKind::dlms_octets, Kind::octets, 9>},
      {"vis", 1, 1, value<NodeKind::dlms_octets, Kind::octets, 10>},
      {"utf8", 1, 1, value<NodeKind::dlms_octets, Kind::octets, 12>},
      {"struct", 0, kAnyNumber, group<NodeKind::dlms_structure, Family::dlms_data>},
      {"array", 0, kAnyNumber, group<NodeKind::dlms_array, Family::dlms_data>},
      {"protect", 1, kAnyNumber, group<NodeKind::protect, Family::protected_object>}};
  static constexpr Row kObjects[] = {{"obj", 3, 5, protected_object}};
  static constexpr Row kComponents[] = {{"comp", 3, kAnyNumber, component},
                                        {"event-settings", 1, 1, event_settings}};
  static constexpr Row kZclFields[] = {{"u8", 1, 1, integer},
                                       {"e8", 1, 1, integer},
                                       {"b8", 1, 1, integer},
                                       {"u16", 1, 1, integer},
                                       {"u24", 1, 1, integer},
                                       {"u32", 1, 1, integer},
                                       {"b32", 1, 1, integer},
                                       {"u48", 1, 1, integer},
                                       {"i32", 1, 1, integer},
                                       {"str", 1, 1, value<NodeKind::zcl_string, Kind::octets, 0>},
                                       {"raw", 1, 1, value<NodeKind::zcl_raw, Kind::octets, 0>}};
  static constexpr Row kDerNodes[] = {
      {"seq", 0, kAnyNumber, group<NodeKind::der_sequence, Family::der_node>},
      {"int", 1, 1, value<NodeKind::der_integer, Kind::integer, 0x02>},
      {"oct", 1, 1, value<NodeKind::der_octets, Kind::octets, 0x04>},
      {"gt", 1, 1, value<NodeKind::der_time, Kind::moment, 0x18>},
      {"raw", 1, 1, value<NodeKind::der_raw, Kind::octets, 0>},
      {"bits", 2, 2, der_bits},
      {"ctx-int", 2, 2, context_tagged<NodeKind::der_context_integer>},
      {"ctx-seq", 1, kAnyNumber, context_tagged<NodeKind::der_context_sequence>}};
  static constexpr std::span<const Row> kFamilies[] = {kDlmsItems,  kDlmsData,  kFlags,   kObjects,
                                                       kComponents, kZclFields, kDerNodes};
  const std::span<const Row> control =
      family == Family::dlms_flag ? std::span<const Row>() : kControl;
  for (const std::span<const Row> forms : {control, kFamilies[static_cast<std::size_t>(family)]}) {
    const auto row = std::ranges::find(forms, name, &Row::name);
    if (row != forms.end()) return &*row;
  }
  return nullptr;
}

Result<int> Scope::declare(const Sexpr& at, std::string name, std::string fact) {
  if (variables_.size() >= kSlots)
    return refuse("template-syntax"_rule, at, "loops are nested more than 16 deep");
  const int slot = static_cast<int>(variables_.size());
  variables_.push_back({std::move(name), slot, std::move(fact)});
  return slot;
}

Result<Node> Scope::item(const Sexpr& from, Family family) {
  if (from.is_symbol() && from.text == "null") {
    if (family == Family::dlms_data) return Items::made(NodeKind::dlms_null, from);
    if (family == Family::der_node) return Items::made(NodeKind::der_null, from);
  }
  const std::string_view name = from.head();
  if (name.empty())
    return refuse("template-syntax"_rule, from, "an item must be a list that starts with a word");
  const Items::Row* const row = Items::find(name, family);
  if (row == nullptr)
    return refuse("template-operator"_rule, from, std::string(name) + " cannot stand here");
  const std::size_t parts = from.items.size() - 1;
  if (parts < row->least || parts > row->most) {
    return refuse("template-syntax"_rule, from,
                  std::string(name) + " does not take " + std::to_string(parts) + " parts");
  }
  return row->understand(*this, from, family);
}

Result<Node> Scope::single(const Sexpr& from, Family family) {
  TRY_ASSIGN(Node node, item(from, family));
  if (is_loop(node.kind))
    return refuse("template-syntax"_rule, from, "exactly one item must stand here");
  return node;
}

Result<std::vector<Node>> Scope::items(const std::vector<Sexpr>& lists, std::size_t first,
                                       Family family) {
  std::vector<Node> nodes;
  for (std::size_t i = first; i < lists.size(); ++i) {
    TRY_ASSIGN(Node node, item(lists[i], family));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

}  // namespace wattseal::gbcs::gmt
