// The COSEM side of an electricity meter. Source: spec/gbcs-duis.md 2.2, 5.7; result codes IEC
// 62056-5-3.
#include <charconv>

#include "emulators/meter.h"
#include "emulators/objects.h"

namespace wattseal::emulators {
namespace {

using cosem::Value;

constexpr Octet kDenied = 3, kUndefined = 4, kTypeUnmatched = 12, kOtherReason = 250;
constexpr std::uint16_t kDataProtection = 30;
constexpr Octet kUnitWattHour = 30, kUnitVarHour = 32;
constexpr std::int64_t kCreditMode = 1, kPrepaymentMode = 2;

unsigned number_of(std::string_view text) {
  unsigned number = 0;
  const std::from_chars_result read =
      std::from_chars(text.data(), text.data() + text.size(), number);
  CHECK(read.ec == std::errc() && read.ptr == text.data() + text.size());
  return number;
}

Value scaled(std::uint32_t value, Octet unit) {
  return Value::structure(
      {Value::u32(value), Value::structure({Value::i8(0), Value::enumeration(unit)})});
}

// Active and reactive import with their units, as use case ECS17b reads them. An emulated home has
// no reactive load.
Value import_registers(const Meter& meter) {
  const Value active = scaled(static_cast<std::uint32_t>(meter.import_units), kUnitWattHour),
              reactive = scaled(0, kUnitVarHour);
  return Value::structure({active.items[0], active.items[1], reactive.items[0], reactive.items[1]});
}

// One protection parameter: who may read, in which transaction. Source: spec/gbcs-duis.md 5.7.
Value protection(const Duties& duties) {
  Bytes transaction{4};
  put_be(transaction, duties.counter.number());
  const Value key = Value::structure(
      {Value::enumeration(2), Value::structure({Value::octets(Bytes{2}), Value::octets({})})});
  const Value parties =
      Value::structure({Value::octets(transaction), Value::octets(duties.device.octets()),
                        Value::octets(duties.reader.octets()), Value::octets({}), key});
  return Value::array({Value::structure({Value::enumeration(2), parties})});
}

bool is_octets(const Value& value, std::size_t size) {
  return value.tag == cosem::Tag::octet_string && value.content.size() == size;
}

}  // namespace

ElectricityObjects::ElectricityObjects(std::string_view device_type) {
  for (const ObjectRow& row : object_rows()) {
    if (!row.is_for("dlms", device_type)) continue;
    const std::size_t first = row.object.find(':'), last = row.object.rfind(':');
    const Result<cosem::Obis> obis =
        cosem::Obis::parse(row.object.substr(first + 1, last - first - 1));
    CHECK(obis.ok());
    const Result<Value> value = cosem::decode(from_hex(row.initial).value());
    CHECK(value.ok());
    const Key key{static_cast<std::uint16_t>(number_of(row.object.substr(0, first))), *obis,
                  static_cast<Octet>(number_of(row.object.substr(last + 1)))};
    objects_[key] = {std::string(row.access), std::string(row.behaviour), *value};
  }
}

cosem::AccessResponse ElectricityObjects::execute(const cosem::AccessRequest& request, Meter& meter,
                                                  const Duties& duties) {
  cosem::AccessResponse response;
  response.long_invoke_id = request.long_invoke_id;
  failed_ = false;
  for (const cosem::RequestItem& item : request.items) {
    const Key key{item.class_id, item.object, item.member};
    cosem::ResponseItem result;
    switch (item.operation) {
      case cosem::Operation::get:
      case cosem::Operation::get_with_selection: result = get(key, meter); break;
      case cosem::Operation::set:
      case cosem::Operation::set_with_selection:
        result = {cosem::Operation::set, set(key, item.data, meter, duties), {}};
        break;
      case cosem::Operation::action:
        result = item.class_id == kDataProtection
                     ? read_protected(item.data, meter, duties)
                     : cosem::ResponseItem{
                           cosem::Operation::action, act(key, item.data, meter, duties), {}};
        break;
    }
    failed_ = failed_ || result.result != cosem::kSuccess;
    response.items.push_back(std::move(result));
  }
  return response;
}

cosem::ResponseItem ElectricityObjects::get(const Key& key, const Meter& meter) const {
  const std::map<Key, Object>::const_iterator found = objects_.find(key);
  if (found == objects_.end()) return {cosem::Operation::get, kUndefined, {}};
  if (found->second.access == "x") return {cosem::Operation::get, kDenied, {}};
  return {cosem::Operation::get, cosem::kSuccess,
          found->second.behaviour == "import-registers" ? import_registers(meter)
                                                        : found->second.value};
}

Octet ElectricityObjects::set(const Key& key, const Value& value, Meter& meter,
                              const Duties& duties) {
  const std::map<Key, Object>::iterator found = objects_.find(key);
  if (found == objects_.end()) return kUndefined;
  Object& object = found->second;
  if (object.access != "rw") return kDenied;
  if (object.value.tag != value.tag) return kTypeUnmatched;
  if (object.behaviour == "activate") {
    const Result<cosem::DateTime> when = cosem::DateTime::decode(value.content);
    if (!when.ok()) return kTypeUnmatched;
    if (failed_) return kOtherReason;  // the parts of one change stand or fall together
    const std::optional<UtcTime> at = when->utc();
    if (*when == cosem::DateTime::never())
      cancelled_ = true;
    else if (*when == cosem::DateTime::now() || (at && *at <= duties.now))
      activate(meter);
    else if (at)
      dated_.push_back({*at, key.class_id, key.object, key.member});
    else
      return kOtherReason;
  }
  if (object.behaviour == "payment-mode") {
    const bool fits =
        value.items.size() == 2 && value.items[0].tag == cosem::Tag::enumeration &&
        (value.items[0].number == kCreditMode || value.items[0].number == kPrepaymentMode);
    if (!fits) return kTypeUnmatched;
  }
  object.value = value;
  return cosem::kSuccess;
}

void ElectricityObjects::activate(Meter& meter) const {
  for (const auto& [key, object] : objects_) {
    if (object.behaviour == "payment-mode")
      meter.payment_mode = object.value.items[0].number == kCreditMode ? "credit" : "prepayment";
  }
}

Octet ElectricityObjects::act(const Key& key, const Value& value, Meter& meter,
                              const Duties& duties) {
  const std::map<Key, Object>::const_iterator found = objects_.find(key);
  if (found == objects_.end()) return kUndefined;
  if (found->second.access != "x") return kDenied;
  if (!is_octets(value, 20)) return kTypeUnmatched;
  const Result<OriginatorCounter> counter = duties.check_top_up(value.text());
  if (!counter.ok()) return kOtherReason;
  meter.last_top_up = *counter;
  return cosem::kSuccess;
}

// get_protected_attributes: the values of a list of attributes, sealed for one reader.
cosem::ResponseItem ElectricityObjects::read_protected(const Value& parameters, const Meter& meter,
                                                       const Duties& duties) const {
  const cosem::ResponseItem unmatched{cosem::Operation::action, kTypeUnmatched, {}};
  if (parameters.tag != cosem::Tag::structure || parameters.items.size() != 2 ||
      parameters.items[0].tag != cosem::Tag::array)
    return unmatched;
  std::vector<Value> values;
  for (const Value& one : parameters.items[0].items) {
    const bool fits = one.tag == cosem::Tag::structure && one.items.size() == 5 &&
                      one.items[0].is_number() && is_octets(one.items[1], 6) &&
                      one.items[2].is_number();
    if (!fits) return unmatched;
    Key key{static_cast<std::uint16_t>(one.items[0].number),
            {},
            static_cast<Octet>(one.items[2].number)};
    std::ranges::copy(one.items[1].content, key.object.octets.begin());
    cosem::ResponseItem read = get(key, meter);
    if (read.result != cosem::kSuccess) return {cosem::Operation::action, read.result, {}};
    values.push_back(std::move(read.data));
  }
  const Bytes plain = cosem::encode(Value::structure(std::move(values)));
  return {cosem::Operation::action, cosem::kSuccess,
          Value::structure({protection(duties), Value::octets(duties.seal(plain))})};
}

}  // namespace wattseal::emulators
