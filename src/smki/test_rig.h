// What the tests of this module share: a whole SMKI on a memory store, stepped by hand. Tests only.
#pragma once
#include <nlohmann/json.hpp>

#include "smki/ca.h"
#include "smki/ceremony.h"
#include "smki/express.h"
#include "smki/office.h"
#include "smki/ra.h"
#include "smki/repository.h"

namespace wattseal::smki::test {

inline constexpr Eui64 kSupplier = Eui64::from_number(0x9057530000010000),
                       kMaker = Eui64::from_number(0x9057530000050000),
                       kDevice = Eui64::from_number(0x0057530000000000);

struct Rig {
  FixedClock clock{UtcTime::parse_iso("2026-05-01T10:00:00Z").value()};
  std::unique_ptr<Random> random = seeded_random(11);
  World world{clock, *random};
  std::unique_ptr<storage::Store> store = storage::memory_store();
  std::unique_ptr<crypto::KeyStore> keys = crypto::memory_key_store();
  Workers workers{2};
  RegistrationAuthority authority{world, *store, workers};
  Repository repository{world, *store};
  Office office{world, *store};
  std::unique_ptr<CertificationAuthority> ca;
  ExpressLane express{world,
                      *store,
                      authority,
                      repository,
                      {[] {},
                       [this](BatchId) {
                         settle();
                         return true;
                       }}};
  int keys_made = 0;

  Rig() {
    CHECK(run_ceremony(world, *store, *keys, Environment::test).ok());
    Result<std::unique_ptr<CertificationAuthority>> opened =
        CertificationAuthority::open(world, *store, *keys, workers, Environment::test);
    CHECK(opened.ok());
    ca = std::move(*opened);
    CHECK(authority
              .register_party({kSupplier,
                               "Alder",
                               "supplier",
                               {UserRole::import_supplier},
                               {{kSupplier, kSupplier}}},
                              world.new_trace())
              .ok());
    const Eui64 last = Eui64::from_number(kDevice.number() + 99'999);
    CHECK(authority
              .register_party({kMaker, "Elm", "manufacturer", {}, {{kDevice, last}}},
                              world.new_trace())
              .ok());
  }

  crypto::KeyHandle key() {
    const Result<crypto::KeyHandle> made =
        crypto::generate_one(*keys, "test" + std::to_string(keys_made++));
    CHECK(made.ok());
    return *made;
  }
  static x509::Name organisation(Eui64 id, RemotePartyRole role) {
    Subject subject;
    subject.eui = id;
    subject.role = role;
    return subject_name(*find_certificate_profile("organisation-ds"), Environment::test, subject);
  }
  static x509::Extension module(Eui64 device) {
    return x509::hardware_module_extension(
        {x509::oid::from_text("1.2.3.4"), to_bytes(device.octets())});
  }
  Bytes device_request(Eui64 device, unsigned usage = x509::key_usage::digital_signature) {
    return x509::make_request({}, {x509::usage_extension(usage), module(device)}, *key());
  }
  Bytes organisation_request(Eui64 id = kSupplier, RemotePartyRole role = RemotePartyRole::supplier,
                             unsigned usage = x509::key_usage::digital_signature) {
    return x509::make_request(organisation(id, role), {x509::usage_extension(usage)}, *key());
  }

  void settle() {
    while (authority.decide(1024) + ca->issue() + ca->revoke_authorised() + repository.publish() +
               authority.note_answered() >
           0) {
    }
  }
  // The one row's result after everything has been done.
  RowResult outcome(Eui64 subscriber, const Bytes& request) {
    const Result<BatchId> batch = authority.submit({subscriber, {request}, world.new_trace()});
    CHECK(batch.ok());
    settle();
    return authority.results(*batch, 0, 1).front();
  }
  std::string rule_of(Eui64 subscriber, const Bytes& request) {
    const RowResult result = outcome(subscriber, request);
    return result.state == RowState::refused ? result.rule : std::string(text(result.state));
  }
};

}  // namespace wattseal::smki::test
