// Walking a template along a payload. A list takes what its items match, in order: a loop goes on
// while its items match, a condition holds when its items match and does not hold otherwise.
// Everything not computed from the request must be equal; all octets must be used. Work is bounded
// by the size of the template times the size of the payload, depth by the template's.
#include "asn1/der.h"
#include "gbcs/template/reader.h"

namespace wattseal::gbcs::gmt {
namespace {

// A list being read: octets, or the requests and components of a payload that was cut into them.
// `left` counts the elements of an array or structure that are still to come.
struct Stream {
  BytesView octets;
  std::size_t at = 0;
  std::optional<std::size_t> left;

  std::optional<BytesView> take(std::size_t count) {
    if (octets.size() - at < count) return std::nullopt;
    at += count;
    return octets.subspan(at - count, count);
  }
  bool expect(BytesView exactly) {
    const std::optional<BytesView> found = take(exactly.size());
    return found && equal(*found, exactly);
  }
  bool expect(std::initializer_list<Octet> exactly) {
    return expect(BytesView(exactly.begin(), exactly.size()));
  }
  // A-XDR lengths in their one shortest form.
  std::optional<std::size_t> length() {
    const std::optional<BytesView> first = take(1);
    if (!first) return std::nullopt;
    if ((*first)[0] < 0x80) return (*first)[0];
    if ((*first)[0] != 0x81 && (*first)[0] != 0x82) return std::nullopt;
    const std::size_t octets_of_length = (*first)[0] & 0x0Fu;
    const std::optional<BytesView> rest = take(octets_of_length);
    if (!rest) return std::nullopt;
    const std::size_t value = static_cast<std::size_t>(get_be(*rest));
    if (value < (octets_of_length == 1 ? 0x80u : 0x100u)) return std::nullopt;
    return value;
  }
};

struct Item {  // a DLMS request with its data, or a GBZ component
  BytesView head, body;
};

constexpr int kDataDepthMax = 32;

// Skips one DLMS datum of the types that requests carry.
bool skip_datum(Stream& stream, int depth) {
  const std::optional<BytesView> tag = stream.take(1);
  if (!tag || depth > kDataDepthMax) return false;
  switch ((*tag)[0]) {
    case 0: return true;
    case 3:
    case 15:
    case 17:
    case 22: return stream.take(1).has_value();
    case 16:
    case 18: return stream.take(2).has_value();
    case 5:
    case 6: return stream.take(4).has_value();
    case 4:
    case 9:
    case 10:
    case 12: {
      const std::optional<std::size_t> length = stream.length();
      return length && stream.take((*tag)[0] == 4 ? (*length + 7) / 8 : *length).has_value();
    }
    case 1:
    case 2: {
      const std::optional<std::size_t> count = stream.length();
      for (std::size_t i = 0; count && i < *count; ++i) {
        if (!skip_datum(stream, depth + 1)) return false;
      }
      return count.has_value();
    }
    default: return false;
  }
}

class PayloadReader {
 public:
  PayloadReader(const Template& use_case, BytesView payload, const ReadContext& context)
      : use_case_(use_case), payload_(payload), context_(context), solver_(use_case, context) {}

  Result<ReadBack> read() {
    if (payload_.size() > 0xFFFF)
      return Refusal{"correlate-payload"_rule, "the payload is longer than 64 KiB"};
    for (const Expr& condition : use_case_.conditions) {
      if (!solver_.is_boolean(condition, true, {})) return refusal();
    }
    Stream all{payload_, 0, {}};
    const bool framed = use_case_.view.kind == PayloadKind::dlms_request ? cut_dlms()
                        : use_case_.view.kind == PayloadKind::gbz        ? cut_gbz()
                                                                         : true;
    Stream list = use_case_.view.kind == PayloadKind::asn1 ? all : Stream{{}, 0, items_.size()};
    if (!framed || !match_list(*use_case_.payload, list, {}) || !at_end(list)) return refusal();
    TRY_ASSIGN(ReadBack read, solver_.finish());
    for (const Path& path : use_case_.unused) read.unused.push_back(solver_.join({}, path));
    // What the device does not hold until its time, the DCC holds: the request may have a time that
    // the command does not carry.
    if (!use_case_.future_dated) read.unused.push_back("ExecutionDateTime");
    // A certificate to encrypt for travels in the header.
    if (use_case_.view.encrypted) read.unused.push_back("KAPublicSecurityCredentials");
    return read;
  }

 private:
  Refusal refusal() const {
    if (solver_.fatal()) return *solver_.fatal();
    return {"correlate-payload"_rule,
            "octet " + std::to_string(furthest_) + " of the payload is not what " +
                use_case_.view.use_case + " (" + use_case_.file + ":" +
                std::to_string(furthest_line_) + ") says",
            "payload/" + std::to_string(furthest_)};
  }
  // Remembers the mismatch that the walk came furthest to: with alternatives, the last one tried
  // says little.
  bool mismatch(const Octet* at, int line) {
    const std::size_t offset = at == nullptr ? 0 : static_cast<std::size_t>(at - payload_.data());
    if (offset >= furthest_) {
      furthest_ = offset;
      furthest_line_ = line;
    }
    return false;
  }
  bool at_end(const Stream& stream) {
    const bool end = stream.left ? *stream.left == 0 : stream.at == stream.octets.size();
    return end || mismatch(position(stream), use_case_.line);
  }
  const Octet* position(const Stream& stream) const {
    if (stream.octets.data() != nullptr) return stream.octets.data() + stream.at;
    return stream.at < items_.size() ? items_[stream.at].head.data()
                                     : payload_.data() + payload_.size();
  }

  // D9, invoke id, no date-time, request specifications, then one datum for each.
  bool cut_dlms() {
    Stream stream{payload_, 0, {}};
    Bytes head{0xD9, 0x20};
    put_be(head, context_.counter.number() & 0xFFFFFF, 3);
    head.push_back(0);
    if (!stream.expect(head)) return mismatch(payload_.data(), use_case_.line);
    const std::optional<std::size_t> count = stream.length();
    for (std::size_t i = 0; count && i < *count; ++i) {
      const std::size_t start = stream.at;
      if (!stream.take(10)) return mismatch(position(stream), use_case_.line);
      const bool with_selection = payload_[start] == 0x04;
      if (with_selection && (!stream.take(1) || !skip_datum(stream, 0)))
        return mismatch(position(stream), use_case_.line);
      items_.push_back({payload_.subspan(start, stream.at - start), {}});
    }
    if (!count || stream.length() != count) return mismatch(position(stream), use_case_.line);
    for (Item& item : items_) {
      const std::size_t start = stream.at;
      if (!skip_datum(stream, 0)) return mismatch(position(stream), use_case_.line);
      item.body = payload_.subspan(start, stream.at - start);
    }
    return at_end(stream);
  }

  // 01 09, number of components, components: control, cluster, length, content.
  bool cut_gbz() {
    Stream stream{payload_, 0, {}};
    if (!stream.expect({0x01, 0x09})) return mismatch(payload_.data(), use_case_.line);
    const std::optional<BytesView> count = stream.take(1);
    for (std::size_t i = 0; count && i < (*count)[0]; ++i) {
      const std::optional<BytesView> head = stream.take(5);
      const std::optional<BytesView> body =
          head ? stream.take(get_be(head->subspan(3, 2))) : std::nullopt;
      if (!body) return mismatch(position(stream), use_case_.line);
      items_.push_back({*head, *body});
    }
    return count && at_end(stream);
  }

  // ----------------------------------------------------------------------------------------------------------------
  // lists

  bool match_list(const std::vector<Node>& nodes, Stream& stream, const Place& place) {
    for (const Node& node : nodes) {
      if (!match_item(node, stream, place)) return false;
    }
    return true;
  }

  bool match_item(const Node& node, Stream& stream, const Place& place) {
    if (solver_.fatal()) return false;
    switch (node.kind) {
      case NodeKind::for_each: return match_for_each(node, stream, place);
      case NodeKind::repeat: return match_repeat(node, stream, place);
      case NodeKind::range:
        for (Integer i = node.arguments[0].number; i <= node.arguments[1].number; ++i) {
          solver_.set(node.slot, i);
          if (!match_list(node.children, stream, place)) return false;
        }
        return true;
      case NodeKind::each:
        for (const Expr& value : node.arguments) {
          solver_.set(node.slot, value.number);
          if (!match_list(node.children, stream, place)) return false;
        }
        return true;
      case NodeKind::rows: {
        const std::optional<Facts::Rows> rows = solver_.known_rows(node.name);
        for (std::size_t i = 0; rows && i < rows->size(); ++i) {
          solver_.set(node.slot, static_cast<Integer>(i));
          if (!match_list(node.children, stream, place)) return false;
        }
        return rows.has_value();
      }
      case NodeKind::when: {
        const auto then = [&](Stream& s) { return match_list(node.children, s, place); };
        return match_branch(node, true, stream, place, then) ||
               match_branch(node, false, stream, place, [](Stream&) { return true; });
      }
      case NodeKind::choose: {
        const auto first = [&](Stream& s) { return match_item(node.children[0], s, place); };
        const auto second = [&](Stream& s) { return match_item(node.children[1], s, place); };
        return match_branch(node, true, stream, place, first) ||
               match_branch(node, false, stream, place, second);
      }
      case NodeKind::event_settings: return match_event_settings(node, stream, place);
      default: return match_counted(node, stream, place);
    }
  }

  // As many components as there are different settings, one at least.
  bool match_event_settings(const Node& node, Stream& stream, const Place& place) {
    const std::size_t first = stream.at;
    event_rank_ = 0;
    while (stream.at < items_.size()) {
      const Solver::Mark before = solver_.mark();
      const Stream start = stream;
      if (match_counted(node, stream, place)) continue;
      solver_.roll_back(before);
      stream = start;
      break;
    }
    return stream.at > first;
  }

  bool match_counted(const Node& node, Stream& stream, const Place& place) {
    if (stream.left == std::size_t(0)) return mismatch(position(stream), node.line);
    const Octet* const start = position(stream);
    if (!match_leaf(node, stream, place)) return mismatch(start, node.line);
    if (stream.left) --*stream.left;
    return true;
  }

  // Assumes a condition and reads on; all is undone when that does not match.
  template <typename Then>
  bool match_branch(const Node& node, bool condition, Stream& stream, const Place& place,
                    Then then) {
    const Solver::Mark before = solver_.mark();
    const Stream start = stream;
    if (solver_.is_boolean(node.arguments[0], condition, place) && then(stream)) return true;
    solver_.roll_back(before);
    stream = start;
    return false;
  }

  // One round of a loop; undone when its items do not match or use nothing up.
  bool match_round(const Node& node, Integer index, Stream& stream, const Place& place) {
    const Solver::Mark before = solver_.mark();
    const Stream start = stream;
    solver_.set(node.slot, index);
    if (match_list(node.children, stream, place) && stream.at > start.at) return true;
    solver_.roll_back(before);
    stream = start;
    return false;
  }

  bool match_for_each(const Node& node, Stream& stream, const Place& place) {
    const std::string path = solver_.join(place, node.path);
    const std::optional<Integer> known = solver_.known_count(path);
    Integer count = 0;
    while (!known || count < *known) {
      const std::string element =
          path + "[" + std::to_string(static_cast<std::int64_t>(count + 1)) + "]";
      if (!match_round(node, count, stream, {element})) break;
      ++count;
    }
    if (known && count < *known) return false;
    return solver_.learn_count(path, static_cast<std::size_t>(count));
  }

  bool match_repeat(const Node& node, Stream& stream, const Place& place) {
    const std::optional<Integer> known = solver_.known_integer(node.arguments[0], place);
    Integer count = 0;
    while ((!known || count < *known) && match_round(node, count, stream, place)) ++count;
    return known ? count == *known : solver_.is_integer(node.arguments[0], count, place);
  }

  // ---------------------------------------------------------------------------------------------------------------
  // leaves

  bool match_leaf(const Node& node, Stream& stream, const Place& place) {
    switch (node.kind) {
      case NodeKind::get:
      case NodeKind::get_range:
      case NodeKind::set:
      case NodeKind::action: return match_request(node, items_[stream.at++], place);
      case NodeKind::component: return match_component(node, stream, place);
      case NodeKind::event_settings: return match_event_configuration(node, stream, place);
      case NodeKind::zcl_integer:
      case NodeKind::zcl_string:
      case NodeKind::zcl_raw: return match_field(node, stream, place);
      case NodeKind::protected_object: return match_protected_object(node, stream, place);
      case NodeKind::der_null:
      case NodeKind::der_sequence:
      case NodeKind::der_integer:
      case NodeKind::der_octets:
      case NodeKind::der_time:
      case NodeKind::der_bits:
      case NodeKind::der_context_integer:
      case NodeKind::der_context_sequence:
      case NodeKind::der_raw: return match_der(node, stream, place);
      default: return match_datum(node, stream, place);
    }
  }

  bool match_request(const Node& node, const Item& item, const Place& place) {
    const Octet kind = node.kind == NodeKind::get      ? 1
                       : node.kind == NodeKind::set    ? 2
                       : node.kind == NodeKind::action ? 3
                                                       : 4;
    Stream head{item.head, 0, {}};
    Stream body{item.body, 0, {}};
    if (!head.expect(
            {kind, static_cast<Octet>(node.class_id >> 8), static_cast<Octet>(node.class_id)}))
      return false;
    const std::optional<BytesView> instance = head.take(6);
    if (!instance || !solver_.is_octets(node.arguments[0], *instance, place) ||
        !head.expect({node.member}))
      return false;
    if (node.kind == NodeKind::get_range && !match_range_selector(node, head, place)) return false;
    const bool has_data = !node.children.empty();
    if (has_data ? !match_item(node.children[0], body, place) : !body.expect({0x00})) return false;
    return at_end(head) && at_end(body);
  }

  // structure{ structure{class 1, instance 0-0:94.44.100.255, attribute 2, 0}, from, to, no columns
  // }
  bool match_range_selector(const Node& node, Stream& head, const Place& place) {
    if (!head.expect({0x01, 0x02, 0x04, 0x02, 0x04, 0x12, 0x00, 0x01, 0x09, 0x06, 0x00,
                      0x00, 0x5E, 0x2C, 0x64, 0xFF, 0x0F, 0x02, 0x12, 0x00, 0x00})) {
      return false;
    }
    for (const std::size_t bound : {1u, 2u}) {
      if (!head.expect({0x06})) return false;
      const std::optional<BytesView> octets = head.take(4);
      if (!octets || !match_seconds(node.arguments[bound], get_be(*octets), place)) return false;
    }
    return head.expect({0x01, 0x00});
  }

  bool match_seconds(const Expr& moment, std::uint64_t seconds, const Place& place) {
    if (seconds == 0xFFFFFFFF) return solver_.is_moment(moment, {Moment::Is::never, {}, -1}, place);
    const UtcTime time =
        UtcTime::from_unix_seconds(kZigbeeEpoch + static_cast<std::int64_t>(seconds));
    return solver_.is_moment(moment, {Moment::Is::instant, time, -1}, place);
  }

  bool match_datum(const Node& node, Stream& stream, const Place& place) {
    switch (node.kind) {
      case NodeKind::dlms_null: return stream.expect({0x00});
      case NodeKind::protect: return match_protect(node, stream, place);
      case NodeKind::dlms_bits: {
        if (!stream.expect({0x04}) || stream.length() != node.width) return false;
        return stream.expect(node.literal);
      }
      case NodeKind::dlms_flags: return match_flags(node, stream, place);
      case NodeKind::dlms_boolean: {
        const std::optional<BytesView> octets = stream.take(2);
        if (!octets || (*octets)[0] != 0x03 || ((*octets)[1] != 0x00 && (*octets)[1] != 0xFF))
          return false;
        return solver_.is_boolean(node.arguments[0], (*octets)[1] == 0xFF, place);
      }
      case NodeKind::dlms_integer: {
        if (!stream.expect({node.tag})) return false;
        const std::optional<BytesView> octets = stream.take(node.width);
        return octets && match_integer(node, get_be(*octets), place);
      }
      case NodeKind::dlms_octets: {
        if (!stream.expect({node.tag})) return false;
        const std::optional<std::size_t> length = stream.length();
        const std::optional<BytesView> octets = length ? stream.take(*length) : std::nullopt;
        return octets && solver_.is_octets(node.arguments[0], *octets, place);
      }
      case NodeKind::dlms_structure:
      case NodeKind::dlms_array: {
        if (!stream.expect({static_cast<Octet>(node.kind == NodeKind::dlms_array ? 0x01 : 0x02)}))
          return false;
        Stream inside = stream;
        inside.left = inside.length();
        if (!inside.left || !match_list(node.children, inside, place) || !at_end(inside))
          return false;
        stream.at = inside.at;
        return true;
      }
      default: UNREACHABLE();
    }
  }

  // Every bit is that of a flag, or not set; what has no bit does not hold.
  bool match_flags(const Node& node, Stream& stream, const Place& place) {
    if (!stream.expect({0x04})) return false;
    const std::optional<std::size_t> width = stream.length();
    const std::optional<BytesView> octets = width ? stream.take((*width + 7) / 8) : std::nullopt;
    if (!octets || !solver_.is_integer(node.arguments[0], static_cast<Integer>(*width), place))
      return false;
    Bytes left = to_bytes(*octets);
    return match_flag_list(node.children, *octets, *width, left, place) &&
           std::ranges::all_of(left, [](Octet octet) { return octet == 0; });
  }

  // `left` keeps the set bits that no flag has accounted for.
  bool match_flag_list(const std::vector<Node>& nodes, BytesView bits, std::size_t width,
                       Bytes& left, const Place& place) {
    for (const Node& node : nodes) {
      if (node.kind == NodeKind::flag) {
        if (!match_flag(node, bits, width, left, place)) return false;
        continue;
      }
      const bool is_range = node.kind == NodeKind::range;
      const Integer first = is_range ? node.arguments[0].number : 0;
      const Integer last =
          is_range ? node.arguments[1].number : static_cast<Integer>(node.arguments.size()) - 1;
      for (Integer i = first; i <= last; ++i) {
        solver_.set(node.slot, is_range ? i : node.arguments[static_cast<std::size_t>(i)].number);
        if (!match_flag_list(node.children, bits, width, left, place)) return false;
      }
    }
    return true;
  }

  bool match_flag(const Node& node, BytesView bits, std::size_t width, Bytes& left,
                  const Place& place) {
    const std::optional<Integer> position = solver_.known_integer(node.arguments[0], place);
    if (!position || *position < 0) return false;
    if (*position >= static_cast<Integer>(width))
      return solver_.is_boolean(node.arguments[1], false, place);
    const auto at = static_cast<std::size_t>(*position);
    const Octet mask = static_cast<Octet>(0x80 >> (at % 8));
    left[at / 8] &= static_cast<Octet>(~mask);
    return solver_.is_boolean(node.arguments[1], (bits[at / 8] & mask) != 0, place);
  }

  bool match_integer(const Node& node, std::uint64_t octets, const Place& place) {
    Integer value = octets;
    const int bits = static_cast<int>(node.width) * 8;
    if (node.is_signed && (octets >> (bits - 1) & 1) != 0) value -= Integer(1) << bits;
    return solver_.is_integer(node.arguments[0], value, place);
  }

  // structure{ objects, array{ structure{ enum 2, structure{ transaction 04||counter, originator,
  // recipient, '', key } } } }
  bool match_protect(const Node& node, Stream& stream, const Place& place) {
    if (!stream.expect({0x02, 0x02, 0x01})) return false;
    Stream objects = stream;
    objects.left = objects.length();
    if (!objects.left || !match_list(node.children, objects, place) || !at_end(objects))
      return false;
    stream.at = objects.at;
    Bytes protection{0x01, 0x01, 0x02, 0x02, 0x16, 0x02, 0x02, 0x05, 0x09, 0x09, 0x04};
    put_be(protection, context_.counter.number());
    append(protection, Bytes{0x09, 0x08});
    append(protection, context_.protected_for.value_or(context_.originator).octets());
    append(protection, Bytes{0x09, 0x08});
    append(protection, context_.target.octets());
    append(protection,
           Bytes{0x09, 0x00, 0x02, 0x02, 0x16, 0x02, 0x02, 0x02, 0x09, 0x01, 0x02, 0x09, 0x00});
    return stream.expect(protection);
  }

  bool match_protected_object(const Node& node, Stream& stream, const Place& place) {
    if (!stream.expect({0x02, 0x05, 0x12, static_cast<Octet>(node.class_id >> 8),
                        static_cast<Octet>(node.class_id), 0x09, 0x06})) {
      return false;
    }
    const std::optional<BytesView> instance = stream.take(6);
    if (!instance || !solver_.is_octets(node.arguments[0], *instance, place)) return false;
    if (!stream.expect({0x0F, node.member, 0x12, 0x00, 0x00})) return false;
    if (node.arguments.size() == 1) return stream.expect({0x02, 0x02, 0x16, 0x00, 0x00});
    if (!stream.expect({0x02, 0x02, 0x16, 0x01, 0x02, 0x02})) return false;
    for (const std::size_t bound : {1u, 2u}) {
      if (!stream.expect({0x09, 0x0C})) return false;
      const std::optional<BytesView> octets = stream.take(12);
      if (!octets || !match_date_time(node.arguments[bound], *octets, place)) return false;
    }
    return true;
  }

  bool match_date_time(const Expr& moment, BytesView octets, const Place& place) {
    const std::optional<Moment> when = moment_of_date_time(octets);
    return when && solver_.is_moment(moment, *when, place);
  }

  // The head of a component: control and cluster.
  bool opens(std::size_t index, bool dated, unsigned cluster) const {
    const Octet last = index + 1 == items_.size() ? 0x01 : 0x00;
    const Bytes head{static_cast<Octet>((dated ? 0x10 : 0x00) | last),
                     static_cast<Octet>(cluster >> 8), static_cast<Octet>(cluster)};
    return equal(items_[index].head.first(3), head);
  }

  bool match_component(const Node& node, Stream& stream, const Place& place) {
    const std::size_t index = stream.at++;
    const bool dated = !node.arguments.empty();
    if (!opens(index, dated, node.class_id)) return false;
    Stream body{items_[index].body, 0, {}};
    if (dated) {
      const std::optional<BytesView> from = body.take(4);
      if (!from || !solver_.is_integer(node.arguments[0], Integer(get_be(*from)), place))
        return false;
    }
    if (!body.expect({node.frame_control, static_cast<Octet>(index), node.member})) return false;
    return match_list(node.children, body, place) && at_end(body);
  }

  bool match_event_configuration(const Node& node, Stream& stream, const Place& place) {
    const std::size_t index = stream.at++;
    if (!opens(index, false, 0x0708)) return false;
    Stream body{items_[index].body, 0, {}};
    return body.expect({0x09, static_cast<Octet>(index), 0x04}) &&
           read_event_configuration(body.octets.subspan(body.at), solver_.join(place, node.path),
                                    event_rank_, solver_);
  }

  bool match_field(const Node& node, Stream& stream, const Place& place) {
    if (node.kind == NodeKind::zcl_integer) {
      const std::optional<BytesView> octets = stream.take(node.width);
      if (!octets) return false;
      const Bytes big_endian(octets->rbegin(), octets->rend());
      return match_integer(node, get_be(big_endian), place);
    }
    std::optional<std::size_t> length = solver_.width(node.arguments[0], place);
    if (node.kind == NodeKind::zcl_string) {
      const std::optional<BytesView> stated = stream.take(1);
      if (!stated) return false;
      length = (*stated)[0];
    }
    if (!length)
      length =
          stream.octets.size() - stream.at;  // raw octets without a fixed width reach to the end
    const std::optional<BytesView> octets = stream.take(*length);
    return octets && solver_.is_octets(node.arguments[0], *octets, place);
  }

  bool match_der(const Node& node, Stream& stream, const Place& place) {
    asn1::Reader reader(stream.octets.subspan(stream.at));
    const Result<asn1::Tlv> tlv = reader.any();
    if (!tlv.ok()) return false;
    stream.at += tlv->whole.size();
    if (node.kind == NodeKind::der_raw)
      return solver_.is_octets(node.arguments[0], tlv->whole, place);
    static constexpr Octet kUniversal[] = {asn1::kNull, asn1::kSequence, 0, 0, 0, asn1::kBitString};
    const auto from_null =
        static_cast<std::size_t>(node.kind) - static_cast<std::size_t>(NodeKind::der_null);
    const Octet tag = node.tag != 0 ? node.tag : kUniversal[from_null];
    if (tlv->tag != tag) return false;
    switch (node.kind) {
      case NodeKind::der_null: return tlv->content.empty();
      case NodeKind::der_octets: return solver_.is_octets(node.arguments[0], tlv->content, place);
      case NodeKind::der_time: return match_generalized_time(node, tlv->content, place);
      case NodeKind::der_integer:
      case NodeKind::der_context_integer: return match_der_integer(node, tlv->content, place);
      case NodeKind::der_bits: {
        Bytes bits{static_cast<Octet>(node.unused_bits)};
        append(bits, node.literal);
        return equal(tlv->content, bits);
      }
      default: {
        Stream inside{tlv->content, 0, {}};
        return match_list(node.children, inside, place) && at_end(inside);
      }
    }
  }

  bool match_der_integer(const Node& node, BytesView content, const Place& place) {
    if (content.empty() || content.size() > 9) return false;
    const bool first_bit = content[0] >= 0x80;
    const bool padded = content.size() > 1 && (content[0] == 0x00 || content[0] == 0xFF) &&
                        (content[1] >= 0x80) == first_bit;
    if (padded) return false;
    Integer value = first_bit ? -1 : 0;
    for (const Octet octet : content) value = value * 256 + octet;
    return solver_.is_integer(node.arguments[0], value, place);
  }

  // yyyymmddhhmmssZ; the end of time means never.
  bool match_generalized_time(const Node& node, BytesView content, const Place& place) {
    const std::string text(as_text(content));
    if (text == "99991231235959Z")
      return solver_.is_moment(node.arguments[0], {Moment::Is::never, {}, -1}, place);
    if (text.size() != 15 || text.find_first_not_of("0123456789") != 14 || text[14] != 'Z')
      return false;
    const std::string iso = text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6, 2) +
                            "T" + text.substr(8, 2) + ":" + text.substr(10, 2) + ":" +
                            text.substr(12, 2) + "Z";
    const std::optional<UtcTime> time = UtcTime::parse_iso(iso);
    return time && *time < kNever &&
           solver_.is_moment(node.arguments[0], {Moment::Is::instant, *time, -1}, place);
  }

  const Template& use_case_;
  BytesView payload_;
  const ReadContext& context_;
  Solver solver_;
  std::vector<Item> items_;
  unsigned event_rank_ = 0;
  std::size_t furthest_ = 0;
  int furthest_line_ = 0;
};

}  // namespace

Result<ReadBack> read_back(const Template& use_case, BytesView payload,
                           const ReadContext& context) {
  return PayloadReader(use_case, payload, context).read();
}

}  // namespace wattseal::gbcs::gmt
