// Witnessed ceremonies: the founding, and every later use of a root key. What a ceremony does, its
// transcript, the fact of it and the use of its permission are one commit.
#include <set>

#include "smki/ceremony_steps.h"
#include "smki/lint.h"
#include "smki/office_records.h"
#include "smki/revocation.h"
#include "smki/serials.h"
#include "smki/transcript.h"

namespace wattseal::smki {
namespace {

using nlohmann::json;

constexpr std::string_view kManager = "ra-manager", kPersonnel = "ra-personnel",
                           kCustodian = "key-custodian";
constexpr std::size_t kNameOctetsMax = 100;

Bytes number_key(std::uint64_t number) {
  Bytes key;
  put_be(key, number);
  return key;
}

Status check_names(const std::vector<std::string>& names, const char* field, RuleId rule) {
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kNameOctetsMax)
      return Refusal{rule, "a name has not 1 to 100 octets", field};
  }
  return {};
}

// At least so many, none of them one of those who act.
Status check_witnesses(const std::vector<std::string>& witnesses,
                       const std::set<std::string>& acting) {
  TRY(check_names(witnesses, "witnesses", "ceremony-witness"_rule));
  const std::set<std::string> people(witnesses.begin(), witnesses.end());
  if (people.size() < limit("ceremony_witnesses_min"))
    return Refusal{"ceremony-witness"_rule, std::to_string(people.size()) + " witnesses are named",
                   "witnesses"};
  for (const std::string& name : people) {
    if (acting.contains(name))
      return Refusal{"ceremony-witness"_rule, name + " takes part, and cannot witness",
                     "witnesses"};
  }
  return {};
}

// One ceremony under way: its transcript, its batch, and the keys that it used.
class Sitting {
 public:
  Sitting(const World& world, storage::Store& store, crypto::KeyStore& keys,
          Environment environment, std::string_view purpose, TraceId trace)
      : world_(world),
        store_(store),
        keys_(keys),
        environment_(environment),
        purpose_(purpose),
        began_(world.now()),
        trace_(trace),
        writer_(purpose, environment, keys.kind(), began_, trace) {}

  const World& world() const { return world_; }
  storage::Store& store() { return store_; }
  Environment environment() const { return environment_; }
  UtcTime now() const { return began_; }
  TraceId trace() const { return trace_; }
  TranscriptWriter& transcript() { return writer_; }
  storage::Batch& batch() { return batch_; }
  void step(std::string_view what, std::string_view object, BytesView octets) {
    writer_.step(world_.now(), what, object, octets);
  }

  // The key of an authority, which then signs the transcript, too.
  Result<crypto::KeyHandle> use(const Authority& authority) {
    TRY_ASSIGN(crypto::KeyHandle key, keys_.find(authority.key_label));
    if (key->public_point() != authority.certificate.key)
      return Refusal{"ca-key-mismatch"_rule,
                     "the key " + authority.key_label + " is not the one of the certificate"};
    signs(authority, key);
    return key;
  }
  Result<crypto::KeyHandle> make(const std::string& label) {
    TRY_ASSIGN(crypto::KeyHandle key, crypto::find_or_generate(keys_, label));
    step("key pair made", label, key->public_point());
    return key;
  }
  Result<Bytes> make_contingency_key(std::uint32_t generation) {
    TRY_ASSIGN(Contingency made, make_contingency(world_, keys_, environment_, generation));
    step("contingency key sealed", "generation " + std::to_string(generation), made.wrapped);
    symmetric_key_ = std::move(made.symmetric_key);
    return made.wrapped;
  }
  void signs(const Authority& authority, crypto::KeyHandle key) {
    for (const TranscriptSigner& signer : signers_) {
      if (signer.certificate == authority.certificate.der) return;
    }
    signers_.push_back(
        {std::string(authority.profile->id), authority.certificate.der, std::move(key)});
  }
  // Signs the list of an issuer anew with `more` on it.
  Status put_list(const Authority& issuer, const std::vector<x509::RevokedEntry>& more) {
    TRY_ASSIGN(const crypto::KeyHandle key, use(issuer));
    RevocationBook book(store_, issuer);
    const Bytes list = book.put_list(batch_, store_, issuer, *key, more, began_, trace_);
    step("list signed", x509::name_text(issuer.certificate.subject), list);
    return {};
  }

  Result<CeremonyHeld> end(ActId act, const std::vector<std::string>& witnesses) {
    Numbers numbers(store_, "next_ceremony");
    CeremonyHeld held;
    held.number = numbers.draw();
    held.contingency_symmetric_key = symmetric_key_;
    numbers.put(batch_);
    writer_.number(held.number);
    writer_.act(act);
    std::string named;
    for (const std::string& witness : witnesses) {
      writer_.witness(witness);
      named += (named.empty() ? "" : ", ") + witness;
    }
    held.transcript = writer_.sign(world_.now(), signers_);
    batch_.put(tables::ceremonies, number_key(held.number), as_bytes(held.transcript));
    if (act != 0) {
      batch_.require_absent(tables::key_acts, act_key(act),
                            Refusal{"ceremony-act-used"_rule, "act " + std::to_string(act), "act"});
      batch_.put(tables::key_acts, act_key(act), number_key(held.number));
    }
    FactWriter fact(FactKind::ceremony_held, began_, trace_);
    fact.number(FactField::ceremony, held.number)
        .text(FactField::event, purpose_)
        .number(FactField::act, act)
        .text(FactField::witnesses, named)
        .octets(FactField::transcript_digest, transcript_digest(held.transcript))
        .text(FactField::payload, held.transcript);  // the table follows from the facts
    batch_.append(fact.bytes());
    TRY(store_.commit(std::move(batch_)));
    return held;
  }

 private:
  const World& world_;
  storage::Store& store_;
  crypto::KeyStore& keys_;
  const Environment environment_;
  const std::string purpose_;
  const UtcTime began_;
  const TraceId trace_;
  TranscriptWriter writer_;
  storage::Batch batch_;
  std::vector<TranscriptSigner> signers_;
  Bytes symmetric_key_;  // of a new root
};

// ---- the founding

Status check_founders(const std::vector<Founder>& founders) {
  const auto count = [&](std::string_view role) {
    return static_cast<std::uint64_t>(std::ranges::count(founders, role, &Founder::role));
  };
  std::set<std::string> names;
  std::vector<std::string> all;
  for (const Founder& founder : founders) {
    if (founder.role != kManager && founder.role != kPersonnel && founder.role != kCustodian)
      return Refusal{"ceremony-people"_rule, founder.role + " is no role of a founder", "role"};
    names.insert(founder.name);
    all.push_back(founder.name);
  }
  TRY(check_names(all, "people", "ceremony-people"_rule));
  if (names.size() != founders.size())
    return Refusal{"ceremony-people"_rule, "a person is named twice", "people"};
  if (count(kManager) < 2 || count(kPersonnel) < 2 ||
      count(kCustodian) < limit("ceremony_custodians_min"))
    return Refusal{"ceremony-people"_rule,
                   std::to_string(count(kManager)) + " managers, " +
                       std::to_string(count(kPersonnel)) + " personnel and " +
                       std::to_string(count(kCustodian)) + " custodians are named",
                   "people"};
  return {};
}

// ---- later acts

struct Permission {
  Act act;
  json payload;
  std::vector<Person> people;  // proposer first, then the approvers
};
Result<Permission> find_permission(const storage::Reader& reader, ActId id, UtcTime now) {
  const std::optional<Bytes> record = reader.get(tables::acts, act_key(id));
  const std::string which = "act " + std::to_string(id);
  if (!record) return Refusal{"office-act-unknown"_rule, "there is no " + which, "act"};
  Permission found;
  found.act = to_act(id, *record);
  if (found.act.kind != "authority-key-act" || found.act.state != ActState::done)
    return Refusal{"ceremony-act"_rule,
                   which + ", " + found.act.kind + ", is " + std::string(text(found.act.state)),
                   "act"};
  if (reader.get(tables::key_acts, act_key(id)))
    return Refusal{"ceremony-act-used"_rule, which, "act"};
  if (now >= found.act.lapses_at)
    return Refusal{"ceremony-act-lapsed"_rule, which + " lapsed on " + found.act.lapses_at.iso(),
                   "act"};
  // The world may have changed since the approval: a revocation may have been done already.
  found.payload = json::parse(found.act.payload);
  TRY(act_handler(found.act.kind).check({reader, now, {}}, found.payload, {}));
  std::vector<PersonId> ids{found.act.proposer};
  ids.insert(ids.end(), found.act.approvers.begin(), found.act.approvers.end());
  for (const PersonId person : ids) {
    std::optional<Person> one = find_person(reader, person);
    if (one) found.people.push_back(std::move(*one));
  }
  return found;
}

Status renew_lists(Sitting& sitting) {
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (!profile.is_ca() || profile.issuer != profile.id) continue;
    const std::optional<Authority> root = find_authority(sitting.store(), profile.id);
    if (!root) return Refusal{"ca-not-established"_rule, "there is no " + std::string(profile.id)};
    TRY(sitting.put_list(*root, {}));
  }
  return {};
}

std::optional<Authority> issuing_authority(const storage::Reader& reader,
                                           const CertificateSerial& serial) {
  for (const CertificateProfile& profile : certificate_profiles()) {
    if (!profile.is_ca()) continue;
    std::vector<Authority> all = former_authorities(reader, profile.id);
    if (std::optional<Authority> current = find_authority(reader, profile.id))
      all.push_back(std::move(*current));
    for (Authority& one : all) {
      if (one.certificate.serial == serial) return std::move(one);
    }
  }
  return std::nullopt;
}

Status revoke_authority(Sitting& sitting, const Permission& permission) {
  const CertificateSerial serial =
      CertificateSerial::parse_hex(permission.payload.value("serial", "")).value();
  const auto grounds = std::ranges::find(revocation_grounds(),
                                         permission.payload.value("grounds", ""), &GroundsRow::id);
  const Authority revoked = issuing_authority(sitting.store(), serial).value();
  const Authority root = find_authority(sitting.store(), revoked.profile->issuer).value();
  sitting.batch().append(
      FactWriter(FactKind::certificate_revoked, sitting.now(), sitting.trace())
          .serial(serial)
          .number(FactField::reason, grounds->reason)
          .octets(FactField::issuer_key_id, root.certificate.subject_key_id.value())
          .number(FactField::act, permission.act.id)
          .bytes());
  sitting.step("authority revoked", x509::name_text(revoked.certificate.subject),
               revoked.certificate.der);
  return sitting.put_list(root, {{serial, sitting.now(), grounds->reason}});
}

// The certificate of the next generation, its intent durable before its signature.
Result<Authority> certify_successor(Sitting& sitting, const CertificateProfile& profile,
                                    std::uint32_t generation) {
  const bool test = sitting.environment() == Environment::test;
  TRY_ASSIGN(
      const std::string name,
      generation_name(test ? profile.common_name_test : profile.common_name_live, generation));
  const std::string label = authority_label(profile, sitting.environment(), generation);
  TRY_ASSIGN(const crypto::KeyHandle key, sitting.make(label));
  crypto::KeyHandle issuer_key = key;  // a root signs itself
  CertificateProfile named = profile;
  named.common_name_test = named.common_name_live = name;
  ToBeSigned what;
  what.profile = &named;
  what.environment = sitting.environment();
  what.serial = Serials(sitting.world().random, sitting.store(), true).draw();
  what.not_before = sitting.now().start_of_day();
  what.key = key->public_point();
  if (profile.issuer == profile.id) {
    if (profile.extensions.find("contingency") != std::string_view::npos) {
      TRY_ASSIGN(what.wrapped_contingency_key, sitting.make_contingency_key(generation));
    }
  } else {
    const Authority root = find_authority(sitting.store(), profile.issuer).value();
    what.issuer = root.identity();
    TRY_ASSIGN(issuer_key, sitting.use(root));
  }
  const Bytes tbs = build_tbs(what);
  TRY(lint_before_issue(tbs));
  storage::Batch intent;
  intent.append(FactWriter(FactKind::certificate_intended, sitting.now(), sitting.trace())
                    .serial(what.serial)
                    .text(FactField::profile, profile.id)
                    .octets(FactField::tbs_digest, crypto::sha256(tbs))
                    .bytes());
  take_serial(intent, what.serial);
  TRY(sitting.store().commit(std::move(intent)));
  Result<x509::Certificate> certificate = x509::parse_certificate(
      x509::assemble_certificate(tbs, issuer_key->sign(crypto::sha256(tbs))));
  CHECK(certificate.ok());
  Authority made{&profile, std::move(*certificate), label};
  sitting.step("certificate signed", x509::name_text(made.certificate.subject),
               made.certificate.der);
  sitting.signs(made, key);
  return made;
}

Status establish_authority(Sitting& sitting, const CertificateProfile& profile) {
  const std::optional<Bytes> current =
      sitting.store().get(tables::authorities, as_bytes(profile.id));
  if (!current) return Refusal{"ca-not-established"_rule, "there is no " + std::string(profile.id)};
  // An intent names exact octets of the authority that was current when it was made.
  bool unfinished = false;
  sitting.store().scan(tables::intents, {}, {}, [&](BytesView, BytesView) {
    unfinished = true;
    return false;
  });
  if (unfinished)
    return Refusal{"ceremony-intents"_rule, "certificates are intended and not signed yet"};
  const std::uint32_t former =
      static_cast<std::uint32_t>(former_authorities(sitting.store(), profile.id).size()) + 1;
  TRY_ASSIGN(const Authority made, certify_successor(sitting, profile, former + 1));
  storage::Batch& batch = sitting.batch();
  batch.require_value(tables::authorities, as_bytes(profile.id), *current,
                      Refusal{"ceremony-race"_rule, "another ceremony made the authority"});
  batch.put(tables::former_authorities, former_key(profile.id, former), *current);
  batch.put(tables::authorities, as_bytes(profile.id),
            encode_authority(made.certificate.der, made.key_label));
  batch.append(FactWriter(FactKind::certificate_issued, sitting.now(), sitting.trace())
                   .serial(made.certificate.serial)
                   .text(FactField::profile, profile.id)
                   .octets(FactField::certificate, made.certificate.der)
                   .bytes());
  batch.append(FactWriter(FactKind::authority_established, sitting.now(), sitting.trace())
                   .text(FactField::profile, profile.id)
                   .text(FactField::key_label, made.key_label)
                   .serial(made.certificate.serial)
                   .bytes());
  batch.append(FactWriter(FactKind::authority_succeeded, sitting.now(), sitting.trace())
                   .text(FactField::profile, profile.id)
                   .number(FactField::generation, former + 1)
                   .serial(made.certificate.serial)
                   .bytes());
  return sitting.put_list(made, {});
}

}  // namespace

Result<CeremonyHeld> hold_founding(const World& world, storage::Store& store,
                                   crypto::KeyStore& keys, Environment environment,
                                   const std::vector<Founder>& founders,
                                   const std::vector<std::string>& witnesses) {
  TRY(check_founders(founders));
  std::set<std::string> acting;
  for (const Founder& founder : founders) acting.insert(founder.name);
  TRY(check_witnesses(witnesses, acting));
  if (!all_people(store).empty())
    return Refusal{"office-founded"_rule, "there are people already", "people"};
  const TraceId trace = world.new_trace();
  Sitting sitting(world, store, keys, environment, "found", trace);
  TRY_ASSIGN(const CeremonyReport made,
             establish_authorities(world, store, keys, environment, trace));
  for (const CeremonyReport::Authority& one : made.authorities) {
    const Authority authority = find_authority(store, one.profile).value();
    TRY(sitting.use(authority));
    sitting.step(one.made_now ? "key pair made" : "key pair kept", one.key_label,
                 authority.certificate.key);
    sitting.step(one.made_now ? "certificate signed" : "certificate kept", one.name,
                 authority.certificate.der);
    if (const std::optional<Bytes> list =
            store.get(tables::crls, authority.certificate.subject_key_id.value()))
      sitting.step("list signed", one.name, *list);
  }
  TRY_ASSIGN(std::vector<PersonId> people,
             put_founders({store, sitting.now(), trace}, sitting.batch(), founders));
  for (const Founder& founder : founders) sitting.transcript().person(founder.name, founder.role);
  TRY_ASSIGN(CeremonyHeld held, sitting.end(0, witnesses));
  held.people = std::move(people);
  held.contingency_symmetric_key = made.contingency_symmetric_key;
  return held;
}

Result<CeremonyHeld> hold_key_act(const World& world, storage::Store& store, crypto::KeyStore& keys,
                                  ActId act, const std::vector<std::string>& witnesses) {
  TRY_ASSIGN(const Permission permission, find_permission(store, act, world.now()));
  std::set<std::string> acting;
  for (const Person& person : permission.people) acting.insert(person.name);
  TRY(check_witnesses(witnesses, acting));
  const std::optional<Environment> environment = environment_of(store);
  if (!environment) return Refusal{"ca-not-established"_rule, "no authority was ever made"};
  const std::string purpose = permission.payload.value("purpose", "");
  Sitting sitting(world, store, keys, *environment, purpose, world.new_trace());
  for (const Person& person : permission.people)
    sitting.transcript().person(person.name, person.role);
  if (purpose == "renew-lists") {
    TRY(renew_lists(sitting));
  } else if (purpose == "revoke-authority") {
    TRY(revoke_authority(sitting, permission));
  } else {
    TRY(establish_authority(sitting,
                            *find_certificate_profile(permission.payload.value("profile", ""))));
  }
  return sitting.end(act, witnesses);
}

std::vector<std::uint64_t> ceremonies(const storage::Reader& reader) {
  std::vector<std::uint64_t> numbers;
  reader.scan(tables::ceremonies, {}, {}, [&](BytesView key, BytesView) {
    numbers.push_back(get_be(key));
    return true;
  });
  return numbers;
}

std::optional<std::string> ceremony_transcript(const storage::Reader& reader,
                                               std::uint64_t number) {
  const std::optional<Bytes> text = reader.get(tables::ceremonies, number_key(number));
  return text ? std::optional(std::string(as_text(*text))) : std::nullopt;
}

}  // namespace wattseal::smki
