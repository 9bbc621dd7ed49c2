// What the tests of emulated devices share: commands as values. Tests only.
#pragma once
#include <gtest/gtest.h>

#include "apps/device_bench.h"
#include "asn1/der.h"
#include "cosem/cosem.h"
#include "gbcs/security.h"
#include "zcl/zcl.h"

namespace wattseal::apps::test {

using cosem::Value;
using emulators::EmulatedDevice;
using enum RemotePartyRole;

inline cosem::RequestItem item(cosem::Operation operation, std::uint16_t class_id,
                               const char* object, Octet member, Value data = {}) {
  cosem::RequestItem made;
  made.operation = operation;
  made.class_id = class_id;
  made.object = cosem::Obis::parse(object).value();
  made.member = member;
  made.data = std::move(data);
  return made;
}
inline cosem::RequestItem set(std::uint16_t class_id, const char* object, Octet member,
                              Value data) {
  return item(cosem::Operation::set, class_id, object, member, std::move(data));
}
inline cosem::RequestItem get(std::uint16_t class_id, const char* object, Octet member) {
  return item(cosem::Operation::get, class_id, object, member);
}
inline cosem::RequestItem act(std::uint16_t class_id, const char* object, Octet member,
                              Value data) {
  return item(cosem::Operation::action, class_id, object, member, std::move(data));
}
inline Bytes dlms(std::vector<cosem::RequestItem> items) {
  return cosem::encode(cosem::AccessRequest{1, {}, std::move(items)});
}
inline Value at(const char* iso) {
  return Value::octets(cosem::DateTime::from_utc(UtcTime::parse_iso(iso).value()).encode());
}
inline Value at_once() { return Value::octets(cosem::DateTime::now().encode()); }
inline UtcTime time_of(const char* iso) { return UtcTime::parse_iso(iso).value(); }

// The items of the answer to a command of a meter or hub; a device that says something else fails
// the test.
inline std::vector<cosem::ResponseItem> ask(DeviceBench& bench, std::uint16_t code,
                                            RemotePartyRole from,
                                            std::vector<cosem::RequestItem> items) {
  const Result<gbcs::Message> answer = bench.execute(bench.command(code, from, dlms(items)));
  if (!answer.ok()) {
    ADD_FAILURE() << answer.refusal().detail;
    return {};
  }
  const Result<cosem::AccessResponse> response = cosem::decode_access_response(answer->payload);
  if (!response.ok()) {
    ADD_FAILURE() << response.refusal().detail;
    return {};
  }
  return response->items;
}
inline void succeed(const std::vector<cosem::ResponseItem>& items) {
  EXPECT_FALSE(items.empty());
  for (const cosem::ResponseItem& one : items) EXPECT_EQ(one.result, cosem::kSuccess);
}
inline std::uint16_t alert_code(BytesView octets) {
  const Result<gbcs::Message> alert = gbcs::decode(octets);
  if (!alert.ok() || alert->cra != gbcs::Cra::alert) return 0;
  const Result<cosem::DataNotification> dlms_alert =
      cosem::decode_data_notification(alert->payload);
  if (dlms_alert.ok()) return static_cast<std::uint16_t>(dlms_alert->body.items.at(0).number);
  const Result<zcl::Alert> gas_alert = zcl::decode_alert(alert->payload);
  return gas_alert.ok() ? gas_alert->code : std::uint16_t{0};
}
inline std::vector<std::uint16_t> alerts(EmulatedDevice& device) {
  std::vector<std::uint16_t> codes;
  for (const Bytes& one : device.tick()) codes.push_back(alert_code(one));
  return codes;
}
inline std::size_t count(const std::vector<std::uint16_t>& codes, std::uint16_t code) {
  return static_cast<std::size_t>(std::ranges::count(codes, code));
}

}  // namespace wattseal::apps::test
