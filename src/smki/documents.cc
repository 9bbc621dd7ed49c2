#include "smki/documents.h"

#include "base/fault.h"
#include "smki/office_records.h"

namespace wattseal::smki {
namespace {

constexpr DocumentKindRow kKinds[] = {
#include "tables/document_kinds.inc"
};
constexpr std::size_t kNameMax = 64, kTitleMax = 200, kLabelMax = 32, kTypeMax = 100,
                      kReasonMax = 400;

const DocumentKindRow* find_kind(std::string_view id) {
  const auto row = std::ranges::find(kKinds, id, &DocumentKindRow::id);
  return row == std::end(kKinds) ? nullptr : row;
}

Refusal race() { return {"document-race"_rule, "another version came first"}; }
bool lost_race(const Refusal& refusal) { return refusal.rule == "document-race"_rule; }

// ---- rows

Bytes name_prefix(std::string_view name) {
  Bytes key = to_bytes(as_bytes(name));
  key.push_back(0);
  return key;
}
Bytes version_key(std::string_view name, std::uint64_t version) {
  Bytes key = name_prefix(name);
  put_be(key, version);
  return key;
}

Bytes to_record(const DocumentVersion& version) {
  const auto seconds = [](UtcTime time) { return static_cast<std::uint64_t>(time.unix_seconds()); };
  return RecordWriter()
      .text(version.kind)
      .text(version.title)
      .text(version.label)
      .text(version.media_type)
      .octets(version.digest)
      .number(version.octets)
      .number(seconds(version.lodged_at))
      .number(seconds(version.effective_from))
      .number(version.lodger.number())
      .number(version.person)
      .number(version.withdrawn_at ? seconds(*version.withdrawn_at) + 1 : 0)
      .text(version.reason)
      .bytes();
}
DocumentVersion to_version(BytesView key, BytesView record) {
  const auto time = [](std::uint64_t seconds) {
    return UtcTime::from_unix_seconds(static_cast<std::int64_t>(seconds));
  };
  RecordReader fields(record);
  DocumentVersion version;
  version.name = std::string(as_text(key.first(key.size() - 9)));
  version.version = get_be(key.last(8));
  version.kind = fields.text();
  version.title = fields.text();
  version.label = fields.text();
  version.media_type = fields.text();
  const BytesView digest = fields.octets();
  if (digest.size() != version.digest.size()) throw Fault("a document's digest has another length");
  std::ranges::copy(digest, version.digest.begin());
  version.octets = fields.number();
  version.lodged_at = time(fields.number());
  version.effective_from = time(fields.number());
  version.lodger = Eui64::from_number(fields.number());
  version.person = fields.number();
  if (const std::uint64_t withdrawn = fields.number()) version.withdrawn_at = time(withdrawn - 1);
  version.reason = fields.text();
  return version;
}

// A version that was withdrawn before its effective date never took the place of another.
bool takes_effect(const DocumentVersion& version) {
  return !version.withdrawn_at || *version.withdrawn_at > version.effective_from;
}
// Versions of one document, in order.
void set_states(std::span<DocumentVersion> versions, UtcTime now) {
  bool superseded = false;
  for (std::size_t i = versions.size(); i-- > 0;) {
    DocumentVersion& one = versions[i];
    const bool begun = one.effective_from <= now;
    one.state = one.withdrawn_at ? DocumentState::withdrawn
                : !begun         ? DocumentState::pending
                : superseded     ? DocumentState::superseded
                                 : DocumentState::in_force;
    superseded = superseded || (begun && takes_effect(one));
  }
}

std::vector<DocumentVersion> versions_of(const storage::Reader& reader, std::string_view name,
                                         UtcTime now) {
  std::vector<DocumentVersion> versions;
  const Bytes prefix = name_prefix(name);
  reader.scan(tables::documents, prefix, storage::prefix_end(prefix),
              [&](BytesView key, BytesView record) {
                if (key.size() == prefix.size() + 8) versions.push_back(to_version(key, record));
                return true;
              });
  set_states(versions, now);
  return versions;
}

std::size_t count_documents(const storage::Reader& reader) {
  std::size_t count = 0;
  Bytes from;
  for (bool more = true; more;) {
    more = false;
    reader.scan(tables::documents, from, {}, [&](BytesView key, BytesView) {
      ++count;
      from = storage::prefix_end(key.first(key.size() - 8));
      more = true;
      return false;
    });
  }
  return count;
}

// ---- what is lodged

Refusal bad(const char* field, std::string detail) {
  return {"document-field"_rule, std::move(detail), field};
}
std::string in_quotes(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + "'"; }

bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool alphanumeric(char c) { return lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax && name.front() >= 'a' && name.front() <= 'z' &&
         std::ranges::all_of(name, [](char c) { return lower_or_digit(c) || c == '-'; });
}
bool good_label(std::string_view label) {
  return !label.empty() && label.size() <= kLabelMax && alphanumeric(label.front()) &&
         std::ranges::all_of(label, [](char c) {
           return alphanumeric(c) || std::string_view("._-").find(c) != std::string_view::npos;
         });
}
bool good_text(std::string_view text, std::size_t most) {
  return !text.empty() && text.size() <= most && std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
}
bool good_type(std::string_view type) {
  const auto token = [](std::string_view part) {
    return !part.empty() && std::ranges::all_of(part, [](char c) {
      return alphanumeric(c) || std::string_view("+-._").find(c) != std::string_view::npos;
    });
  };
  const std::size_t slash = type.find('/');
  return type.size() <= kTypeMax && slash != std::string_view::npos &&
         token(type.substr(0, slash)) && token(type.substr(slash + 1));
}

Result<std::string> name_of(const DocumentKindRow& kind, const Lodging& lodging) {
  if (kind.one()) {
    if (lodging.name.empty() || lodging.name == kind.id) return std::string(kind.id);
    return bad("name", in_quotes(lodging.name) + ", and the one document of its kind is " +
                           std::string(kind.id));
  }
  if (!good_name(lodging.name))
    return bad("name", in_quotes(lodging.name) +
                           " is not a to z, then a to z, 0 to 9 and dashes, " +
                           std::to_string(kNameMax) + " at most");
  if (find_kind(lodging.name)) return bad("name", in_quotes(lodging.name) + " names a kind");
  return lodging.name;
}

Status check_fields(const Lodging& lodging) {
  if (!good_text(lodging.title, kTitleMax))
    return bad("title", "it has not 1 to " + std::to_string(kTitleMax) + " octets of plain text");
  if (!good_label(lodging.label))
    return bad("label", in_quotes(lodging.label) +
                            " is not a letter or digit, then letters, digits, dots, dashes and "
                            "underscores, " +
                            std::to_string(kLabelMax) + " at most");
  if (!good_type(lodging.media_type))
    return bad("Content-Type", in_quotes(lodging.media_type) + " is no media type");
  const std::size_t most = limit("document_octets_max");
  if (lodging.content.empty() || lodging.content.size() > most)
    return Refusal{
        "document-too-large"_rule,
        std::to_string(lodging.content.size()) + " octets of at most " + std::to_string(most),
        "content"};
  return {};
}

// The right of the party, and that the person speaks for it.
Status may_lodge(const storage::Reader& reader, const DocumentKindRow& kind, const Lodger& who,
                 UtcTime now) {
  const std::optional<Party> party = find_party(reader, who.party);
  if (!party || !has_role(kind.lodgers, party->kind))
    return Refusal{"document-lodger"_rule,
                   who.party.text() + (party ? " is a " + party->kind : " is no party") + "; " +
                       std::string(kind.id) + " takes " + std::string(kind.lodgers),
                   "kind"};
  if (who.person == 0 && !party->dual_control) return {};
  const std::optional<Person> person = find_person(reader, who.person);
  if (person && person->party == party->id && person->may_act(now)) return {};
  return Refusal{"document-officer"_rule,
                 person ? person->name + " may not act for " + party->name : "nobody says who acts",
                 "person"};
}

DocumentVersion asked_for(const std::string& name, const Lodging& lodging, const Lodger& who) {
  DocumentVersion version;
  version.name = name;
  version.kind = lodging.kind;
  version.title = lodging.title;
  version.label = lodging.label;
  version.media_type = lodging.media_type;
  version.digest = crypto::sha256(lodging.content);
  version.octets = lodging.content.size();
  version.lodger = who.party;
  version.person = who.person;
  return version;
}

bool same(const DocumentVersion& there, const DocumentVersion& wanted, bool dated) {
  return there.kind == wanted.kind && there.title == wanted.title && there.label == wanted.label &&
         there.media_type == wanted.media_type && there.digest == wanted.digest &&
         there.lodger == wanted.lodger && (!dated || there.effective_from == wanted.effective_from);
}

// Nothing when it may become the next version; the newest when it is that already.
Result<std::optional<DocumentVersion>> repeated(const std::vector<DocumentVersion>& versions,
                                                const DocumentVersion& wanted, bool dated) {
  if (!versions.empty() && !versions.back().withdrawn_at && same(versions.back(), wanted, dated))
    return std::optional(versions.back());
  for (const DocumentVersion& one : versions) {
    if (one.label == wanted.label)
      return Refusal{"document-immutable"_rule,
                     one.name + " " + one.label + " is version " + std::to_string(one.version) +
                         ", SHA-256 " + to_hex(one.digest),
                     "label"};
  }
  for (const DocumentVersion& one : versions) {
    if (takes_effect(one) && one.effective_from > wanted.effective_from)
      return Refusal{"document-order"_rule,
                     "version " + std::to_string(one.version) + " takes effect " +
                         one.effective_from.iso() + ", this one " + wanted.effective_from.iso(),
                     "effective_from"};
  }
  return std::optional<DocumentVersion>();
}

Status check_room(const storage::Reader& reader, const std::vector<DocumentVersion>& versions) {
  if (versions.size() >= limit("document_versions_max"))
    return Refusal{"document-full"_rule, std::to_string(versions.size()) + " versions", "name"};
  if (versions.empty() && count_documents(reader) >= limit("documents_max"))
    return Refusal{"document-full"_rule, "there are " + std::to_string(limit("documents_max")),
                   "name"};
  return {};
}

Bytes lodged_fact(const DocumentVersion& version, const Lodging& lodging, const Lodger& who,
                  TraceId trace) {
  FactWriter fact(FactKind::document_lodged, version.lodged_at, trace);
  fact.text(FactField::name, version.name)
      .number(FactField::document_version, version.version)
      .text(FactField::document_kind, version.kind)
      .text(FactField::title, version.title)
      .text(FactField::version_label, version.label)
      .text(FactField::media_type, version.media_type)
      .octets(FactField::content_digest, version.digest)
      .time(FactField::effective_from, version.effective_from)
      .eui(FactField::party, version.lodger)
      .number(FactField::person, version.person)
      .text(FactField::address, who.address)
      .octets(FactField::content, lodging.content);
  return fact.bytes();
}

[[noreturn]] void lacks(const FactView& fact) {
  throw Fault("a " + std::string(fact_kind_name(fact.kind())) + " fact lacks a field");
}

DocumentVersion version_of(const FactView& fact, BytesView content) {
  DocumentVersion version;
  version.name = std::string(fact.text(FactField::name));
  version.version = fact.number(FactField::document_version);
  version.kind = std::string(fact.text(FactField::document_kind));
  version.title = std::string(fact.text(FactField::title));
  version.label = std::string(fact.text(FactField::version_label));
  version.media_type = std::string(fact.text(FactField::media_type));
  version.digest = crypto::sha256(content);
  version.octets = content.size();
  version.lodged_at = fact.at();
  version.effective_from =
      UtcTime::from_unix_seconds(static_cast<std::int64_t>(fact.number(FactField::effective_from)));
  const std::optional<Eui64> lodger = fact.eui(FactField::party);
  const std::optional<BytesView> digest = fact.find(FactField::content_digest);
  if (!lodger || !digest || !equal(*digest, version.digest)) lacks(fact);
  version.lodger = *lodger;
  version.person = fact.number(FactField::person);
  return version;
}

}  // namespace

std::span<const DocumentKindRow> document_kinds() { return kKinds; }

std::vector<DocumentVersion> document_versions(const storage::Reader& reader, std::string_view name,
                                               UtcTime now) {
  return versions_of(reader, name, now);
}

std::string_view text(DocumentState state) {
  switch (state) {
    case DocumentState::pending: return "pending";
    case DocumentState::in_force: return "in-force";
    case DocumentState::superseded: return "superseded";
    case DocumentState::withdrawn: return "withdrawn";
  }
  UNREACHABLE();
}

Result<DocumentVersion> Documents::lodge(const Lodging& lodging, const Lodger& who, TraceId trace) {
  const DocumentKindRow* const kind = find_kind(lodging.kind);
  if (!kind) return Refusal{"document-kind"_rule, in_quotes(lodging.kind) + " is no kind", "kind"};
  TRY_ASSIGN(const std::string name, name_of(*kind, lodging));
  TRY(check_fields(lodging));
  DocumentVersion version = asked_for(name, lodging, who);
  for (;;) {
    const std::unique_ptr<storage::Reader> view = store_.snapshot();
    version.lodged_at = world_.now();
    version.effective_from = lodging.effective_from.value_or(version.lodged_at);
    TRY(may_lodge(*view, *kind, who, version.lodged_at));
    const std::vector<DocumentVersion> before = versions_of(*view, name, version.lodged_at);
    if (!before.empty() && before.front().kind != lodging.kind)
      return bad("name", in_quotes(name) + " is a " + before.front().kind);
    TRY_ASSIGN(const std::optional<DocumentVersion> there,
               repeated(before, version, lodging.effective_from.has_value()));
    if (there) return *there;
    TRY(check_room(*view, before));
    version.version = before.size() + 1;
    storage::Batch batch;
    const Bytes key = version_key(name, version.version);
    batch.require_absent(tables::documents, key, race());
    batch.put(tables::documents, key, to_record(version));
    batch.put(tables::document_contents, version.digest, lodging.content);
    batch.append(lodged_fact(version, lodging, who, trace));
    const Result<std::uint64_t> committed = store_.commit(std::move(batch));
    if (committed.ok()) return find(name, version.version);
    if (!lost_race(committed.refusal())) return committed.refusal();
  }
}

Result<DocumentVersion> Documents::withdraw(std::string_view name, std::uint64_t version,
                                            std::string_view reason, const Lodger& who,
                                            TraceId trace) {
  if (!good_text(reason, kReasonMax))
    return bad("reason", "it has not 1 to " + std::to_string(kReasonMax) + " octets of plain text");
  for (;;) {
    const UtcTime now = world_.now();
    TRY_ASSIGN(DocumentVersion found, find(name, version));
    const DocumentKindRow* const kind = find_kind(found.kind);
    if (!kind) throw Fault("a document is of a kind that no longer exists");
    TRY(may_lodge(store_, *kind, who, now));
    if (found.withdrawn_at)
      return Refusal{"document-withdrawn"_rule, "since " + found.withdrawn_at->iso(), "version"};
    storage::Batch batch;
    const Bytes key = version_key(name, version);
    batch.require_value(tables::documents, key, to_record(found), race());
    found.withdrawn_at = now;
    found.reason = std::string(reason);
    batch.put(tables::documents, key, to_record(found));
    batch.append(FactWriter(FactKind::document_withdrawn, now, trace)
                     .text(FactField::name, name)
                     .number(FactField::document_version, version)
                     .text(FactField::detail, reason)
                     .eui(FactField::party, who.party)
                     .number(FactField::person, who.person)
                     .text(FactField::address, who.address)
                     .bytes());
    const Result<std::uint64_t> committed = store_.commit(std::move(batch));
    if (committed.ok()) return find(name, version);
    if (!lost_race(committed.refusal())) return committed.refusal();
  }
}

std::vector<DocumentVersion> Documents::all() const {
  std::vector<DocumentVersion> versions;
  std::size_t first = 0;  // version of the document at hand
  const UtcTime now = world_.now();
  const auto end_document = [&] {
    set_states(std::span(versions).subspan(first), now);
    first = versions.size();
  };
  store_.scan(tables::documents, {}, {}, [&](BytesView key, BytesView record) {
    DocumentVersion one = to_version(key, record);
    if (first < versions.size() && versions.back().name != one.name) end_document();
    versions.push_back(std::move(one));
    return true;
  });
  end_document();
  return versions;
}

Result<std::vector<DocumentVersion>> Documents::versions(std::string_view name) const {
  std::vector<DocumentVersion> found = versions_of(store_, name, world_.now());
  if (found.empty())
    return Refusal{"document-unknown"_rule, "there is no document " + in_quotes(name), "name"};
  return found;
}

Result<DocumentVersion> Documents::find(std::string_view name,
                                        std::optional<std::uint64_t> version) const {
  TRY_ASSIGN(const std::vector<DocumentVersion> found, versions(name));
  for (const DocumentVersion& one : found) {
    if (version ? one.version == *version : one.state == DocumentState::in_force) return one;
  }
  return Refusal{"document-unknown"_rule,
                 version ? "it has no version " + std::to_string(*version)
                         : std::string("it has no version in force"),
                 "version"};
}

Bytes Documents::content(const DocumentVersion& version) const {
  std::optional<Bytes> content = store_.get(tables::document_contents, version.digest);
  if (!content || crypto::sha256(*content) != version.digest)
    throw Fault("the content of " + version.name + " is not what was lodged");
  return std::move(*content);
}

void Documents::replay(storage::Changes& rows, const FactView& fact) {
  const std::string_view name = fact.text(FactField::name);
  const Bytes key = version_key(name, fact.number(FactField::document_version));
  if (fact.kind() == FactKind::document_lodged) {
    const std::optional<BytesView> content = fact.find(FactField::content);
    if (!content || name.empty()) lacks(fact);
    const DocumentVersion version = version_of(fact, *content);
    rows.put(tables::documents, key, to_record(version));
    rows.put(tables::document_contents, version.digest, *content);
    return;
  }
  const std::optional<Bytes> record = rows.get(tables::documents, key);
  if (!record) throw Fault("a document was withdrawn that nobody lodged");
  DocumentVersion version = to_version(key, *record);
  version.withdrawn_at = fact.at();
  version.reason = std::string(fact.text(FactField::detail));
  rows.put(tables::documents, key, to_record(version));
}

}  // namespace wattseal::smki
