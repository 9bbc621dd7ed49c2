// The forms that a row may name: how one value is written into its element.
#include <algorithm>
#include <bit>
#include <charconv>

#include "base/check.h"
#include "base/types.h"
#include "gbcs/mmc/rows.h"
#include "gbcs/parse/names.h"

namespace wattseal::gbcs {
namespace {

constexpr std::size_t kTextMax = 72'000;

std::string hex_of(const Node& node) {
  if (node.kind == Node::Kind::number) {
    Bytes octets;
    put_be(octets, static_cast<std::uint64_t>(node.number));
    std::string digits = to_hex_upper(octets);
    const std::size_t first = digits.find_first_not_of('0');
    std::size_t keep = first == std::string::npos ? 2 : digits.size() - first;
    keep += keep % 2;
    return digits.substr(digits.size() - keep);
  }
  return to_hex_upper(node.content);
}

// The four digits of an event or alert code, however its octets stand.
std::optional<std::string> event_code(const Node& node) {
  const std::optional<std::int64_t> number = number_of(node);
  if (!number || *number < 0 || *number > 0xFFFF) return std::nullopt;
  Bytes octets;
  put_be(octets, static_cast<std::uint16_t>(*number));
  return to_hex_upper(octets);
}

// Printable characters of a text or of octets that hold one; trailing blanks and nulls dropped.
std::optional<std::string> text_of(const Node& node, std::size_t most) {
  if (node.kind != Node::Kind::text && node.kind != Node::Kind::octets) return std::nullopt;
  std::string text(as_text(node.content));
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.pop_back();
  for (const char c : text) {
    if (c < ' ' || c > '~') return std::nullopt;
  }
  if (text.size() > most) return std::nullopt;
  return text;
}

bool put_date(const Node& node, Builder& element) {
  const Bytes& octets = node.content;
  if (node.kind != Node::Kind::octets || octets.size() != 5) return false;
  const std::size_t year = static_cast<std::size_t>(octets[0]) << 8 | octets[1];
  bool good = put_part(element, {"Year", "Year", 2014, 9999, 0xFFFF}, year);
  good = put_part(element, {"Month", "Month", 1, 12, 0xFF}, octets[2]) && good;
  constexpr Octet kLast = 0xFE, kSecondLast = 0xFD;
  if (octets[3] == kLast)
    element.child("DayOfMonth").child("LastDayOfMonth");
  else if (octets[3] == kSecondLast)
    element.child("DayOfMonth").child("SecondLastDayOfMonth");
  else
    good = put_part(element, {"DayOfMonth", "DayOfMonth", 1, 31, 0xFF}, octets[3]) && good;
  return put_part(element, {"DayOfWeek", "DayOfWeek", 1, 7, 0xFF}, octets[4]) && good;
}

std::optional<std::string> clock_text(const Node& node) {
  if (node.kind != Node::Kind::octets || node.content.size() < 3) return std::nullopt;
  const Bytes& o = node.content;
  if (o[0] > 23 || o[1] > 59 || o[2] > 59) return std::nullopt;
  const auto two = [](Octet number) {
    return std::string{static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
  };
  return two(o[0]) + ":" + two(o[1]) + ":" + two(o[2]) + "Z";
}

bool bit_set(const Node& node, std::size_t bit) {
  return bit / 8 < node.content.size() && (node.content[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

// Days from Monday, the first bit.
void put_weekdays(const Node& node, Builder& element) {
  static constexpr const char* kDays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                          "Friday", "Saturday", "Sunday"};
  for (std::size_t day = 0; day < std::size(kDays); ++day) {
    if (bit_set(node, day))
      element.child(Segment{"DayOfWeekApplicability"}, day)
          .child("DayOfWeekID")
          .set_text(kDays[day]);
  }
}

void put_special_days(const Node& node, Builder& element) {
  constexpr std::size_t kDaysMax = 20;
  for (std::size_t day = 0; day < std::min(kDaysMax, node.content.size() * 8); ++day) {
    if (bit_set(node, day))
      element.child(Segment{"SpecialDayApplicability"}, day)
          .child("SpecialDayID")
          .set_text(std::to_string(day + 1));
  }
}

// A channel mask: five bits of page, 27 bits of channels, the first channel last. The four pages
// hold channels from 0, 27 and 35 of the lower band, and from 0 of the upper.
struct Channels {
  std::size_t page = 0, first = 0;
  std::uint32_t set = 0;
};
std::optional<Channels> channels_of(const Node& node) {
  constexpr std::size_t kLowest = 28;
  static constexpr std::size_t kFirst[] = {0, 27, 35, 0};
  if (node.kind != Node::Kind::octets || node.content.size() != 4) return std::nullopt;
  const auto mask = static_cast<std::uint32_t>(get_be(node.content));
  const std::size_t page = mask >> 27;
  if (page < kLowest) return std::nullopt;
  return Channels{page - kLowest, kFirst[page - kLowest], mask & 0x07FFFFFF};
}

bool put_channels(const Node& node, std::size_t page, Builder& element) {
  static constexpr std::size_t kCount[] = {27, 8, 27, 27};
  const std::optional<Channels> channels = channels_of(node);
  if (!channels || channels->page != page) return false;
  for (std::size_t i = 0; i < kCount[channels->page]; ++i) {
    if (channels->set >> i & 1) element.child("Channel" + std::to_string(channels->first + i));
  }
  return true;
}

// The one channel in use.
bool put_channel(const Node& node, Builder& element) {
  const std::optional<Channels> channels = channels_of(node);
  if (!channels || std::popcount(channels->set) != 1) return false;
  const auto number = channels->first + static_cast<std::size_t>(std::countr_zero(channels->set));
  constexpr std::size_t kUpper = 3, kLowerMax = 61, kUpperMax = 26;
  const bool upper = channels->page == kUpper;
  if (number > (upper ? kUpperMax : kLowerMax)) return false;
  element.child(upper ? "OperatingUpperBandSubGHzChannel" : "OperatingLowerBandSubGHzChannel")
      .child("Channel" + std::to_string(number));
  return true;
}

// The billing calendar of electricity: times and dates with wildcards, one for each time in a year.
bool put_billing(const Node& node, Builder& element) {
  const auto date = [&node](std::size_t entry) -> const Bytes& {
    return node.items[entry].items[1].content;
  };
  for (const Node& entry : node.items) {
    if (entry.items.size() != 2 || entry.items[1].content.size() != 5) return false;
  }
  if (node.items.empty()) return false;
  const std::optional<std::string> time = clock_text(node.items[0].items[0]);
  if (!time) return false;
  const Bytes& first = date(0);
  const Octet month = first[2], day = first[3], weekday = first[4];
  static constexpr std::pair<std::size_t, const char*> kSpans[] = {
      {1, "Yearly"}, {2, "SixMonthly"}, {4, "Quarterly"}};
  constexpr Octet kAny = 0xFF, kDayMax = 28;
  element.child("BillingTime").set_text(*time);
  if (weekday != kAny && weekday <= 7 && weekday > 0 && day == kAny && month == kAny) {
    element.child("Weekly").set_text(std::to_string(weekday));
    return true;
  }
  if (day == kAny && month == kAny) {
    element.child("Daily");
    return true;
  }
  if (day == 0 || day > kDayMax) return false;
  if (month == kAny) {
    element.child("Monthly").set_text(std::to_string(day));
    return true;
  }
  for (const auto& [entries, name] : kSpans) {
    if (entries != node.items.size() || month == 0 || month > 12) continue;
    element.child(name).child("DayOfMonth").set_text(std::to_string(day));
    element.child(name).child("BillingPeriodStartMonth").set_text(std::to_string(month));
    return true;
  }
  return false;
}

// The number that a code or status table is asked for.
std::string code_of(const Node& node) {
  if (node.kind == Node::Kind::number) return std::to_string(node.number);
  if (node.kind == Node::Kind::octets && node.content.size() == 1)
    return std::to_string(node.content[0]);
  return to_hex_upper(node.content);
}

const std::string& argument(const MmcRow& row, std::size_t index) {
  CHECK(index < row.arguments.size());
  return row.arguments[index];
}

int int_argument(const MmcRow& row, std::size_t index) { return std::stoi(argument(row, index)); }

// STATUS:CHILD:ATTRIBUTE: the name of the code in a child, its number in an attribute.
bool put_status(const MmcRow& row, const Node& node, Builder& element, Aside& aside) {
  const std::optional<std::int64_t> number = number_of(node);
  if (!number) return false;
  const std::optional<std::string_view> name = mmc_code(argument(row, 0), std::to_string(*number));
  element.set_attribute(argument(row, 2), std::to_string(*number));
  element.child(argument(row, 1)).set_text(std::string(name.value_or("notKnown")));
  if (!name && argument(row, 1) != "ASN1Status") return false;
  aside.failed = aside.failed || (*number != 0 && argument(row, 0) != "clock");
  return true;
}

// The scaler follows; where the device did not send it, the one of the row that the mapping tables
// fix, if they do.
std::optional<std::string> scaled_text(const MmcRow& row, const Found& found) {
  const std::optional<std::int64_t> number = number_of(*found.node);
  const Node* const scaler = found.next;
  if (number && !row.arguments.empty() && scaler && scaler->kind == Node::Kind::none)
    return decimal_text(*number, int_argument(row, 0));
  if (!number || !scaler || scaler->items.size() != 2) return std::nullopt;
  const std::int64_t scale = scaler->items[0].number;
  if (scale < -12 || scale > 12) return std::nullopt;
  scaler->items[0].used = scaler->items[1].used = true;
  return decimal_text(*number, static_cast<int>(scale));
}

std::optional<std::string> unit_text(const Node& node) {
  if (node.items.size() != 2) return std::nullopt;
  node.items[0].used = node.items[1].used = true;
  const std::string_view name = unit_name(node.items[1].number);
  constexpr std::int64_t kCount = 255;
  if (name.empty() && node.items[1].number == kCount) return "count";
  return name.empty() ? std::nullopt : std::optional<std::string>(name);
}

// The number at another attribute of the same cluster.
std::optional<std::int64_t> beside(const MmcRow& row, const Answer& answer,
                                   std::string_view attribute) {
  const auto head = answer.heads.find(row.from.head.substr(0, 5) + std::string(attribute));
  if (head == answer.heads.end()) return std::nullopt;
  head->second.used = true;
  return number_of(head->second);
}

// A ZigBee value times multiplier by divisor, as the same cluster says in the attributes MULTIPLIER
// and DIVISOR (0301, 0302 unless given); without them thousandths, as the field counts cubic
// metres.
std::optional<std::string> gas_text(const MmcRow& row, const Node& node, const Answer& answer) {
  const std::optional<std::int64_t> number = number_of(node);
  if (!number || *number > 1'000'000'000'000'000) return std::nullopt;
  const bool named = row.arguments.size() == 2;
  const std::int64_t multiplier =
      beside(row, answer, named ? row.arguments[0] : "0301").value_or(1);
  std::int64_t divisor = beside(row, answer, named ? row.arguments[1] : "0302").value_or(1000);
  if (multiplier < 1 || multiplier > 1000 || divisor < 1) return std::nullopt;
  int scale = 0;
  while (divisor % 10 == 0) {
    divisor /= 10;
    --scale;
  }
  if (divisor != 1) return std::nullopt;
  return decimal_text(*number * multiplier, scale);
}

// A ZigBee price: how many digits stand after the point is in the high half of another attribute.
std::optional<std::string> digits_text(const MmcRow& row, const Node& node, const Answer& answer) {
  const std::optional<std::int64_t> number = number_of(node);
  const std::int64_t digits = beside(row, answer, argument(row, 0)).value_or(0);
  if (!number || digits < 0 || digits > 0xFF) return std::nullopt;
  return decimal_text(*number, -static_cast<int>(digits >> 4));
}

// How many digits stand after the point, as a power of ten: 0x50 is -5.
std::optional<std::string> digits_scale_text(const Node& node) {
  const std::optional<std::int64_t> digits = number_of(node);
  if (!digits || *digits < 0 || *digits > 0xFF) return std::nullopt;
  return std::to_string(-(*digits >> 4));
}

bool put_switch(const Node& node, Builder& element) {
  if (node.kind != Node::Kind::octets || node.content.size() != 8) return false;
  const std::uint64_t device = get_be(node.content);
  if (device == 0)
    element.child("ALCS");
  else
    element.child("HCALCS").set_text(Eui64::from_number(device).text());
  return true;
}

// A script of the auxiliary scheduler: what is to be done, and with which switch.
bool put_alcs_switch(const Node& node, Builder& element) {
  const std::optional<std::int64_t> script = number_of(node);
  if (!script) return false;
  const std::int64_t action = *script >> 8, number = *script & 0xFF;
  if (action < 1 || action > 2 || number < 1 || number > 5) return false;
  element.child(action == 1 ? "ActivateSwitch" : "DeactivateSwitch");
  element.set_attribute("index", std::to_string(number));
  return true;
}

bool is_within(const MmcRow& row, const Node& node) {
  const std::optional<std::int64_t> number = number_of(node);
  return number && *number >= int_argument(row, 0) && *number <= int_argument(row, 1);
}

std::optional<std::string> number_text(const MmcRow& row, const Found& found,
                                       const Answer& answer) {
  const Node& node = *found.node;
  if (row.form == "scaled") return scaled_text(row, found);
  if (row.form == "unit") return unit_text(node);
  if (row.form == "gas") return gas_text(row, node, answer);
  if (row.form == "digits") return digits_text(row, node, answer);
  if (row.form == "digits-scale") return digits_scale_text(node);
  const std::optional<std::int64_t> number = number_of(node, row.form == "signed");
  if (!number) return std::nullopt;
  if (row.form == "number" || row.form == "signed") return std::to_string(*number);
  if (row.form == "decimal") return decimal_text(*number, -int_argument(row, 0));
  if (row.form == "boolean") return *number ? "true" : "false";
  if (row.form == "bits") {  // LOW:COUNT[:TABLE]
    const std::string some =
        std::to_string(*number >> int_argument(row, 0) & ((1 << int_argument(row, 1)) - 1));
    if (row.arguments.size() < 3) return some;
    const std::optional<std::string_view> text = mmc_code(argument(row, 2), some);
    return text ? std::optional<std::string>(*text) : std::nullopt;
  }
  if (row.form == "within") {  // LOW:HIGH[:LESS]
    return std::to_string(*number - (row.arguments.size() > 2 ? int_argument(row, 2) : 0));
  }
  CHECK(row.form == "bit");  // NUMBER:TABLE
  const std::optional<std::string_view> text =
      mmc_code(argument(row, 1), std::to_string(*number >> int_argument(row, 0) & 1));
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

std::optional<std::string> plain_text(const MmcRow& row, const Found& found, const Answer& answer) {
  const Node& node = *found.node;
  const std::string& form = row.form;
  if (form == "text") {
    return text_of(
        node, row.arguments.empty() ? kTextMax : static_cast<std::size_t>(int_argument(row, 0)));
  }
  if (form == "hex") return hex_of(node);
  if (form == "base64") return to_base64(node.content);
  if (form == "eui") {
    if (node.content.size() != 8) return std::nullopt;
    return Eui64::from_number(get_be(node.content)).text();
  }
  if (form == "time") {
    const std::optional<UtcTime> time = instant_of(node);
    return time ? std::optional(time->iso()) : std::nullopt;
  }
  if (form == "clock") return clock_text(node);
  if (form == "iso-date") {  // a date without wildcards
    if (node.content.size() != 5) return std::nullopt;
    const std::optional<UtcTime> day =
        UtcTime::from_civil({static_cast<int>(get_be(BytesView(node.content).first(2))),
                             node.content[2], node.content[3]});
    return day ? std::optional(day->iso().substr(0, 10)) : std::nullopt;
  }
  if (form == "code-hex") return event_code(node);
  if (form == "code") {
    const std::optional<std::string_view> text = mmc_code(argument(row, 0), code_of(node));
    return text ? std::optional<std::string>(*text) : std::nullopt;
  }
  if (form == "is") return argument(row, 0);  // a fixed text
  return number_text(row, found, answer);
}

bool in_range(const MmcRow::Range& range, std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number >= range.low &&
         number <= range.high;
}

}  // namespace

bool put_part(Builder& date, const DatePart& part, std::size_t value) {
  Builder& holder = date.child(part.part);
  if (value == part.open) {
    holder.child(std::string(part.any) + std::string(part.name));
    return true;
  }
  if (value < part.low || value > part.high) return false;
  holder.child("Specified" + std::string(part.name)).set_text(std::to_string(value));
  return true;
}

std::string decimal_text(std::int64_t number, int scale) {
  std::string digits = std::to_string(number);
  const bool negative = number < 0;
  if (negative) digits.erase(0, 1);
  if (scale > 0 && number != 0) digits.append(static_cast<std::size_t>(scale), '0');
  if (scale < 0) {
    const std::size_t after = static_cast<std::size_t>(-scale);
    if (digits.size() <= after) digits.insert(0, after + 1 - digits.size(), '0');
    digits.insert(digits.size() - after, ".");
  }
  return (negative ? "-" : "") + digits;
}

Wrote write_form(const MmcRow& row, const Found& found, const Answer& answer, Builder& element,
                 Aside& aside) {
  const auto said = [](bool good) { return good ? Wrote::element : Wrote::refused; };
  const Node& node = *found.node;
  if (row.form == "status") return said(put_status(row, node, element, aside));
  if (row.form == "date") return said(put_date(node, element));
  if (row.form == "switch") return said(put_switch(node, element));
  if (row.form == "channels")
    return said(put_channels(node, static_cast<std::size_t>(int_argument(row, 0)), element));
  if (row.form == "channel") return said(put_channel(node, element));
  if (row.form == "billing") return said(put_billing(node, element));
  if (row.form == "week-days" || row.form == "special-days") {
    if (node.kind != Node::Kind::octets) return Wrote::refused;
    row.form == "week-days" ? put_weekdays(node, element) : put_special_days(node, element);
    return Wrote::element;
  }
  if (row.form == "alcs-switch") return said(put_alcs_switch(node, element));
  if (row.form == "more-hex") {  // octets that may be none
    element.set_text(to_hex_upper(node.content));
    return node.content.empty() ? Wrote::nothing : Wrote::element;
  }
  if (row.form == "within" && !is_within(row, node)) return Wrote::nothing;
  if (row.form == "result") {  // a status that only says whether the message succeeded
    const std::optional<std::int64_t> number = number_of(node);
    aside.failed = !number || *number != 0;
    return Wrote::nothing;
  }
  if (row.form == "alert") {  // the title of an event or alert code, when it has one
    const std::string_view title = alert_title(event_code(node).value_or(""));
    element.set_text(std::string(title));
    return title.empty() ? Wrote::nothing : Wrote::element;
  }
  if (row.form == "when-bit") {  // an empty element when the bit is set
    const std::optional<std::int64_t> number = number_of(node);
    if (!number) return Wrote::refused;
    return *number >> int_argument(row, 0) & 1 ? Wrote::element : Wrote::nothing;
  }
  if (row.form == "empty-when") {  // an empty element for this number
    return number_of(node) == int_argument(row, 0) ? Wrote::element : Wrote::nothing;
  }
  if (const std::optional<Wrote> setting = write_setting(row, node, element, aside))
    return *setting;
  std::optional<std::string> text = plain_text(row, found, answer);
  if (!text) return Wrote::refused;
  if (row.range && !in_range(*row.range, *text)) return Wrote::refused;
  if (row.form == "code" && *text == "-") return Wrote::wordless;
  element.set_text(std::move(*text));
  return Wrote::element;
}

}  // namespace wattseal::gbcs
