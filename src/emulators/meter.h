// What a meter measures and owes, and the objects through which it shows them: COSEM for
// electricity, ZigBee clusters for gas. The objects are rows of data/emulated_objects.tsv. Private
// to emulators.
#pragma once
#include <functional>

#include "cosem/cosem.h"
#include "emulators/device.h"
#include "zcl/zcl.h"

namespace wattseal::emulators {

struct Meter {
  std::string payment_mode = "prepayment";
  std::uint64_t import_units = 0;  // watt-hours, or litres of gas
  std::int64_t balance_millipence = 0;
  OriginatorCounter last_top_up;
};

// What executing a command needs from the device.
struct Duties {
  UtcTime now;
  Eui64 device;
  Eui64 reader;               // who encrypted attributes are for
  OriginatorCounter counter;  // of the response's encryption
  std::function<Bytes(BytesView plain)> seal;
  std::function<Result<OriginatorCounter>(std::string_view digits)> check_top_up;
};

// A change that a command dated for later.
struct Dated {
  UtcTime at;
  std::uint16_t class_id = 0;
  cosem::Obis object;
  Octet attribute = 0;
};

class ElectricityObjects {
 public:
  explicit ElectricityObjects(std::string_view device_type);

  // Executes the items in order; every item gets its result.
  cosem::AccessResponse execute(const cosem::AccessRequest& request, Meter& meter,
                                const Duties& duties);
  // What execute() dated for later, handed over once; a cancellation has taken back what was handed
  // over before.
  std::vector<Dated> take_dated() { return std::exchange(dated_, {}); }
  bool take_cancelled() { return std::exchange(cancelled_, false); }
  void activate(Meter& meter) const;  // the pending payment mode becomes the mode

 private:
  struct Key {
    std::uint16_t class_id = 0;
    cosem::Obis object;
    Octet member = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Object {
    std::string access, behaviour;
    cosem::Value value;
  };
  cosem::ResponseItem get(const Key& key, const Meter& meter) const;
  Octet set(const Key& key, const cosem::Value& value, Meter& meter, const Duties& duties);
  Octet act(const Key& key, const cosem::Value& value, Meter& meter, const Duties& duties);
  cosem::ResponseItem read_protected(const cosem::Value& parameters, const Meter& meter,
                                     const Duties& duties) const;

  std::map<Key, Object> objects_;
  std::vector<Dated> dated_;
  bool cancelled_ = false, failed_ = false;
};

class GasObjects {
 public:
  explicit GasObjects(std::string_view device_type);
  std::vector<zcl::Component> execute(const std::vector<zcl::Component>& components,
                                      const Meter& meter, const Duties& duties);

 private:
  struct Attribute {
    Octet type = 0;
    bool writable = false;
    std::string behaviour;
    std::int64_t number = 0;
  };
  zcl::ReadRecord read(std::uint16_t cluster, std::uint16_t attribute, const Meter& meter) const;
  Octet write(std::uint16_t cluster, const zcl::AttributeRecord& record);

  std::map<std::pair<std::uint16_t, std::uint16_t>, Attribute> attributes_;
};

}  // namespace wattseal::emulators
