#include "apps/checkpoints.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>

#include "base/fault.h"
#include "base/world.h"
#include "smki/log.h"
#include "terms/tables.h"

namespace wattseal::apps {
namespace {

const Bytes kKeyRow{};  // the verifier key stands before all checkpoints

Bytes size_key(std::uint64_t facts) {
  Bytes key;
  put_be(key, facts);
  return key;
}

// Replaces the file: whoever reads it sees the old note or the new one.
void replace_file(const std::filesystem::path& file, std::string_view content) {
  const std::filesystem::path fresh = file.string() + ".new";
  const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool written =
      descriptor >= 0 &&
      ::write(descriptor, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
      ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  std::error_code error;
  if (written) std::filesystem::rename(fresh, file, error);
  if (!written || error) throw Fault("cannot write the checkpoint to " + file.string());
}

Result<tlog::Checkpoint> read(std::string_view note, const tlog::Verifier& key) {
  TRY_ASSIGN(const std::string text, tlog::open_note(note, key));
  TRY_ASSIGN(tlog::Checkpoint checkpoint, tlog::Checkpoint::parse(text));
  if (checkpoint.origin != kJournalOrigin)
    return Refusal{"tlog-checkpoint"_rule, "it is of " + checkpoint.origin, "origin"};
  return checkpoint;
}

std::optional<crypto::Digest> chain_after(const storage::Reader& reader, std::uint64_t facts) {
  std::optional<crypto::Digest> chain;
  if (facts == 0) return crypto::Digest{};
  reader.journal(facts, [&](const storage::JournalEntry& entry) {
    if (entry.sequence == facts) chain = entry.chain;
    return false;
  });
  return chain;
}

class Comparison {
 public:
  Comparison(const storage::Reader& reader, tlog::Verifier key)
      : reader_(reader), facts_(reader.journal_head().next - 1) {
    report.key = std::move(key);
  }

  Status compare(std::string_view note) {
    TRY_ASSIGN(const tlog::Checkpoint signed_one, read(note, *report.key));
    if (signed_one.size > facts_)
      return Refusal{"audit-truncated"_rule, "facts " + std::to_string(facts_ + 1) + " to " +
                                                 std::to_string(signed_one.size) + " are missing"};
    if (chain_after(reader_, signed_one.size) != signed_one.root)
      return Refusal{"audit-checkpoint"_rule,
                     "something from fact " + std::to_string(report.covered + 1) + " to fact " +
                         std::to_string(signed_one.size) + " is not what was signed"};
    report.covered = std::max(report.covered, signed_one.size);
    return {};
  }

  Status compare_all() {
    Status status;
    reader_.journal(1, [&](const storage::JournalEntry& entry) {
      const Result<FactView> fact = FactView::read(entry.fact);
      if (!fact.ok() || fact->kind() != FactKind::journal_checkpoint_signed) return true;
      status = compare(fact->text(FactField::note));
      if (status.ok()) ++report.checkpoints;
      return status.ok();
    });
    return status;
  }

  CheckpointReport report;

 private:
  const storage::Reader& reader_;
  const std::uint64_t facts_;
};

}  // namespace

JournalSigner::JournalSigner(const World& world, storage::Store& store, crypto::KeyHandle key,
                             std::filesystem::path outside)
    : world_(world), store_(store), key_(std::move(key)), outside_(std::move(outside)) {}

bool JournalSigner::sign_when_due() {
  const std::uint64_t facts = store_.journal_head().next - 1;
  std::uint64_t last = 0;
  std::optional<UtcTime> at;
  std::string newest;
  store_.scan_backwards(
      tables::journal_checkpoints, size_key(0), {}, [&](BytesView key, BytesView note) {
        last = get_be(key);
        newest = std::string(as_text(note));
        const Result<tlog::Checkpoint> read_back = read(as_text(note), verifier());
        if (read_back.ok()) at = smki::checkpoint_time(*read_back);
        return false;
      });
  put_outside(newest);
  // The checkpoint itself is a fact: a journal that holds no other new one is not signed again.
  if (at && facts <= last + 1) return false;
  const std::int64_t oldest = static_cast<std::int64_t>(limit("journal_checkpoint_minutes")) * 60;
  const UtcTime now = world_.now();
  if (at && facts - last < limit("journal_checkpoint_facts") && now >= *at && now - *at < oldest)
    return false;
  sign();
  return true;
}

std::string JournalSigner::sign() {
  const storage::JournalHead head = store_.journal_head();
  const UtcTime now = world_.now();
  const tlog::Checkpoint checkpoint{
      std::string(kJournalOrigin), head.next - 1, head.chain, {smki::checkpoint_time_line(now)}};
  const std::string note = tlog::sign_note(checkpoint.text(), checkpoint.origin, *key_);
  storage::Batch batch;
  batch.put(tables::journal_checkpoints, kKeyRow, as_bytes(verifier().text()));
  batch.put(tables::journal_checkpoints, size_key(checkpoint.size), as_bytes(note));
  batch.append(FactWriter(FactKind::journal_checkpoint_signed, now, world_.new_trace())
                   .number(FactField::journal_size, checkpoint.size)
                   .octets(FactField::journal_chain, checkpoint.root)
                   .text(FactField::note, note)
                   .bytes());
  if (!store_.commit(std::move(batch)).ok()) UNREACHABLE();  // it has no precondition
  put_outside(note);
  return note;
}

void JournalSigner::put_outside(const std::string& note) {
  if (outside_.empty() || note.empty() || note == written_) return;
  replace_file(outside_, note);
  written_ = note;
}

Result<CheckpointReport> check_checkpoints(const storage::Reader& reader,
                                           const std::optional<tlog::Verifier>& trusted,
                                           const std::optional<std::string>& outside) {
  std::optional<tlog::Verifier> key = trusted;
  if (!key) {
    const std::optional<Bytes> named = reader.get(tables::journal_checkpoints, kKeyRow);
    if (!named && !outside) return CheckpointReport{};
    if (!named)
      return Refusal{"tlog-key"_rule, "the store names no key; give it with --key", "key"};
    TRY_ASSIGN(key, tlog::Verifier::parse(as_text(*named)));
  }
  Comparison comparison(reader, *key);
  comparison.report.key_given = trusted.has_value();
  TRY(comparison.compare_all());
  if (outside) TRY(comparison.compare(*outside));
  return comparison.report;
}

}  // namespace wattseal::apps
