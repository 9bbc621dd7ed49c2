// What a meter measures and owes, and the objects through which it shows them: COSEM for
// electricity and hubs, ZigBee clusters for gas. Which objects there are, and what they do beside
// keeping a value, are rows (objects.h). Private to emulators.
#pragma once
#include <functional>
#include <variant>

#include "emulators/account.h"
#include "emulators/history.h"
#include "emulators/objects.h"

namespace wattseal::emulators {

using Registers = std::vector<std::pair<Octet, std::uint64_t>>;  // by number; absent: 0
std::uint64_t& register_of(Registers& registers, Octet number);
std::uint64_t shown(const Registers& registers, Octet number);

// A device on the home network, as the hub's and the proxy's logs and a meter's own list have it.
struct Meter {
  explicit Meter(UtcTime now) : history(now), seen(now) {}

  Account account;
  History history;
  UtcTime seen;                    // up to here standing charges and debts are taken
  std::uint64_t import_units = 0;  // watt-hours, or litres of gas
  std::int64_t cost_rest = 0;      // thousandths of a millipence not yet charged
  Registers tou, blocks;           // by time of use; by 10 times block and time of use
  OriginatorCounter last_top_up;
  Bytes firmware{0, 0, 0, 1};
  std::vector<Joined> joined;
  UtcTime tenancy;                            // what is older is not shown to a customer
  std::vector<std::string_view> events = {};  // for which alerts are to be raised
};

// What executing a command needs from the device.
struct TopUp {
  OriginatorCounter counter;
  std::int64_t amount = 0;  // millipence
};
struct Duties {
  UtcTime now;
  Eui64 device;
  Eui64 reader;               // who encrypted attributes are for
  OriginatorCounter counter;  // of the response's encryption
  std::function<Bytes(BytesView plain)> seal;
  std::function<Result<TopUp>(std::string_view digits)> check_top_up;
  std::function<bool(UtcTime wanted)> set_clock;
};

// A change that a command dated for later.
struct Dated {
  UtcTime at;
  Bytes place;  // as the alert that says it was made names it: class, object and attribute, or
                // cluster, frame control and command
  std::variant<ObjectKey, zcl::Component> what;
};

class ElectricityObjects {
 public:
  explicit ElectricityObjects(const Model& model) : model_(model) {}

  // Executes the items in order; every item gets its result. What is dated for later waits in
  // `dated`; a cancelled trigger takes back what waits for it.
  cosem::AccessResponse execute(const cosem::AccessRequest& request, Meter& meter,
                                const Duties& duties, std::vector<Dated>& dated);
  void activate(const ObjectKey& trigger, Meter& meter, UtcTime now);  // passive becomes active
  void consume(std::uint64_t watt_hours, Meter& meter, UtcTime now);
  void advance(Meter& meter, UtcTime now);  // days that passed are charged, bills written
  Account::Events add_credit(std::int64_t amount, std::string_view digits, Meter& meter,
                             UtcTime now);
  bool use_emergency(Meter& meter, UtcTime now);

 private:
  const cosem::Value& value(const ObjectKey& key) const;
  std::int64_t number(std::string_view text, std::int64_t otherwise = 0) const;
  cosem::Value shown(const ObjectKey& key, const DlmsObject& object, const Meter& meter,
                     UtcTime now,
                     std::optional<std::pair<std::uint32_t, std::uint32_t>> range) const;
  cosem::ResponseItem get(const cosem::RequestItem& item, const Meter& meter, UtcTime now) const;
  Octet set(const cosem::RequestItem& item, Meter& meter, const Duties& duties,
            std::vector<Dated>& dated);
  Octet set_time(const ObjectKey& key, const cosem::Value& value, Meter& meter, UtcTime now,
                 std::vector<Dated>& dated);
  cosem::ResponseItem act(const cosem::RequestItem& item, Meter& meter, const Duties& duties);
  Octet perform(const ObjectKey& key, const DlmsObject& object, const cosem::Value& value,
                Meter& meter, const Duties& duties);
  Octet perform_credit(std::string_view behaviour, const ObjectKey& key, const cosem::Value& value,
                       Meter& meter, const Duties& duties);
  cosem::ResponseItem read_protected(const cosem::Value& parameters, const Meter& meter,
                                     const Duties& duties) const;
  cosem::Value log(const DlmsObject& object, const Meter& meter, UtcTime now, std::uint32_t from,
                   std::uint32_t to) const;
  std::vector<std::int64_t> levels(std::string_view log, const Meter& meter, bool twin) const;
  unsigned switch_selector(UtcTime now) const;  // of the tariff's calendar
  std::int64_t price(unsigned index) const;     // millipence a kilowatt-hour
  unsigned block_of(unsigned time_of_use, const Meter& meter) const;
  AccountTerms terms(UtcTime now) const;
  std::int64_t charge_of(std::string_view charge) const;
  void remember(Meter& meter, UtcTime now) const;
  void bill(Meter& meter, UtcTime day) const;

  const Model& model_;
  std::map<ObjectKey, cosem::Value> values_;  // where they differ from the model
  bool failed_ = false;
  std::optional<std::pair<UtcTime, UtcTime>> clock_window_;
  std::optional<UtcTime> clock_wanted_;
};

class GasObjects {
 public:
  explicit GasObjects(const Model& model) : model_(model) {}
  std::vector<zcl::Component> execute(const std::vector<zcl::Component>& components, Meter& meter,
                                      const Duties& duties, std::vector<Dated>& dated);
  void activate(const zcl::Component& component, Meter& meter, UtcTime now);
  void consume(std::uint64_t litres, Meter& meter, UtcTime now);
  void advance(Meter& meter, UtcTime now);
  Account::Events add_credit(std::int64_t amount, std::string_view digits, Meter& meter,
                             UtcTime now);
  bool use_emergency(Meter& meter);

 private:
  struct Turn;  // one component's execution
  zcl::Value value(std::uint16_t cluster, std::uint16_t attribute) const;
  std::int64_t number(std::uint16_t cluster, std::uint16_t attribute) const;
  void put(std::uint16_t cluster, std::uint16_t attribute, std::int64_t number);
  zcl::ReadRecord read(std::uint16_t cluster, std::uint16_t attribute, const Meter& meter) const;
  void read_all(Turn& turn) const;
  void command(Turn& turn, const ZclCommand& row, std::vector<Dated>& dated);
  bool command_for_log(Turn& turn, std::string_view behaviour);
  bool command_for_money(Turn& turn, std::string_view behaviour, std::vector<Dated>& dated);
  void command_calendar(Turn& turn, std::string_view behaviour) const;
  void snapshot(Turn& turn, bool prepay) const;
  void sampled(Turn& turn) const;
  Octet dated_or_now(const zcl::Component& component, std::string_view offset, Meter& meter,
                     UtcTime now, std::vector<Dated>& dated);
  void take_fields(const zcl::Component& component, std::string_view assignments);
  AccountTerms terms() const;
  std::vector<std::int64_t> levels(bool prepay, const Meter& meter) const;
  void remember(Meter& meter, UtcTime now) const;
  unsigned time_of_use(UtcTime now) const;
  void bill(Meter& meter, UtcTime day) const;
  void event_log(Turn& turn) const;
  Octet change_debt(BytesView body, Account& account);

  const Model& model_;
  std::map<ZclKey, zcl::Value> values_;
  // What was published, by cluster, command and kind of calendar, day or part.
  std::map<std::pair<std::uint32_t, std::uint32_t>, Bytes> published_;
  std::map<std::uint32_t, Octet> calendars_;  // by id: the kind, 0 tariff, 3 non-disablement
  bool by_blocks_ = false;
  std::uint32_t started_sampling_ = 0;
};

// Whether a date or time of day of COSEM, with open parts, is that of a moment.
bool matches(const cosem::Date& pattern, const CivilTime& day);
unsigned weekday(UtcTime time);  // 1 Monday to 7 Sunday

}  // namespace wattseal::emulators
