// The three payload kinds. Lengths, counts, invoke ids, sequence numbers and control bits follow
// from what is written. Sources: spec/gbcs-duis.md 2.2 (DLMS), 2.3 (GBZ), 2.4 (DER).
#include "asn1/der.h"
#include "gbcs/template/writer.h"

namespace wattseal::gbcs::gmt {

Status within_payload(const Bytes& octets, const Evaluator& values, const Node& at) {
  if (octets.size() <= kPayloadOctetsMax) return {};
  Expr place;
  place.line = at.line;
  return values.range(place, "the payload would be longer than 64 KiB");
}

Result<std::uint64_t> fitting(const Node& node, Integer value, const Evaluator& values) {
  const int bits = static_cast<int>(node.width) * 8;
  const Integer low = node.is_signed ? -(Integer(1) << (bits - 1)) : 0;
  const Integer high = node.is_signed ? (Integer(1) << (bits - 1)) - 1 : (Integer(1) << bits) - 1;
  if (value >= low && value <= high) return static_cast<std::uint64_t>(value);
  return values.range(node.arguments[0],
                      "the value does not fit " + std::to_string(node.width) + " octets");
}

Status ListWriter::for_each(const Node& node, const xml::Element& here, const Emit& emit) {
  Integer index = 0;
  for (const xml::Element* const element : values_.all(node.path, here)) {
    const std::string* const stated = element->attribute("index");
    if (node.positional && stated != nullptr &&
        *stated != std::to_string(static_cast<std::int64_t>(index + 1))) {
      Expr place;
      place.line = node.line;
      place.path = node.path;
      return values_.range(place,
                           "the element with index " + *stated + " does not stand at its position");
    }
    values_.set(node.slot, index);
    TRY(each(node.children, *element, emit));
    ++index;
  }
  return {};
}

Status ListWriter::one(const Node& node, const xml::Element& here, const Emit& emit) {
  switch (node.kind) {
    case NodeKind::for_each: return for_each(node, here, emit);
    case NodeKind::when: {
      TRY_ASSIGN(const bool condition, values_.boolean(node.arguments[0], here));
      return condition ? each(node.children, here, emit) : Status();
    }
    case NodeKind::choose: {
      TRY_ASSIGN(const bool condition, values_.boolean(node.arguments[0], here));
      return one(node.children[condition ? 0 : 1], here, emit);
    }
    case NodeKind::range:
    case NodeKind::repeat: {
      Integer first = 0;
      TRY_ASSIGN(Integer last,
                 values_.integer(node.arguments[node.kind == NodeKind::range ? 1 : 0], here));
      if (node.kind == NodeKind::range) {
        first = node.arguments[0].number;
      } else {
        --last;
      }
      if (last >= static_cast<Integer>(kPayloadOctetsMax))
        return values_.range(node.arguments[0], "too many repetitions");
      for (Integer i = first; i <= last; ++i) {
        values_.set(node.slot, i);
        TRY(each(node.children, here, emit));
      }
      return {};
    }
    case NodeKind::each: {
      for (const Expr& value : node.arguments) {
        values_.set(node.slot, value.number);
        TRY(each(node.children, here, emit));
      }
      return {};
    }
    case NodeKind::rows: {
      TRY_ASSIGN(const Facts::Rows rows, values_.context().facts.rows(node.name));
      for (std::size_t i = 0; i < rows.size(); ++i) {
        values_.set(node.slot, static_cast<Integer>(i));
        TRY(each(node.children, here, emit));
      }
      return {};
    }
    default: return emit(node, here);
  }
}

Status ListWriter::each(const std::vector<Node>& nodes, const xml::Element& here,
                        const Emit& emit) {
  for (const Node& node : nodes) TRY(one(node, here, emit));
  return {};
}

namespace {

// A-XDR lengths are those of BER.
void put_length(Bytes& out, std::size_t length) {
  if (length < 0x80) {
    out.push_back(static_cast<Octet>(length));
  } else if (length < 0x100) {
    append(out, Bytes{0x81, static_cast<Octet>(length)});
  } else {
    out.push_back(0x82);
    put_be(out, length, 2);
  }
}

class DlmsWriter : ListWriter {
 public:
  using ListWriter::ListWriter;

  Result<Bytes> write(const std::vector<Node>& items) {
    Bytes specifications, data;
    std::size_t count = 0;
    const Emit emit = [&](const Node& node, const xml::Element& here) -> Status {
      ++count;
      TRY(specification(node, here, specifications));
      if (node.children.empty()) {
        data.push_back(0);
      } else {
        TRY(datum(node.children[0], here, data));
      }
      return within_payload(data, values_, node);
    };
    TRY(each(items, values_.context().body, emit));
    if (count == 0) return Bytes{};
    Bytes out{0xD9, 0x20};
    put_be(out, values_.context().counter.number() & 0xFFFFFF, 3);
    out.push_back(0);
    put_length(out, count);
    append(out, specifications);
    put_length(out, count);
    append(out, data);
    return out;
  }

 private:
  static Octet choice(NodeKind kind) {
    switch (kind) {
      case NodeKind::get: return 1;
      case NodeKind::set: return 2;
      case NodeKind::action: return 3;
      case NodeKind::get_range: return 4;
      default: UNREACHABLE();
    }
  }

  // A log's range selector names the clock column that the entries are selected by.
  Status specification(const Node& node, const xml::Element& here, Bytes& out) {
    out.push_back(choice(node.kind));
    put_be(out, node.class_id, 2);
    TRY_ASSIGN(const Bytes instance, values_.octets(node.arguments[0], here));
    append(out, instance);
    out.push_back(node.member);
    if (node.kind != NodeKind::get_range) return {};
    append(out, Bytes{0x01, 0x02, 0x04, 0x02, 0x04, 0x12, 0x00, 0x01, 0x09, 0x06, 0x00,
                      0x00, 0x5E, 0x2C, 0x64, 0xFF, 0x0F, 0x02, 0x12, 0x00, 0x00});
    for (const std::size_t bound : {1u, 2u}) {
      Expr seconds;
      seconds.op = Op::seconds_since_2000;
      seconds.number = 0xFFFFFFFF;
      seconds.line = node.line;
      seconds.arguments.push_back(node.arguments[bound]);
      TRY_ASSIGN(const Integer value, values_.integer(seconds, here));
      out.push_back(0x06);
      put_be(out, static_cast<std::uint64_t>(value), 4);
    }
    append(out, Bytes{0x01, 0x00});
    return {};
  }

  Status group(const Node& node, const xml::Element& here, Bytes& out) {
    Bytes inside;
    std::size_t count = 0;
    const Emit emit = [&](const Node& child, const xml::Element& at) -> Status {
      ++count;
      TRY(datum(child, at, inside));
      return within_payload(inside, values_, child);
    };
    TRY(each(node.children, here, emit));
    out.push_back(node.kind == NodeKind::dlms_array ? 0x01 : 0x02);
    put_length(out, count);
    append(out, inside);
    return {};
  }

  Status datum(const Node& node, const xml::Element& here, Bytes& out) {
    switch (node.kind) {
      case NodeKind::dlms_null: out.push_back(0); return {};
      case NodeKind::dlms_structure:
      case NodeKind::dlms_array: return group(node, here, out);
      case NodeKind::protect: return protect(node, here, out);
      case NodeKind::dlms_bits:
        out.push_back(0x04);
        put_length(out, node.width);
        append(out, node.literal);
        return {};
      case NodeKind::dlms_flags: return flags(node, here, out);
      case NodeKind::dlms_boolean: {
        TRY_ASSIGN(const bool value, values_.boolean(node.arguments[0], here));
        append(out, Bytes{0x03, static_cast<Octet>(value ? 0xFF : 0x00)});
        return {};
      }
      case NodeKind::dlms_integer: {
        TRY_ASSIGN(const Integer value, values_.integer(node.arguments[0], here));
        TRY_ASSIGN(const std::uint64_t octets, fitting(node, value, values_));
        out.push_back(node.tag);
        put_be(out, octets, node.width);
        return {};
      }
      case NodeKind::dlms_octets: {
        TRY_ASSIGN(const Bytes value, values_.octets(node.arguments[0], here));
        TRY(within_payload(value, values_, node));
        out.push_back(node.tag);
        put_length(out, value.size());
        append(out, value);
        return {};
      }
      case NodeKind::choose: {  // where a single datum stands
        TRY_ASSIGN(const bool condition, values_.boolean(node.arguments[0], here));
        return datum(node.children[condition ? 0 : 1], here, out);
      }
      default: UNREACHABLE();
    }
  }

  // The first bit of a string is the highest of its first octet.
  Status flags(const Node& node, const xml::Element& here, Bytes& out) {
    TRY_ASSIGN(const Integer width, values_.integer(node.arguments[0], here));
    if (width < 0 || width > kFlagsMax)
      return values_.range(node.arguments[0], "a bit string cannot have so many bits");
    Bytes bits((static_cast<std::size_t>(width) + 7) / 8);
    const Emit emit = [&](const Node& flag, const xml::Element& at) -> Status {
      TRY_ASSIGN(const Integer position, values_.integer(flag.arguments[0], at));
      TRY_ASSIGN(const bool is_set, values_.boolean(flag.arguments[1], at));
      if (!is_set) return {};
      if (position < 0 || position >= width)
        return values_.range(flag.arguments[1], "there is no bit for this element");
      const auto place = static_cast<std::size_t>(position);
      bits[place / 8] |= static_cast<Octet>(0x80 >> (place % 8));
      return {};
    };
    TRY(each(node.children, here, emit));
    out.push_back(0x04);
    put_length(out, static_cast<std::size_t>(width));
    append(out, bits);
    return {};
  }

  // Input of get_protected_attributes (class 30): the objects, then how the device shall protect
  // what it returns. The key information part says: agreed key, ephemeral-free scheme 02, nothing
  // ciphered by the asker.
  Status protect(const Node& node, const xml::Element& here, Bytes& out) {
    Bytes objects;
    std::size_t count = 0;
    const Emit emit = [&](const Node& object, const xml::Element& at) -> Status {
      ++count;
      TRY(protected_object(object, at, objects));
      return within_payload(objects, values_, object);
    };
    TRY(each(node.children, here, emit));
    const TransformContext& context = values_.context();
    append(out, Bytes{0x02, 0x02, 0x01});
    put_length(out, count);
    append(out, objects);
    append(out, Bytes{0x01, 0x01, 0x02, 0x02, 0x16, 0x02, 0x02, 0x05, 0x09, 0x09, 0x04});
    put_be(out, context.counter.number());
    for (const Eui64 party : {context.protected_for.value_or(context.originator), context.target}) {
      append(out, Bytes{0x09, 0x08});
      append(out, party.octets());
    }
    append(out,
           Bytes{0x09, 0x00, 0x02, 0x02, 0x16, 0x02, 0x02, 0x02, 0x09, 0x01, 0x02, 0x09, 0x00});
    return {};
  }

  Status protected_object(const Node& node, const xml::Element& here, Bytes& out) {
    append(out, Bytes{0x02, 0x05, 0x12});
    put_be(out, node.class_id, 2);
    append(out, Bytes{0x09, 0x06});
    TRY_ASSIGN(const Bytes instance, values_.octets(node.arguments[0], here));
    append(out, instance);
    append(out, Bytes{0x0F, node.member, 0x12, 0x00, 0x00});
    if (node.arguments.size() == 1) {
      append(out, Bytes{0x02, 0x02, 0x16, 0x00, 0x00});
      return {};
    }
    append(out, Bytes{0x02, 0x02, 0x16, 0x01, 0x02, 0x02});
    for (const std::size_t bound : {1u, 2u}) {
      Expr written;
      written.op = Op::date_time;
      written.line = node.line;
      written.arguments.push_back(node.arguments[bound]);
      TRY_ASSIGN(const Bytes octets, values_.octets(written, here));
      append(out, Bytes{0x09, 0x0C});
      append(out, octets);
    }
    return {};
  }
};

class GbzWriter : ListWriter {
 public:
  using ListWriter::ListWriter;

  Result<Bytes> write(const std::vector<Node>& nodes) {
    Bytes out{0x01, 0x09, 0x00};
    const Emit emit = [&](const Node& node, const xml::Element& here) -> Status {
      if (node.kind != NodeKind::event_settings) return component(node, here, out);
      TRY_ASSIGN(const std::vector<Bytes> settings, event_configurations(node, here, values_));
      for (const Bytes& fields : settings)
        TRY(put_component(kSetEventConfiguration, {}, fields, node, out));
      return {};
    };
    TRY(each(nodes, values_.context().body, emit));
    out[2] = static_cast<Octet>(count_);
    if (count_ > 0) out[last_control_] |= 0x01;
    return out;
  }

 private:
  Status component(const Node& node, const xml::Element& here, Bytes& out) {
    Bytes from, fields;
    if (!node.arguments.empty()) {
      TRY_ASSIGN(const Integer seconds, values_.integer(node.arguments[0], here));
      if (seconds < 0 || seconds > 0xFFFFFFFF)
        return values_.range(node.arguments[0], "the time does not fit 4 octets");
      put_be(from, static_cast<std::uint64_t>(seconds), 4);
    }
    const Emit emit = [&](const Node& child, const xml::Element& at) -> Status {
      TRY(field(child, at, fields));
      return within_payload(fields, values_, child);
    };
    TRY(each(node.children, here, emit));
    return put_component({node.class_id, node.frame_control, node.member}, from, fields, node, out);
  }

  // control, cluster, length, then what the length counts: [from] frame control, sequence number,
  // command, fields.
  Status put_component(const ZclCommand& command, const Bytes& from, const Bytes& fields,
                       const Node& at, Bytes& out) {
    if (count_ == 0xFF) return values_.range(Expr(), "a GBZ payload has at most 255 components");
    last_control_ = out.size();
    out.push_back(from.empty() ? 0x00 : 0x10);
    put_be(out, command.cluster, 2);
    put_be(out, from.size() + 3 + fields.size(), 2);
    append(out, from);
    append(out, Bytes{command.frame_control, static_cast<Octet>(count_++), command.id});
    append(out, fields);
    return within_payload(out, values_, at);
  }

  Status field(const Node& node, const xml::Element& here, Bytes& out) {
    if (node.kind == NodeKind::zcl_integer) {
      TRY_ASSIGN(const Integer value, values_.integer(node.arguments[0], here));
      TRY_ASSIGN(const std::uint64_t octets, fitting(node, value, values_));
      for (std::size_t i = 0; i < node.width; ++i)
        out.push_back(static_cast<Octet>(octets >> (8 * i)));
      return {};
    }
    TRY_ASSIGN(const Bytes value, values_.octets(node.arguments[0], here));
    if (node.kind == NodeKind::zcl_string) {
      if (value.size() > 0xFE)
        return values_.range(node.arguments[0], "a ZCL string has at most 254 octets");
      out.push_back(static_cast<Octet>(value.size()));
    }
    append(out, value);
    return {};
  }

  std::size_t count_ = 0;
  std::size_t last_control_ = 0;
};

class DerWriter : ListWriter {
 public:
  using ListWriter::ListWriter;

  Result<Bytes> write(const std::vector<Node>& nodes) {
    TRY(list(nodes, values_.context().body));
    return out_.take();
  }

 private:
  Status list(const std::vector<Node>& nodes, const xml::Element& here) {
    return each(nodes, here, [&](const Node& node, const xml::Element& at) -> Status {
      TRY(one_node(node, at));
      return within_payload(out_.bytes(), values_, node);
    });
  }

  Status one_node(const Node& node, const xml::Element& here) {
    switch (node.kind) {
      case NodeKind::der_null: out_.null(); return {};
      case NodeKind::der_bits: out_.bit_string(node.literal, node.unused_bits); return {};
      case NodeKind::der_sequence: return sequence(asn1::kSequence, node, here);
      case NodeKind::der_context_sequence: return sequence(node.tag, node, here);
      case NodeKind::der_time: {
        TRY_ASSIGN(const Moment when, values_.moment(node.arguments[0], here));
        if (when.is == Moment::Is::now_marker) {
          return values_.range(node.arguments[0],
                               "a time must stand here, and the request gives none");
        }
        out_.generalized_time(when.is == Moment::Is::never ? UtcTime::forever() : when.time);
        return {};
      }
      case NodeKind::der_integer:
      case NodeKind::der_context_integer: {
        TRY_ASSIGN(const Integer value, values_.integer(node.arguments[0], here));
        if (value >= 0 && value <= UINT64_MAX) {
          out_.unsigned_integer(static_cast<std::uint64_t>(value), node.tag);
        } else if (value >= INT64_MIN && value < 0 && node.kind == NodeKind::der_integer) {
          out_.integer(static_cast<std::int64_t>(value));
        } else {
          return values_.range(node.arguments[0], "the number cannot stand here");
        }
        return {};
      }
      default: {
        TRY_ASSIGN(const Bytes value, values_.octets(node.arguments[0], here));
        if (node.kind == NodeKind::der_raw) {
          out_.raw(value);
        } else {
          out_.primitive(node.tag, value);
        }
        return {};
      }
    }
  }

  Status sequence(Octet tag, const Node& node, const xml::Element& here) {
    Status status;
    out_.constructed(tag, [&] { status = list(node.children, here); });
    return status;
  }

  asn1::Writer out_;
};

}  // namespace

Result<Bytes> write_dlms(const std::vector<Node>& items, Evaluator& values) {
  return DlmsWriter(values).write(items);
}
Result<Bytes> write_gbz(const std::vector<Node>& components, Evaluator& values) {
  return GbzWriter(values).write(components);
}
Result<Bytes> write_der(const std::vector<Node>& nodes, Evaluator& values) {
  return DerWriter(values).write(nodes);
}

}  // namespace wattseal::gbcs::gmt
