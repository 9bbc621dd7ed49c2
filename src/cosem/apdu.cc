// The three APDUs. On the wire specifications and data (or data and results) are two lists; they
// must be of equal length.
#include "base/check.h"
#include "cosem/cosem.h"

namespace wattseal::cosem {
namespace {

constexpr Octet kAccessRequest = 0xD9, kAccessResponse = 0xDA, kDataNotification = 0x0F;

struct Head {
  std::uint32_t long_invoke_id = 0;
  std::optional<DateTime> date_time;
};

void put_length(Bytes& out, std::size_t length) {
  if (length >= 0x80) out.push_back(length > 0xFF ? 0x82 : 0x81);
  put_be(out, length, length > 0xFF ? 2 : 1);
}

void put_head(Bytes& out, Octet apdu, std::uint32_t long_invoke_id,
              const std::optional<DateTime>& date_time) {
  out.push_back(apdu);
  put_be(out, long_invoke_id);
  const Bytes time = date_time ? date_time->encode() : Bytes();
  out.push_back(static_cast<Octet>(time.size()));
  append(out, time);
}

Result<Head> read_head(Reader& from, Octet apdu) {
  const Refusal other = from.refuse("cosem-apdu"_rule, "another APDU starts here");
  TRY_ASSIGN(const std::uint64_t tag, from.number(1));
  if (tag != apdu) return other;
  Head head;
  TRY_ASSIGN(const std::uint64_t id, from.number(4));
  head.long_invoke_id = static_cast<std::uint32_t>(id);
  TRY_ASSIGN(const std::size_t length, from.length());
  if (length == 0) return head;
  TRY_ASSIGN(const BytesView octets, from.take(length));
  TRY_ASSIGN(head.date_time, DateTime::decode(octets));
  return head;
}

bool has_selection(Operation operation) {
  return operation == Operation::get_with_selection || operation == Operation::set_with_selection;
}

// How many items a list has: never more than octets are left, so a claim cannot make us reserve
// memory.
Result<std::size_t> read_count(Reader& from) {
  TRY_ASSIGN(const std::size_t count, from.length());
  if (count > from.remaining())
    return from.refuse("cosem-truncated"_rule, "a list claims more items than octets are left");
  return count;
}

Result<RequestItem> read_specification(Reader& from) {
  const Refusal unknown = from.refuse("cosem-apdu"_rule, "there is no such operation");
  RequestItem item;
  TRY_ASSIGN(const std::uint64_t operation, from.number(1));
  if (operation < 1 || operation > 5) return unknown;
  item.operation = static_cast<Operation>(operation);
  TRY_ASSIGN(const std::uint64_t class_id, from.number(2));
  item.class_id = static_cast<std::uint16_t>(class_id);
  TRY_ASSIGN(const BytesView object, from.take(6));
  std::ranges::copy(object, item.object.octets.begin());
  TRY_ASSIGN(const std::uint64_t member, from.number(1));
  item.member = static_cast<Octet>(member);
  if (has_selection(item.operation)) {
    Selection selection;
    TRY_ASSIGN(const std::uint64_t selector, from.number(1));
    selection.selector = static_cast<Octet>(selector);
    TRY_ASSIGN(selection.parameters, decode(from));
    item.selection = std::move(selection);
  }
  return item;
}

Status refuse_counts(const Reader& from, std::size_t a, std::size_t b) {
  if (a == b) return {};
  return from.refuse("cosem-count"_rule, "two lists that belong together have " +
                                             std::to_string(a) + " and " + std::to_string(b) +
                                             " items");
}

constexpr std::string_view kResults[] = {"success",
                                         "hardware-fault",
                                         "temporary-failure",
                                         "read-write-denied",
                                         "object-undefined",
                                         "",
                                         "",
                                         "",
                                         "",
                                         "object-class-inconsistent",
                                         "",
                                         "object-unavailable",
                                         "type-unmatched",
                                         "scope-of-access-violated",
                                         "data-block-unavailable",
                                         "long-get-aborted",
                                         "no-long-get-in-progress",
                                         "long-set-aborted",
                                         "no-long-set-in-progress",
                                         "data-block-number-invalid"};
constexpr Octet kOtherReason = 250;

}  // namespace

Bytes encode(const AccessRequest& request) {
  CHECK(request.items.size() <= 0xFFFF);
  Bytes out;
  put_head(out, kAccessRequest, request.long_invoke_id, request.date_time);
  put_length(out, request.items.size());
  for (const RequestItem& item : request.items) {
    CHECK(has_selection(item.operation) == item.selection.has_value());
    out.push_back(static_cast<Octet>(item.operation));
    put_be(out, item.class_id);
    append(out, item.object.octets);
    out.push_back(item.member);
    if (item.selection) {
      out.push_back(item.selection->selector);
      append(out, encode(item.selection->parameters));
    }
  }
  put_length(out, request.items.size());
  for (const RequestItem& item : request.items) append(out, encode(item.data));
  return out;
}

Bytes encode(const AccessResponse& response) {
  CHECK(response.items.size() <= 0xFFFF);
  Bytes out;
  put_head(out, kAccessResponse, response.long_invoke_id, response.date_time);
  out.push_back(0);  // the request's specifications are not repeated
  put_length(out, response.items.size());
  for (const ResponseItem& item : response.items) append(out, encode(item.data));
  put_length(out, response.items.size());
  for (const ResponseItem& item : response.items) {
    out.push_back(static_cast<Octet>(item.operation));
    out.push_back(item.result);
  }
  return out;
}

Bytes encode(const DataNotification& notification) {
  Bytes out;
  put_head(out, kDataNotification, notification.long_invoke_id, notification.date_time);
  append(out, encode(notification.body));
  return out;
}

Result<AccessRequest> decode_access_request(BytesView whole) {
  Reader from(whole);
  TRY_ASSIGN(Head head, read_head(from, kAccessRequest));
  AccessRequest request{head.long_invoke_id, head.date_time, {}};
  TRY_ASSIGN(const std::size_t specifications, read_count(from));
  TRY(from.count_elements(specifications));
  for (std::size_t i = 0; i < specifications; ++i) {
    TRY_ASSIGN(RequestItem item, read_specification(from));
    request.items.push_back(std::move(item));
  }
  TRY_ASSIGN(const std::size_t values, read_count(from));
  TRY(refuse_counts(from, specifications, values));
  for (RequestItem& item : request.items) {
    TRY_ASSIGN(item.data, decode(from));
  }
  TRY(from.finish());
  return request;
}

Result<AccessResponse> decode_access_response(BytesView whole) {
  Reader from(whole);
  TRY_ASSIGN(Head head, read_head(from, kAccessResponse));
  AccessResponse response{head.long_invoke_id, head.date_time, {}};
  TRY_ASSIGN(const std::uint64_t repeated, from.number(1));
  if (repeated != 0)
    return from.refuse("cosem-apdu"_rule, "the request's specifications are repeated");
  TRY_ASSIGN(const std::size_t values, read_count(from));
  for (std::size_t i = 0; i < values; ++i) {
    ResponseItem item;
    TRY_ASSIGN(item.data, decode(from));
    response.items.push_back(std::move(item));
  }
  TRY_ASSIGN(const std::size_t results, read_count(from));
  TRY(refuse_counts(from, values, results));
  for (ResponseItem& item : response.items) {
    const Refusal unknown = from.refuse("cosem-apdu"_rule, "a result is of no operation");
    TRY_ASSIGN(const std::uint64_t operation, from.number(1));
    if (operation < 1 || operation > 3) return unknown;
    item.operation = static_cast<Operation>(operation);
    TRY_ASSIGN(const std::uint64_t result, from.number(1));
    item.result = static_cast<Octet>(result);
  }
  TRY(from.finish());
  return response;
}

Result<DataNotification> decode_data_notification(BytesView whole) {
  Reader from(whole);
  TRY_ASSIGN(Head head, read_head(from, kDataNotification));
  DataNotification notification{head.long_invoke_id, head.date_time, {}};
  TRY_ASSIGN(notification.body, decode(from));
  TRY(from.finish());
  return notification;
}

std::string_view result_name(Operation operation, Octet result) {
  if (result == kOtherReason) return "other-reason";
  if (result >= std::size(kResults)) return "";
  if (operation == Operation::action && result == 14) return "data-block-unavailable";
  if (operation == Operation::action && result == 15) return "long-action-aborted";
  if (operation == Operation::action && result == 16) return "no-long-action-in-progress";
  return kResults[result];
}

}  // namespace wattseal::cosem
