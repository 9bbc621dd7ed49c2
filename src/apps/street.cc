#include "apps/street.h"

#include <charconv>

#include "apps/platform.h"
#include "base/fault.h"
#include "base/log.h"
#include "gateway/wan_service.h"

namespace wattseal::apps {
namespace {

constexpr std::uint64_t kFirstMpanCore = 200'000'000'000, kFirstMprnCore = 30'000'000;
constexpr std::size_t kAtOnce = 256, kImageOctetsMax = 10'240'000;
constexpr std::string_view kFirmware = "/wan/v1/firmware/";

std::string header_of(const http::Request& request, std::string_view name) {
  const std::string* const value = request.header(name);
  return value ? *value : std::string();
}
std::optional<std::uint64_t> number_of(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

Street::Street(const World& world, Workers& workers, std::size_t premises, Eui64 first)
    : world_(world), workers_(workers) {
  for (std::size_t i = 0; i < premises; ++i) {
    const auto id = [&](std::uint64_t offset) {
      return Eui64::from_number(first.number() + 4 * i + offset);
    };
    premises_.push_back({id(0), id(1), id(2), id(3), Mpan::from_core(kFirstMpanCore + i),
                         Mprn::from_core(kFirstMprnCore + i)});
    constexpr DeviceType kTypes[] = {DeviceType::esme, DeviceType::gsme, DeviceType::chf,
                                     DeviceType::gpf};
    for (std::uint64_t offset = 0; offset < 4; ++offset) {
      std::unique_ptr<Place> place = std::make_unique<Place>();
      place->type = kTypes[offset];
      places_.emplace(id(offset), std::move(place));
    }
  }
}

Street::~Street() { stop(); }

Street::Place& Street::place(Eui64 device) const {
  const auto found = places_.find(device);
  CHECK(found != places_.end());
  return *found->second;
}

std::vector<Bytes> Street::make_requests() {
  std::vector<std::pair<Eui64, Place*>> order;
  for (const Premises& one : premises_) {
    for (const Eui64 id : {one.esme, one.gsme, one.chf, one.gpf})
      order.emplace_back(id, &place(id));
  }
  std::vector<Bytes> requests(order.size() * 2);
  workers_.parallel_for(order.size(), 16, [&](std::size_t begin, std::size_t end) {
    const std::unique_ptr<crypto::KeyStore> keys =
        crypto::memory_key_store();  // an emulated device's keys live in its memory
    for (std::size_t i = begin; i < end; ++i) {
      const auto& [id, where] = order[i];
      const Result<crypto::KeyHandle> signing = crypto::generate_one(*keys, id.hex() + ".ds"),
                                      agreement = crypto::generate_one(*keys, id.hex() + ".ka");
      CHECK(signing.ok() && agreement.ok());
      where->signing = *signing;
      where->agreement = *agreement;
      requests[2 * i] = device_request(id, KeyUse::digital_signature, *where->signing);
      requests[2 * i + 1] = device_request(id, KeyUse::key_agreement, *where->agreement);
    }
  });
  return requests;
}

Status Street::install(const std::vector<Bytes>& anchors,
                       const std::map<emulators::Cell, Bytes>& meter_cells,
                       const std::map<emulators::Cell, Bytes>& hub_cells) {
  return install(premises_, anchors, meter_cells, hub_cells);
}

Status Street::install(std::span<const Premises> some, const std::vector<Bytes>& anchors,
                       const std::map<emulators::Cell, Bytes>& meter_cells,
                       const std::map<emulators::Cell, Bytes>& hub_cells) {
  TRY_ASSIGN(const emulators::Anchors meters,
             emulators::check_anchors(anchors, meter_cells, world_.now()));
  TRY_ASSIGN(const emulators::Anchors hubs,
             emulators::check_anchors(anchors, hub_cells, world_.now()));
  for (const Premises& one : some) {
    for (const Eui64 id : {one.esme, one.gsme, one.chf, one.gpf}) {
      Place& where = place(id);
      where.device =
          emulators::EmulatedDevice::make(world_,
                                          {id, where.type, where.signing, where.agreement,
                                           where.type == DeviceType::chf ? hubs : meters},
                                          misbehaviour_);
    }
  }
  return {};
}

void Street::misbehave(const emulators::Misbehaviour& misbehaviour) {
  misbehaviour_ = misbehaviour;
  for (const auto& [id, where] : places_) {
    const std::lock_guard lock(where->mutex);
    if (where->device) where->device->misbehave(misbehaviour);
  }
}

void Street::connect(const std::string& gateway_url) {
  Result<std::unique_ptr<http::Client>> client = http::Client::open(gateway_url);
  if (!client.ok()) throw Fault("the gateway's address: " + client.refusal().detail);
  gateway_ = std::move(*client);
  pump_ = std::make_unique<Pump>(
      "street", [this] { return bring_back(); }, std::chrono::milliseconds(100));
  http::ServerOptions options;
  options.body_octets_max = limit("gbcs_octets_max");
  http::Router router;
  router.on("POST", "/wan/v1/devices/*",
            [this](const http::Request& request) { return receive(request); });
  router.on("POST", "/wan/v1/firmware/*",
            [this](const http::Request& request) { return receive_firmware(request); });
  server_ = std::make_unique<http::Server>(world_, options, router);
}

std::string Street::wan_url() const {
  return "http://127.0.0.1:" + std::to_string(server_->port());
}

void Street::stop() {
  if (server_) server_->stop();
  if (pump_) pump_->stop();
}

http::Response Street::receive(const http::Request& request) {
  const std::optional<Bytes> id =
      from_hex(std::string_view(request.path).substr(std::string_view("/wan/v1/devices/").size()));
  const auto found =
      id && id->size() == 8 ? places_.find(Eui64::from_number(get_be(*id))) : places_.end();
  if (found == places_.end()) return {.status = 404, .body = "No such device is on this street.\n"};
  if (away_ && away_(found->first)) return {.status = 202};
  std::vector<Bytes> answers;
  {
    const std::lock_guard lock(found->second->mutex);
    answers = found->second->device->receive(as_bytes(request.body));
  }
  log::info("device_received", {{"device", found->first.text()},
                                {"octets", std::to_string(request.body.size())},
                                {"answers", std::to_string(answers.size())},
                                {"trace", request.trace.text()}});
  {
    const std::lock_guard lock(mutex_);
    for (Bytes& answer : answers) waiting_.push_back({std::move(answer), request.trace});
  }
  pump_->wake();
  return {.status = 202};
}

// A hub collects the parts of an image in order; the device gets it when its hash is what was
// promised. A part that is there already is taken again, one too early is not.
http::Response Street::receive_firmware(const http::Request& request) {
  const std::optional<Bytes> id = from_hex(std::string_view(request.path).substr(kFirmware.size()));
  const auto found =
      id && id->size() == 8 ? places_.find(Eui64::from_number(get_be(*id))) : places_.end();
  if (found == places_.end()) return {.status = 404, .body = "No such device is on this street.\n"};
  const std::optional<std::uint64_t> offset = number_of(header_of(request, "X-Offset")),
                                     total = number_of(header_of(request, "X-Total"));
  const std::optional<Bytes> version = from_hex(header_of(request, "X-Version"));
  const std::string image = header_of(request, "X-Image");
  if (!offset || !total || *total > kImageOctetsMax || !version || version->size() != 4)
    return {.status = 400, .body = "A part has an offset, a total and a version of four octets.\n"};
  Place& where = *found->second;
  const std::lock_guard lock(where.mutex);
  if (where.image_taken == image && *offset > 0) return {.status = 202};
  if (where.image_promised != image) {
    where.image_promised = image;
    where.image.clear();
  }
  if (*offset > where.image.size() || *offset + request.body.size() > *total)
    return {.status = 409, .body = "The part before it is missing.\n"};
  if (*offset < where.image.size()) return {.status = 202};
  append(where.image, as_bytes(request.body));
  if (where.image.size() < *total) return {.status = 202};
  const Bytes whole = std::exchange(where.image, {});
  where.image_taken = image;
  where.image_promised.clear();
  if (to_hex(crypto::sha256(whole)) != image)
    return {.status = 422, .body = "The image has another hash.\n"};
  std::array<Octet, 4> octets{};
  std::ranges::copy(*version, octets.begin());
  const Status taken = where.device->take_firmware(whole, octets);
  if (!taken.ok()) return {.status = 422, .body = explain(taken.refusal()) + "\n"};
  return {.status = 202};
}

// Once a second every device looks at its clock: changes that commands dated are made, and alerts
// say so.
void Street::tick() {
  const UtcTime now = world_.now();
  if (now < next_tick_) return;
  next_tick_ = now.plus_seconds(1);
  for (const auto& [id, where] : places_) {
    std::vector<Bytes> alerts;
    {
      const std::lock_guard lock(where->mutex);
      alerts = where->device->tick();
    }
    const TraceId trace = alerts.empty() ? TraceId() : world_.new_trace();
    const std::lock_guard lock(mutex_);
    for (Bytes& alert : alerts) waiting_.push_back({std::move(alert), trace});
  }
}

// Answers go back in order; one that the gateway does not take now is tried again.
bool Street::bring_back() {
  tick();
  std::vector<Answer> batch;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(waiting_.size(), kAtOnce);
    std::move(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count),
              std::back_inserter(batch));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  for (std::size_t i = 0; i < batch.size();) {
    // Those of one exchange travel together.
    std::vector<Bytes> messages;
    for (std::size_t j = i; j < batch.size() && batch[j].trace == batch[i].trace; ++j)
      messages.push_back(batch[j].message);
    const bool many = messages.size() > 1;
    http::Request request;
    request.method = "POST";
    request.path = "/wan/v1/messages";
    request.headers = {
        {"Content-Type", many ? std::string(gateway::kManyMessages) : "application/octet-stream"}};
    request.body = many ? gateway::join_messages(messages) : std::string(as_text(messages.front()));
    request.trace = batch[i].trace;
    try {
      gateway_->send(request);  // a refusal is the gateway's last word on it
    } catch (const Fault&) {
      const std::lock_guard lock(mutex_);
      waiting_.insert(waiting_.begin(),
                      std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(i)),
                      std::make_move_iterator(batch.end()));
      throw;
    }
    i += messages.size();
  }
  return !batch.empty();
}

emulators::EmulatedDevice::Display Street::display(Eui64 device) const {
  const Place& where = place(device);
  const std::lock_guard lock(where.mutex);
  return where.device->display();
}

std::vector<emulators::SecurityLogEntry> Street::security_log(Eui64 device) const {
  const Place& where = place(device);
  const std::lock_guard lock(where.mutex);
  return where.device->security_log();
}

std::vector<emulators::EmulatedDevice::HeldCredential> Street::credentials(Eui64 device) const {
  const Place& where = place(device);
  const std::lock_guard lock(where.mutex);
  return where.device->credentials();
}

Status Street::enter_top_up(Eui64 device, std::string_view digits) {
  const Place& where = place(device);
  const std::lock_guard lock(where.mutex);
  return where.device->enter_top_up(digits);
}

bool Street::press_enable(Eui64 device) {
  const Place& where = place(device);
  const std::lock_guard lock(where.mutex);
  return where.device->press_enable();
}

bool Street::activate_emergency(Eui64 device) {
  const Place& where = place(device);
  const std::lock_guard lock(where.mutex);
  return where.device->activate_emergency();
}

std::vector<Bytes> Street::lose_power(Eui64 device, std::int64_t seconds) {
  const Place& where = place(device);
  const std::lock_guard lock(where.mutex);
  where.device->lose_power(seconds);
  return where.device->tick();
}

void Street::consume(Eui64 device, std::uint64_t watt_hours_or_litres) {
  const Place& where = place(device);
  const std::lock_guard lock(where.mutex);
  where.device->consume(watt_hours_or_litres);
}

}  // namespace wattseal::apps
