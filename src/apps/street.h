// A street of emulated premises: each has an electricity meter (ESME), a gas meter (GSME), a
// communications hub (CHF) and a gas proxy (GPF). The street makes their keys and signing requests,
// installs their trust anchors, and is their WAN: a server that the gateway sends commands to, and
// a client that brings answers and alerts back. Threads: make_requests and install by one thread;
// then everything from any.
#pragma once
#include <map>
#include <mutex>

#include "base/parallel.h"
#include "base/pump.h"
#include "emulators/device.h"
#include "http/http.h"
#include "terms/terms.h"

namespace wattseal::apps {

struct Premises {
  Eui64 esme, gsme, chf, gpf;
  Mpan mpan;
  Mprn mprn;
};

class Street {
 public:
  // Identities are counted up from `first`, four a premises.
  Street(const World& world, Workers& workers, std::size_t premises, Eui64 first);
  ~Street();

  const std::vector<Premises>& premises() const { return premises_; }
  std::size_t devices() const { return premises_.size() * 4; }

  // New keys and PKCS#10 for every device, DS then KA, in the order of premises: ESME, GSME, CHF,
  // GPF.
  std::vector<Bytes> make_requests();
  // Puts the same Organisation Certificates into the cells of every device. Refuses
  // device-credentials.
  Status install(const std::vector<Bytes>& anchors,
                 const std::map<emulators::Cell, Bytes>& meter_cells,
                 const std::map<emulators::Cell, Bytes>& hub_cells);
  // The same for some of the premises.
  Status install(std::span<const Premises> some, const std::vector<Bytes>& anchors,
                 const std::map<emulators::Cell, Bytes>& meter_cells,
                 const std::map<emulators::Cell, Bytes>& hub_cells);
  // Before connect(): commands to a device that is away are lost. Asked from any thread.
  void set_away(std::function<bool(Eui64)> away) { away_ = std::move(away); }
  std::vector<emulators::EmulatedDevice::HeldCredential> credentials(Eui64 device) const;

  // From now on every device is wrong in this way; before install() or after it.
  void misbehave(const emulators::Misbehaviour& misbehaviour);
  // What people do at their meters; see EmulatedDevice.
  Status enter_top_up(Eui64 device, std::string_view digits);
  bool press_enable(Eui64 device);
  bool activate_emergency(Eui64 device);

  // The power fails for so long; what the device says when it is back, in place of the WAN.
  std::vector<Bytes> lose_power(Eui64 device, std::int64_t seconds);

  void connect(const std::string& gateway_url);  // opens the WAN server
  std::string wan_url() const;
  void stop();

  emulators::EmulatedDevice::Display display(Eui64 device) const;
  std::vector<emulators::SecurityLogEntry> security_log(Eui64 device) const;
  void consume(Eui64 device, std::uint64_t watt_hours_or_litres);

 private:
  struct Place {  // a device and what it takes to use it from several threads
    DeviceType type = DeviceType::esme;
    crypto::KeyHandle signing, agreement;
    std::unique_ptr<emulators::EmulatedDevice> device;
    mutable std::mutex mutex;
    Bytes image;                              // firmware as far as it has come
    std::string image_promised, image_taken;  // SHA-256 of it and of the last whole one, in hex
  };
  struct Answer {
    Bytes message;
    TraceId trace;
  };
  http::Response receive(const http::Request& request);
  http::Response receive_firmware(const http::Request& request);
  bool bring_back();
  void tick();
  Place& place(Eui64 device) const;

  const World& world_;
  Workers& workers_;
  std::vector<Premises> premises_;
  emulators::Misbehaviour misbehaviour_;
  std::function<bool(Eui64)> away_;
  std::map<Eui64, std::unique_ptr<Place>> places_;
  std::mutex mutex_;
  std::vector<Answer> waiting_;
  UtcTime next_tick_;  // the pump's own
  std::unique_ptr<http::Client> gateway_;
  std::unique_ptr<Pump> pump_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace wattseal::apps
